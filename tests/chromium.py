"""A real Chromium. Without one these tests are skipped, except where CI is set: there it is a failure."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# Chromium's own calls home, which a closed network refuses; they are not the page's.
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
# What Gradio itself writes to the console on every page.
KNOWN_NOISE = ("Method not implemented.",)

expect.set_options(timeout=60_000)  # for a machine that is busy with something else; what is there is seen at once


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        message = "there is no Chromium; install Debian's package chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh visitor's page, which fails the test on any console error and any request to another server."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" and m.text not in KNOWN_NOISE else None)
    page.on("request", lambda request: complaints.append(request.url) if _is_elsewhere(request.url) else None)
    yield page
    context.close()
    assert complaints == []


def _is_elsewhere(url: str) -> bool:
    return url.startswith("http") and not url.startswith("http://127.0.0.1:")
