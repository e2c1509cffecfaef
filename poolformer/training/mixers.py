"""`python -m poolformer mixers`: the same network with each token mixer in turn, trained alike and compared."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shlex
import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path

from poolformer.errors import ConfigError, WeightsError
from poolformer.nn.cost import frozen_count, mac_count, parameter_count
from poolformer.nn.mixers import MIXERS
from poolformer.training.command import add_run_arguments, run_recipe
from poolformer.training.data import load_splits
from poolformer.training.loop import STATE_NAME
from poolformer.training.mixers_report import RESULTS_NAME, TABLE_NAME, MixerRow, write_report
from poolformer.training.network import build_processor
from poolformer.training.recipe import Recipe, load_recipe
from poolformer.training.speed import images_per_second, machine
from poolformer.weights.checkpoint import load_checkpoint
from poolformer.weights.variants import METRICS_NAME

RUNS_NAME = "runs"


def add_mixers_arguments(parser: ArgumentParser) -> None:
    """The options of `mixers`."""
    add_run_arguments(parser)
    parser.set_defaults(init=None)  # every run starts from random weights
    parser.add_argument("--recipe", default="mixers", help="a bundled recipe's name or a TOML file (default: mixers)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each mixer (default: 3)")


def compare_mixers(args: Namespace, argv: list[str]) -> int:
    """Trains every mixer with every seed and writes the table into the output folder. Returns the exit status.

    A finished run leaves its folder under runs/, and is not trained again; one that was interrupted continues. The
    checkpoints of the first seed are kept as the folder's own, and runs/ is removed at the end.

    Raises:
        PoolFormerError: data, recipe or output folder cannot be used.
    """
    if args.seeds < 1:
        raise ConfigError(f"--seeds is {args.seeds}; each mixer needs at least 1 run.")
    if (args.out / RESULTS_NAME).exists():
        raise WeightsError(f"{args.out} holds a finished comparison; choose another --out, or remove it first.")
    recipe = load_recipe(args.recipe, epochs=args.epochs)
    processor = build_processor(recipe, None)
    splits = load_splits(args.data, processor, recipe.validation_fraction, recipe.seed)
    for seed in range(recipe.seed, recipe.seed + args.seeds):
        for mixer in MIXERS:
            folder = args.out / RUNS_NAME / f"{mixer}-{seed}"
            if not (folder / METRICS_NAME).exists() or (folder / STATE_NAME).exists():
                print(f"{mixer}, seed {seed}", flush=True)
                run_recipe(recipe_of(recipe, mixer, seed), splits, processor, None, folder, args, argv)
    for mixer in MIXERS:
        shutil.copytree(args.out / RUNS_NAME / f"{mixer}-{recipe.seed}", args.out / mixer, dirs_exist_ok=True)
    speeds = images_per_second(
        {mixer: load_checkpoint(args.out / mixer).model for mixer in MIXERS}, recipe.image_size_px
    )
    rows = [_row(args.out, recipe, mixer, args.seeds, speeds[mixer]) for mixer in MIXERS]
    write_report(
        args.out,
        rows,
        {
            "dataset": recipe.dataset_of(splits.train.classes).get("name", Path(args.data).resolve().name),
            "train_images": len(splits.train),
            "test_images": len(splits.test),
            "date": datetime.date.today().isoformat(),
            "command": f"python -m poolformer {shlex.join(argv)}",
            "machine": machine(),
            "recipe": dataclasses.asdict(recipe),
        },
    )
    shutil.rmtree(args.out / RUNS_NAME)
    print((args.out / TABLE_NAME).read_text(encoding="utf-8"))
    return 0


def recipe_of(recipe: Recipe, mixer: str, seed: int) -> Recipe:
    """The recipe of one run. `image_size` is for the random mixer, whose matrices are made for one size."""
    architecture = {**recipe.architecture, "token_mixer": mixer}
    if mixer == "random":
        architecture["image_size"] = recipe.image_size_px
    return dataclasses.replace(recipe, name=f"{recipe.name}-{mixer}", seed=seed, architecture=architecture)


def _row(out: Path, recipe: Recipe, mixer: str, seeds: int, speed: float) -> MixerRow:
    folders = [out / RUNS_NAME / f"{mixer}-{seed}" for seed in range(recipe.seed, recipe.seed + seeds)]
    config = load_checkpoint(out / mixer).model.config
    return MixerRow(
        token_mixer=mixer,
        top1=[float(json.loads((folder / METRICS_NAME).read_text(encoding="utf-8"))["top1"]) for folder in folders],
        parameters=parameter_count(config),
        frozen=frozen_count(config),
        macs=mac_count(config, recipe.image_size_px, recipe.image_size_px).total,
        images_per_second=speed,
    )
