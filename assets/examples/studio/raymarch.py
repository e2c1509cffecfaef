"""The renderer: marches camera rays through a distance field and lights what they hit."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from studio.fields import Array, Field, column, normalised, smoothstep
from studio.scene import Film, Ground, Light, Scene, mix

CHUNK = 1 << 15
"""Rays marched at a time: their temporaries fit the processor's cache."""


def bounding_box(field: Field, reach: float = 16.0) -> tuple[Array, Array]:
    """Two corners (3, 1) that enclose the field's surface, found on two grids: a coarse one, then a finer one."""
    low, high = column((-reach,) * 3), column((reach,) * 3)
    for _ in range(3):
        axes = [np.linspace(a, b, 33, dtype=np.float32) for a, b in zip(low[:, 0], high[:, 0], strict=True)]
        grid = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")])
        cell = (high - low) / 32
        near = grid[:, field(grid) < float(np.linalg.norm(cell))]
        low, high = near.min(1, keepdims=True) - cell, near.max(1, keepdims=True) + cell
    return low, high


def crossing(origins: Array, directions: Array, box: tuple[Array, Array]) -> tuple[Array, Array]:
    """Where rays enter and leave a box: distances (n,), entry behind exit where they miss it."""
    safe = np.where(np.abs(directions) < 1e-7, 1e-7, directions)
    a, b = (box[0] - origins) / safe, (box[1] - origins) / safe
    return np.maximum(np.minimum(a, b).max(0), 0), np.maximum(a, b).min(0)


def march(field: Field, origins: Array, directions: Array, box: tuple[Array, Array], steps: int = 110) -> Array:
    """Distances (n,) to the first surface along rays from `origins` (3, n or 1); infinity where there is none."""
    near, far = crossing(origins, directions, box)
    origins = np.broadcast_to(origins, directions.shape)
    result = np.full(directions.shape[1], np.inf, np.float32)
    for chunk in _chunks(np.flatnonzero(near < far)):
        t = near[chunk]
        for _ in range(steps):
            distance = field(origins[:, chunk] + directions[:, chunk] * t)
            hit = distance < 2e-4 * t
            result[chunk[hit]] = t[hit]
            t = t + distance * 0.85
            going = ~hit & (t < far[chunk])
            chunk, t = chunk[going], t[going]
            if not chunk.size:
                break
    return result


def sun_share(scene: Scene, points: Array, box: tuple[Array, Array], steps: int = 40) -> Array:
    """How much of the sun each point (3, n) sees, 0 to 1, with edges that soften away from what casts the shadow."""
    towards = normalised(column(scene.light.towards_sun))
    near, far = crossing(points, np.broadcast_to(towards, points.shape), box)
    share = np.ones(points.shape[1], np.float32)
    for chunk in _chunks(np.flatnonzero(near < far)):
        t = np.maximum(near[chunk], 0.02)
        for _ in range(steps):
            distance = scene.distance(points[:, chunk] + towards * t)
            share[chunk] = np.minimum(share[chunk], np.clip(scene.light.penumbra * distance / t, 0, 1))
            t = t + np.maximum(distance * 0.9, 0.012)
            going = (t < far[chunk]) & (share[chunk] > 0.005)
            chunk, t = chunk[going], t[going]
            if not chunk.size:
                break
    return smoothstep(0, 1, share)


def normals(field: Field, points: Array, step: float = 2e-3) -> Array:
    """Unit normals (3, n) of the field at points, from four differences on a tetrahedron."""
    corners = ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1))
    return normalised(sum((column(c) * field(points + column(c) * step) for c in corners), np.zeros_like(points)))


def openness(field: Field, points: Array, normal: Array, reach: float) -> Array:
    """Ambient occlusion (n,): 1 in the open, less where the surface is close to other surfaces within `reach`."""
    blocked = np.zeros(points.shape[1], np.float32)
    for step in (0.15, 0.4, 1.0):
        blocked += np.clip(step - field(points + normal * (step * reach)) / reach, 0, None) * (0.35 / step)
    return np.clip(1 - blocked, 0.08, 1)


def expose(scene: Scene, size_px: int) -> Film:
    """Traces one ray through the middle of each of `size_px` x `size_px` pixels."""
    directions = scene.camera.rays(size_px)
    eye = column(scene.camera.eye)
    box = bounding_box(scene.distance)
    depth = march(scene.distance, eye, directions, box)
    on_model = np.isfinite(depth)
    light = scene.backdrop(directions)
    if scene.ground is not None:
        height = np.minimum(directions[1], -1e-6)
        floor = np.where(directions[1] < 0, -eye[1] / height, np.inf).astype(np.float32)
        on_ground = floor < np.minimum(depth, 4000)
        on_model &= ~on_ground
        depth = np.minimum(depth, floor)
        for chunk in _chunks(np.flatnonzero(on_ground)):
            rays, t = directions[:, chunk], depth[chunk]
            lit = _lit_ground(scene, scene.ground, eye + rays * t, rays, t, box)
            light[:, chunk] = mix(light[:, chunk], lit, np.exp(-t * scene.haze_per_m))
    gloss = np.zeros_like(depth)
    for chunk in _chunks(np.flatnonzero(on_model)):
        points = eye + directions[:, chunk] * depth[chunk]
        light[:, chunk] = _lit_model(scene, points, directions[:, chunk], box)
        gloss[chunk] = scene.surface(points)[1]
    return Film(light, depth, on_model, gloss)


