"""The stage explorer: everything that a run left in the network, sent to the browser once and looked at there."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from poolformer.inspection.pack import encode_pack
from poolformer.service import Run
from poolformer.ui.component import StaticHTML, revised


class StageExplorer(StaticHTML):
    """The maps of all stages; its value comes from `value_of`, None shows nothing.

    Fires `export` with {"format": ...}: the visitor's, so check it.
    """

    static_name = "stage_explorer"

    def value_of(self, run: Run, dataset: str, example: str | None) -> dict[str, Any]:
        """What the explorer shows of a run: its pack as a file, and what its parts are called.

        `dataset` is what the variant was trained on, "" if nobody said. `example` is the name under which a link may
        call for the picture, None for a picture of the visitor's own.
        """
        variant = run.classification.variant
        return revised(
            {
                "pack": self.file(encode_pack(run.pack()), "stages.safetensors"),
                "variant": variant,
                "variant_note": f"{variant} · {dataset}" if dataset else variant,
                "stages": [asdict(geometry) | {"pool_size": run.pool_size} for geometry in run.geometries],
                "classes": _classes(run),
                "example": example,
            }
        )


def _classes(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "label": prediction.label,
            "index": prediction.index,
            "probability": prediction.score,
            "logit": logit,
            "bias": bias,
        }
        for prediction, logit, bias in zip(
            run.classification.predictions, run.evidence.logits, run.evidence.biases, strict=True
        )
    ]
