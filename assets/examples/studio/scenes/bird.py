"""The bird."""

import numpy as np

from studio import fields as f
from studio.bodies import GREEN_BOUNCE, SKYLIGHT, SUN, chain, combed
from studio.fields import Array, column, noise, smoothstep
from studio.paints import plain, streaked
from studio.scene import Camera, Light, Part, Scene, colour, mix
from studio.strands import fur
from studio.surroundings import foliage


def bird() -> Scene:
    """A bluebird on a branch, against leaves far out of focus."""
    body = f.union(
        f.ellipsoid((0, 0, 0), (0.56, 0.37, 0.35), 38),
        f.sphere((0.36, 0.47, 0), 0.26),
        blend=0.22,
    )
    blue, rust, white = (
        streaked("#1b3f86", "#3f78c4", (3, 9, 9), 1),
        streaked("#a8562a", "#cf7a3e", (9, 4, 9), 2),
        colour("#e9e5dc"),
    )

    def paint(p: Array) -> Array:
        front = p[0] * 0.8 - p[1] * 0.62 + 0.1 * (noise(p * 5, 3, 3) - 0.5)
        breast = smoothstep(0.02, 0.1, front) * smoothstep(0.42, 0.34, p[1])
        belly = smoothstep(-0.18, -0.3, p[1] + 0.25 * p[0]) * smoothstep(-0.05, 0.1, front)
        return mix(mix(blue(p), rust(p), breast), white, belly)

    def wing_paint(p: Array) -> Array:
        along, down = p[0] * 0.72 + p[1] * 0.69, p[1] * 0.72 - p[0] * 0.69
        quills = np.abs(np.mod(down / 0.075 + along * 0.6, 1) - 0.5) * 2
        dark = smoothstep(0.05, -0.35, along)
        return mix(colour("#2d62b4"), colour("#14202f"), dark * 0.8) * (0.55 + 0.45 * smoothstep(0.0, 0.25, quills))

    wing = f.mirrored(f.ellipsoid((-0.16, 0.0, 0.3), (0.56, 0.19, 0.08), 42))
    tail = f.mirrored(f.ellipsoid((-0.68, -0.62, 0.05), (0.5, 0.045, 0.1), 52))
    eye = f.mirrored(f.sphere((0.475, 0.54, 0.205), 0.05))
    beak = chain((0.56, 0.47, 0, 0.075), (0.68, 0.45, 0, 0.04), (0.8, 0.42, 0, 0.008))
    legs = f.mirrored(chain((0.02, -0.32, 0.12, 0.035), (0.06, -0.56, 0.13, 0.022), (0.17, -0.6, 0.13, 0.022)))

    def branch(p: Array) -> Array:
        bark = 0.03 * noise(p * column((9, 9, 2.5)), 3, 4)
        main = f.limb((-0.12, -0.78, -3.0), (0.18, -0.66, 3.2), 0.15, 0.12)(p)
        twig = f.limb((0.0, -0.72, -0.6), (0.9, -0.35, -1.3), 0.06, 0.03)(p)
        return f.smooth_minimum(main, twig, 0.05) - bark

    parts = (
        Part(body, paint),
        Part(wing, wing_paint, 0.012, 0.03),
        Part(tail, plain("#1b3768"), 0.012, 0.06),
        Part(beak, plain("#1b1a1a"), 0.04, 0.02),
        Part(legs, plain("#2a211d"), 0.01),
        Part(branch, streaked("#3a2d22", "#8a745a", (4, 14, 3), 6), 0.004),
        Part(eye, plain("#050505"), 0.12),
    )
    return Scene(
        parts,
        Camera((3.4, 0.7, 5.6), (-0.05, -0.06, 0), 22),
        Light((0.45, 0.8, 0.5), SUN, SKYLIGHT * 1.2, GREEN_BOUNCE * 1.3),
        foliage("#3d5a22", "#b3c66e", seed=3, size=0.13),
        growers=(fur(45000, 0.045, combed((-0.75, -0.65, 0)), 0.16),),
    )
