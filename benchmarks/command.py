"""`python -m poolformer bench`: the groups of rows, one after the other, and the table of them all."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from argparse import Namespace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from poolformer.errors import PoolFormerError

# Each is a module with `measure(plan) -> list[Row]`.
GROUPS = ("forward", "gpu", "pictures", "loading", "upload", "page", "startup", "clients", "memory", "load")
MIN_REQUESTS = 200  # the first 100 of them fill the memory, and the others must not
NEEDED = ("transformers", "gradio_client", "playwright", "gradio", "PIL", "torch")


def run(args: Namespace) -> int:
    """Measures the groups that were asked for and prints the table. Returns the exit status, 0.

    Raises:
        PoolFormerError: a group or a folder that is not there, a library that is missing, or too few requests.
    """
    groups = choose_groups(args.only)
    if args.requests < MIN_REQUESTS:
        raise PoolFormerError(f"--requests is {args.requests}; give it at least {MIN_REQUESTS}.")
    if args.json is not None and not args.json.resolve().parent.is_dir():
        raise PoolFormerError(f"There is no folder for {args.json}; make it, or choose another file.")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise PoolFormerError(f"The benchmarks need {', '.join(missing)}; install requirements-dev.txt.")
    from benchmarks.plan import Plan
    from benchmarks.surroundings import sentence, surroundings
    from benchmarks.table import as_json, markdown

    rows = []
    with tempfile.TemporaryDirectory(prefix="poolformer-bench-") as folder:
        plan = Plan(Path(folder), args.quick, args.compile, args.requests)
        for group in groups:
            started = time.perf_counter()
            rows += import_module(f"benchmarks.{group}").measure(plan)
            print(f"{group}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    found = surroundings()
    print(markdown(rows), f"\n{sentence(found)}", sep="\n")
    if args.json is not None:
        content = {"surroundings": found, "quick": plan.quick, "rows": as_json(rows)}
        args.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def choose_groups(only: str | None) -> list[str]:
    """The groups of a list with commas, in the order of GROUPS; all of them without a list.

    Raises:
        PoolFormerError: a name that is none of GROUPS.

    >>> choose_groups("memory,forward")
    ['forward', 'memory']
    """
    wanted = GROUPS if only is None else tuple(only.split(","))
    for name in wanted:
        if name not in GROUPS:
            raise PoolFormerError(f"There is no benchmark {name!r}; choose from {', '.join(GROUPS)}.")
    return [name for name in GROUPS if name in wanted]
