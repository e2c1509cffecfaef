"""The stage explorer, as a person uses it; its numbers are in test_explorer_numbers.py."""

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from explorer_page import (
    choose,
    choose_example,
    expect_run,
    numbers,
    point_at,
    settle,
    stage_map,
    tell,
    value_at,
)
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as OverdueError

from poolformer.images.decode import decode_image
from poolformer.inspection.receptive_field import stage_geometries
from poolformer.weights.checkpoint import load_checkpoint

PACKS = "**/stages.safetensors"


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address as one more visitor, in a browser context of its own; keywords are the context's."""
    contexts: list[BrowserContext] = []

    def open_as_another(url: str, **options: Any) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        return page

    yield open_as_another
    for context in contexts:
        context.close()


def explorer(page):
    return page.get_by_role("region", name="Stage explorer")


def channels(page):
    return page.get_by_role("listbox", name="Channels of stage")


def current_map(page, i=1):
    return numbers(page, "({map}, i) => map(i)", i)


@pytest.fixture(scope="module")
def tiny():
    """The bundled checkpoint, by which the explorer is shown here."""
    return load_checkpoint("tiny")


@pytest.fixture
def geometries(tiny, cat):
    """Where its cells lie in the example."""
    return stage_geometries(tiny.model.config, *np.asarray(tiny.processor.crop(decode_image(cat))).shape[:2])


def test_pointing_changes_similarity_and_asks_the_server_nothing(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "cat")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    choose(page, "View", "Similarity")
    height, width = tell(page, "({stages}) => [stages[1].height, stages[1].width]")
    maps = []
    for row, col in ((1, 0), (height - 1, width - 2)):
        point_at(page, stage_map(page, 2), (col + 0.5) / width, (row + 0.5) / height)
        maps.append(current_map(page))
        expected = numbers(page, "({similarity}, place) => similarity(1, ...place)", [row, col])
        np.testing.assert_array_equal(maps[-1], expected)
        expect(value_at(page, 2)).to_have_text("cosine = 1")
    assert not np.array_equal(*maps)
    assert tell(page, "({frames}) => frames.length") >= 2
    for view in ("PCA", "Channel", "Disagreement", "Picture", "Energy"):
        choose(page, "View", view)
    channels(page).get_by_role("option").nth(3).click()
    assert requests == []


def test_a_place_is_marked_in_the_picture_and_in_every_stage(page, offline_app, geometries):
    page.goto(offline_app)
    choose_example(page, "cat")
    row = page.locator(".run.current")
    x, y = 0.56, 0.3
    point_at(page, row.get_by_role("application", name=re.compile("^Picture")), x, y)
    expect(row.locator(".mark:not(.probe):visible")).to_have_count(5)
    expect(row.locator(".field")).to_be_visible()
    edge_px = tell(page, "() => document.querySelector('.run.current .picture canvas').width")
    for number, geometry in enumerate(geometries, start=1):
        centres = geometry.start_px + geometry.stride_px * np.arange(geometry.width)
        at = [int(np.abs(centres - (share * edge_px - 0.5)).argmin()) for share in (y, x)]
        place = row.get_by_role("region", name=f"Stage {number}").get_by_text(f"row {at[0]}, column {at[1]}")
        expect(place).to_be_visible()
        shown = float(value_at(page, number).inner_text().split(" = ")[1])
        assert shown == pytest.approx(current_map(page, number - 1)[at[0] * geometry.width + at[1]], rel=5e-3)
    page.mouse.move(5, 5)
    expect(row.locator(".mark:visible")).to_have_count(0)


def test_a_click_pins_the_place_and_escape_lets_go(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "cat")
    stage_map(page, 2).click(position={"x": 20, "y": 20})
    settle(page)
    pinned = tell(page, "({state}) => state.place")
    point_at(page, stage_map(page, 3), 0.9, 0.9)
    assert tell(page, "({state}) => state.place") == pinned
    choose(page, "View", "Similarity")
    before = current_map(page)
    point_at(page, stage_map(page, 2), 0.9, 0.9)  # the pinned place stays; the pointer reads how similar others are
    np.testing.assert_array_equal(current_map(page), before)
    expect(value_at(page, 2)).not_to_have_text("cosine = 1")
    page.keyboard.press("Escape")
    point_at(page, stage_map(page, 2), 0.1, 0.9)
    assert not np.array_equal(current_map(page), before)


