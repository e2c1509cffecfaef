"""The folder of uploads and results, swept."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from serving import ROOT

from poolformer.ui.temporary import Bounds, sweep


@pytest.fixture
def folder(tmp_path) -> Path:
    """Five files of 10 bytes, an hour apart, the first written just now; each in a folder as old as it is."""
    for hours in range(5):
        file = tmp_path / str(hours) / "picture.jpg"
        file.parent.mkdir()
        file.write_bytes(bytes(10))
        for path in (file, file.parent):
            os.utime(path, (0, time.time() - 3600 * hours))
    return tmp_path


def left(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.rglob("*.jpg"))


def test_what_is_too_old_goes(folder):
    sweep(folder, bounds=Bounds(max_age_s=2.5 * 3600))
    assert left(folder) == ["0", "1", "2"]


@pytest.mark.parametrize("bounds", [Bounds(max_age_s=1e9, max_files=2), Bounds(max_age_s=1e9, max_bytes=29)])
def test_the_oldest_go_until_the_rest_is_within_the_bounds(folder, bounds):
    sweep(folder, bounds=bounds)
    assert left(folder) == ["0", "1"]


def test_what_the_page_always_shows_stays_and_does_not_count(folder):
    sweep(folder, {str(folder / "4" / "picture.jpg")}, Bounds(max_age_s=1e9, max_files=2))
    assert left(folder) == ["0", "1", "4"]


def test_empty_folders_go_unless_somebody_may_be_about_to_write(folder):
    sweep(folder, bounds=Bounds(max_age_s=1))
    assert left(folder) == ["0"]
    assert len(list(folder.iterdir())) == 5  # emptied just now
    for path in folder.iterdir():
        os.utime(path, (0, time.time() - 3600))
    sweep(folder, bounds=Bounds(max_age_s=1e9))
    assert [path.name for path in folder.iterdir()] == ["0"]


def test_a_folder_that_is_not_there_is_as_good_as_empty(tmp_path):
    sweep(tmp_path / "nowhere")


def test_the_demo_has_a_folder_of_its_own_which_goes_with_it(tmp_path):
    code = "import app, os; print(os.environ['GRADIO_TEMP_DIR'], os.path.isdir(os.environ['GRADIO_TEMP_DIR']))"
    environment = {key: value for key, value in os.environ.items() if key != "GRADIO_TEMP_DIR"}
    environment["TMPDIR"] = str(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    path, exists = result.stdout.split()
    assert Path(path).parent == tmp_path
    assert exists == "True"
    assert not Path(path).exists()
