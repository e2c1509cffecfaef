"""The truck."""

import numpy as np

from studio import fields as f
from studio.fields import Array, column, noise, smoothstep
from studio.paints import between, plain, stripes
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix
from studio.surroundings import asphalt, grass, roadside, sky, tree_line
from studio.wheels import CHROME, DAYLIGHT, wheel


def truck() -> Scene:
    """A delivery lorry with a long bonnet and a white box, seen from ahead and to the side."""
    red, glass, black = colour("#a5141c"), colour("#10161c"), colour("#101010")
    hood = [(2.5, 0.85), (4.95, 0.8), (5.0, 1.5), (4.7, 1.9), (2.7, 2.12), (2.3, 2.1)]
    house = [(1.15, 0.85), (1.15, 3.0), (1.3, 3.15), (2.2, 3.15), (2.4, 3.0), (2.85, 2.0), (2.85, 0.85)]
    cab = f.union(f.prism(house, 1.15, 0.1), f.prism(f.smoothed(hood), 0.8, 0.16), blend=0.1)

    def cab_paint(p: Array) -> Array:
        side = between(p[1], 2.02, 2.78, 0.012) * between(p[0] + 0.4 * (p[1] - 2.0), 1.5, 2.6, 0.012)
        side *= smoothstep(1.1, 1.13, np.abs(p[2]))
        front = between(p[1], 2.16, 2.92, 0.012) * smoothstep(2.35, 2.4, p[0] + 0.4 * (p[1] - 2.92))
        front *= smoothstep(0.98, 0.96, np.abs(p[2])) * smoothstep(0.012, 0.024, np.abs(p[2]))
        seam = smoothstep(0.014, 0.004, np.minimum(np.abs(p[0] - 1.4), np.abs(p[0] - 2.66))) * between(p[1], 1.0, 2.9)
        paint = mix(red, colour("#e4e0d8"), between(p[1], 1.62, 1.74, 0.01) * smoothstep(0.7, 0.75, np.abs(p[2])))
        return mix(mix(paint, black, seam * 0.8 * smoothstep(1, 1.1, np.abs(p[2]))), glass, np.maximum(side, front))

    def grille_paint(p: Array) -> Array:
        return mix(colour("#c9ccd0"), black, stripes(p[1], 0.115, 0.55, 0.06) * smoothstep(0.52, 0.5, np.abs(p[2])))

    def cargo_paint(p: Array) -> Array:
        ribs = 1 - 0.1 * stripes(p[0], 0.62, 0.07, 0.02)
        band = between(p[1], 1.9, 2.35, 0.01) * smoothstep(1.2, 1.25, np.abs(p[2]))
        frame = np.maximum(smoothstep(1.28, 1.24, p[1]), smoothstep(3.94, 3.98, p[1]))
        paint = mix(mix(colour("#eceae4"), colour("#1f5aa6"), band), colour("#8e9296"), frame)
        worn: Array = paint * ribs * (0.93 + 0.1 * noise(p * column((0.6, 2.2, 0.6)), 4, 2))
        return worn

    fender = f.mirrored(
        f.without(
            f.disc((3.95, 0.62, 1.0), 0.82, 0.24, 0.1),
            f.disc((3.95, 0.5, 1.0), 0.62, 0.6),
            f.box((3.95, 0, 1.0), (1, 0.55, 1)),
        )
    )
    lamps = f.mirrored(f.disc((4.78, 1.12, 0.98), 0.14, 0.1, 0.04, 0))
    stack = f.mirrored(f.limb((0.98, 1.0, 1.18), (0.98, 3.75, 1.18), 0.075))
    tank = f.mirrored(f.disc((1.55, 0.72, 1.02), 0.3, 0.6, 0.05, 0))
    glasses = f.mirrored(f.box((2.75, 2.35, 1.42), (0.05, 0.26, 0.1), 0.04))
    stalk = f.mirrored(f.limb((2.5, 2.2, 1.1), (2.75, 2.3, 1.42), 0.025))
    parts = (
        Part(cab, cab_paint, 0.06),
        Part(fender, plain("#a5141c"), 0.06, 0.08),
        Part(f.box((4.98, 1.32, 0), (0.05, 0.44, 0.58), 0.04), grille_paint, 0.3),
        Part(f.box((5.08, 0.66, 0), (0.12, 0.17, 1.2), 0.06), CHROME, 0.35),
        Part(f.box((-0.1, 0.78, 0), (4.4, 0.14, 0.5)), plain("#1a1a1a")),
        Part(f.box((-1.95, 2.6, 0), (2.9, 1.42, 1.3), 0.05), cargo_paint, 0.02),
        Part(lamps, plain("#f4f4ee"), 0.3),
        Part(f.union(stack, tank), CHROME, 0.35),
        Part(f.union(glasses, stalk), plain("#17181a"), 0.05),
        *wheel(3.95, 0.98, 0.52, 0.17),
        *wheel(-2.5, 1.02, 0.52, 0.26),
        *wheel(-3.7, 1.02, 0.52, 0.26),
    )
    return Scene(
        parts,
        Camera((11.8, 2.2, 10.6), (0.75, 1.95, 0), 35),
        Light((0.45, 0.75, 0.6), DAYLIGHT, colour("#a8c0de") * 0.5, colour("#7d766b") * 0.35),
        tree_line(sky("#4f8bcd", "#d4e3ee", 0.45, seed=9), 0.12, seed=14),
        Ground(roadside(asphalt(-3.0), grass("#47501f", "#96924c"), -3.6)),
        haze_per_m=0.003,
    )