def test_a_link_restores_the_view_for_another_visitor(page, visit, offline_app):
    page.goto(offline_app)
    choose_example(page, "horse")
    choose(page, "View", "Disagreement")
    explorer(page).get_by_role("button", name="Stage 4").click()
    choose(page, "Channels sorted by", "contribution")
    explorer(page).get_by_label("to the class").select_option(index=1)
    settle(page)
    channels(page).get_by_role("option").nth(7).click()
    choose(page, "View", "Disagreement")
    choose(page, "Disagreement of", "all channels")
    choose(page, "Range of the colours", "all stages")
    stage_map(page, 3).click(position={"x": 30, "y": 40})
    settle(page)
    explorer(page).get_by_role("button", name="Stage 4").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    explorer(page).get_by_role("button", name="Copy link").click()
    expect(explorer(page).get_by_text("Link copied.")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    state, shown = tell(page, "({state}) => state"), current_map(page, 3)
    assert {
        "variant": "tiny",
        "example": "horse",
        "stage": 4,
        "sort": "contribution",
        "range": "all",
    }.items() <= state.items()
    other = visit(link)
    expect_run(other, "horse")
    restored = tell(other, "({state}) => state")
    assert restored.pop("place") == pytest.approx(state.pop("place"), abs=1e-3)
    assert restored == state
    np.testing.assert_array_equal(current_map(other, 3), shown)
    selected = channels(other).get_by_role("option", selected=True)
    expect(selected).to_have_accessible_name(f"channel {state['channel']}")


def test_a_link_that_asks_wrongly_is_no_error(page, offline_app):
    page.goto(f"{offline_app}?example=cat&view=nothing&stage=9&channel=999999&sort=x&class=-1&range=&clip=200&cell=2,a")
    expect_run(page, "cat")
    state = tell(page, "({state}) => state")
    assert (state["view"], state["sort"], state["range"], state["clip"]) == ("energy", "energy", "channel", 99.5)
    assert state["place"] is None
    assert 0 <= state["channel"] < tell(page, "({stages}) => stages.at(-1).channels")


def test_a_picture_of_ones_own_is_not_in_the_link(page, offline_app, tmp_path, cat):
    own = tmp_path / "own.png"
    Image.open(cat).crop((10, 10, 200, 200)).save(own)
    page.goto(offline_app)
    choose_example(page, "horse")
    page.get_by_role("button", name="Remove Image").click()
    expect(explorer(page)).to_have_attribute("data-state", "empty")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Drop an image file here to upload").click()
    chooser.value.set_files(own)
    expect(explorer(page)).to_have_attribute("data-state", "ready")
    explorer(page).get_by_role("button", name="Copy link").click()
    expect(explorer(page).get_by_text("It does not hold your own picture")).to_be_visible()
    assert "variant=tiny" in page.url
    assert "example" not in page.url


def test_a_picture_is_uploaded_and_a_value_read_with_the_keyboard_alone(page, offline_app, tmp_path, cat):
    Image.open(cat).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "own.png")
    page.goto(offline_app)
    upload_with_keyboard(page, tmp_path / "own.png")
    expect(explorer(page)).to_have_attribute("data-state", "ready")
    tab_to(page, "document.activeElement.name === 'explorer-view'")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert tell(page, "({state}) => state.view") == "channel"
    tab_to(page, "document.activeElement.getAttribute('aria-label')?.startsWith('Stage 2, ')")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    settle(page)
    spoken = explorer(page).locator("[aria-live=polite]")
    row, width = tell(page, "({stages}) => [Math.floor(stages[1].height / 2) + 1, stages[1].width]")
    expect(spoken).to_have_text(re.compile(rf"^row {row}, column 1. stage 2: x = [^;]+; stage 1: x = "))
    value = float(re.search(r"stage 2: x = ([^;]+)", spoken.inner_text())[1].replace("\N{MINUS SIGN}", "-"))
    assert value == pytest.approx(current_map(page)[row * width + 1], rel=5e-3)
    page.keyboard.press("Enter")
    expect(spoken).to_have_text(re.compile(f"^Pinned. row {row}, column 1"))
    page.keyboard.press("Escape")
    expect(spoken).to_have_text("No place is chosen.")


def upload_with_keyboard(page, path, attempts=5):
    """Enter on the picture's button, again if need be: it is there before Gradio listens to it."""
    button = page.get_by_role("button", name="Drop an image file here to upload")
    for _ in range(attempts):
        expect(button).to_be_visible()
        tab_to(page, "document.activeElement.getAttribute('aria-label') === 'Drop an image file here to upload'")
        try:
            with page.expect_file_chooser(timeout=5_000) as chosen:
                page.keyboard.press("Enter")
        except OverdueError:
            continue
        chosen.value.set_files(path)
        return
    raise AssertionError("the button for a picture does not open a file chooser")


def tab_to(page, is_reached):
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(is_reached):
            return
    raise AssertionError(f"the tab key does not lead to {is_reached}")


