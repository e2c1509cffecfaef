"""The public classes: config, networks and processors that open from, and save to, folders and the Hub.

They stand above `poolformer.nn` and `poolformer.images`, which know nothing of files on the Hub: each is the class of
the same name there, with `from_pretrained`, `save_pretrained` and `push_to_hub`.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import torch
from safetensors.torch import save_file

from poolformer.errors import ConfigError, WeightsError
from poolformer.images import processing
from poolformer.nn import config as nn_config
from poolformer.nn import model as nn_model
from poolformer.nn.assembly import give_weights
from poolformer.weights.files import find_files
from poolformer.weights.fitting import fit_tensors
from poolformer.weights.sources import DescribedInOneFile, PushToHub, Source, locate
from poolformer.weights.tensors import read_tensors

WEIGHTS_NAME = "model.safetensors"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}

logger = logging.getLogger(__name__)


class PoolFormerConfig(DescribedInOneFile, nn_config.PoolFormerConfig):  # type: ignore[misc]  # takes more
    """Everything needed to build a PoolFormer, with the field names and defaults of `transformers`.

    The fields, their units and what is allowed: `poolformer.nn.config.PoolFormerConfig`, of which this is the form that
    also opens from the Hub.

    >>> config = PoolFormerConfig(depths=[1, 1, 2, 1], num_labels=10)
    >>> with TemporaryDirectory() as folder:
    ...     config.save_pretrained(folder)
    ...     again = PoolFormerConfig.from_pretrained(folder, drop_path_rate=0.1)
    >>> again.depths, again.num_labels, again.drop_path_rate
    ([1, 1, 2, 1], 10, 0.1)
    """

    hub_part = "config"


class PoolFormerPreTrainedModel(PushToHub, nn_model.PoolFormerNetwork):
    """What both public networks share: opening from and saving to a folder or the Hub.

    >>> issubclass(PoolFormerModel, PoolFormerPreTrainedModel)
    True
    """

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Source,
        *,
        config: nn_config.PoolFormerConfig | Source | None = None,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        device: str | int | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        torch_dtype: str | torch.dtype | None = None,
        ignore_mismatched_sizes: bool = False,
        **overrides: Any,
    ) -> Self:
        """The network with a checkpoint's weights, in evaluation mode, from a folder or a repository of the Hub.

        Cache first, network second: a folder, and whatever is in the Hub's cache, opens without one network call.
        A network without a head opens a classifier's checkpoint. A classifier opens one without a head, and then has
        a new, untrained head; a warning in the log names the new weights.

        Args:
            pretrained_model_name_or_path: a folder with config.json and model.safetensors or pytorch_model.bin, or a
                repository as owner/name.
            config: takes the place of the checkpoint's own: a config, which is copied, or where to open one.
            revision: branch, tag or commit of the repository; without it, the main branch.
            cache_dir: the Hub's cache; without it, where huggingface_hub has it. So with `token`.
            token: what the Hub knows you by, for a repository that is private or gated.
            local_files_only: forbids the network.
            device: where the weights go; without it, the CPU.
            dtype: float32, bfloat16, float16 or float64, by name or as torch.dtype. None or "auto": what the config
                says, else what the weights are stored as. `torch_dtype` is its older name.
            ignore_mismatched_sizes: starts anew what has another shape in the checkpoint, as a classifier for another
                number of labels has; also named in the log. Without it, that is an error.
            overrides: replace single fields of the config, like num_labels or drop_path_rate.

        Raises:
            ConfigError: the config or an override describes no network that this library builds, or an unknown dtype.
            HubUnreachableError: not in the cache, and the Hub cannot be asked or does not answer.
            WeightsError: files are missing, refused, damaged, or do not fit the config.
        """
        hub: dict[str, Any] = {
            "revision": revision,
            "cache_dir": cache_dir,
            "token": token,
            "local_files_only": local_files_only,
        }
        folder = locate(pretrained_model_name_or_path, ("config", "weights"), **hub)
        files = find_files(folder)
        if files is None:
            raise WeightsError(
                f"{folder.name} holds no checkpoint; it needs config.json and {WEIGHTS_NAME} or pytorch_model.bin."
            )
        if isinstance(config, nn_config.PoolFormerConfig):
            opened = PoolFormerConfig.from_dict(config.to_dict(), **overrides)
        else:
            opened = PoolFormerConfig.from_pretrained(files.config if config is None else config, **hub, **overrides)
        tensors = read_tensors(files.weights)
        weights = _fitted_weights(cls, opened, tensors, ignore_mismatched_sizes)
        number_type = _choose_dtype(dtype or torch_dtype, opened, tensors)
        with torch.device("meta"):
            model = cls(opened)
        give_weights(model, {key: tensor.to(number_type) for key, tensor in weights.items()})
        return model.to(device=device).eval()

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Writes config.json and model.safetensors, in the model's dtype, for this library and for `transformers`.

        The folder is made if need be. Files of these names are replaced, the weights only when all is written. With
        another token mixer than pooling, `transformers` refuses them, and a warning in the log says so.

        Raises:
            ConfigError: there is a file of that name, or the config was changed into one that no network can have.
        """
        config = copy.deepcopy(self.config)
        config.extra.pop("torch_dtype", None)  # what older versions of `transformers` called dtype
        config.extra |= {"architectures": [type(self).__name__], "dtype": self.dtype}
        config.save_pretrained(save_directory)
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in self.state_dict().items()}
        # Moved into place when complete: the old file may be the memory that these very tensors lie in.
        with TemporaryDirectory(dir=save_directory, prefix=".saving-") as unfinished:
            save_file(tensors, Path(unfinished) / WEIGHTS_NAME, metadata={"format": "pt"})
            os.replace(Path(unfinished) / WEIGHTS_NAME, Path(save_directory) / WEIGHTS_NAME)


