"""Signed distance fields: functions from points to their distance from a surface, negative inside.

Points are float32 arrays of shape (3, n), in metres: x forward, y up, z to the side. A field maps them to (n,).
The distances of spheres, capsules, boxes and polygons are exact; those of ellipsoids, of bent and of unevenly scaled
shapes are estimates, which is why `raymarch` takes slightly short steps.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Field = Callable[[Array], Array]
Vector = tuple[float, float, float]
Polygon = Sequence[tuple[float, float]]


def column(vector: Vector) -> Array:
    """A vector as a (3, 1) array, which broadcasts over points."""
    return np.array(vector, np.float32)[:, None]


def length(vectors: Array) -> Array:
    """Euclidean lengths (n,) of vectors (3, n) or (2, n)."""
    lengths: Array = np.sqrt(np.einsum("in,in->n", vectors, vectors))
    return lengths


def normalised(vectors: Array) -> Array:
    """The vectors scaled to length one."""
    return vectors / np.maximum(length(vectors), 1e-9)


def smoothstep(low: float, high: float, values: Array) -> Array:
    """0 below `low`, 1 above `high`, and a cubic ramp between; `low` may be above `high` to ramp down."""
    t = np.clip((values - low) / (high - low), 0, 1)
    ramp: Array = t * t * (3 - 2 * t)
    return ramp


def sphere(centre: Vector, radius: float) -> Field:
    """A ball."""
    middle = column(centre)
    return lambda p: length(p - middle) - radius


def ellipsoid(centre: Vector, radii: Vector, pitch_deg: float = 0.0) -> Field:
    """An ellipsoid, its nose lifted by `pitch_deg` (a turn about z)."""
    middle, scale, small = column(centre), column(radii), min(radii)
    cos, sin = np.cos(np.deg2rad(pitch_deg)), np.sin(np.deg2rad(pitch_deg))
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], np.float32)

    def field(p: Array) -> Array:
        local = turn @ (p - middle)
        inner, slope = length(local / scale), length(local / scale**2)
        # Near the centre both lengths vanish; there the smallest radius is a safe distance.
        return np.where(inner < 0.05, -small, inner * (inner - 1) / np.maximum(slope, 1e-6))

    return field


def limb(start: Vector, end: Vector, start_radius: float, end_radius: float | None = None) -> Field:
    """A capsule between two points whose radius runs linearly from one end to the other."""
    a, axis = column(start), column(end) - column(start)
    square, grow = float((axis**2).sum()), (start_radius if end_radius is None else end_radius) - start_radius

    def field(p: Array) -> Array:
        offset = p - a
        t = np.clip((axis * offset).sum(0) / square, 0, 1)
        distance: Array = length(offset - axis * t) - (start_radius + grow * t)
        return distance

    return field


def box(centre: Vector, half: Vector, rounding: float = 0.0) -> Field:
    """A box of the given half extents, its edges rounded."""
    middle, extent = column(centre), column(half) - rounding

    def field(p: Array) -> Array:
        q = np.abs(p - middle) - extent
        distance: Array = length(np.maximum(q, 0)) + np.minimum(q.max(0), 0) - rounding
        return distance

    return field


def disc(centre: Vector, radius: float, half_width: float, rounding: float = 0.0, axis: int = 2) -> Field:
    """A cylinder along `axis` (0, 1 or 2): a wheel, a funnel, an engine."""
    middle = column(centre)
    others = [i for i in range(3) if i != axis]

    def field(p: Array) -> Array:
        local = p - middle
        radial = length(local[others]) - radius + rounding
        axial = np.abs(local[axis]) - half_width + rounding
        outside = np.sqrt(np.maximum(radial, 0) ** 2 + np.maximum(axial, 0) ** 2)
        distance: Array = outside + np.minimum(np.maximum(radial, axial), 0) - rounding
        return distance

    return field


def polygon(vertices: Polygon, u: Array, v: Array) -> Array:
    """Signed distance of the points (u, v) from a closed polygon in their plane."""
    square = np.full_like(u, np.inf)
    inside = np.zeros(u.shape, bool)
    for (au, av), (bu, bv) in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
        eu, ev, du, dv = bu - au, bv - av, u - au, v - av
        t = np.clip((du * eu + dv * ev) / (eu * eu + ev * ev), 0, 1)
        square = np.minimum(square, (du - eu * t) ** 2 + (dv - ev * t) ** 2)
        if ev:
            inside ^= ((v >= min(av, bv)) & (v < max(av, bv))) & (u < au + (v - av) * (eu / ev))
    return np.where(inside, -np.sqrt(square), np.sqrt(square))


def smoothed(vertices: Polygon, rounds: int = 2) -> Polygon:
    """The polygon with its corners cut off, twice as many at each round: near enough a curve after two."""
    for _ in range(rounds):
        pairs = zip(vertices, [*vertices[1:], vertices[0]], strict=True)
        vertices = [
            (au + (bu - au) * share, av + (bv - av) * share) for (au, av), (bu, bv) in pairs for share in (0.25, 0.75)
        ]
    return vertices


def extruded(outline: Array, offset: Array, half_width: float | Array, rounding: float = 0.0) -> Array:
    """The distance from a flat shape given thickness: `outline` in its plane, `offset` across the plane."""
    a, b = outline + rounding, np.abs(offset) - half_width + rounding
    distance: Array = (
        np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2) + np.minimum(np.maximum(a, b), 0) - rounding
    )
    return distance


def prism(vertices: Polygon, half_width: float, rounding: float = 0.0, centre_z: float = 0.0) -> Field:
    """A polygon in the x-y plane, extruded along z."""
    return lambda p: extruded(polygon(vertices, p[0], p[1]), p[2] - centre_z, half_width, rounding)


def mirrored(field: Field) -> Field:
    """The field's z >= 0 half, and its mirror image at z < 0."""
    return lambda p: field(np.stack([p[0], p[1], np.abs(p[2])]))


