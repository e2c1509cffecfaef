"""Takes the README's pictures of the page, in a real Chromium: `python assets/screenshots/take.py`.

It serves the demo with the bundled variant, chooses an example and writes, next to itself, the page in light and dark
at 1280 and 390 pixels, and a moving picture of the stage explorer. Needs requirements-dev.txt and Chromium.
"""

from __future__ import annotations

import io
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1]))

from benchmarks.explorer import EXAMPLE, launch_chromium, served  # noqa: E402

PLACE = (0.5, 0.42)  # of the first stage's map, where the pointer rests
FRAME_MS, MOVING_WIDTH_PX = 90, 960


def main() -> None:
    """Writes all pictures."""
    with tempfile.TemporaryDirectory() as temporary, served(Path(temporary)) as url, sync_playwright() as tool:
        browser = launch_chromium(tool)
        for theme in ("light", "dark"):
            for width in (1280, 390):
                page = open_page(browser, url, theme, width)
                point(page, stage(page, 0), *PLACE)
                page.screenshot(path=FOLDER / f"page-{theme}-{width}.png", full_page=True)
                page.context.close()
        page = open_page(browser, url, "light", 1280)
        write_moving_picture(list(record(page)), FOLDER / "explorer.webp")
        browser.close()


def open_page(browser: Browser, url: str, theme: str, width: int) -> Page:
    """The page with the example's stages."""
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{url}?__theme={theme}")
    page.get_by_role("button", name=f"Example: {EXAMPLE}, ").click()
    page.wait_for_function("document.querySelector('.stage-explorer')?.dataset.state === 'ready'")
    page.wait_for_timeout(1000)  # Gradio's own transitions
    return page


def stage(page: Page, i: int) -> Locator:
    """The map of a stage, counted from 0."""
    return page.locator(".run.current .figure:not(.picture) .frame").nth(i)


def point(page: Page, target: Locator, x: float, y: float) -> None:
    """The mouse goes to a place of a map, in fractions of it."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def record(page: Page) -> Iterator[Image.Image]:
    """The frames: similarity follows a round over the first stage, then the other views of one pinned place."""
    page.evaluate("document.querySelector('.stage-explorer').scrollIntoView()")
    for view, steps in (("Similarity", 40), ("Disagreement", 8), ("PCA", 8), ("Channel", 8), ("Energy", 16)):
        page.locator(".stage-explorer .views label", has_text=view).click()
        for i in range(steps):
            angle = 2 * math.pi * i / 40
            point(page, stage(page, 0), 0.5 + 0.3 * math.cos(angle), 0.5 + 0.3 * math.sin(angle))
            yield Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def write_moving_picture(frames: list[Image.Image], path: Path) -> None:
    """An endless WebP of the frames, scaled down."""
    size = (MOVING_WIDTH_PX, round(frames[0].height * MOVING_WIDTH_PX / frames[0].width))
    first, *others = (frame.resize(size, Image.Resampling.LANCZOS) for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=FRAME_MS, loop=0, quality=70, method=4)


if __name__ == "__main__":
    main()
