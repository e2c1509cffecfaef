"""The ship."""

import numpy as np

from studio import fields as f
from studio.fields import Array, column, noise, smoothstep
from studio.paints import between, plain, stripes
from studio.scene import Camera, Ground, Light, Part, Scene, colour, mix
from studio.surroundings import sky, waves
from studio.wheels import DAYLIGHT


def ship() -> Scene:
    """A container ship under way on an open sea, seen from off its bow."""
    palette = [colour(c) for c in ("#a8392c", "#2d5f93", "#c8862f", "#4d7d55", "#d9d5cb", "#7a3f2a", "#3b8a96")]

    def hull(p: Array) -> Array:
        forward = smoothstep(4, 12, p[0])
        x = p[0] - 0.42 * forward * (p[1] - 1)
        z = np.abs(p[2]) / (1 - (0.12 + 0.33 * forward) * np.clip(1 - p[1] / 2.6, 0, 1) ** 1.5)
        plan = f.polygon(HULL_PLAN, x, z)
        deck = 2.3 + 0.9 * smoothstep(8.3, 9.2, p[0]) + 0.25 * smoothstep(-8.6, -9.4, p[0])
        distance: Array = np.maximum(f.extruded(plan, p[1] - 0.5, 4, 0.1), p[1] - deck) * 0.8
        return distance

    def hull_paint(p: Array) -> Array:
        paint = mix(colour("#1b2f4f"), colour("#8c2a20"), smoothstep(0.55, 0.5, p[1]))
        paint = mix(paint, colour("#e6e4dc"), between(p[1], 0.5, 0.58, 0.015))
        rust = smoothstep(0.58, 0.8, noise(p * column((1.6, 0.35, 1.6)), 4, 3)) * 0.35
        return mix(paint, colour("#5c4636"), rust)

    def cargo(p: Array) -> Array:
        """Bays of containers, as high as a wave in their number says."""
        total = np.full(p.shape[1], 1e3, np.float32)
        for bay, tiers in enumerate((4, 5, 5, 4, 5, 4, 3)):
            centre = (-5.3 + 2.0 * bay, 2.29 + 0.29 * tiers, 0)
            total = np.minimum(total, f.box(centre, (0.92, 0.29 * tiers, 1.6 if bay < 6 else 1.06), 0.02)(p))
        return total

    def cargo_paint(p: Array) -> Array:
        cell = np.stack([np.floor((p[0] + 6.3) / 2.0), np.floor((p[1] - 2.3) / 0.58), np.floor(p[2] / 0.54)])
        pick = (noise(cell * 7.31 + 0.5, 1, 11) * 3.7 * len(palette)).astype(int) % len(palette)
        paint = np.concatenate(palette, 1)[:, pick]
        gap = np.abs(np.mod((p[1] - 2.3) / 0.58, 1) - 0.5)
        on_end = np.abs(np.mod((p[0] + 6.3) / 2.0, 1) - 0.5) > 0.455
        side = np.abs(np.mod(p[2] / 0.54, 1) - 0.5) * on_end
        ribs = 0.9 + 0.1 * np.cos(p[0] * 42)
        shaded: Array = paint * ribs * smoothstep(0.5, 0.46, gap) * smoothstep(0.5, 0.46, side)
        return shaded

    def house_paint(p: Array) -> Array:
        rows = between(np.mod((p[1] - 2.55) / 0.55, 1), 0.45, 0.75, 0.04) * smoothstep(5.6, 5.5, p[1])
        along = stripes(np.where(np.abs(p[2]) > 1.45, p[0], p[2]), 0.4, 0.55, 0.05)
        bridge = between(p[1], 5.75, 6.08, 0.03)
        return mix(colour("#edeeec"), colour("#1c252e"), np.maximum(rows * along, bridge) * 0.92)

    def funnel_paint(p: Array) -> Array:
        return mix(colour("#20406f"), colour("#d9402f"), between(p[1], 6.0, 6.6, 0.02))

    house = f.union(
        f.box((-8.1, 3.9, 0), (0.85, 1.7, 1.5), 0.05),
        f.box((-8.0, 5.9, 0), (0.7, 0.35, 1.85), 0.05),
        f.box((-8.1, 6.4, 0), (0.4, 0.2, 0.6), 0.05),
    )
    masts = f.union(
        f.limb((-7.9, 6.4, 0), (-7.9, 8.0, 0), 0.07, 0.04),
        f.limb((-7.9, 7.2, -0.6), (-7.9, 7.2, 0.6), 0.04),
        f.limb((10.6, 3.0, 0), (10.6, 5.2, 0), 0.08, 0.05),
    )
    parts = (
        Part(hull, hull_paint, 0.02),
        Part(cargo, cargo_paint),
        Part(house, house_paint, 0.02),
        Part(f.disc((-9.7, 5.2, 0), 0.55, 1.7, 0.1, 1), funnel_paint),
        Part(masts, plain("#d8d6cf")),
    )
    deep, foam = colour("#0d3145"), colour("#dfe8ea")

    def sea(p: Array) -> Array:
        """Deep water, white where the hull pushes it aside and where the crests break behind it."""
        rough = noise(p * column((0.9, 0, 1.4)), 5, 7)
        wash = smoothstep(0.9, 0.0, hull(p) + 0.9 * (rough - 0.45)) * smoothstep(-16, 9, p[0])
        wake = smoothstep(2.2, 0.4, np.abs(p[2]) + 2 * (rough - 0.5)) * smoothstep(-11, -12.5, p[0])
        crests = smoothstep(0.66, 0.84, noise(p * column((0.5, 0, 1.1)), 5, 21)) * 0.35
        return mix(deep, foam, np.clip(wash + 0.6 * wake + crests, 0, 1) * 0.85)

    return Scene(
        parts,
        Camera((22.5, 5.2, 24), (2.4, 2.6, 0), 36.5),
        Light((0.25, 0.6, 0.75), DAYLIGHT, colour("#a4bddb") * 0.5, colour("#5a7f93") * 0.4),
        sky("#2a6cc0", "#b9d5ea", 0.45, seed=12),
        Ground(sea, 0.03, waves(2.0, 0.3, seed=3)),
        haze_per_m=0.0025,
    )


HULL_PLAN = f.smoothed([(-11.6, -3), (-11.6, 1.7), (-10.5, 2.0), (7.0, 2.0), (9.6, 1.5), (12.2, 0.1), (12.2, -3)])
