"""From the keys of the original code, and of timm, to Hugging Face's: the same tensors under other names.

Sources of the two layouts: `models/poolformer.py` of github.com/sail-sg/poolformer, and `timm/models/metaformer.py` of
github.com/huggingface/pytorch-image-models (1.0.31). No tensor changes its shape on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save

from poolformer.errors import UnknownVariantError, WeightsError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerConfig
from poolformer.weights.checkpoint import build_model
from poolformer.weights.files import WEIGHTS_NAMES
from poolformer.weights.fitting import first_few
from poolformer.weights.tensors import read_tensors
from poolformer.weights.variants import VARIANTS

Layout = Literal["original", "timm"]
Tensors = Mapping[str, torch.Tensor]

STATE_DICT_KEY = "state_dict"  # where training checkpoints of both projects have the weights

# What a part of a block is called there, and here.
_BLOCK_PARTS = {"norm1": "before_norm", "norm2": "after_norm", "mlp.fc1": "output.conv1", "mlp.fc2": "output.conv2"}
_AFFINE = r"(?P<kind>weight|bias)"
_PART = rf"(?P<part>{'|'.join(map(re.escape, _BLOCK_PARTS))})\.{_AFFINE}"


def original_to_hugging_face(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The state dict of the original classifier under Hugging Face's keys; the tensors themselves.

    There, `network` holds stages at even numbers and the patch embeddings between them at odd ones. Both networks
    compute the same logits.

    Raises:
        WeightsError: a key that the original classifier does not have; the sentence names the first few.
    """
    return _renamed(tensors, _rename_original, "original")