def test_the_channels_are_walked_with_the_keyboard(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "cat")
    listbox = channels(page)
    expect(listbox.get_by_role("option")).to_have_count(tell(page, "({stages}) => stages[0].channels"))
    choose(page, "Channels sorted by", "index")
    listbox.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    settle(page)
    expect(listbox.get_by_role("option", selected=True)).to_have_accessible_name("channel 2")
    page.keyboard.press("Enter")
    settle(page)
    np.testing.assert_array_equal(current_map(page, 0), numbers(page, "({values}) => values(0, 2)"))
    expect(explorer(page).get_by_role("heading", name="Channel 2 of stage 1")).to_be_visible()


def test_channels_are_sorted_by_what_is_asked(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "cat")
    assert explorer(page).get_by_role("radio", name="contribution").is_disabled()
    explorer(page).get_by_role("button", name="Stage 4").click()
    settle(page)
    count = tell(page, "({stages}) => stages[3].channels")
    flat = numbers(page, "({values}, count) => Array.from({length: count}, (_, c) => [...values(3, c)]).flat()", count)
    stage = flat.reshape(count, -1)
    keys = {
        "energy": np.abs(stage).mean(axis=1),
        "variance": stage.var(axis=1),
        "index": -np.arange(count),
        "contribution": numbers(page, "({contributions}) => contributions").reshape(5, -1)[0],
    }
    for sort, key in keys.items():
        choose(page, "Channels sorted by", sort)
        names = channels(page).get_by_role("option").evaluate_all("all => all.map((option) => option.ariaLabel)")
        order = [int(name.removeprefix("channel ")) for name in names]
        assert sorted(order) == list(range(count))
        assert (np.diff(key[order]) <= 1e-6).all()


def test_two_visitors_never_see_each_others_picture(visit, offline_app):
    one, other = visit(offline_app), visit(offline_app)
    choose_example(one, "cat")
    before = numbers(one, "({stages}) => stages[2].codes")
    choose_example(other, "ship")
    choose(other, "View", "PCA")
    assert not np.array_equal(numbers(other, "({stages}) => stages[2].codes"), before)
    np.testing.assert_array_equal(numbers(one, "({stages}) => stages[2].codes"), before)
    assert tell(one, "({state}) => [state.view, state.example]") == ["energy", "cat"]
    assert tell(other, "({state}) => [state.view, state.example]") == ["pca", "ship"]


def test_memory_stays_flat_over_fifty_pictures(page, offline_app):
    """Every run's numbers are let go, watched by weak references, and the page's memory does not grow with them."""
    page.goto(offline_app)
    devtools = page.context.new_cdp_session(page)

    def used_bytes():
        devtools.send("HeapProfiler.collectGarbage")
        usage = devtools.send("Runtime.getHeapUsage")
        return usage["usedSize"] + usage.get("backingStorageSize", 0)

    names = ("cat", "dog", "ship", "bird", "frog")
    page.evaluate("window.seen = []")
    for picture in range(50):
        choose_example(page, names[picture % len(names)])
        tell(page, "({stages}) => { for (const {codes} of stages) seen.push(new WeakRef(codes)) }")
        tell(page, "({pca, similarity}) => { pca(0); similarity(0, 3, 3) }")
        if picture == 9:
            after_ten = used_bytes()
    after_fifty = used_bytes()
    alive = page.evaluate("seen.filter((reference) => reference.deref()).length")
    assert alive <= 2 * 4  # the run that is shown, and at most one more on its way out
    assert after_fifty - after_ten < 40 * tell(page, "({bytes}) => bytes")  # less than the forty packs alone


def test_a_cleared_picture_leaves_no_map(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "cat")
    stage_map(page, 2).click()
    page.get_by_role("button", name="Remove Image").click()
    expect(explorer(page)).to_have_attribute("data-state", "empty")
    expect(explorer(page).get_by_text("Choose a picture")).to_be_visible()
    expect(explorer(page).locator("canvas:visible")).to_have_count(0)
    expect(channels(page).get_by_role("option")).to_have_count(0)
    assert page.evaluate("document.querySelector('.stage-explorer').explorer === undefined")
    page.wait_for_function("!location.search.includes('example=')")
    choose_example(page, "dog")
    assert tell(page, "({state}) => state.place") is None


def test_an_older_pack_never_follows_a_newer_one(page, offline_app):
    held = []

    def hold_first(route):
        held.append(route) if not held else route.continue_()

    page.goto(offline_app)
    page.route(PACKS, hold_first)
    page.get_by_role("button", name="Example: cat, ").click()
    expect(explorer(page)).to_have_attribute("data-state", "loading")
    choose_example(page, "dog")
    held[0].continue_()
    choose(page, "View", "PCA")
    expect_run(page, "dog")
    assert tell(page, "({state}) => state.example") == "dog"


