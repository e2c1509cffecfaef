"""Grass, fur and feathers: strokes drawn over a finished film, nearer ones over farther ones."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from studio.fields import Array, column, normalised
from studio.raymarch import ambient, bounding_box, normals, sun_share
from studio.scene import Film, Paint, Scene, Strands, mix

Grower = Callable[[Scene, Film, int], Strands]


def comb(scene: Scene, film: Film, size_px: int) -> Film:
    """The film with everything drawn that the scene's growers grow."""
    for grow in scene.growers:
        film = draw(scene, film, grow(scene, film, size_px), size_px)
    return film


def draw(scene: Scene, film: Film, strands: Strands, size_px: int) -> Film:
    """The film with the strands drawn where nothing is in front of their roots."""
    column_px, row_px, depth = scene.camera.project(strands.roots, size_px)
    tip_column, tip_row, _ = scene.camera.project(strands.tips, size_px)
    distance = np.linalg.norm(strands.roots - column(scene.camera.eye), axis=0)
    scale = size_px / 2 / np.tan(np.deg2rad(scene.camera.angle_deg) / 2)
    half = np.maximum(strands.width_m * scale / np.maximum(depth, 1e-3), 1.0) / 2
    along = np.stack([tip_column - column_px, tip_row - row_px])
    across = np.stack([-along[1], along[0]]) / np.maximum(np.hypot(*along), 1e-6) * half
    corners = np.stack(
        [column_px + across[0], row_px + across[1], tip_column, tip_row, column_px - across[0], row_px - across[1]], 1
    )
    owner = Image.new("I", (size_px, size_px), -1)
    pen = ImageDraw.Draw(owner)
    for index in np.argsort(-depth):
        if depth[index] > 0.05:
            pen.polygon(corners[index].tolist(), fill=int(index))
    owners = np.asarray(owner).ravel()
    pixels = np.flatnonzero(owners >= 0)
    # A hair may lie just behind the skin that it grows from, but not over an eye beside its root.
    slack = np.where(film.gloss[pixels] > 0, -0.1, 0.05)
    pixels = pixels[distance[owners[pixels]] < film.depth[pixels] + slack]
    light = film.light.copy()
    light[:, pixels] = strands.light[:, owners[pixels]]
    return Film(light, film.depth, film.on_model, film.gloss)


def meadow(count: int, reach_m: float, height_m: float, paint: Paint, seed: int = 0) -> Grower:
    """Blades of grass up to `reach_m` from the eye, about evenly spread over the picture."""

    def grow(scene: Scene, film: Film, size_px: int) -> Strands:  # noqa: ARG001
        random = np.random.default_rng(seed)
        eye, (_, _, forward) = scene.camera.eye, scene.camera.axes()
        nearest = max(0.4, abs(eye[1]) * 0.8)
        away = 1 / random.uniform(1 / reach_m, 1 / nearest, count)
        spread = np.deg2rad(scene.camera.angle_deg) * 0.62
        angle = np.arctan2(forward[2], forward[0]) + random.uniform(-spread, spread, count)
        roots = np.stack([eye[0] + away * np.cos(angle), np.zeros(count), eye[2] + away * np.sin(angle)])
        lean = random.normal(0, 0.35, (3, count))
        lean[1] = random.uniform(0.5, 1.1, count)
        roots, tips = roots.astype(np.float32), (roots + lean * height_m).astype(np.float32)
        sun = sun_share(scene, roots + column((0, 0.5 * height_m, 0)), bounding_box(scene.distance))
        albedo = paint(roots) * random.uniform(0.6, 1.5, count)
        light = albedo * (scene.light.sun * sun * 0.75 + ambient(scene.light, np.full(count, 0.6)) * 0.9)
        faded: Array = mix(scene.backdrop(normalised(roots - column(eye))), light, np.exp(-away * scene.haze_per_m))
        return Strands(roots, tips, 0.09 * height_m, faded.astype(np.float32))

    return grow


def fur(count: int, length_m: float, flow: Paint, contrast: float = 0.25, seed: int = 0) -> Grower:
    """Hairs on every matt surface that the camera sees, combed along `flow` and shaded like the skin below them."""

    def grow(scene: Scene, film: Film, size_px: int) -> Strands:
        random = np.random.default_rng(seed)
        seen = np.flatnonzero(film.on_model)
        chosen = seen[random.integers(0, seen.size, count)]
        rays = scene.camera.rays(size_px)[:, chosen]
        roots = column(scene.camera.eye) + rays * film.depth[chosen]
        normal = normals(scene.distance, roots)
        matt = film.gloss[chosen] == 0
        combed = flow(roots) + 0.35 * normal + random.normal(0, 0.22, roots.shape)
        combed -= 0.75 * normal * (combed * normal).sum(0)
        tips = roots + normalised(combed) * (length_m * random.uniform(0.5, 1.2, count))
        light = film.light[:, chosen] * np.exp(random.normal(0, contrast, count))
        return Strands(roots[:, matt], tips[:, matt].astype(np.float32), 0.09 * length_m, light[:, matt])

    return grow
