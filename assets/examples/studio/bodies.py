"""What several animals share: limbs, the pose of a sitting animal, and the light of a meadow."""

from itertools import pairwise

import numpy as np

from studio import fields as f
from studio.fields import Field, Vector, column
from studio.scene import Paint, colour

SUN = colour("#fff0d8") * 2.4
SKYLIGHT = colour("#b4c8de") * 0.5
GREEN_BOUNCE = colour("#6d7550") * 0.4


def combed(direction: Vector) -> Paint:
    """Hair that lies in one direction."""
    return lambda p: np.broadcast_to(column(direction), p.shape)


def chain(*knots: tuple[float, float, float, float], blend: float = 0.04) -> Field:
    """Limbs from knot to knot, each an x, y, z and radius."""
    return f.union(*(f.limb(a[:3], b[:3], a[3], b[3]) for a, b in pairwise(knots)), blend=blend)


def sitting(height: float = 1.0) -> Field:
    """The trunk, haunches and legs of a cat or a dog that sits and looks along x."""
    trunk = f.union(
        f.limb((-0.28, 0.34, 0), (0.1, 0.98 * height, 0), 0.33, 0.2),
        f.ellipsoid((0.14, 0.72, 0), (0.2, 0.3, 0.22)),
        f.mirrored(f.ellipsoid((-0.16, 0.28, 0.24), (0.3, 0.27, 0.16))),
        blend=0.12,
    )
    fore = f.mirrored(chain((0.16, 0.78, 0.13, 0.13), (0.25, 0.4, 0.13, 0.085), (0.27, 0.09, 0.13, 0.07)))
    paws = f.mirrored(
        f.union(
            f.ellipsoid((0.34, 0.06, 0.13), (0.13, 0.07, 0.085)), f.ellipsoid((0.16, 0.06, 0.32), (0.18, 0.07, 0.09))
        )
    )
    return f.union(trunk, fore, paws, blend=0.08)
