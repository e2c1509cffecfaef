"""The cat."""

import numpy as np

from studio import fields as f
from studio.bodies import GREEN_BOUNCE, SKYLIGHT, SUN, chain, combed, sitting
from studio.fields import Array, noise, smoothstep
from studio.paints import mottled, plain, streaked
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix, turned
from studio.strands import fur, meadow
from studio.surroundings import foliage, grass


def cat() -> Scene:
    """A tabby cat that sits in the grass and looks at the camera."""
    head = f.union(
        f.ellipsoid((0.2, 1.22, 0), (0.25, 0.24, 0.29)),
        f.mirrored(f.ellipsoid((0.36, 1.15, 0.06), (0.12, 0.075, 0.085))),
        f.ellipsoid((0.37, 1.09, 0), (0.09, 0.06, 0.07)),
        blend=0.07,
    )
    ears = f.mirrored(f.limb((0.14, 1.36, 0.15), (0.12, 1.58, 0.22), 0.13, 0.012))
    tail = chain((-0.55, 0.12, 0.1, 0.08), (-0.5, 0.09, 0.5, 0.075), (-0.1, 0.08, 0.62, 0.07), (0.2, 0.07, 0.58, 0.05))
    brown, pale, black = streaked("#6d5a44", "#a48c6c", (6, 6, 6), 1), colour("#e6dccb"), colour("#1d1712")

    def paint(p: Array) -> Array:
        wave = noise(p * 3, 3, 2) * 0.5
        bands = smoothstep(0.25, 0.8, np.sin((p[0] * 0.8 + p[1] * 0.9 + wave) * 30))
        brow = smoothstep(0.2, 0.8, np.sin(np.abs(p[2]) * 85 + 1.6)) * smoothstep(1.32, 1.38, p[1])
        on_head = smoothstep(1.0, 1.06, p[1])
        coat = mix(brown(p), black, np.clip(mix(bands * 0.75, brow * 0.75, on_head), 0, 1))
        muzzle = (
            smoothstep(0.36, 0.42, p[0]) * smoothstep(1.2, 1.14, p[1]) * smoothstep(0.17, 0.11, np.abs(p[2])) * on_head
        )
        bib = (
            smoothstep(0.2, 0.27, p[0])
            * smoothstep(0.15, 0.08, np.abs(p[2]))
            * smoothstep(1.1, 1.0, p[1])
            * smoothstep(0.55, 0.7, p[1])
        )
        toes = smoothstep(0.14, 0.1, p[1]) * smoothstep(0.1, 0.2, p[0])
        return mix(coat, pale, np.clip(muzzle + bib + toes, 0, 1))

    def iris(p: Array) -> Array:
        off = np.hypot(np.abs(p[2]) - 0.112, (p[1] - 1.262) * 0.6)
        return mix(colour("#a8b83a"), colour("#060605"), smoothstep(0.028, 0.02, off))

    face = (
        Part(head, paint, 0, 0.1),
        Part(ears, mottled("#5b4937", "#8a745a", 0.2), 0, 0.04),
        Part(f.mirrored(f.ellipsoid((0.402, 1.258, 0.112), (0.05, 0.044, 0.056))), iris, 0.08),
        Part(f.ellipsoid((0.475, 1.2, 0), (0.025, 0.02, 0.03)), plain("#c07a72"), 0.02),
    )
    parts = (
        Part(sitting(), paint),
        Part(tail, paint, 0, 0.05),
        *(turned(part, 1, -22, (0.12, 1.2, 0)) for part in face),
    )
    turf = grass("#3a5220", "#86a048")
    return Scene(
        parts,
        Camera((5.0, 1.25, 2.2), (0.02, 0.78, 0.05), 20),
        Light((0.6, 0.8, 0.35), SUN, SKYLIGHT, GREEN_BOUNCE),
        foliage("#22331a", "#7d9450", seed=9, size=0.14),
        Ground(turf),
        haze_per_m=0.06,
        growers=(fur(70000, 0.045, combed((-0.3, -0.9, 0)), 0.22), meadow(36000, 14, 0.09, turf, 3)),
    )