def test_a_pack_that_is_gone_says_so_and_can_be_asked_for_again(visit, offline_app):
    page = visit(offline_app)
    page.route(PACKS, lambda route: route.fulfill(status=403, body="{}"), times=1)
    page.get_by_role("button", name="Example: cat, ").click()
    expect(explorer(page)).to_have_attribute("data-state", "error")
    expect(explorer(page).get_by_role("alert")).to_contain_text("could not be fetched: the server answered 403")
    expect(explorer(page).locator("canvas:visible")).to_have_count(0)
    explorer(page).get_by_role("button", name="Try again").click()
    expect_run(page, "cat")


def test_two_pictures_are_looked_at_with_one_pointer(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "horse")
    explorer(page).get_by_role("button", name="Keep for comparison").click()
    choose_example(page, "deer")
    kept = page.locator(".run.kept")
    expect(kept.get_by_role("heading")).to_have_text(re.compile("^Kept: tiny · .* · horse · "))
    point_at(page, stage_map(page, 3, "kept"), 0.3, 0.3)
    for row in ("current", "kept"):
        expect(page.locator(f".run.{row} .mark:not(.probe):visible")).to_have_count(5)
    assert value_at(page, 3).inner_text() != value_at(page, 3, "kept").inner_text()
    choose(page, "Range of the colours", "all stages")
    legends = explorer(page).locator(".run .legend .high").all_inner_texts()
    assert len({legend.removeprefix("≥ ") for legend in legends}) == 1
    choose(page, "View", "Similarity")
    choose(page, "Other picture: similar to", "the place pointed at")
    point_at(page, stage_map(page, 2), 0.6, 0.4)
    expect(value_at(page, 2)).to_have_text("cosine = 1")
    expect(value_at(page, 2, "kept")).to_have_text(re.compile(r"^cosine = 0\.\d+$"))  # the most similar place there
    explorer(page).get_by_role("button", name="Remove comparison").click()
    expect(kept).to_be_hidden()
    expect(kept.locator("canvas")).to_have_count(0)


def test_a_kept_run_survives_the_way_to_the_next_picture(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "horse")
    explorer(page).get_by_role("button", name="Keep for comparison").click()
    page.get_by_role("button", name="Remove Image").click()
    expect(explorer(page)).to_have_attribute("data-state", "empty")
    point_at(page, stage_map(page, 2, "kept"), 0.5, 0.5)
    expect(value_at(page, 2, "kept")).to_have_text(re.compile("mean"))
    expect(page.locator(".run.current")).to_be_hidden()
    choose_example(page, "cat")
    expect(page.locator(".run.kept .label")).to_have_text(re.compile("horse"))


def test_the_view_is_saved_as_a_picture(page, offline_app):
    page.goto(offline_app)
    choose_example(page, "cat")
    with page.expect_download() as download:
        explorer(page).get_by_role("button", name="Save view as PNG").click()
    assert download.value.suggested_filename == "poolformer-tiny-cat-energy.png"
    picture = Image.open(download.value.path())
    assert picture.width > 5 * 300
    pixels = np.asarray(picture.convert("RGB").resize((200, 100), Image.Resampling.NEAREST))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 200


@pytest.mark.parametrize("file_format", ["npz", "safetensors"])
def test_the_activations_are_downloaded(page, offline_app, file_format):
    page.goto(offline_app)
    choose_example(page, "cat")
    with page.expect_download() as download:
        explorer(page).get_by_role("button", name=f".{file_format}").click()
    content = download.value.path().read_bytes()
    assert download.value.suggested_filename.endswith(f".{file_format}")
    if file_format == "npz":
        arrays = [array for array in np.load(io.BytesIO(content)).values() if array.ndim == 3]
        assert len(arrays) == 4
        for i, array in enumerate(arrays):
            shown = numbers(page, "({values}, i) => values(i, 0)", i)
            np.testing.assert_allclose(shown, array[0].ravel(), atol=0.51 * np.ptp(array[0]) / 255)
    else:
        assert b"tiny" in content[:2000]


def test_a_phone_shows_two_maps_beside_each_other_and_a_tap_pins(visit, offline_app):
    page = visit(offline_app, viewport={"width": 390, "height": 844}, has_touch=True)
    choose_example(page, "cat")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    left, right = (stage_map(page, stage).bounding_box() for stage in (1, 2))
    assert left["y"] == right["y"]
    stage_map(page, 2).tap(position={"x": 40, "y": 60})
    settle(page)
    assert tell(page, "({state}) => state.pinned")
    expect(value_at(page, 4)).not_to_be_empty()
