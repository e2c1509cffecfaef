"""The decoder in processes of its own, each with little time and memory, so that a bad case is caught and named.

    python tests/sandbox.py files a.png b.jpg       decodes each file
    python tests/sandbox.py fuzz 0 JPEG:312:313     decodes case 312 that `fuzzed` makes of a JPEG with seed 0

What it prints is one JSON object a file or bad case.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pictures import SMALL, encoded
from PIL import Image

from poolformer.errors import ImageError
from poolformer.images.decode import MAX_PIXELS, DecodedImage, decode_with_notes

MAX_CPU_S = 2.0
MAX_REAL_S = 120.0  # for a case that waits without working; a busy machine may let it wait, too
MAX_GROWTH_MB = 200.0
ADDRESS_SPACE_MB = 2048  # what a case may reserve before it gets a MemoryError
FLIPPED_BYTES = 4
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What became of one file: the size of the picture and its notes, or the sentence of the refusal.

    `crash` is anything else that happened: another error, a signal, too much time or memory.
    """

    name: str
    size: list[int] | None = None
    notes: list[str] | None = None
    refusal: str | None = None
    crash: str | None = None
    growth_mb: float = 0.0


def decode_files(paths: Sequence[Path]) -> dict[str, Outcome]:
    """The outcome of each file by its name, from one process for each."""
    return {outcome.name: outcome for outcome in _run("files", *map(str, paths))}


def find_bad_cases(seed: int, counts: Mapping[str, int]) -> list[Outcome]:
    """Those of so many cases of each format that end in anything but a picture that may be, or an ImageError."""
    return _run("fuzz", str(seed), *(f"{file_format}:0:{count}" for file_format, count in counts.items()))


def _run(*arguments: str) -> list[Outcome]:
    path = (str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__)), *arguments]
    finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Outcome(**json.loads(line)) for line in finished.stdout.splitlines()]


def sample(file_format: str) -> bytes:
    """The small file that cases of a format are made of."""
    image = SMALL.quantize(16) if file_format == "GIF" else SMALL  # a short table of colours
    return encoded(image, file_format)


def fuzzed(file_format: str, seed: int, case: int) -> bytes:
    """The file of a case: the sample cut off before each of its bytes in turn, then with some bytes changed."""
    whole = sample(file_format)
    if case < len(whole):
        return whole[:case]
    random, changed = np.random.default_rng((seed, case)), bytearray(whole)
    for position in random.choice(len(whole), random.integers(1, FLIPPED_BYTES, endpoint=True), replace=False):
        changed[position] ^= random.integers(1, 256)
    return bytes(changed)


def fault(file_format: str, case: int, content: bytes, whole: DecodedImage) -> str | None:
    """What is wrong with how a case is decoded; None if nothing."""
    try:
        decoded = decode_with_notes(content).image
    except ImageError:
        return None
    except BaseException as error:
        return f"raised {error!r}"
    if decoded.mode != "RGB" or not 0 < decoded.width * decoded.height <= MAX_PIXELS:
        return f"gave a picture of mode {decoded.mode} and size {decoded.size}"
    if file_format == "PNG":
        return "gave a picture, though a checksum is wrong or missing"
    if case < len(sample(file_format)) and decoded.tobytes() != whole.image.tobytes():
        return "gave another picture, though the file is cut off"
    return None


# In the processes


def _in_a_fork(work: Callable[[], None]) -> str | None:
    """Calls `work` in a forked process, which starts with no more memory than it has; how it died, if it did."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + ADDRESS_SPACE_MB * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            work()
            sys.stdout.flush()
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        return None
    died_of = signal.Signals(os.WTERMSIG(status))
    reasons = {signal.SIGPROF: f"more than {MAX_CPU_S} s of work", signal.SIGALRM: f"more than {MAX_REAL_S} s"}
    return reasons.get(died_of, died_of.name)


def _start_clocks() -> None:
    """Past either limit the system ends this process, even where it does not return to Python."""
    signal.setitimer(signal.ITIMER_PROF, MAX_CPU_S)
    signal.setitimer(signal.ITIMER_REAL, MAX_REAL_S)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def _tell(outcome: Outcome) -> None:
    print(json.dumps(asdict(outcome)))


def _decode_file(path: Path) -> None:
    before_mb = _peak_mb()
    _start_clocks()
    try:
        decoded = decode_with_notes(path)
    except ImageError as error:
        _tell(Outcome(path.name, refusal=str(error), growth_mb=_peak_mb() - before_mb))
    except BaseException as error:
        _tell(Outcome(path.name, crash=f"raised {error!r}"))
    else:
        size, notes = list(decoded.image.size), list(decoded.notes)
        _tell(Outcome(path.name, size=size, notes=notes, growth_mb=_peak_mb() - before_mb))


def _decode_cases(file_format: str, seed: int, cases: range, progress: int) -> None:
    whole, before_mb = decode_with_notes(sample(file_format)), _peak_mb()
    for case in cases:
        os.pwrite(progress, case.to_bytes(8), 0)
        content = fuzzed(file_format, seed, case)
        _start_clocks()
        wrong = fault(file_format, case, content, whole)
        if wrong is None and _peak_mb() - before_mb > MAX_GROWTH_MB:
            wrong, before_mb = f"took more than {MAX_GROWTH_MB} MB", _peak_mb()
        if wrong:
            _tell(Outcome(f"{file_format} seed {seed} case {case}", crash=wrong))


def _fuzz(seed: int, file_format: str, start: int, stop: int) -> None:
    """Decodes the cases in one process, and goes on in another where that has died."""
    progress = os.memfd_create("progress")
    while start < stop:
        died_of = _in_a_fork(partial(_decode_cases, file_format, seed, range(start, stop), progress))
        if died_of is None:
            return
        case = int.from_bytes(os.pread(progress, 8, 0))
        _tell(Outcome(f"{file_format} seed {seed} case {case}", crash=died_of))
        start = case + 1


def main(mode: str, *arguments: str) -> None:
    """As the module's first lines say."""
    Image.init()
    if mode == "files":
        for path in map(Path, arguments):
            if died_of := _in_a_fork(partial(_decode_file, path)):
                _tell(Outcome(path.name, crash=died_of))
    else:
        for cases in arguments[1:]:
            file_format, start, stop = cases.split(":")
            _fuzz(int(arguments[0]), file_format, int(start), int(stop))


if __name__ == "__main__":
    main(*sys.argv[1:])
