"""The automobile."""

import numpy as np

from studio import fields as f
from studio.fields import Array, smoothstep
from studio.paints import between, plain
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix
from studio.surroundings import asphalt, grass, roadside, sky, tree_line
from studio.wheels import CHROME, DAYLIGHT, wheel


def automobile() -> Scene:
    """A red hatchback parked on a road, seen from ahead and to the side."""
    lower = [
        (2.0, 0.22),
        (2.2, 0.4),
        (2.16, 0.72),
        (1.75, 0.84),
        (1.0, 0.97),
        (-1.9, 1.02),
        (-2.12, 0.9),
        (-2.14, 0.3),
        (-1.9, 0.22),
    ]
    upper = [(1.35, 0.84), (0.45, 1.44), (-0.1, 1.53), (-1.1, 1.52), (-1.75, 1.25), (-2.06, 0.8)]
    glass = [(1.0, 0.96), (0.36, 1.36), (-0.1, 1.43), (-1.1, 1.42), (-1.6, 1.2), (-1.72, 1.0)]

    def narrowed(p: Array) -> Array:
        """The body tapers towards its nose and tail, and the cabin leans in."""
        wide = 1 - 0.045 * np.clip(np.abs(p[0]) - 0.8, 0, None) ** 2 - 0.2 * np.clip(p[1] - 0.85, 0, None)
        return np.stack([p[0], p[1], p[2] / wide])

    shell = f.union(f.prism(f.smoothed(lower), 0.88, 0.16), f.prism(f.smoothed(upper), 0.76, 0.14), blend=0.12)
    arches = [f.mirrored(f.disc((x, 0.34, 0.9), 0.4, 0.3)) for x in (1.3, -1.32)]
    body = f.without(lambda p: shell(narrowed(p)), *arches, blend=0.03)
    red, black = colour("#b3161b"), colour("#0c1014")

    def paint(p: Array) -> Array:
        side = f.polygon(glass, p[0], p[1])
        pillar = np.abs(p[0] + 0.42 + 0.1 * (p[1] - 1)) - 0.035
        window = smoothstep(0.012, -0.012, np.maximum(side, -pillar)) * smoothstep(0.5, 0.6, np.abs(p[2]))
        front = between(p[1], 0.99, 1.41) * smoothstep(0.2, 0.25, p[0])
        front *= smoothstep(0.64, 0.62, np.abs(p[2]) + 0.25 * (p[1] - 0.99))
        skin = mix(red, black, np.maximum(window, front))
        seam = smoothstep(0.012, 0.004, np.minimum(np.abs(p[0] - 0.72 + 0.15 * p[1]), np.abs(p[0] + 0.45)))
        seam *= between(p[1], 0.38, 0.95) * smoothstep(0.6, 0.7, np.abs(p[2]))
        grille = between(p[1], 0.36, 0.52, 0.015) * smoothstep(1.9, 1.95, p[0]) * smoothstep(0.62, 0.58, np.abs(p[2]))
        sill = smoothstep(0.36, 0.33, p[1])
        return mix(skin, colour("#131313"), np.maximum(np.maximum(seam * 0.8, grille), sill))

    lamp = f.mirrored(f.ellipsoid((1.98, 0.7, 0.6), (0.2, 0.075, 0.19), -12))
    mirror = f.mirrored(f.ellipsoid((0.72, 1.0, 0.93), (0.08, 0.07, 0.11)))
    handle = f.mirrored(f.box((-0.28, 0.83, 0.87), (0.09, 0.015, 0.03), 0.01))
    plate = f.box((2.08, 0.44, 0), (0.02, 0.055, 0.25), 0.01)
    parts = (
        Part(body, paint, 0.07),
        Part(lamp, plain("#a9b1b6"), 0.25),
        Part(mirror, plain("#b3161b"), 0.07),
        Part(handle, CHROME, 0.3),
        Part(plate, plain("#e8e8e0")),
        *wheel(1.3, 0.74, 0.33, 0.11),
        *wheel(-1.32, 0.74, 0.33, 0.11),
    )
    return Scene(
        parts,
        Camera((5.2, 1.5, 6.1), (0.28, 0.68, 0), 31.5),
        Light((0.3, 0.8, 0.6), DAYLIGHT, colour("#a8c0de") * 0.5, colour("#7d766b") * 0.35),
        tree_line(sky("#5b92cf", "#d4e3ee", 0.35, seed=2), 0.16, seed=5),
        Ground(roadside(asphalt(-2.2), grass(), -2.6)),
        haze_per_m=0.004,
    )
