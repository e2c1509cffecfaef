"""The command line: `python -m poolformer COMMAND`. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its waiting threads take the cores that torch needs

from poolformer.errors import PoolFormerError


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    from poolformer.training import command as training
    from poolformer.training import mixers
    from poolformer.weights.convert import CONVERTERS
    from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES, VARIANTS

    parser = argparse.ArgumentParser(prog="poolformer", description="Classify pictures with PoolFormer, and train it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    classifying = commands.add_parser("classify", help="print the five most probable labels of pictures")
    classifying.add_argument("files", nargs="+", metavar="FILE")
    classifying.add_argument(
        "--variant", default=BUNDLED_NAME, help=f"one of {', '.join(VARIANT_NAMES)} (default: tiny)"
    )
    classifying.add_argument("--json", action="store_true", help="print one JSON object a line")
    converting = commands.add_parser("convert", help="turn original or timm weights into a checkpoint")
    converting.add_argument("source", metavar="FILE", help="a .pth.tar, .pth, .bin or .safetensors file")
    converting.add_argument("--variant", required=True, choices=VARIANTS, help="what network the file holds")
    converting.add_argument("--layout", default="original", choices=CONVERTERS, help="whose keys (default: original)")
    converting.add_argument("--out", required=True, metavar="DIR", help="folder for the checkpoint")
    training.add_train_arguments(commands.add_parser("train", help="train a model on a folder of pictures"))
    mixers.add_mixers_arguments(commands.add_parser("mixers", help="train every token mixer alike and compare them"))
    training.add_evaluate_arguments(commands.add_parser("evaluate", help="measure a checkpoint's accuracy"))
    return parser


def classify(files: Sequence[str], variant: str, as_json: bool) -> int:
    """Prints the labels of each file; a file that is no picture is one line on stderr. Returns 1 if there was one.

    Raises:
        WeightsError: the variant is unknown or cannot be fetched.
    """
    from poolformer.errors import ImageError
    from poolformer.service import PoolFormerService

    service, status = PoolFormerService(), 0
    service.checkpoint(variant)  # What is wrong with the variant is wrong for all files: said once.
    for file in files:
        try:
            predictions = service.classify(file, variant).predictions
        except ImageError as error:
            print(f"poolformer: {error}", file=sys.stderr)
            status = 1
            continue
        if as_json:
            found = [{"label": prediction.label, "score": prediction.score} for prediction in predictions]
            print(json.dumps({"file": file, "variant": variant, "predictions": found}))
        else:
            print(file, *(f"{prediction.score:8.1%}  {prediction.label}" for prediction in predictions), sep="\n")
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 1 after an error meant for a person, which is one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = build_parser().parse_args(arguments)
    from poolformer.training import command as training
    from poolformer.training.mixers import compare_mixers
    from poolformer.weights.convert import convert_checkpoint

    try:
        if args.command == "classify":
            return classify(args.files, args.variant, args.json)
        if args.command == "convert":
            print(convert_checkpoint(args.source, args.variant, args.out, layout=args.layout))
            return 0
        if args.command == "train":
            return training.train(args, arguments)
        if args.command == "mixers":
            return compare_mixers(args, arguments)
        return training.evaluate(args)
    except PoolFormerError as error:
        print(f"poolformer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
