"""The variant table as the picker: one row a variant, chosen by click or by arrow keys and Enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from poolformer.service import VariantRow
from poolformer.ui.component import StaticHTML, revised
from poolformer.weights.variants import BUNDLED_NAME


class VariantPicker(StaticHTML):
    """The table; its value comes from `picker_value`. Fires `pick` with {"name": ...}: the visitor's, so check it."""

    static_name = "variant_picker"


def picker_value(rows: Sequence[VariantRow], selected: str) -> dict[str, Any]:
    """What the table shows, with `selected` as the chosen row."""
    return revised({"selected": selected, "rows": [_row(row) for row in rows]})


def _row(row: VariantRow) -> dict[str, str]:
    facts = row.variant
    decimals = 0 if facts.parameters_m >= 10 else 1
    return {
        "name": facts.name,
        "depths": ", ".join(map(str, facts.depths)),
        "widths": ", ".join(map(str, facts.hidden_sizes)),
        "parameters": f"{facts.parameters_m:.{decimals}f} M",
        "macs": f"{facts.macs_g:.1f} G" if facts.macs_g >= 1 else f"{1000 * facts.macs_g:.0f} M",
        "top1": "" if facts.top1_percent is None else f"{facts.top1_percent:.1f}%",
        "dataset": facts.dataset,
        "state": row.availability.state,
        "status": _status(row),
    }


def _status(row: VariantRow) -> str:
    if row.availability.state == "bundled" and row.variant.name != BUNDLED_NAME:
        return "your own"
    if row.availability.state == "remote":
        return f"fetch {row.availability.download_bytes / 1e6:.0f} MB"
    return row.availability.state
