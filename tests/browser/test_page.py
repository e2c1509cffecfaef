"""The page, as a person uses it: things are found by role and label."""

import io
import re
import time
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hub_faults import hold
from playwright.sync_api import Locator, Page, expect
from safetensors.numpy import load

from poolformer.service import PoolFormerService

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


def explorer(page: Page) -> Locator:
    return page.get_by_role("region", name="Stage explorer")


def expect_result(page: Page) -> None:
    expect(page.get_by_role("meter")).to_have_count(5)
    expect(explorer(page)).to_have_attribute("data-state", "ready")


def expect_no_result(page: Page) -> None:
    expect(page.get_by_role("meter")).to_have_count(0)
    expect(explorer(page)).to_have_attribute("data-state", "empty")
    expect(explorer(page).locator("canvas:visible")).to_have_count(0)


def test_an_uploaded_picture_gets_five_labels_and_its_stages(page, offline_app, cat):
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


def test_a_variant_is_fetched_when_its_row_is_clicked(page, online_app, cat):
    open_page(page, online_app)
    upload(page, cat)
    expect_result(page)
    row(page, "s12").click()
    expect(page.get_by_text(re.compile("^s12 · 224 × 224 pixels"))).to_be_visible()
    expect(row(page, "s12")).to_be_checked()
    expect(row(page, "s12")).to_have_accessible_name(re.compile("; cached$"))
    assert all(label.startswith("thing ") for label in labels(page))
    expect_result(page)
    page.goto(online_app)
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
    expect(page.get_by_text(re.compile("^tiny · 32 × 32 pixels"))).to_be_visible()


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
    expect_no_result(page)
    upload(page, cat)
    expect_result(page)


def test_a_cleared_picture_leaves_no_result(page, offline_app, cat):
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    page.get_by_role("button", name="Remove Image").click()
    expect_no_result(page)
    expect(page.get_by_text("Choose a picture: upload one")).to_be_visible()


@pytest.mark.parametrize("file_format", ["npz", "safetensors"])
def test_the_raw_activations_are_downloaded(page, offline_app, cat, file_format):
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    with page.expect_download() as download:
        explorer(page).get_by_role("button", name=f".{file_format}", exact=True).click()
    assert download.value.suggested_filename == f"poolformer-tiny-stages.{file_format}"
    expect(page.get_by_role("link", name=download.value.suggested_filename)).to_be_visible()
    content = Path(download.value.path()).read_bytes()
    arrays = np.load(io.BytesIO(content)) if file_format == "npz" else load(content)
    for number, stage in enumerate(PoolFormerService().run(cat, "tiny").stages, start=1):
        assert arrays[f"stage{number}"].dtype == np.float32
        np.testing.assert_allclose(arrays[f"stage{number}"], stage, atol=1e-4)
    page.get_by_role("button", name="Remove Image").click()
    expect(page.get_by_role("link", name=download.value.suggested_filename)).to_be_hidden()


def test_an_address_chooses_an_example(page, offline_app):
    open_page(page, f"{offline_app}?variant=tiny&example=frog")
    expect_result(page)
    expect(row(page, "tiny")).to_be_checked()
    expect(page.get_by_role("button", name="Remove Image")).to_be_visible()


def test_an_address_chooses_a_variant_and_fetches_it(page, online_app):
    open_page(page, f"{online_app}?variant=s24&example=lion")
    expect(page.get_by_text(re.compile("^s24 · 224 × 224 pixels"))).to_be_visible()
    expect(row(page, "s24")).to_be_checked()
    expect_result(page)


def test_an_address_with_a_variant_that_cannot_be_had_says_so_and_shows_the_example(page, offline_app):
    open_page(page, f"{offline_app}?variant=m48&example=cat")
    expect_result(page)
    expect(row(page, "tiny")).to_be_checked()
    expect(page.get_by_text(re.compile("^m48 cannot be fetched: .* tiny is bundled"))).to_be_visible()


def test_an_address_with_unknown_names_is_the_plain_page(page, offline_app):
    open_page(page, f"{offline_app}?variant=%3Cb%3E&example=../cat")
    expect(page.get_by_text("Choose a picture: upload one")).to_be_visible()
    expect(row(page, "tiny")).to_be_checked()
    expect_no_result(page)


def test_labels_stand_beside_the_table_or_before_it_on_a_phone(page, offline_app):
    open_page(page, offline_app)
    upper, lower = page.get_by_text("Top 5", exact=True), page.get_by_role("radiogroup", name="Variant")
    labels, table = upper.bounding_box(), lower.bounding_box()
    assert labels["x"] > table["x"] + table["width"]
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.get_by_text("2.3 M")).to_have_css("text-align", "left")  # the table's narrow form
    examples, labels, table = (
        page.get_by_role("group", name="Examples").bounding_box(),
        upper.bounding_box(),
        lower.bounding_box(),
    )
    assert examples["y"] + examples["height"] < labels["y"] < labels["y"] + labels["height"] < table["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
