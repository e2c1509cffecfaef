"""Where the network runs, and in which arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from poolformer.errors import ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Arithmetic:
    """The device and the number type of the network, and whether torch compiles it first."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    compiled: bool = False

    @property
    def note(self) -> str:
        """What a person has to know who reads the scores; "" where they are those of float32."""
        return "" if self.dtype == torch.float32 else "Computed in bfloat16: scores are off by up to a few percent."


def choose_arithmetic(device: str | None = None, dtype: str = "float32", compiled: bool = False) -> Arithmetic:
    """The arithmetic of these names; without a device CUDA where there is one, else Apple's MPS, else the CPU.

    Raises:
        ConfigError: a name that torch does not know, or a device that is not here.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"There is no number type {dtype!r}; choose {' or '.join(DTYPES)}.")
    return Arithmetic(pick_device(device), DTYPES[dtype], compiled)


def pick_device(name: str | None = None) -> torch.device:
    """The device of that name: "cpu", "cuda", "cuda:1", "mps", ...; without a name the fastest kind that is here.

    Raises:
        ConfigError: a name that torch does not know, or a device that is not here.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # A name alone does not say that the device is here.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise ConfigError(f"The device {name!r} cannot be used ({reason}); choose cpu, or leave it out.") from error
    return device
