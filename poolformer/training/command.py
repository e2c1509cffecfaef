"""`python -m poolformer train` and `evaluate`, from parsed arguments to files and printed results."""

from __future__ import annotations

import datetime
import json
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch

from poolformer.errors import WeightsError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.training.data import load_split
from poolformer.training.export import METRICS_NAME, export_checkpoint, write_metrics, write_model_card
from poolformer.training.loop import STATE_NAME, Trainer, accuracy, pick_device
from poolformer.training.recipe import Recipe, load_recipe
from poolformer.weights.checkpoint import load_checkpoint

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def add_train_arguments(parser: ArgumentParser) -> None:
    """The options of `train`."""
    parser.add_argument("--data", required=True, help="folder with {train,test}/<class>/<picture>")
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for the checkpoint; a started run continues there"
    )
    parser.add_argument("--recipe", default="tiny", help="a bundled recipe's name or a TOML file (default: tiny)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's")
    parser.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the forward pass (autocast)")


def train(args: Namespace, argv: list[str]) -> int:
    """Trains, exports, evaluates the exported checkpoint and writes its card. Returns the exit status.

    Raises:
        PoolFormerError: data, recipe or output folder cannot be used.
    """
    if (args.out / METRICS_NAME).exists() and not (args.out / STATE_NAME).exists():
        raise WeightsError(f"{args.out} holds a finished model; choose another --out, or remove it first.")
    overrides = {name: getattr(args, name) for name in ("epochs", "batch_size", "learning_rate", "seed")}
    recipe = load_recipe(args.recipe, **overrides)
    processor = build_processor(recipe)
    train_data, test_data = (load_split(args.data, split, processor) for split in ("train", "test"))
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = PoolFormerForImageClassification(build_config(recipe, train_data.classes))
    trainer = Trainer(model, recipe, processor, args.out, pick_device(), PRECISIONS[args.precision])
    for result in trainer.run(train_data, test_data)[-1:]:
        print(f"last epoch: loss {result.train_loss:.4f}, test top-1 {result.test_top1:.2f}%")
    export_checkpoint(model, processor, args.out)
    exported = load_checkpoint(args.out)
    metrics = {
        "dataset": recipe.dataset.get("name", Path(args.data).name),
        "split": "test",
        "images": len(test_data),
        "train_images": len(train_data),
        "top1": round(accuracy(exported.model, test_data, processor), 2),
        "date": datetime.date.today().isoformat(),
        "command": f"python -m poolformer {shlex.join(argv)}",
    }
    write_metrics(args.out, metrics)
    write_model_card(args.out, recipe, model, metrics)
    (args.out / STATE_NAME).unlink(missing_ok=True)
    print(f"{args.out}: top-1 {metrics['top1']:.2f}% on {len(test_data)} test pictures")
    return 0


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
    top1 = accuracy(checkpoint.model, data, checkpoint.processor)
    result = {"checkpoint": str(args.checkpoint), "images": len(data), "top1": round(top1, 2)}
    print(json.dumps(result) if args.json else f"{args.checkpoint}: top-1 {top1:.2f}% on {len(data)} test pictures")
    return 0


def build_config(recipe: Recipe, classes: tuple[str, ...]) -> PoolFormerConfig:
    """The recipe's architecture with one label a class."""
    return PoolFormerConfig.from_dict({**recipe.architecture, "id2label": dict(enumerate(classes))})


def build_processor(recipe: Recipe) -> PoolFormerImageProcessorPil:
    """The processor that gives pictures of the recipe's size, without a margin: crop_pct is 1."""
    size = recipe.image_size_px
    return PoolFormerImageProcessorPil(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}, crop_pct=1.0
    )
