"""The dog."""

import numpy as np

from studio import fields as f
from studio.bodies import GREEN_BOUNCE, SKYLIGHT, SUN, chain, combed, sitting
from studio.fields import Array, smoothstep
from studio.paints import plain, streaked
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix, turned
from studio.strands import fur, meadow
from studio.surroundings import foliage, grass


def dog() -> Scene:
    """A golden retriever that sits in the grass."""
    head = f.union(
        f.ellipsoid((0.18, 1.3, 0), (0.23, 0.2, 0.21)),
        chain((0.3, 1.24, 0, 0.13), (0.52, 1.18, 0, 0.095)),
        f.ellipsoid((0.46, 1.11, 0), (0.13, 0.05, 0.08)),
        blend=0.08,
    )
    ears = f.mirrored(
        f.union(
            f.ellipsoid((0.12, 1.3, 0.21), (0.1, 0.14, 0.05)),
            f.ellipsoid((0.15, 1.16, 0.245), (0.09, 0.13, 0.045)),
            blend=0.06,
        )
    )
    tail = chain((-0.55, 0.14, 0.1, 0.08), (-0.75, 0.1, 0.45, 0.09), (-0.6, 0.07, 0.8, 0.04))
    gold = streaked("#a8763e", "#cfa56a", (5, 2.5, 5), 1)

    def paint(p: Array) -> Array:
        chest = smoothstep(0.12, 0.3, p[0]) * smoothstep(1.1, 0.9, p[1])
        lips = smoothstep(0.012, 0.006, np.abs(p[1] - 1.115 - 0.12 * np.abs(p[0] - 0.5))) * smoothstep(0.36, 0.42, p[0])
        return mix(mix(gold(p), colour("#e3c48e"), chest * 0.5), colour("#5c3a20"), lips * 0.45)

    face = (
        Part(head, paint, 0, 0.12),
        Part(ears, streaked("#86552a", "#a87544", (5, 2.5, 5), 2), 0, 0.03),
        Part(f.mirrored(f.sphere((0.375, 1.335, 0.09), 0.037)), plain("#0d0705"), 0.1),
        Part(f.ellipsoid((0.6, 1.215, 0), (0.045, 0.038, 0.052)), plain("#0c0a0a"), 0.06),
    )
    parts = (
        Part(sitting(1.02), paint),
        Part(tail, paint, 0, 0.06),
        *(turned(part, 1, -24, (0.12, 1.2, 0)) for part in face),
    )
    turf = grass("#3a5220", "#86a048")
    return Scene(
        parts,
        Camera((4.6, 1.25, 2.9), (-0.02, 0.77, 0.1), 20.5),
        Light((0.6, 0.8, 0.35), SUN, SKYLIGHT, GREEN_BOUNCE),
        foliage("#22331a", "#7d9450", seed=21, size=0.14),
        Ground(turf),
        haze_per_m=0.06,
        growers=(fur(70000, 0.05, combed((-0.3, -0.9, 0)), 0.2), meadow(36000, 14, 0.09, turf, 3)),
    )
