"""Paints: colours that depend on where on a thing they are."""

import numpy as np

from studio.fields import Array, Vector, column, noise, smoothstep
from studio.scene import Paint, colour, mix


def plain(code: str) -> Paint:
    """One colour everywhere."""
    fixed = colour(code)
    return lambda p: np.broadcast_to(fixed, p.shape)


def mottled(dark: str, light: str, size_m: float, octaves: int = 4, seed: int = 0) -> Paint:
    """Two colours mixed by fractal noise with blotches of about `size_m`."""
    a, b = colour(dark), colour(light)
    return lambda p: mix(a, b, smoothstep(0.25, 0.75, noise(p / size_m, octaves, seed)))


def streaked(dark: str, light: str, stretch: Vector, seed: int = 0) -> Paint:
    """A coat of two tones, drawn out along the axes whose `stretch` (repeats a metre) is small."""
    a, b = colour(dark), colour(light)
    return lambda p: mix(a, b, smoothstep(0.3, 0.7, noise(p * column(stretch), 4, seed)))


def stripes(values: Array, pitch: float, share: float, soft: float = 0.02) -> Array:
    """1 in the first `share` of every `pitch` along `values`, 0 between, with edges `soft` pitches wide."""
    phase = np.abs(np.mod(values / pitch, 1) - 0.5)
    return smoothstep(share / 2 + soft, share / 2 - soft, phase)


def between(values: Array, low: float, high: float, soft: float = 0.01) -> Array:
    """1 between two values, 0 outside."""
    return smoothstep(low - soft, low + soft, values) * smoothstep(high + soft, high - soft, values)
