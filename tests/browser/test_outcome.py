"""A run that is overtaken by another picture, or by none, on a page whose runs go on when the test says so."""

import shutil
import socket
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import JSHandle, Locator, Page, expect
from serving import free_port, serve_app

from poolformer.weights.variants import variant

PATIENCE_S = 60
# Writes down whatever the page shows of a run, from now on.
WATCH = """() => {
  const shown = [];
  const look = () => {
    shown.push(document.querySelector('.stage-explorer').dataset.state);
    shown.push(document.querySelectorAll('[role=meter]').length);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  return shown;
}"""


@pytest.fixture(scope="module")
def gate() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


@pytest.fixture(scope="module")
def held_app(gate, tmp_path_factory) -> Iterator[str]:
    """The demo with two variants at hand: tiny, and the same under the name twin, which is the default."""
    folder = tmp_path_factory.mktemp("held")
    shutil.copytree(variant("tiny").folder, folder / "twin")
    settings = {"HOLD_PORT": str(gate.getsockname()[1]), "OWN_CHECKPOINT": str(folder / "twin")}
    with serve_app(folder, f"http://127.0.0.1:{free_port()}", "tests/held_app.py", **settings) as url:
        yield url


@pytest.fixture
def next_run(gate) -> Iterator[Callable[[], socket.socket]]:
    """Waits until the next run has begun; a byte sent to what it returns lets it go on."""
    runs: list[socket.socket] = []

    def wait() -> socket.socket:
        runs.append(gate.accept()[0])
        return runs[-1]

    yield wait
    for run in runs:
        run.close()


def choose(page: Page, example: str) -> None:
    page.get_by_role("button", name=f"Example: {example}, rendered").click()
    page.wait_for_function("name => document.querySelector('#picture img')?.src.includes(name)", arg=example)


def watch(page: Page) -> JSHandle:
    return page.evaluate_handle(WATCH)


def explorer(page: Page) -> Locator:
    return page.get_by_role("region", name="Stage explorer")


def expect_result(page: Page, variant: str) -> None:
    expect(page.get_by_text(f"{variant} · 32 × 32 pixels")).to_be_visible()
    expect(explorer(page)).to_have_attribute("data-state", "ready")
    expect(page.get_by_role("meter")).to_have_count(5)


def expect_no_result(page: Page, since: JSHandle) -> None:
    """Nothing of a run is on the page, nor was it for a moment."""
    expect(explorer(page)).to_have_attribute("data-state", "empty")
    expect(page.get_by_role("meter")).to_have_count(0)
    assert set(since.json_value()) <= {"empty", 0}


def test_a_run_that_another_picture_overtakes_is_never_shown(page, held_app, next_run):
    page.goto(held_app)
    choose(page, "cat")
    first = next_run()
    choose(page, "ship")
    shown = watch(page)
    first.send(b"!")
    second = next_run()  # It begins when the first has ended, on the page as well.
    expect_no_result(page, shown)
    second.send(b"!")
    expect_result(page, "twin")


def test_a_run_of_another_variant_that_another_picture_overtakes_is_never_shown(page, held_app, next_run):
    page.goto(held_app)
    choose(page, "cat")
    next_run().send(b"!")
    expect_result(page, "twin")
    page.get_by_role("radio", name="tiny: ").click()
    second = next_run()
    expect_result(page, "twin")  # Another variant leaves what is there until its own run has ended.
    choose(page, "ship")
    expect(explorer(page)).to_have_attribute("data-state", "empty")
    shown = watch(page)
    second.send(b"!")
    third = next_run()
    expect_no_result(page, shown)
    third.send(b"!")
    expect_result(page, "tiny")


def test_a_run_whose_picture_is_gone_is_never_shown(page, held_app, next_run):
    page.goto(held_app)
    choose(page, "cat")
    run = next_run()
    page.get_by_role("button", name="Remove Image").click()
    expect(page.get_by_role("button", name="Drop an image file here to upload")).to_be_visible()
    shown = watch(page)
    run.send(b"!")
    expect(page.get_by_text("Choose a picture: upload one")).to_be_visible()  # the outcome of no picture
    expect_no_result(page, shown)


def test_nothing_of_the_last_picture_is_shown_while_the_next_one_runs(page, held_app, next_run):
    page.goto(held_app)
    choose(page, "cat")
    next_run().send(b"!")
    expect_result(page, "twin")
    choose(page, "ship")
    run = next_run()
    expect_no_result(page, watch(page))
    run.send(b"!")
    expect_result(page, "twin")
