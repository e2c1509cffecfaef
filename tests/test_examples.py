"""The example pictures, and the script that renders them."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"
PICTURES = sorted(EXAMPLES.glob("*.jpg"))
CIFAR10 = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
SIZE_LIMIT_BYTES = 80_000


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The script as a module, its folder on the import path as when it is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield import_module("render_scenes")
        for name in [name for name in sys.modules if name == "render_scenes" or name.split(".")[0] == "studio"]:
            patch.delitem(sys.modules, name)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_picture_is_a_small_square_rgb_file(path: Path, script: ModuleType) -> None:
    with Image.open(path) as picture:
        picture.load()
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (script.SIZE_PX, script.SIZE_PX))
    assert path.stat().st_size < SIZE_LIMIT_BYTES


def test_script_has_the_scenes_that_are_present(script: ModuleType) -> None:
    assert set(script.SCENES) == {path.stem for path in PICTURES}
    assert set(script.SCENES) <= CIFAR10


def test_readme_names_every_picture() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in PICTURES if f"`{path.name}`" not in readme] == []


@pytest.mark.parametrize("name", ["airplane", "bird"])
def test_rendering_again_gives_the_same_pixels(script: ModuleType, name: str) -> None:
    first, second = (np.asarray(script.render(name, 48, samples=1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_committed_picture_is_what_the_script_renders(script: ModuleType) -> None:
    """At a twelfth of the size, where grain and strands average out, the two differ by little."""
    small = np.asarray(script.render("airplane", 64, samples=2).resize((16, 16), Image.Resampling.BOX), np.float32)
    with Image.open(EXAMPLES / "airplane.jpg") as picture:
        committed = np.asarray(picture.resize((16, 16), Image.Resampling.BOX), np.float32)
    assert np.abs(small - committed).mean() < 2


def test_command_writes_the_named_scene_only(script: ModuleType, tmp_path: Path) -> None:
    script.main(["frog", "--size", "24", "--samples", "1", "--out", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["frog.jpg"]


def test_command_says_which_scenes_there_are(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        script.main(["zebra"])
    assert "no scene is called zebra; choose from airplane" in capsys.readouterr().err


def test_noise_stays_in_its_range_and_differs_between_seeds(script: ModuleType) -> None:
    del script
    noise = import_module("studio.fields").noise
    points = np.random.default_rng(0).uniform(-50, 50, (3, 4000)).astype(np.float32)
    a, b = noise(points, 4, 0), noise(points, 4, 1)
    assert 0 <= a.min() < 0.3 < 0.7 < a.max() <= 1
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1


def test_march_finds_a_ball_where_geometry_says(script: ModuleType) -> None:
    del script
    fields, raymarch = import_module("studio.fields"), import_module("studio.raymarch")
    ball = fields.sphere((5.0, 0.0, 0.0), 1.0)
    rays = fields.normalised(np.array([[1, 1, 1], [0, 0.1, 1], [0, 0, 0]], np.float32))
    found = raymarch.march(ball, fields.column((0.0, 0.0, 0.0)), rays, raymarch.bounding_box(ball))
    along = 5 * rays[0, 1] - np.sqrt(1 - 25 * (1 - rays[0, 1] ** 2))
    np.testing.assert_allclose(found[:2], [4.0, along], rtol=1e-3)
    assert np.isinf(found[2])
