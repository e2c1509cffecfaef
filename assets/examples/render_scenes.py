"""Renders the demo's example pictures: python assets/examples/render_scenes.py [CLASS ...]."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from studio.raymarch import expose, photograph
from studio.scenes import SCENES
from studio.strands import comb

SIZE_PX = 448
SAMPLES = 2
"""Rays a pixel along each side: the pictures are rendered twice as large and averaged down."""

JPEG_QUALITY = 90


def render(name: str, size_px: int = SIZE_PX, samples: int = SAMPLES) -> Image.Image:
    """The scene of one class as a square RGB picture, the same at every call."""
    scene = SCENES[name]()
    fine_px = size_px * samples
    film = comb(scene, expose(scene, fine_px), fine_px)
    return photograph(film.light, size_px, samples, scene.exposure, seed=list(SCENES).index(name))


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes `<class>.jpg` for the classes named on the command line, or for all of them."""
    parser = argparse.ArgumentParser(description="Render the demo's example pictures.")
    parser.add_argument("names", nargs="*", metavar="CLASS", help=f"one or more of {', '.join(SCENES)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the pictures")
    parser.add_argument("--size", type=int, default=SIZE_PX, help="pixels a side (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="rays a pixel, squared (default: %(default)s)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(SCENES))
    if unknown:
        parser.error(f"no scene is called {', '.join(unknown)}; choose from {', '.join(SCENES)}")
    for name in options.names or SCENES:
        path = options.out / f"{name}.jpg"
        render(name, options.size, options.samples).save(path, quality=JPEG_QUALITY, optimize=True)
        print(path)


if __name__ == "__main__":
    main()