def union(*fields: Field, blend: float = 0.0) -> Field:
    """Everything that is in any of the fields, with seams smoothed over `blend` metres."""

    def field(p: Array) -> Array:
        total = fields[0](p)
        for other in fields[1:]:
            total = smooth_minimum(total, other(p), blend)
        return total

    return field


def without(field: Field, *holes: Field, blend: float = 0.0) -> Field:
    """The field with the holes cut out of it."""

    def carved(p: Array) -> Array:
        total = field(p)
        for hole in holes:
            total = -smooth_minimum(-total, hole(p), blend)
        return total

    return carved


def smooth_minimum(a: Array, b: Array, blend: float) -> Array:
    """The smaller of two distances, rounded off where they differ by less than `blend`."""
    if blend == 0:
        return np.minimum(a, b)
    near = np.maximum(blend - np.abs(a - b), 0)
    return np.minimum(a, b) - near * near / (4 * blend)


NOISE_TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]], np.float32)
"""A rotation that takes no axis to an axis."""


def noise(points: Array, octaves: int = 4, seed: int = 0) -> Array:
    """Fractal value noise in [0, 1] with features of about a metre and `octaves - 1` finer layers."""
    total = np.zeros(points.shape[1], np.float32)
    points = NOISE_TURN @ points
    for octave in range(octaves):
        total += _value_noise(points, seed + octave) * 0.5 ** (octave + 1)
        # Turned from octave to octave, the lattice of the noise does not show.
        points = NOISE_TURN @ points * np.float32(2.03)
    return total / (1 - 0.5**octaves)


def _value_noise(points: Array, seed: int) -> Array:
    corner = np.floor(points)
    t = points - corner
    t = t * t * (3 - 2 * t)
    i, j, k = corner.astype(np.int32).view(np.uint32)
    total = np.zeros(points.shape[1], np.float32)
    for di in (0, 1):
        for dj in (0, 1):
            for dk in (0, 1):
                weight = (t[0] if di else 1 - t[0]) * (t[1] if dj else 1 - t[1]) * (t[2] if dk else 1 - t[2])
                total += weight * _hash(i + np.uint32(di), j + np.uint32(dj), k + np.uint32(dk), seed)
    return total


def _hash(i: npt.NDArray[np.uint32], j: npt.NDArray[np.uint32], k: npt.NDArray[np.uint32], seed: int) -> Array:
    """A number in [0, 1) for every lattice point: odd multipliers mix, shifts bring high bits down."""
    mixed = i * np.uint32(0x9E3779B1) + j * np.uint32(0x85EBCA77) + k * np.uint32(0xC2B2AE3D)
    mixed += np.uint32((seed + 1) * 0x27D4EB2F & 0xFFFFFFFF)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    mixed = (mixed ^ (mixed >> np.uint32(12))) * np.uint32(0x297A2D39)
    number: Array = ((mixed ^ (mixed >> np.uint32(15))) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
    return number
