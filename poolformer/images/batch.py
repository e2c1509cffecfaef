"""BatchFeature: what a processor hands to the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poolformer.errors import ImageError
from poolformer.images.arrays import is_tensor

if TYPE_CHECKING:
    import torch


class BatchFeature(dict[str, Any]):
    """A processor's result: `pixel_values` by key and by attribute, so that `model(**features)` works.

    >>> import torch
    >>> features = BatchFeature(pixel_values=torch.zeros(1, 3, 8, 8))
    >>> features.to(torch.float16).pixel_values.dtype
    torch.float16
    """

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"There is no {name!r} here; there is {', '.join(self)}.")

    def to(self, *args: Any, **kwargs: Any) -> BatchFeature:
        """Itself, after moving or casting its tensors as `torch.Tensor.to` does; numpy arrays stay as they are.

        As in `transformers`, tensors of whole numbers are moved but not cast.
        """
        device = _device_of(args, kwargs)
        for name, value in self.items():
            if isinstance(value, list):
                self[name] = [_moved(entry, device, args, kwargs) for entry in value]
            else:
                self[name] = _moved(value, device, args, kwargs)
        return self


def _device_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device | None:
    """The device among the arguments of `torch.Tensor.to`, if there is one."""
    import torch

    if kwargs.get("device") is not None:
        return torch.device(kwargs["device"])
    return torch.device(args[0]) if args and isinstance(args[0], (str, int, torch.device)) else None


def _moved(value: Any, device: torch.device | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not is_tensor(value):
        return value
    if value.is_floating_point():
        return value.to(*args, **kwargs)
    return value if device is None else value.to(device)


def gather(values: list[Any], return_tensors: str | None) -> Any:
    """One (B, C, H, W) array out of arrays or tensors of shape (C, H, W) or (N, C, H, W), copied only if several.

    `return_tensors` is "pt" (a tensor), "np" (an array) or None: a list of (C, H, W), of whatever kind they are.

    Raises:
        ImageError: pictures of different shapes, which only a list can hold.
    """
    batches = [value if value.ndim == 4 else value[None] for value in values]
    if return_tensors is None:
        return [picture for batch in batches for picture in batch]
    shapes = sorted({tuple(batch.shape[1:]) for batch in batches})
    if len(shapes) > 1:
        raise ImageError(
            f"Pictures of the shapes {', '.join(map(str, shapes))} do not fit one batch; "
            "crop them with do_center_crop=True, or use return_tensors=None for a list."
        )
    whole = batches[0] if len(batches) == 1 else _joined(batches)
    if return_tensors == "np":
        return whole.cpu().numpy() if is_tensor(whole) else whole
    if is_tensor(whole):
        return whole
    import torch

    return torch.from_numpy(whole)


def _joined(batches: list[Any]) -> Any:
    if not is_tensor(batches[0]):
        return np.concatenate(batches)
    import torch

    return torch.cat(batches)
