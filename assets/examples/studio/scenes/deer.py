"""The deer."""

import numpy as np

from studio import fields as f
from studio.bodies import GREEN_BOUNCE, SKYLIGHT, SUN, chain, combed
from studio.fields import Array, Field, smoothstep
from studio.paints import plain, streaked
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix
from studio.strands import fur, meadow
from studio.surroundings import foliage, grass


def deer() -> Scene:
    """A stag at the edge of a wood, seen from the side."""
    trunk = f.union(
        f.ellipsoid((0, 1.0, 0), (0.58, 0.24, 0.2)),
        f.ellipsoid((0.42, 1.02, 0), (0.24, 0.27, 0.18)),
        f.ellipsoid((-0.45, 1.04, 0), (0.26, 0.25, 0.19)),
        chain((0.5, 1.12, 0, 0.18), (0.68, 1.42, 0, 0.115), (0.76, 1.66, 0, 0.09)),
        chain((0.78, 1.71, 0, 0.1), (0.92, 1.64, 0, 0.085), (1.1, 1.53, 0, 0.045)),
        blend=0.1,
    )

    def fore(x: float, z: float, swing: float) -> Field:
        return chain(
            (x, 0.95, z, 0.11), (x + swing * 0.3, 0.5, z, 0.042), (x + swing * 0.6, 0.1, z, 0.027),
            (x + swing * 0.6 + 0.03, 0.03, z, 0.035),
        )  # fmt: skip

    def hind(x: float, z: float, swing: float) -> Field:
        return chain(
            (x, 1.02, z, 0.17), (x + 0.1 + swing * 0.3, 0.7, z, 0.085), (x - 0.12 + swing * 0.5, 0.46, z, 0.042),
            (x - 0.05 + swing * 0.7, 0.1, z, 0.027), (x - 0.02 + swing * 0.7, 0.03, z, 0.035),
        )  # fmt: skip

    legs = f.union(fore(0.45, 0.1, 0.05), fore(0.42, -0.1, -0.2), hind(-0.5, 0.1, -0.16), hind(-0.46, -0.1, 0.2))
    ears = f.mirrored(chain((0.73, 1.76, 0.07, 0.04), (0.69, 1.83, 0.17, 0.06), (0.66, 1.9, 0.28, 0.012)))
    antlers = f.mirrored(
        f.union(
            chain(
                (0.76, 1.77, 0.05, 0.028), (0.66, 1.98, 0.2, 0.024), (0.7, 2.22, 0.33, 0.02), (0.84, 2.42, 0.3, 0.008)
            ),
            f.limb((0.73, 1.84, 0.09), (0.92, 1.96, 0.14), 0.02, 0.006),
            f.limb((0.66, 1.98, 0.2), (0.84, 2.14, 0.28), 0.02, 0.006),
            f.limb((0.69, 2.2, 0.32), (0.56, 2.4, 0.38), 0.018, 0.006),
            blend=0.02,
        )
    )
    coat, cream = streaked("#5e4029", "#84623f", (2, 4, 4), 5), colour("#e6d8bf")

    def paint(p: Array) -> Array:
        belly = smoothstep(0.84, 0.78, p[1]) * smoothstep(0.7, 0.76, p[1]) * smoothstep(0.3, 0.2, np.abs(p[0]))
        rump = smoothstep(-0.6, -0.68, p[0]) * smoothstep(0.85, 0.95, p[1])
        throat = smoothstep(0.1, 0.16, p[0] - 0.5 - 0.45 * (p[1] - 1.1)) * (p[1] > 1.2) * smoothstep(1.5, 1.4, p[1])
        muzzle = smoothstep(1.06, 1.1, p[0])
        body = mix(coat(p), cream, np.clip(belly * 0.7 + rump + throat * 0.6, 0, 1))
        return mix(body * (0.7 + 0.3 * smoothstep(0.1, 0.6, p[1])), colour("#14100e"), muzzle)

    parts = (
        Part(trunk, paint),
        Part(legs, paint, 0, 0.1),
        Part(f.limb((-0.66, 1.12, 0), (-0.76, 0.96, 0), 0.06, 0.03), plain("#e6d8bf"), 0, 0.04),
        Part(ears, plain("#6a4a2e"), 0, 0.03),
        Part(antlers, streaked("#6b5236", "#b89d77", (8, 8, 8), 2), 0.01, 0.01),
        Part(f.mirrored(f.sphere((0.88, 1.7, 0.075), 0.024)), plain("#080605"), 0.1),
    )
    turf = grass("#4a5522", "#9a9a4c", seed=2)
    return Scene(
        parts,
        Camera((3.0, 1.3, 6.3), (0.18, 1.23, 0), 22.5),
        Light((0.5, 0.75, 0.5), SUN, SKYLIGHT, GREEN_BOUNCE),
        foliage("#141f0e", "#587038", seed=6, size=0.07),
        Ground(turf),
        haze_per_m=0.025,
        growers=(fur(60000, 0.03, combed((-0.5, -0.8, 0))), meadow(40000, 25, 0.16, turf, 5)),
    )
