"""What a picture is made of: parts, camera, light, ground, and the scene that holds them.

All light and colour is linear and float32.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.fields import Array, Field, Vector, column, normalised, smooth_minimum

Paint = Callable[[Array], Array]
"""Positions or directions (3, n) -> linear colours (3, n), or (3, 1) for one colour everywhere."""


def colour(code: str) -> Array:
    """A linear colour (3, 1) from an sRGB code such as "#c08040"."""
    srgb = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32)[:, None] / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def mix(a: Array, b: Array, share: Array) -> Array:
    """`a` where share is 0, `b` where it is 1."""
    return a + (b - a) * share


@dataclass(frozen=True)
class Part:
    """One solid of a model: its shape, its paint, how mirror-like it is, and how it melts into the parts before it."""

    field: Field
    paint: Paint
    gloss: float = 0.0
    blend: float = 0.0


def turned(part: Part, axis: int, angle_deg: float, pivot: Vector = (0, 0, 0)) -> Part:
    """The part turned about a line through `pivot` along `axis` (0, 1 or 2), right-handed."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    back = np.eye(3, dtype=np.float32)
    back[[a, a, b, b], [a, b, a, b]] = cos, sin, -sin, cos
    fixed = column(pivot)

    def local(p: Array) -> Array:
        return back @ (p - fixed) + fixed

    return Part(lambda p: part.field(local(p)), lambda p: part.paint(local(p)), part.gloss, part.blend)


@dataclass(frozen=True)
class Camera:
    """A pinhole at `eye` that looks at `target`; `angle_deg` is the view from the left to the right edge."""

    eye: Vector
    target: Vector
    angle_deg: float

    def axes(self) -> Array:
        """Rows: right, up, forward."""
        forward = normalised(column(self.target) - column(self.eye))[:, 0]
        right = np.cross(forward, [0, 1, 0])
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(right, forward), forward]).astype(np.float32)

    def rays(self, size_px: int) -> Array:
        """Directions (3, size_px ** 2) through the pixel centres, row by row from the top left."""
        reach = np.tan(np.deg2rad(self.angle_deg) / 2)
        steps = ((np.arange(size_px) + 0.5) / size_px * 2 - 1) * reach
        right, down = np.meshgrid(steps, steps)
        local = np.stack([right.ravel(), -down.ravel(), np.ones(size_px**2)]).astype(np.float32)
        return normalised(self.axes().T @ local)

    def project(self, points: Array, size_px: int) -> tuple[Array, Array, Array]:
        """Pixel columns, rows and distances along the view axis of points (3, n)."""
        right, up, depth = self.axes() @ (points - column(self.eye))
        scale = size_px / 2 / np.tan(np.deg2rad(self.angle_deg) / 2) / np.maximum(depth, 1e-3)
        return size_px / 2 + right * scale, size_px / 2 - up * scale, depth


@dataclass(frozen=True)
class Light:
    """A sun with a direction and a colour, and the sky's light from above and the ground's from below."""

    towards_sun: Vector
    sun: Array
    sky: Array
    bounce: Array
    penumbra: float = 14.0
    """Sharpness of shadow edges: larger is sharper."""


@dataclass(frozen=True)
class Ground:
    """The plane y = 0: its paint and, for water, how strongly it mirrors and how steep its waves are."""

    paint: Paint
    gloss: float = 0.0
    waves: Callable[[Array], Array] | None = None
    """Positions (3, n) -> slopes (2, n) along x and z."""


@dataclass(frozen=True)
class Film:
    """One exposure, by pixel: linear light (3, n), distance along the ray, whether it met the model, and its gloss."""

    light: Array
    depth: Array
    on_model: npt.NDArray[np.bool_]
    gloss: Array


@dataclass(frozen=True)
class Strands:
    """Hairs or blades: where they start and end (3, n), their width at the root, and the light they send out (3, n)."""

    roots: Array
    tips: Array
    width_m: float
    light: Array


@dataclass(frozen=True)
class Scene:
    """Everything that the renderer needs for one picture."""

    parts: tuple[Part, ...]
    camera: Camera
    light: Light
    backdrop: Paint
    ground: Ground | None = None
    haze_per_m: float = 0.0
    exposure: float = 1.0
    growers: tuple[Callable[["Scene", Film, int], Strands], ...] = ()
    """Each gets the scene, what the camera saw of it so far and the picture's size in pixels."""

    def distance(self, points: Array) -> Array:
        """Distance (n,) from the nearest part."""
        total = self.parts[0].field(points)
        for part in self.parts[1:]:
            total = smooth_minimum(total, part.field(points), part.blend)
        return total

    def surface(self, points: Array) -> tuple[Array, Array]:
        """Albedo (3, n) and gloss (n,) of points on the model: of the nearest part, blended as the shapes are."""
        albedo = np.zeros_like(points)
        gloss = np.zeros(points.shape[1], np.float32)
        nearest = np.full(points.shape[1], np.inf, np.float32)
        for part in self.parts:
            distance = part.field(points)
            share = np.clip(0.5 + (nearest - distance) / (2 * max(part.blend, 1e-4)), 0, 1)
            seen = share > 0
            albedo[:, seen] = mix(albedo[:, seen], part.paint(points[:, seen]), share[seen])
            gloss[seen] += (part.gloss - gloss[seen]) * share[seen]
            nearest = smooth_minimum(nearest, distance, part.blend) if part.blend else np.minimum(nearest, distance)
        return albedo, gloss
