"""The frog."""

import numpy as np

from studio import fields as f
from studio.bodies import GREEN_BOUNCE, SKYLIGHT, SUN, chain
from studio.fields import Array, noise, smoothstep
from studio.paints import mottled, streaked
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix
from studio.strands import meadow
from studio.surroundings import foliage


def frog() -> Scene:
    """A green frog on moss, seen from ahead and to the side."""
    trunk = f.union(
        f.ellipsoid((-0.12, 0.36, 0), (0.58, 0.25, 0.4), 18),
        f.ellipsoid((0.4, 0.46, 0), (0.36, 0.19, 0.36), 4),
        f.mirrored(f.sphere((0.42, 0.62, 0.22), 0.125)),
        blend=0.12,
    )
    rear = f.mirrored(
        f.union(
            chain(
                (-0.45, 0.3, 0.3, 0.17), (0.02, 0.34, 0.6, 0.13), (-0.5, 0.1, 0.62, 0.075), (-0.05, 0.05, 0.82, 0.05)
            ),
            *(
                f.limb((-0.05, 0.05, 0.82), (x, 0.03, z), 0.045, 0.025)
                for x, z in ((0.28, 0.8), (0.26, 0.94), (0.16, 1.05))
            ),
            blend=0.05,
        )
    )
    front = f.mirrored(
        f.union(
            chain((0.34, 0.36, 0.3, 0.12), (0.3, 0.2, 0.5, 0.085), (0.5, 0.06, 0.46, 0.055)),
            *(
                f.limb((0.5, 0.05, 0.46), (x, 0.03, z), 0.04, 0.026)
                for x, z in ((0.72, 0.36), (0.74, 0.48), (0.66, 0.6))
            ),
            blend=0.04,
        )
    )
    green, pale = streaked("#436a22", "#8aa544", (4, 4, 4), 2), colour("#d8dc9a")

    def paint(p: Array) -> Array:
        spots = smoothstep(0.56, 0.62, noise(p * 8, 3, 12)) * 0.8
        warts = smoothstep(0.5, 0.7, noise(p * 32, 2, 7))
        skin = mix(green(p) * (0.8 + 0.35 * warts), colour("#1f3310"), spots)
        rough = p[1] + 0.06 * (noise(p * 6, 3, 1) - 0.5)
        belly = (
            smoothstep(0.42, 0.3, rough)
            * smoothstep(0.42, 0.3, np.abs(p[2]))
            * smoothstep(-0.5, 0.1, p[0])
            * smoothstep(0.14, 0.2, p[1])
        )
        mouth = smoothstep(0.014, 0.006, np.abs(p[1] - 0.41 - 0.06 * (0.75 - p[0]))) * smoothstep(0.28, 0.36, p[0])
        return mix(mix(skin, pale, belly), colour("#26330f"), mouth * 0.8)

    def iris(p: Array) -> Array:
        across = ((p[0] - 0.46) * 0.8 - (np.abs(p[2]) - 0.245) * 0.6) / 0.06
        up = (p[1] - 0.665) / 0.034
        return mix(colour("#a8782a"), colour("#070605"), smoothstep(1.1, 0.9, np.hypot(across, up)))

    parts = (
        Part(trunk, paint, 0.02),
        Part(rear, paint, 0.02, 0.06),
        Part(front, paint, 0.02, 0.06),
        Part(f.mirrored(f.sphere((0.46, 0.65, 0.245), 0.1)), iris, 0.08),
    )
    moss = mottled("#2c3a14", "#6f7f35", 0.25, 5, 4)
    return Scene(
        parts,
        Camera((3.1, 1.3, 3.5), (0.1, 0.34, 0.08), 24),
        Light((0.3, 0.85, 0.45), SUN, SKYLIGHT, GREEN_BOUNCE),
        foliage("#1a2a10", "#6d8a40", seed=3, size=0.15),
        Ground(moss),
        haze_per_m=0.12,
        growers=(meadow(24000, 9, 0.05, moss, 2),),
    )