def ambient(light: Light, up: Array) -> Array:
    """Light (3, n) from the sky and the ground on surfaces whose normals rise by `up` in [-1, 1]."""
    return mix(light.bounce, light.sky, 0.5 + 0.5 * up)


def _lit_model(scene: Scene, points: Array, rays: Array, box: tuple[Array, Array], shadows: bool = True) -> Array:
    normal = normals(scene.distance, points)
    albedo, gloss = scene.surface(points)
    size = float(np.max(box[1] - box[0]))
    above = scene.distance if scene.ground is None else lambda p: np.minimum(scene.distance(p), p[1])
    towards = normalised(column(scene.light.towards_sun))
    facing = np.clip((normal * towards).sum(0), 0, 1)
    if shadows:
        facing = facing * sun_share(scene, points + normal * (0.002 * size), box)
    open_share = openness(above, points, normal, 0.08 * size)
    matt = albedo * (scene.light.sun * facing + ambient(scene.light, normal[1]) * open_share)
    bounce = rays - 2 * (rays * normal).sum(0) * normal
    grazing = (1 - np.clip(-(rays * normal).sum(0), 0, 1)) ** 5
    mirror = np.where(gloss > 0, gloss + (1 - gloss) * grazing * np.minimum(1, gloss * 8), 0)
    glint = np.clip((bounce * towards).sum(0), 0, 1) ** 90 * np.minimum(facing * 4, 1)
    light: Array = matt * (1 - mirror) + mirror * (
        _surroundings(scene, bounce) * open_share + scene.light.sun * glint * 3
    )
    return light


def _surroundings(scene: Scene, directions: Array) -> Array:
    """What a polished surface mirrors: the backdrop, and below the horizon the light that the ground returns."""
    return mix(scene.light.bounce, scene.backdrop(directions), smoothstep(-0.06, 0.06, directions[1]))


def _lit_ground(scene: Scene, ground: Ground, points: Array, rays: Array, t: Array, box: tuple[Array, Array]) -> Array:
    normal = np.zeros_like(points)
    normal[1] = 1
    if ground.waves is not None:
        # Far waves are smaller than a pixel: they flatten out instead of flickering.
        slopes = ground.waves(points) / (1 + t / 60)
        normal[0], normal[2] = -slopes[0], -slopes[1]
        normal = normalised(normal)
    towards = normalised(column(scene.light.towards_sun))
    facing = np.clip((normal * towards).sum(0), 0, 1) * sun_share(scene, points, box)
    reach = 0.12 * float(np.max(box[1] - box[0]))
    open_share = 0.25 + 0.75 * smoothstep(0, reach, scene.distance(points))
    matt: Array = ground.paint(points) * (scene.light.sun * facing + ambient(scene.light, normal[1]) * open_share)
    if not ground.gloss:
        return matt
    bounce = normalised(rays - 2 * (rays * normal).sum(0) * normal)
    bounce[1] = np.abs(bounce[1])
    mirrored = scene.backdrop(bounce)
    found = march(scene.distance, points, bounce, box, steps=40)
    hit = np.isfinite(found)
    if hit.any():
        spots = (points + bounce * np.where(hit, found, 0))[:, hit]
        mirrored[:, hit] = _lit_model(scene, spots, bounce[:, hit], box, shadows=False)
    mirror = ground.gloss + (1 - ground.gloss) * (1 - np.clip(-(rays * normal).sum(0), 0, 1)) ** 5
    glint = np.clip((bounce * towards).sum(0), 0, 1) ** 160 * facing
    light: Array = matt * (1 - mirror) + mirror * (mirrored + scene.light.sun * glint * 4)
    return light


def photograph(light: Array, size_px: int, samples: int, exposure: float, seed: int) -> Image.Image:
    """An RGB picture of `size_px` pixels a side from linear light (3, (size_px * samples) ** 2).

    A soft shoulder keeps highlights from clipping; slight vignetting and grain make it a photograph rather than a plot.
    """
    fine = (1 - np.exp(-1.35 * exposure * light)).reshape(3, size_px, samples, size_px, samples)
    linear = fine.mean((2, 4))
    offset = np.linspace(-1, 1, size_px) ** 2
    linear *= 1 - 0.1 * (offset[:, None] + offset[None, :])
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    srgb += np.random.default_rng(seed).normal(0, 0.006, (size_px, size_px))
    pixels = (np.clip(srgb, 0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _chunks(indices: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    for start in range(0, indices.size, CHUNK):
        yield indices[start : start + CHUNK]
