"""What several machines share: their materials, their light and their wheels."""

import numpy as np

from studio import fields as f
from studio.fields import Array, smoothstep
from studio.paints import between, plain
from studio.scene import Part, colour, mix

DAYLIGHT = colour("#fff1dc") * 2.5
RUBBER = plain("#151515")
CHROME = plain("#c9ccd0")


def wheel(x: float, z: float, radius: float, width: float) -> tuple[Part, ...]:
    """A tyre and its rim on the near side, and the same on the far side."""
    tyre = f.mirrored(f.disc((x, radius, z), radius, width, 0.05))
    well = f.mirrored(f.disc((x, radius, z + width), radius * 0.68, 0.05, 0.02))

    def rim(p: Array) -> Array:
        spoke = np.cos(5 * np.arctan2(p[1] - radius, p[0] - x)) * 0.5 + 0.5
        reach = np.hypot(p[0] - x, p[1] - radius) / radius
        hole = smoothstep(0.3, 0.6, spoke) * between(reach, 0.22, 0.56, 0.02)
        return mix(colour("#b8bcc1"), colour("#1a1a1b"), hole)

    return Part(tyre, RUBBER), Part(well, rim, 0.12)