class PoolFormerModel(PoolFormerPreTrainedModel, nn_model.PoolFormerModel):
    """The stages without a head: `pixel_values` (B, num_channels, H, W) to maps (B, hidden_sizes[i], H_i, W_i).

    What it computes, and what each argument of the call means: `poolformer.nn.model.PoolFormerModel`, of which this is
    the form that also opens from and saves to folders and the Hub.

    Raises:
        ConfigError: `config` was changed into one that no network can be built from.

    >>> config = PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32])
    >>> with TemporaryDirectory() as folder:
    ...     PoolFormerModel(config).save_pretrained(folder)
    ...     model = PoolFormerModel.from_pretrained(folder)
    >>> output = model(torch.zeros(1, 3, 64, 64), output_hidden_states=True)
    >>> [tuple(stage.shape) for stage in output.hidden_states]
    [(1, 8, 16, 16), (1, 16, 8, 8), (1, 24, 4, 4), (1, 32, 2, 2)]
    """


class PoolFormerForImageClassification(PoolFormerPreTrainedModel, nn_model.PoolFormerForImageClassification):
    """The stages and a classifier: `pixel_values` (B, num_channels, H, W) to logits (B, num_labels).

    What it computes, and what each argument of the call means:
    `poolformer.nn.model.PoolFormerForImageClassification`, of which this is the form that also opens from and saves to
    folders and the Hub.

    Raises:
        ConfigError: `config` was changed into one that no network can be built from.

    >>> config = PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], num_labels=5)
    >>> with TemporaryDirectory() as folder:
    ...     PoolFormerForImageClassification(config).save_pretrained(folder)
    ...     model = PoolFormerForImageClassification.from_pretrained(folder, dtype="bfloat16")
    >>> model(torch.zeros(2, 3, 64, 64, dtype=model.dtype)).logits.shape
    torch.Size([2, 5])
    """

    backbone_class = PoolFormerModel


class PoolFormerImageProcessor(DescribedInOneFile, processing.PoolFormerImageProcessor):  # type: ignore[misc]  # takes more
    """Pictures to `pixel_values` with torch, on the device that the pictures are on.

    The options and what a call takes: `poolformer.images.processing.PoolFormerImageProcessor`, of which this is the
    form that also opens from the Hub.

    >>> with TemporaryDirectory() as folder:
    ...     PoolFormerImageProcessor(crop_pct=0.95).save_pretrained(folder)
    ...     processor = PoolFormerImageProcessor.from_pretrained(folder, crop_size=192)
    >>> processor(torch.zeros(2, 3, 300, 400, dtype=torch.uint8), return_tensors="pt").pixel_values.shape
    torch.Size([2, 3, 192, 192])
    """

    hub_part = "preprocessor"


class PoolFormerImageProcessorPil(DescribedInOneFile, processing.PoolFormerImageProcessorPil):  # type: ignore[misc]  # takes more
    """Pictures to `pixel_values` with PIL and numpy.

    The options and what a call takes: `poolformer.images.processing.PoolFormerImageProcessorPil`, of which this is the
    form that also opens from the Hub.

    >>> with TemporaryDirectory() as folder:
    ...     PoolFormerImageProcessorPil(crop_pct=0.95).save_pretrained(folder)
    ...     PoolFormerImageProcessorPil.from_pretrained(folder, crop_size=192).crop_size
    {'height': 192, 'width': 192}
    """

    hub_part = "preprocessor"


def _fitted_weights(
    model_class: type[PoolFormerPreTrainedModel],
    config: PoolFormerConfig,
    tensors: Mapping[str, torch.Tensor],
    ignore_mismatched_sizes: bool,
) -> dict[str, torch.Tensor]:
    """The network's whole state dict: the checkpoint's tensors, and random ones, logged, where it has nothing."""
    with torch.device("meta"):
        expected = model_class(config).state_dict()
    fitted = fit_tensors(tensors, expected, ignore_mismatched_sizes=ignore_mismatched_sizes)
    if not fitted.new:
        return fitted.tensors
    names = ", ".join(fitted.new)
    logger.warning("%s starts with new, untrained weights, to be trained before use: %s", model_class.__name__, names)
    fresh = model_class(config).state_dict()
    return {**fitted.tensors, **{key: fresh[key] for key in fitted.new}}


def _choose_dtype(
    asked: str | torch.dtype | None, config: nn_config.PoolFormerConfig, tensors: Mapping[str, torch.Tensor]
) -> torch.dtype:
    """The number type that was asked for; else the one that the config names; else that of the stored weights."""
    if asked in (None, "auto"):
        asked = config.extra.get("dtype") or config.extra.get("torch_dtype")
    if asked is None:
        return next(iter(tensors.values())).dtype
    name = str(asked).removeprefix("torch.")
    if name not in DTYPES:
        raise ConfigError(f"dtype is {name!r}; it must be one of {', '.join(DTYPES)}.")
    return DTYPES[name]
