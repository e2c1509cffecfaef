"""The stage explorer against the drawn panels that /inspect returns: bytes, time to the first picture, hover frames.

`python -m benchmarks.explorer` measures s12 and m48 with random weights (how fast they are does not depend on what they
know) and prints the table. It needs Chromium and requirements-dev.txt.
"""

from __future__ import annotations

import functools
import http.server
import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks.checkpoints import write_checkpoint
from benchmarks.surroundings import sentence, surroundings
from benchmarks.table import Measure, Row, markdown
from poolformer.inspection.pack import encode_pack
from poolformer.inspection.stages import inspect_stage
from poolformer.service import Inspection, PoolFormerService, Run
from poolformer.training.speed import by_turns
from tests.serving import free_port, serve_app

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "horse"
NAMES = ("s12", "m48")
ROUNDS, PAINTS, MOVES = 15, 9, 120
OPPONENT = "the panels as PNG"


def measure(names: tuple[str, ...] = NAMES) -> list[Row]:
    """All rows."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as tool:
        browser = launch_chromium(tool)
        rows = [row for name in names for row in measure_variant(name, Path(temporary), browser)]
        browser.close()
    return rows


def measure_variant(name: str, temporary: Path, browser: Browser) -> list[Row]:
    """The rows of one variant."""
    folder = temporary / f"{name}-random"
    write_checkpoint(name, folder)
    service = PoolFormerService(own_checkpoint=folder)
    run = service.run(ROOT / "assets" / "examples" / f"{EXAMPLE}.jpg", folder.name)
    spent = by_turns({"pack": lambda: encode_pack(run.pack()), "panels": lambda: draw_panels(service, run)}, ROUNDS)
    panels, pack = draw_panels(service, run), encode_pack(run.pack())
    with served(temporary, "--checkpoint", str(folder)) as url:
        painted, frames = look(browser, url)
    drawn = paint_panels(browser, panels, temporary / f"{name}-panels")
    return [
        Row(
            f"{name}: bytes sent",
            "kB",
            Measure.of([len(pack) / 1e3]),
            Measure.of([sum(map(len, panels)) / 1e3]),
            OPPONENT,
            ratio_kind="of theirs",
        ),
        Row(
            f"{name}: from activations to bytes", "ms", Measure.of(spent["pack"]), Measure.of(spent["panels"]), OPPONENT
        ),
        Row(f"{name}: from result to first paint", "ms", Measure.of(painted), Measure.of(drawn), OPPONENT),
        Row(f"{name}: hover frame, similarity", "ms", Measure.of(frames)),
    ]


def draw_panels(service: PoolFormerService, run: Run) -> list[bytes]:
    """What the page showed before: three PNG pictures a stage."""
    stages = tuple(map(inspect_stage, run.geometries, run.stages))
    panels = service.panels(Inspection(run.classification, run.picture, stages))
    return [encode_png(picture) for panel in panels for picture in (panel.energy, panel.pca, panel.channels)]


def encode_png(picture: Any) -> bytes:
    """As the page's panels were written."""
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def look(browser: Browser, url: str) -> tuple[list[float], list[float]]:
    """Milliseconds from a result's arrival in the browser to its maps, and of each frame in which the place moved."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(120_000)
    page.goto(url)
    painted = []
    for turn in range(PAINTS + 1):
        name = (EXAMPLE, "dog")[turn % 2]
        page.get_by_role("button", name=f"Example: {name}, ").click()
        page.wait_for_function(
            "name => document.querySelector('.run.current .label')?.textContent.includes(` · ${name} · `)"
            " && document.querySelector('.stage-explorer').explorer",
            arg=name,
        )
        painted.append(page.evaluate("document.querySelector('.stage-explorer').explorer.painted_ms"))
    page.get_by_role("radio", name="Similarity", exact=True).check(force=True)
    frames = hover(page)
    page.close()
    return painted[1:], frames


def hover(page: Page) -> list[float]:
    """The frames of a walk over the map of the first stage, every step in another cell."""
    target = page.locator(".run.current .figure:not(.picture) .frame").first
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    for i in range(MOVES):
        x, y = (i * 0.37) % 1, (i * 0.61) % 1
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.evaluate("() => new Promise(requestAnimationFrame)")
    frames: list[float] = page.evaluate("document.querySelector('.stage-explorer').explorer.frames")
    return frames[len(frames) // 4 :]  # The first ones dequantise the stages, once.


def paint_panels(browser: Browser, panels: list[bytes], folder: Path) -> list[float]:
    """Milliseconds until a page has fetched and decoded all panels, each time anew."""
    folder.mkdir()
    for i, content in enumerate(panels):
        (folder / f"{i}.png").write_bytes(content)
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        times = [
            page.evaluate(
                """async ([count, turn]) => {
                  const started = performance.now();
                  document.body.replaceChildren(...Array.from({ length: count }, (_, i) => {
                    const image = new Image();
                    image.src = `/${i}.png?${turn}`;
                    return image;
                  }));
                  await Promise.all(Array.from(document.images, (image) => image.decode()));
                  await new Promise(requestAnimationFrame);
                  return performance.now() - started;
                }""",
                [len(panels), turn],
            )
            for turn in range(PAINTS + 1)
        ]
        page.close()
        server.shutdown()
    return times[1:]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def served(temporary: Path, *arguments: str) -> Iterator[str]:
    """The address of `python app.py` with these arguments, with caches of its own and a Hub that is not there."""
    with serve_app(temporary, f"http://127.0.0.1:{free_port()}", arguments=arguments) as url:
        yield url


def launch_chromium(tool: Playwright) -> Browser:
    """The Chromium of this machine."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    return tool.chromium.launch(executable_path=executable, args=["--no-sandbox"])


if __name__ == "__main__":
    print(markdown(measure()), f"\n{sentence(surroundings())}", sep="\n")
