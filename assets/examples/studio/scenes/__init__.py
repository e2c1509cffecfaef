"""The scenes, one for each class of CIFAR-10."""

from collections.abc import Callable

from studio.scene import Scene
from studio.scenes.airplane import airplane
from studio.scenes.automobile import automobile
from studio.scenes.bird import bird
from studio.scenes.cat import cat
from studio.scenes.deer import deer
from studio.scenes.dog import dog
from studio.scenes.frog import frog
from studio.scenes.horse import horse
from studio.scenes.ship import ship
from studio.scenes.truck import truck

SCENES: dict[str, Callable[[], Scene]] = {
    builder.__name__: builder for builder in (airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck)
}
"""Class names and what builds their scenes."""
