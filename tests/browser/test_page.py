"""The page, as a person uses it: things are found by role and label."""

import re
import time
from threading import Event

import pytest
from hub_faults import hold
from playwright.sync_api import Page, expect

PUBLISHED = ["s12", "s24", "s36", "m36", "m48"]


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_role("radiogroup", name="Variant").get_by_role("radio")).to_have_count(6)


def upload(page: Page, path) -> None:
    remove = page.get_by_role("button", name="Remove Image")
    if remove.is_visible():
        remove.click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Drop an image file here to upload").click()
    chooser.value.set_files(path)


def row(page: Page, name: str):
    return page.get_by_role("radio", name=re.compile(f"^{name}: "))


def labels(page: Page) -> list[str]:
    return page.get_by_role("meter").evaluate_all("bars => bars.map((bar) => bar.getAttribute('aria-label'))")


def stages(page: Page):
    return page.get_by_role("region", name=re.compile(r"^Stage [1-4]$"))


def picture(page: Page, stage: int, title: str):
    return page.get_by_role("region", name=f"Stage {stage}").get_by_role("img", name=re.compile(f", {title}"))


def expect_result(page: Page) -> None:
    expect(page.get_by_role("meter")).to_have_count(5)
    expect(stages(page)).to_have_count(4)


def test_an_uploaded_picture_gets_five_labels_and_four_stages(page, offline_app, cat):
    open_page(page, offline_app)
    expect(row(page, "tiny")).to_be_checked()
    expect(page.get_by_text("It is not an ImageNet model")).to_be_visible()
    upload(page, cat)
    expect_result(page)
    assert set(labels(page)) < {
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    }
    expect(page.get_by_text(re.compile(r"^tiny · \d+ × \d+ pixels · forward pass \d+ ms$"))).to_be_visible()
    for number in range(1, 5):
        stage = page.get_by_role("region", name=f"Stage {number}")
        expect(stage.get_by_text(re.compile(r"^\d+ × \d+ × \d+$"))).to_be_visible()
        expect(stage.get_by_text(re.compile(r"^stride \d+ px, receptive field \d+ px"))).to_be_visible()
        for title in ("Energy", "PCA to RGB", "16 strongest channels"):
            image = picture(page, number, title)
            expect(image).to_be_visible()
            page.wait_for_function("image => image.complete && image.naturalWidth > 400", arg=image.element_handle())


def test_the_table_shows_what_each_variant_is_and_costs(page, offline_app):
    open_page(page, offline_app)
    expect(row(page, "m48")).to_have_accessible_name(
        "m48: depths 8, 8, 24, 8; hidden sizes 96, 192, 384, 768; 73 M parameters; 11.6 G MACs; "
        "top-1 82.5% on ImageNet-1k; fetch 294 MB"
    )
    expect(row(page, "tiny")).to_have_accessible_name(re.compile(r"on CIFAR-10; bundled$"))


def test_an_example_is_classified_with_one_click(page, offline_app):
    open_page(page, offline_app)
    page.get_by_role("button", name="Example: cheetah, photograph").click()
    expect_result(page)


def test_changing_the_view_redraws_without_running_the_model(page, offline_app, cat):
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    run = page.get_by_text(re.compile("forward pass"))
    timing, energy = run.inner_text(), picture(page, 1, "Energy")
    pca, before = picture(page, 1, "PCA").get_attribute("src"), energy.get_attribute("src")
    page.get_by_label("smooth").check()
    expect(energy).not_to_have_attribute("src", before)
    assert picture(page, 1, "PCA").get_attribute("src") == pca
    assert run.inner_text() == timing
    ranges = page.get_by_role("region").get_by_role("img", name=re.compile("^colours from -"))
    assert len(set(ranges.evaluate_all("bars => bars.map((bar) => bar.alt)"))) > 1
    page.get_by_label("one for all stages").check()
    page.wait_for_function(
        "new Set([...document.querySelectorAll('img[alt^=\"colours from -\"]')].map((bar) => bar.alt)).size === 1"
    )


