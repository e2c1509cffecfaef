"""Packages whose public names are imported on first use, so that importing the package costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names_from(package: str, home: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package: each name that is a key of `home`, from the module that `home` says.

    >>> names_from("shapes", {"tau": "math"})("tau")
    6.283185307179586
    """

    def import_name(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home[name]), name)

    return import_name
