"""Skies, far backgrounds and grounds."""

from collections.abc import Callable

import numpy as np

from studio.fields import Array, column, noise, smoothstep
from studio.paints import mottled
from studio.scene import Paint, colour, mix


def sky(zenith: str, horizon: str, cloud: float = 0.0, seed: int = 0, scale: float = 2.2) -> Paint:
    """A sky that pales towards the horizon; `cloud` in [0, 1] is about the share that clouds cover."""
    top, low, white, grey = colour(zenith), colour(horizon), colour("#fdfcfa"), colour("#b4bdc9")

    def paint(directions: Array) -> Array:
        blue = mix(low, top, smoothstep(-0.05, 0.5, directions[1]))
        if not cloud:
            return blue
        at = directions * column((scale, 2.4 * scale, scale))
        thick = noise(at, 6, seed)
        cover = smoothstep(0.7 - 0.4 * cloud, 0.86 - 0.4 * cloud, thick)
        # Clouds are lit from above: where there is more cloud overhead, they are greyer.
        shade = smoothstep(-0.1, 0.16, noise(at + column((0, 0.35, 0)), 4, seed) - thick + 0.1)
        return mix(blue, mix(white, grey, shade), cover * 0.92)

    return paint


def behind(far: Paint, near: Paint, top: Callable[[Array], Array], blur: float) -> Paint:
    """`near` up to the elevation `top(directions)` and `far` above it; `blur` is how out of focus the edge is."""

    def paint(directions: Array) -> Array:
        edge = top(directions)
        return mix(far(directions), near(directions), smoothstep(blur, -blur, directions[1] - edge))

    return paint


def tree_line(far: Paint, height: float, seed: int = 0, dark: str = "#16240f", light: str = "#56752f") -> Paint:
    """Out-of-focus trees in front of `far`, about `height` (a tangent) above the horizon."""
    near = foliage(dark, light, seed, 0.7 * height)

    def top(directions: Array) -> Array:
        return height * (0.5 + noise(directions * column((1.2 / height, 0, 1.2 / height)), 4, seed))

    def shaded(directions: Array) -> Array:
        """Trees are dark at their foot, where the crowns keep the sun out."""
        return near(directions) * (0.35 + 0.65 * smoothstep(0, 0.7 * height, directions[1]))

    return behind(far, shaded, top, 0.12 * height)


def foliage(dark: str, light: str, seed: int = 0, size: float = 0.16) -> Paint:
    """Leaves far out of focus: soft blotches of shade and sun."""
    return mottled(dark, light, size, 3, seed)


def grass(dark: str = "#33491b", light: str = "#7f9440", seed: int = 0) -> Paint:
    """Short grass: patches, with fine streaks in them."""
    patches = mottled(dark, light, 1.3, 5, seed)
    return lambda p: patches(p) * (0.6 + 0.8 * noise(p * column((14, 14, 9)), 3, seed + 9))


def asphalt(line_z_m: float | None = None, code: str = "#6d6d6e") -> Paint:
    """A road along x, and a white line along it at z = `line_z_m`."""
    base, white = colour(code), colour("#dcdad2")

    def paint(p: Array) -> Array:
        rough = base * (0.72 + 0.3 * noise(p * 0.7, 4, 3) + 0.35 * (noise(p * 45, 2, 5) - 0.5))
        if line_z_m is None:
            return rough
        worn = smoothstep(0.09, 0.06, np.abs(p[2] - line_z_m)) * smoothstep(0.2, 0.5, noise(p * 6, 3, 8))
        return mix(rough, white, worn)

    return paint


def waves(size_m: float, steepness: float, seed: int = 0) -> Callable[[Array], Array]:
    """Slopes of wind waves about `size_m` apart, with smaller ones on top."""

    def height(p: Array) -> Array:
        return noise(p * column((1 / size_m, 0, 1.5 / size_m)), 5, seed) * size_m

    def slopes(p: Array) -> Array:
        step = 0.04 * size_m
        here = height(p)
        ahead, aside = height(p + column((step, 0, 0))), height(p + column((0, 0, step)))
        return np.stack([ahead - here, aside - here]) * (steepness / step)

    return slopes


def roadside(road: Paint, verge: Paint, edge_z_m: float) -> Paint:
    """`road` nearer than z = `edge_z_m`, `verge` beyond, and a ragged edge."""

    def paint(p: Array) -> Array:
        ragged = p[2] + 0.3 * (noise(p * 2.5, 3, 4) - 0.5)
        return mix(road(p), verge(p), smoothstep(edge_z_m + 0.05, edge_z_m - 0.05, ragged))

    return paint
