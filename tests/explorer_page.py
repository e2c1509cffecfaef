"""The stage explorer on the page: opened, worked and read as its tests need it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect


def choose_example(page: Page, name: str) -> None:
    """The named example, and all that follows until its maps are there."""
    page.get_by_role("button", name=f"Example: {name}, ").click()
    expect_run(page, name)


def expect_run(page: Page, example: str) -> None:
    """Waits until the explorer shows this example's run."""
    expect(page.locator(".run.current .label")).to_have_text(re.compile(f" · {example} · "))
    expect(page.locator(".stage-explorer")).to_have_attribute("data-state", "ready")


def tell(page: Page, question: str, argument: Any = None) -> Any:
    """What a JavaScript function of the explorer's read-only view (and `argument`) gives."""
    return page.evaluate(
        f"argument => ({question})(document.querySelector('.stage-explorer').explorer, argument)", argument
    )


def numbers(page: Page, question: str, argument: Any = None) -> np.ndarray:
    """What a function gives that returns a typed array, as float64; JavaScript's numbers are that."""
    return np.array(tell(page, f"(explorer, argument) => Array.from(({question})(explorer, argument))", argument))


def settle(page: Page) -> None:
    """Waits until the page has drawn what was asked of it so far."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def choose(page: Page, group: str, option: str) -> None:
    """One option of a group of the explorer's, until it is on the page."""
    choices = page.get_by_role("region", name="Stage explorer").get_by_role("radiogroup", name=group)
    choices.get_by_role("radio", name=option, exact=True).check()
    settle(page)


def stage_map(page: Page, stage: int, row: str = "current") -> Locator:
    """The map of a stage, counted from 1, of the newest run or of the "kept" one."""
    return page.locator(f".run.{row}").get_by_role("application", name=re.compile(f"Stage {stage}, "))


def point_at(page: Page, target: Locator, x: float, y: float) -> None:
    """The mouse moves to a place of a map, given in fractions of its width and height."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    settle(page)


def value_at(page: Page, stage: int, row: str = "current") -> Locator:
    """What is read out below a stage's map."""
    return page.locator(f".run.{row} .figure:not(.picture)").nth(stage - 1).locator(".value")
