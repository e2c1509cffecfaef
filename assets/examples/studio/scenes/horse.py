"""The horse."""

import numpy as np

from studio import fields as f
from studio.bodies import GREEN_BOUNCE, SKYLIGHT, SUN, chain, combed
from studio.fields import Array, Field, smoothstep
from studio.paints import plain, streaked
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix
from studio.strands import fur, meadow
from studio.surroundings import grass, sky, tree_line


def horse() -> Scene:
    """A bay horse in a meadow, seen from the side."""
    trunk = f.union(
        f.ellipsoid((0, 1.2, 0), (0.75, 0.34, 0.3)),
        f.ellipsoid((0.55, 1.24, 0), (0.33, 0.36, 0.25)),
        f.ellipsoid((-0.6, 1.28, 0), (0.38, 0.35, 0.29)),
        chain((0.62, 1.38, 0, 0.27), (0.95, 1.72, 0, 0.18), (1.16, 1.98, 0, 0.13)),
        chain((1.17, 2.0, 0, 0.135), (1.33, 1.83, 0, 0.125), (1.58, 1.56, 0, 0.085)),
        blend=0.14,
    )

    def fore(x: float, z: float, swing: float) -> Field:
        return chain(
            (x, 1.1, z, 0.17), (x + 0.3 * swing, 0.62, z, 0.075), (x + 0.6 * swing, 0.14, z, 0.05),
            (x + 0.65 * swing + 0.05, 0.04, z, 0.075),
        )  # fmt: skip

    def hind(x: float, z: float, swing: float) -> Field:
        return chain(
            (x, 1.2, z, 0.25), (x + 0.12 + 0.3 * swing, 0.82, z, 0.13), (x - 0.14 + 0.5 * swing, 0.52, z, 0.075),
            (x - 0.06 + 0.7 * swing, 0.14, z, 0.05), (x - 0.01 + 0.75 * swing, 0.04, z, 0.075),
        )  # fmt: skip

    legs = f.union(fore(0.6, 0.14, 0.22), fore(0.58, -0.14, -0.25), hind(-0.7, 0.15, -0.2), hind(-0.66, -0.15, 0.3))
    ears = f.mirrored(f.limb((1.11, 2.06, 0.07), (1.1, 2.24, 0.1), 0.05, 0.012))
    coat, sock = streaked("#472714", "#6d4023", (1.5, 3, 3), 3), colour("#17100c")

    def body_paint(p: Array) -> Array:
        low = smoothstep(0.72, 0.4, p[1])
        nose = smoothstep(1.45, 1.62, p[0]) * smoothstep(1.75, 1.6, p[1])
        blaze = (
            smoothstep(0.045, 0.03, np.abs(p[2])) * smoothstep(1.15, 1.25, p[0]) * smoothstep(3.25, 3.32, p[0] + p[1])
        )
        return mix(mix(coat(p), sock, np.maximum(low, nose)), colour("#e8e0d4"), blaze)

    black = streaked("#0c0908", "#2a1d15", (6, 2, 6), 4)
    mane = chain((0.55, 1.66, 0.02, 0.05), (0.8, 1.86, 0.06, 0.07), (1.02, 2.06, 0.07, 0.06), (1.2, 2.14, 0.02, 0.05))
    tail = chain((-0.92, 1.42, 0, 0.06), (-1.1, 1.2, 0, 0.1), (-1.16, 0.85, 0, 0.11), (-1.12, 0.5, 0, 0.03), blend=0.08)
    eye = f.mirrored(f.sphere((1.27, 1.95, 0.105), 0.032))
    parts = (
        Part(trunk, body_paint),
        Part(legs, body_paint, 0, 0.14),
        Part(ears, plain("#4a2410"), 0, 0.05),
        Part(mane, black, 0, 0.05),
        Part(tail, black, 0, 0.05),
        Part(eye, plain("#080605"), 0.1),
    )
    turf = grass("#34501a", "#86a042")
    return Scene(
        parts,
        Camera((2.2, 1.5, 7.2), (0.2, 1.12, 0), 25.5),
        Light((0.35, 0.75, 0.6), SUN, SKYLIGHT, GREEN_BOUNCE),
        tree_line(sky("#4f8bcd", "#d4e3ee", 0.4, seed=3), 0.1, seed=8),
        Ground(turf),
        haze_per_m=0.006,
        growers=(fur(60000, 0.03, combed((-0.5, -0.8, 0))), meadow(40000, 30, 0.11, turf, 5)),
    )
