"""The four stage panels: what a stage is, and three pictures of it."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradio.data_classes import FileData
from PIL import Image

from poolformer.inspection.receptive_field import StageGeometry
from poolformer.render.atlas import legend
from poolformer.render.colormaps import Picture
from poolformer.render.panel import PanelStyle, StagePanel
from poolformer.service import Inspection
from poolformer.ui.component import StaticHTML, revised


class StagePanels(StaticHTML):
    """Four panels side by side; its value comes from `value_of`, whose pictures lie in this component's cache."""

    static_name = "stage_panels"

    def value_of(self, inspection: Inspection, panels: Sequence[StagePanel], style: PanelStyle) -> dict[str, Any]:
        """What the panels show, with each picture as a file that Gradio serves."""
        legends = {name: self._file(legend(name, 0, 1)) for name in (style.energy_colormap, style.channel_colormap)}
        stages = []
        for number, (stage, panel) in enumerate(zip(inspection.stages, panels, strict=True), start=1):
            explained = ", ".join(f"{100 * share:.0f}%" for share in stage.pca.explained)
            stages.append(
                {
                    "title": f"Stage {number}",
                    **describe_geometry(stage.geometry),
                    "figures": [
                        self._figure("Energy", "mean absolute activation over the picture", panel.energy)
                        | _range(panel.energy_range, legends[style.energy_colormap]),
                        self._figure("PCA to RGB", f"three components: {explained} of the variance", panel.pca),
                        self._figure(
                            f"{len(stage.channel_indices)} strongest channels",
                            f"of {stage.geometry.channels}, strongest first, with their numbers",
                            panel.channels,
                        )
                        | _range(panel.channel_range, legends[style.channel_colormap]),
                    ],
                }
            )
        return revised({"stages": stages})

    def _figure(self, title: str, caption: str, picture: Picture) -> dict[str, Any]:
        return {"title": title, "caption": caption, "image": self._file(picture)}

    def _file(self, picture: Picture) -> dict[str, Any]:
        return FileData(path=str(save_png(picture, Path(self.GRADIO_CACHE)))).model_dump()


def save_png(picture: Picture, folder: Path) -> Path:
    """A PNG of `picture` below `folder`, named by its content; those who see the same picture share one whole file."""
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "PNG", compress_level=1)
    content = encoded.getvalue()
    path = folder / hashlib.sha256(content).hexdigest() / "stage.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
        partial.write(content)
    os.replace(partial.name, path)
    return path


def describe_geometry(geometry: StageGeometry) -> dict[str, str]:
    """A stage's shape and what a cell of it sees, in words."""
    return {
        "shape": f"{geometry.height} × {geometry.width} × {geometry.channels}",
        "reach": f"stride {geometry.stride_px} px, receptive field {geometry.receptive_field_px} px",
    }


def _range(bounds: tuple[float, float], bar: dict[str, Any]) -> dict[str, Any]:
    low, high = bounds
    return {"low": f"{low:.3g}", "high": f"{high:.3g}", "bar": bar}
