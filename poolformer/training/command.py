"""`python -m poolformer train` and `evaluate`, from parsed arguments to files and printed results."""

from __future__ import annotations

import datetime
import json
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import torch

from poolformer.errors import PoolFormerError, WeightsError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.inference.device import pick_device
from poolformer.training.data import Splits, load_split, load_splits
from poolformer.training.export import export_checkpoint, write_curve, write_metrics, write_model_card
from poolformer.training.loop import STATE_NAME, EpochResult, Trainer, accuracy
from poolformer.training.network import build_network, build_processor, choose_recipe, open_start
from poolformer.training.recipe import Recipe
from poolformer.weights.checkpoint import Checkpoint, load_checkpoint
from poolformer.weights.files import find_files
from poolformer.weights.hub import push_folder

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def add_train_arguments(parser: ArgumentParser) -> None:
    """The options of `train`."""
    add_run_arguments(parser)
    parser.add_argument(
        "--init",
        metavar="CHECKPOINT",
        help="a variant, folder or Hub repository to fine-tune (default: random weights)",
    )
    parser.add_argument(
        "--recipe", help="a bundled recipe's name or a TOML file (default: tiny, or finetune with --init)"
    )
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's")
    parser.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--push-to-hub", metavar="REPO", help="upload the result to this model repository, owner/name")


def add_run_arguments(parser: ArgumentParser) -> None:
    """The options of every command that trains."""
    parser.add_argument("--data", required=True, help="folder with {train,test}/<class>/<picture>")
    parser.add_argument("--out", required=True, type=Path, help="folder for the result; a started run continues there")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the forward pass (autocast)")


def train(args: Namespace, argv: list[str]) -> int:
    """Trains, exports, evaluates the exported checkpoint and writes its card. Returns the exit status.

    Raises:
        PoolFormerError: data, recipe, checkpoint or output folder cannot be used, or the result cannot be uploaded.
    """
    if find_files(args.out) is not None and not (args.out / STATE_NAME).exists():
        raise WeightsError(f"{args.out} holds a finished model; choose another --out, or remove it first.")
    start = open_start(args.init) if args.init else None
    overrides = {name: getattr(args, name) for name in ("epochs", "batch_size", "learning_rate", "seed")}
    recipe = choose_recipe(args.recipe, start, **overrides)
    processor = build_processor(recipe, start)
    splits = load_splits(args.data, processor, recipe.validation_fraction, recipe.seed)
    metrics, kept = run_recipe(recipe, splits, processor, start, args.out, args, argv)
    print(f"kept epoch {kept.epoch} of {recipe.epochs}: training loss {kept.train_loss:.4f}")
    print(f"{args.out}: top-1 {metrics['top1']:.2f}% on {len(splits.test)} test pictures")
    if args.push_to_hub:
        _push(args.push_to_hub, args.out)
    return 0


def run_recipe(
    recipe: Recipe,
    splits: Splits,
    processor: PoolFormerImageProcessorPil,
    start: Checkpoint | None,
    out: Path,
    args: Namespace,
    argv: list[str],
) -> tuple[dict[str, Any], EpochResult]:
    """One run from `start`, or from random weights, to a checkpoint in `out` with its accuracy, curve and card.

    Of `args` it takes the data's folder, `init` and the precision. Returns the metrics of the exported checkpoint, as
    metrics.json has them, and the epoch that was kept. The saved state is removed last: without it a run is finished.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = build_network(recipe, splits.train.classes, start)
    precision = PRECISIONS[args.precision]
    trainer = Trainer(model, recipe, processor, out, pick_device(), precision, _circumstances(args, splits))
    trainer.run(splits)
    export_checkpoint(model, processor, out)
    known = recipe.dataset_of(splits.train.classes)
    metrics = {
        "dataset": known.get("name", Path(args.data).resolve().name),
        "citation": known.get("citation", ""),
        **_measure(out, splits),
        "date": datetime.date.today().isoformat(),
        "command": f"python -m poolformer {shlex.join(argv)}",
    }
    write_metrics(out, metrics)
    write_curve(out, trainer.history, trainer.kept)
    write_model_card(out, recipe, model, trainer.kept, metrics, start)
    (out / STATE_NAME).unlink(missing_ok=True)
    return metrics, trainer.kept


def _circumstances(args: Namespace, splits: Splits) -> dict[str, Any]:
    """What has to be the same for a run to continue, besides its recipe; the names complete an error's sentence."""
    return {
        "--init": args.init,
        "--precision": args.precision,
        "list of classes": list(splits.train.classes),
        "number of training pictures": len(splits.train),
    }


def _measure(folder: Path, splits: Splits) -> dict[str, Any]:
    """What the exported checkpoint scores on the test split, opened as anybody would open it."""
    exported = load_checkpoint(folder)
    top1 = accuracy(exported.model.to(pick_device()), splits.test, exported.processor)
    counts = {"images": len(splits.test), "train_images": len(splits.train)}
    if splits.validation is not None:
        counts["validation_images"] = len(splits.validation)
    return {"split": "test", **counts, "top1": round(top1, 2)}


def _push(repo_id: str, folder: Path) -> None:
    try:
        url = push_folder(repo_id, folder, commit_message="A PoolFormer and how it was trained")
    except PoolFormerError as error:
        later = f"hf upload {repo_id} {folder.as_posix()}"
        raise WeightsError(f"{error} The model is complete in {folder}; `{later}` uploads it later.") from error
    print(f"uploaded: {url}")


def add_evaluate_arguments(parser: ArgumentParser) -> None:
    """The options of `evaluate`."""
    parser.add_argument("--data", required=True, help="folder with test/<class>/<picture>")
    parser.add_argument("--checkpoint", default="tiny", help="a variant or a folder (default: tiny)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a sentence")


def evaluate(args: Namespace) -> int:
    """Prints the top-1 accuracy of a checkpoint on the test split of a folder. Returns the exit status.

    Raises:
        PoolFormerError: the checkpoint or the data cannot be used, or their classes differ.
    """
    checkpoint = load_checkpoint(args.checkpoint)
    data = load_split(args.data, "test", checkpoint.processor)
    if list(data.classes) != list(checkpoint.labels):
        raise WeightsError(
            f"{args.checkpoint} has {len(checkpoint.labels)} labels ({checkpoint.labels[0]}, ...), but the folder has "
            f"the classes {', '.join(data.classes[:10])}; evaluation needs the same names in the same order."
        )
    top1 = accuracy(checkpoint.model.to(pick_device()), data, checkpoint.processor)
    result = {"checkpoint": str(args.checkpoint), "images": len(data), "top1": round(top1, 2)}
    print(json.dumps(result) if args.json else f"{args.checkpoint}: top-1 {top1:.2f}% on {len(data)} test pictures")
    return 0
