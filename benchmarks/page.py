"""From the choice of a file to the last picture painted, in a real Chromium: against the obvious app.

Needs Chromium; each upload is that of a visitor who has just opened the page.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.explorer import launch_chromium
from benchmarks.photos import write_photos
from benchmarks.plan import Plan
from benchmarks.servers import OBVIOUS, serve
from benchmarks.table import Measure, Row
from poolformer.training.speed import readings_by_turns

NAME = "s12"
ROUNDS, PHOTOS = 5, 8
DEADLINE_MS = 60_000
READY = """() => document.querySelector('[role=radio][aria-checked=true], [type=radio]:checked')
  && document.querySelector('input[type=file]')"""
OURS = "() => document.querySelector('.run.current') && document.querySelector('.stage-explorer').explorer?.painted_ms"
THEIRS = """() => {
  const figures = [...document.querySelectorAll('[data-testid=matplotlib] img')];
  return figures.length === 4 && figures.every((figure) => figure.complete && figure.naturalWidth);
}"""


def measure(plan: Plan) -> list[Row]:
    """The row."""
    cache_dir = plan.hub_cache(NAME)
    photos = itertools.cycle(write_photos(plan.subfolder("photos"), PHOTOS))
    with (
        serve(plan, cache_dir=cache_dir) as ours,  # NAME is what both show first
        serve(plan, OBVIOUS, cache_dir) as theirs,
        sync_playwright() as tool,
    ):
        browser = launch_chromium(tool)
        spent = readings_by_turns(
            {
                "ours": lambda: upload(browser, ours.url, next(photos), OURS),
                "theirs": lambda: upload(browser, theirs.url, next(photos), THEIRS),
            },
            plan.rounds(ROUNDS),
        )
        browser.close()
    return [
        Row(
            f"{NAME}: upload to everything painted, in Chromium",
            "ms",
            Measure.of(spent["ours"]),
            Measure.of(spent["theirs"]),
            "gradio, transformers and matplotlib",
        )
    ]


def upload(browser: Browser, url: str, photo: Path, painted: str) -> float:
    """Milliseconds from the choice of the file until the page's script says that all is painted."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(DEADLINE_MS)
    page.goto(url)
    page.wait_for_function(READY)
    started = time.perf_counter()
    page.locator("input[type=file]").first.set_input_files(photo)
    page.wait_for_function(painted)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    spent_ms = 1000 * (time.perf_counter() - started)
    page.close()
    return spent_ms
