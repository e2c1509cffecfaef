"""Files cut off anywhere and with any byte changed: a picture or an ImageError, in little time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sandbox
from PIL import Image
from sandbox import find_bad_cases, fuzzed, sample

from poolformer.images.decode import DecodedImage
from poolformer.images.formats import FORMATS

CASES = 5000
SEED = 0
CUTS = {file_format: len(sample(file_format)) for file_format in FORMATS}
FLIPS = (CASES - sum(CUTS.values())) // len(FORMATS)


COUNTS = {file_format: cuts + FLIPS for file_format, cuts in CUTS.items()}
COUNTS[FORMATS[0]] += CASES - sum(COUNTS.values())  # what does not divide evenly


@pytest.fixture(scope="module")
def bad_cases():
    return find_bad_cases(SEED, COUNTS)


def test_every_cut_and_as_many_cases_as_promised():
    assert sum(COUNTS.values()) == CASES
    assert FLIPS >= 200


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_case_is_the_same_wherever_it_is_made(file_format):
    assert [len(fuzzed(file_format, SEED, case)) for case in (0, 7)] == [0, 7]
    changed = fuzzed(file_format, SEED, CUTS[file_format] + 3)
    assert changed == fuzzed(file_format, SEED, CUTS[file_format] + 3)
    assert changed != fuzzed(file_format, SEED + 1, CUTS[file_format] + 3)
    assert sum(a != b for a, b in zip(changed, sample(file_format), strict=True)) in range(1, 5)


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_damage_does_more_than_refuse_the_picture(file_format, bad_cases):
    # To see one of them again: python tests/sandbox.py fuzz 0 JPEG:312:313, from the folder of the repository.
    assert [case for case in bad_cases if case.name.startswith(file_format)] == []


# That a bad case would be found

IN_FORKS = """
import os, signal, sandbox
sandbox.MAX_CPU_S = 0.1

def hang():
    sandbox._start_clocks()
    while True:
        pass

def hoard():
    try:
        bytes(2**33)
    except MemoryError:
        os.kill(os.getpid(), signal.SIGUSR1)

for work in (hang, hoard, lambda: os.kill(os.getpid(), signal.SIGSEGV), lambda: None):
    print(sandbox._in_a_fork(work))
"""


def test_a_process_that_hangs_hoards_or_dies_is_told_from_one_that_ends():
    tests = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tests.parent), str(tests)))}
    told = subprocess.run(
        [sys.executable, "-c", IN_FORKS], env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert told.splitlines() == ["more than 0.1 s of work", "SIGUSR1", "SIGSEGV", "None"]


def give(image):
    return lambda _content: DecodedImage(image)


def fail(_content):
    raise KeyError("a bug")


@pytest.mark.parametrize(
    ("decode", "words"),
    [
        (fail, "raised KeyError"),
        (give(Image.new("L", (16, 12))), "mode L"),
        (give(Image.new("RGB", (16, 12))), "another picture, though the file is cut off"),
    ],
)
def test_what_a_case_must_not_do_is_named(decode, words, monkeypatch):
    whole = sandbox.decode_with_notes(sample("BMP"))
    assert sandbox.fault("BMP", 7, fuzzed("BMP", SEED, 7), whole) is None
    monkeypatch.setattr(sandbox, "decode_with_notes", decode)
    assert words in sandbox.fault("BMP", 7, b"", whole)
