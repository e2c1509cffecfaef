"""The command line: `python -m poolformer COMMAND`. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its waiting threads take the cores that torch needs

from poolformer.errors import ConfigError, ImageError, PoolFormerError
from poolformer.folders.walk import printable

if TYPE_CHECKING:
    from poolformer.service import PoolFormerService


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    from poolformer.training import command as training
    from poolformer.training import mixers
    from poolformer.weights.convert import CONVERTERS
    from poolformer.weights.variants import VARIANTS

    parser = argparse.ArgumentParser(prog="poolformer", description="Classify pictures with PoolFormer, and train it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_classify_arguments(
        commands.add_parser("classify", help="the five most probable labels of pictures, printed or as a table")
    )
    converting = commands.add_parser("convert", help="turn original or timm weights into a checkpoint")
    converting.add_argument("source", metavar="FILE", help="a .pth.tar, .pth, .bin or .safetensors file")
    converting.add_argument("--variant", required=True, choices=VARIANTS, help="what network the file holds")
    converting.add_argument("--layout", default="original", choices=CONVERTERS, help="whose keys (default: original)")
    converting.add_argument("--out", required=True, metavar="DIR", help="folder for the checkpoint")
    training.add_train_arguments(commands.add_parser("train", help="train a model on a folder of pictures"))
    mixers.add_mixers_arguments(commands.add_parser("mixers", help="train every token mixer alike and compare them"))
    training.add_evaluate_arguments(commands.add_parser("evaluate", help="measure a checkpoint's accuracy"))
    _add_bench_arguments(commands.add_parser("bench", help="measure speed and memory against transformers and others"))
    return parser


def _add_classify_arguments(parser: argparse.ArgumentParser) -> None:
    from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES

    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a picture; with --out also a folder: every file at or below it, except hidden ones",
    )
    parser.add_argument("--variant", default=BUNDLED_NAME, help=f"one of {', '.join(VARIANT_NAMES)} (default: tiny)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write a row for each file to this .csv or .jsonl; the same command goes on with one that is there",
    )
    parser.add_argument(
        "--batch-size", type=int, metavar="N", help="with --out: pictures in the network at a time (default: 16)"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps, ... (default: the fastest that is here)")
    parser.add_argument("--dtype", default="float32", help="float32, or bfloat16: faster and less exact")
    parser.add_argument("--compile", action="store_true", help="compile the network first; takes a minute")


def classify(args: argparse.Namespace) -> int:
    """Prints the labels of each file, or writes them to a table. Returns the exit status.

    Printing, a file that is no picture is one line on stderr and makes the status 1; in a table it is a row.

    Raises:
        ConfigError: options that do not go together, or a device or number type that is not here.
        WeightsError: the variant is unknown or cannot be fetched.
        PoolFormerError: the table cannot be used.
    """
    from poolformer.service import PoolFormerService

    if args.out and args.json:
        raise ConfigError("--json is for printing; with --out, choose a FILE that ends in .jsonl.")
    if args.batch_size is not None and (args.batch_size < 1 or not args.out):
        raise ConfigError("--batch-size is a number from 1 up, and goes with --out.")
    if args.out:
        from poolformer.folders.command import classify_into
        from poolformer.inference.device import choose_arithmetic

        arithmetic = choose_arithmetic(args.device, args.dtype, args.compile)
        return classify_into(args.out, args.paths, args.variant, arithmetic, args.batch_size)
    service = PoolFormerService(device=args.device, dtype=args.dtype, compiled=args.compile)
    return _print_labels(args.paths, args.variant, service, args.json)


def _print_labels(paths: Sequence[str], variant: str, service: PoolFormerService, as_json: bool) -> int:
    service.prepare(variant)  # What is wrong with the variant is wrong for all files: said once.
    status = 0
    for path in paths:
        try:
            predictions = service.classify(path, variant).predictions
        except ImageError as error:
            hint = " To classify a whole folder, add --out." if os.path.isdir(path) else ""
            print(f"poolformer: {error}{hint}", file=sys.stderr)
            status = 1
            continue
        if as_json:
            found = [{"label": prediction.label, "score": prediction.score} for prediction in predictions]
            print(json.dumps({"file": path, "variant": variant, "predictions": found}))
        else:
            lines = (f"{prediction.score:8.1%}  {prediction.label}" for prediction in predictions)
            print(printable(path), *lines, sep="\n")
    return status


def _add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")
    parser.add_argument("--only", metavar="GROUP,...", help="measure these rows only: forward, loading, upload, ...")
    parser.add_argument("--quick", action="store_true", help="show that everything works; the figures mean little")
    parser.add_argument("--compile", action="store_true", help="measure compiled networks, too; takes minutes")
    parser.add_argument("--requests", type=int, default=1000, metavar="N", help="of the load test (default: 1000)")


def bench(args: argparse.Namespace) -> int:
    """Prints the table of the benchmarks. Returns the exit status.

    Raises:
        PoolFormerError: there are no benchmarks here, or something that they need is missing; options that do not fit.
    """
    try:
        from benchmarks.command import run
    except ModuleNotFoundError as error:
        if error.name not in ("benchmarks", "benchmarks.command"):
            raise
        raise PoolFormerError("There are no benchmarks here; run this in a checkout of the repository.") from error
    return run(args)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 1 after an error meant for a person, which is one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = build_parser().parse_args(arguments)
    from poolformer.training import command as training
    from poolformer.training.mixers import compare_mixers
    from poolformer.weights.convert import convert_checkpoint

    try:
        if args.command == "classify":
            return classify(args)
        if args.command == "convert":
            print(convert_checkpoint(args.source, args.variant, args.out, layout=args.layout))
            return 0
        if args.command == "train":
            return training.train(args, arguments)
        if args.command == "bench":
            return bench(args)
        if args.command == "mixers":
            return compare_mixers(args, arguments)
        return training.evaluate(args)
    except PoolFormerError as error:
        print(f"poolformer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
