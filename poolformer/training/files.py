"""Which files a split consists of, without opening them: one folder a class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from poolformer.errors import ImageError


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split: `targets` has one index into `classes` for each of `paths`."""

    paths: tuple[Path, ...]
    targets: tuple[int, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def divided(self, fraction: float, seed: int) -> tuple[SplitFiles, SplitFiles]:
        """(rest, part): `part` has the rounded `fraction` of each class, drawn from `seed`; both keep the order.

        Raises:
            ImageError: the fraction leaves one of the two without a picture.
        """
        generator, targets = torch.Generator().manual_seed(seed), torch.tensor(self.targets)
        part: set[int] = set()
        for i in range(len(self.classes)):
            members = (targets == i).nonzero().flatten()
            drawn = torch.randperm(len(members), generator=generator)[: round(len(members) * fraction)]
            part.update(members[drawn].tolist())
        if not 0 < len(part) < len(self):
            raise ImageError(
                f"A fraction of {fraction:g} of {len(self)} training pictures cannot be set aside for validation; "
                "add pictures, or use a recipe with another validation_fraction."
            )
        return self._chosen(set(range(len(self))) - part), self._chosen(part)

    def _chosen(self, indices: set[int]) -> SplitFiles:
        ordered = sorted(indices)
        return SplitFiles(tuple(self.paths[i] for i in ordered), tuple(self.targets[i] for i in ordered), self.classes)


def list_split(root: str | Path, split: str) -> SplitFiles:
    """The files of `root`/`split`/<class>/, classes and files in alphabetical order; hidden ones do not count.

    Raises:
        ImageError: no such folder, or one without at least two classes, or a class without files.
    """
    folder = Path(root) / split
    classes = tuple(sorted(path.name for path in folder.glob("*/") if not path.name.startswith(".")))
    if len(classes) < 2:
        raise ImageError(
            f"{folder} holds fewer than two classes; the folder must be laid out as {{train,test}}/<class>/<picture>."
        )
    paths: list[Path] = []
    targets: list[int] = []
    for i, name in enumerate(classes):
        found = sorted(p for p in (folder / name).iterdir() if p.is_file() and not p.name.startswith("."))
        if not found:
            raise ImageError(f"{folder / name} holds no pictures; add some, or remove the folder.")
        paths += found
        targets += [i] * len(found)
    return SplitFiles(tuple(paths), tuple(targets), classes)