def test_a_variant_is_fetched_when_its_row_is_clicked(page, online_app, cat):
    open_page(page, online_app)
    upload(page, cat)
    expect_result(page)
    row(page, "s12").click()
    expect(page.get_by_text(re.compile("^s12 · 224 × 224 pixels"))).to_be_visible()
    expect(row(page, "s12")).to_be_checked()
    expect(row(page, "s12")).to_have_accessible_name(re.compile("; cached$"))
    assert all(label.startswith("thing ") for label in labels(page))
    expect(page.get_by_role("region", name="Stage 1").get_by_text("56 × 56 × 64", exact=True)).to_be_visible()
    page.reload()
    expect(row(page, "s12")).to_be_checked()  # cached now, so it is the default
    row(page, "tiny").click()
    expect(row(page, "tiny")).to_be_checked()


def test_a_fetch_shows_how_far_it_is(page, online_app, online_hub, cat):
    released = Event()
    online_hub.misbehave("/storage/", hold(after_bytes=30 << 20, released=released))
    open_page(page, online_app)
    upload(page, cat)
    expect_result(page)
    row(page, "s24").click()
    try:
        expect(page.get_by_text(re.compile(r"model\.safetensors.* - [1-9][0-9.]*%")).first).to_be_visible()
    finally:
        released.set()
        online_hub.behave()
    expect(page.get_by_text(re.compile("^s24 · 224 × 224 pixels"))).to_be_visible()


def test_the_table_is_worked_by_keyboard(page, online_app, cat):
    open_page(page, online_app)
    upload(page, cat)
    expect_result(page)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(
            "document.activeElement.getAttribute('role') === 'radio' && !!document.activeElement.dataset.name"
        ):
            break
    page.keyboard.press("Home")
    expect(row(page, "tiny")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(row(page, "s12")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^s12 · 224 × 224 pixels"))).to_be_visible()
    expect(row(page, "s12")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    expect(page.get_by_text(re.compile("^tiny · "))).to_be_visible()


@pytest.mark.parametrize("name", PUBLISHED[:1])
def test_a_variant_that_cannot_be_fetched_says_so_in_time_and_loses_nothing(page, offline_app, cat, name):
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    before = labels(page)
    started = time.monotonic()
    row(page, name).click()
    expect(page.get_by_text(re.compile(f"^{name} cannot be fetched: .* you can use tiny"))).to_be_visible()
    assert time.monotonic() - started < 10  # the 5 s that are promised, with room for a busy machine
    expect(row(page, "tiny")).to_be_checked()
    expect_result(page)
    assert labels(page) == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"<html>", "is no picture that can be opened"), (None, "is truncated or damaged"), (b"", "is empty")],
    ids=["page", "truncated", "empty"],
)
def test_a_bad_file_says_so_and_shows_nothing_old(page, offline_app, cat, tmp_path, content, sentence):
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    bad = tmp_path / "holiday.jpg"
    bad.write_bytes(cat.read_bytes()[:9000] if content is None else content)
    upload(page, bad)
    expect(page.get_by_role("status").get_by_text(f"holiday.jpg {sentence}")).to_be_visible()
    expect(stages(page)).to_have_count(0)
    expect(page.get_by_role("meter")).to_have_count(0)
    upload(page, cat)
    expect_result(page)


def test_a_cleared_picture_leaves_no_result(page, offline_app, cat):
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    page.get_by_role("button", name="Remove Image").click()
    expect(stages(page)).to_have_count(0)
    expect(page.get_by_role("meter")).to_have_count(0)
    expect(page.get_by_text("Choose a picture: upload one")).to_be_visible()


def test_a_stage_picture_is_enlarged_and_closed_again(page, offline_app, cat):
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    page.get_by_role("button", name=re.compile("^Stage 2, PCA")).click()
    dialog = page.get_by_role("dialog", name="Enlarged picture")
    expect(dialog.get_by_role("img", name=re.compile("^Stage 2, PCA"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