def timm_to_hugging_face(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The state dict of timm's `poolformer_*` classifier under Hugging Face's keys; the tensors themselves.

    The features of all stages are the same, the logits are not: timm's head takes the mean over all positions first and
    normalises then, where the original and Hugging Face normalise first. Norm and classifier are the original's in all
    three, so it is timm's logits that differ from the published ones. PoolFormerV2 is another network and refused.

    Raises:
        WeightsError: a key that timm's classifier does not have; the sentence names the first few.
    """
    return _renamed(tensors, _rename_timm, "timm")


CONVERTERS: dict[Layout, Callable[[Tensors], dict[str, torch.Tensor]]] = {
    "original": original_to_hugging_face,
    "timm": timm_to_hugging_face,
}


def convert_checkpoint(
    source: str | Path,
    variant: str,
    folder: str | Path,
    *,
    layout: Layout = "original",
    labels: Sequence[str] | None = None,
) -> Path:
    """`folder`, with the weights in the file `source` as a checkpoint that every other part of this library opens.

    `source` is a .pth.tar, .pth or .bin file, as the original and timm publish them, or a .safetensors file, with the
    classifier's state dict or, under "state_dict", a training checkpoint around it. What network it is, the file does
    not say: `variant` is a published row of the table, and `layout` whose keys they are. The token mixer is taken to be
    pooling; the original's MetaFormer with the identity has the same keys, and must not be converted. `labels` names
    the classes in order; without it they are LABEL_0, LABEL_1, ... The number of labels is the classifier's.

    Code in the file is not run: beyond tensors and plain containers only `argparse.Namespace` is rebuilt, a bag of
    settings that training checkpoints carry. Every key and shape has to fit before anything is written.

    Raises:
        UnknownVariantError: `variant` is not a published row of the table.
        WeightsError: the file is damaged, or refused, or not of this layout or variant; or the folder cannot be
            written.
    """
    if variant not in VARIANTS:
        raise UnknownVariantError(f"There is no published variant {variant!r}; choose one of {', '.join(VARIANTS)}.")
    row = VARIANTS[variant]
    tensors = CONVERTERS[layout](read_tensors(Path(source), wrapped_in=STATE_DICT_KEY))
    count = len(tensors["classifier.weight"]) if "classifier.weight" in tensors else 0
    names = [f"LABEL_{i}" for i in range(count)] if labels is None else list(labels)
    if len(names) != count:
        raise WeightsError(f"{Path(source).name} has {count} classes, and {len(names)} labels were given; name each.")
    config = PoolFormerConfig(
        depths=list(row.depths), hidden_sizes=list(row.hidden_sizes), id2label=dict(enumerate(names))
    )
    build_model(config, tensors)
    _write(Path(folder), config, PoolFormerImageProcessorPil.from_dict({"crop_pct": row.crop_pct}), tensors)
    return Path(folder)


def _write(folder: Path, config: PoolFormerConfig, processor: PoolFormerImageProcessorPil, tensors: Tensors) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.save_pretrained(folder)
        processor.save_pretrained(folder)
        content = save({key: tensor.contiguous() for key, tensor in tensors.items()}, metadata={"format": "pt"})
        (folder / WEIGHTS_NAMES[0]).write_bytes(content)
    except OSError as error:
        raise WeightsError(f"{folder} cannot be written ({error.strerror}); choose another folder.") from error


def _renamed(tensors: Tensors, rename: Callable[[str], str | None], layout: Layout) -> dict[str, torch.Tensor]:
    names = {key: rename(key) for key in tensors}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        raise WeightsError(
            f"{len(unknown)} of {len(tensors)} keys are not those of a PoolFormer classifier in the {layout} layout "
            f"({first_few(unknown)}); check the file and the layout, which is one of {', '.join(CONVERTERS)}."
        )
    return {name: tensors[key] for key, name in names.items() if name is not None}


def _rename_original(key: str) -> str | None:
    """Hugging Face's name of an original key, or None."""
    if match := re.fullmatch(rf"patch_embed\.proj\.{_AFFINE}", key):
        return _embedding(0, match)
    if (match := re.fullmatch(rf"network\.(?P<step>\d+)\.proj\.{_AFFINE}", key)) and int(match["step"]) % 2 == 1:
        return _embedding((int(match["step"]) + 1) // 2, match)
    if match := re.fullmatch(rf"(?P<head>norm|head)\.{_AFFINE}", key):
        return _head(match)
    prefix = r"network\.(?P<step>\d+)\.(?P<block>\d+)"
    match = re.fullmatch(rf"{prefix}\.(?:{_PART}|layer_scale_(?P<scale>[12]))", key)
    if match is None or int(match["step"]) % 2 == 1:
        return None
    return _block(int(match["step"]) // 2, match)


def _rename_timm(key: str) -> str | None:
    """Hugging Face's name of one of timm's keys, or None."""
    if match := re.fullmatch(rf"stem\.conv\.{_AFFINE}", key):
        return _embedding(0, match)
    if match := re.fullmatch(rf"stages\.(?P<stage>[1-9]\d*)\.downsample\.conv\.{_AFFINE}", key):
        return _embedding(int(match["stage"]), match)
    if match := re.fullmatch(rf"head\.(?P<head>norm|fc)\.{_AFFINE}", key):
        return _head(match)
    prefix = r"stages\.(?P<stage>\d+)\.blocks\.(?P<block>\d+)"
    match = re.fullmatch(rf"{prefix}\.(?:{_PART}|layer_scale(?P<scale>[12])\.scale)", key)
    return match and _block(int(match["stage"]), match)


def _embedding(stage: int, match: re.Match[str]) -> str:
    return f"poolformer.encoder.patch_embeddings.{stage}.projection.{match['kind']}"


def _head(match: re.Match[str]) -> str:
    return f"{'norm' if match['head'] == 'norm' else 'classifier'}.{match['kind']}"


def _block(stage: int, match: re.Match[str]) -> str:
    part = f"layer_scale_{match['scale']}" if match["scale"] else f"{_BLOCK_PARTS[match['part']]}.{match['kind']}"
    return f"poolformer.encoder.block.{stage}.{int(match['block'])}.{part}"
