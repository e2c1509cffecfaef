"""The airplane."""

import numpy as np

from studio import fields as f
from studio.fields import Array, smoothstep
from studio.paints import between, plain, stripes
from studio.scene import Camera, Light, Part, Scene, colour, mix, turned
from studio.surroundings import sky
from studio.wheels import DAYLIGHT


def airplane() -> Scene:
    """An airliner climbing past broken cloud, seen from the side and a little ahead."""
    white, blue, dark = colour("#d8dbdf"), colour("#1c4e9c"), colour("#161b22")

    def livery(p: Array) -> Array:
        paint = mix(white, colour("#8d949c"), smoothstep(-0.25, -0.6, p[1]))
        paint = mix(paint, blue, smoothstep(-5.0, -5.6, p[0] + 1.2 * p[1]))
        windows = between(p[1], 0.1, 0.27) * stripes(p[0], 0.42, 0.5, 0.06) * between(p[0], -4.6, 4.9)
        cockpit = between(p[1], 0.2, 0.48, 0.02) * smoothstep(6.05, 6.12, p[0] + 0.35 * p[1])
        return mix(paint, dark, np.maximum(windows, cockpit))

    body = f.union(
        f.limb((-3.4, 0, 0), (5.2, 0, 0), 0.8),
        f.limb((5.2, 0, 0), (6.6, -0.2, 0), 0.8, 0.28),
        f.limb((-3.4, 0, 0), (-7.6, 0.42, 0), 0.8, 0.16),
        blend=0.25,
    )

    def wing(p: Array) -> Array:
        side, lift = np.abs(p[2]), p[1] + 0.35 - 0.1 * np.abs(p[2])
        outline = f.polygon([(2.1, 0), (-0.9, 7.2), (-1.75, 7.2), (-1.4, 2.2), (-1.6, 0)], p[0], side)
        return f.extruded(outline, lift, 0.19 - 0.021 * side, 0.04)

    def tailplane(p: Array) -> Array:
        side = np.abs(p[2])
        outline = f.polygon([(-5.6, 0), (-7.0, 2.7), (-7.6, 2.7), (-7.3, 0)], p[0], side)
        return f.extruded(outline, p[1] - 0.4 - 0.08 * side, 0.09 - 0.015 * side, 0.03)

    fin = f.prism([(-4.9, 0.5), (-6.7, 3.0), (-7.6, 3.0), (-7.2, 0.4)], 0.1, 0.05)
    engine = f.mirrored(
        f.without(f.disc((1.5, -0.95, 2.5), 0.5, 0.85, 0.2, 0), f.disc((2.3, -0.95, 2.5), 0.38, 0.4, 0, 0))
    )
    fan = f.mirrored(f.limb((0.6, -0.95, 2.5), (1.9, -0.95, 2.5), 0.36, 0.39))
    pylon = f.mirrored(f.prism([(1.5, -0.5), (0.9, -0.1), (-0.6, -0.1), (0.2, -0.6)], 0.07, 0.02, 2.5))
    metal = plain("#aab0b8")
    parts = (
        Part(body, livery, 0.05),
        Part(wing, metal, 0.06, 0.3),
        Part(tailplane, metal, 0.05, 0.1),
        Part(fin, plain("#1c4e9c"), 0.05, 0.15),
        Part(engine, plain("#d5d9de"), 0.06),
        Part(fan, plain("#1b1d20")),
        Part(pylon, metal),
    )
    return Scene(
        tuple(turned(part, 0, 24) for part in parts),
        Camera((12.5, -1.5, 20.0), (-0.1, 0.0, 0), 36),
        Light((0.4, 0.9, 0.3), DAYLIGHT, colour("#9dbbe0") * 0.5, colour("#a3b3c5") * 0.5),
        sky("#2f6db5", "#a9cbe8", 0.42, seed=6),
    )
