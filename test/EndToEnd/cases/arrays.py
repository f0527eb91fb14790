"""Arrays of a test case: their shape, who shares them, and how random values for them are drawn.

Dims are named as in the declaration and written in one string, "K V". A draw is a function (rng, shape) -> array,
where the last axes of the shape are the dims.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Operand:
    """An input, a parameter or a state. For a state, `start` is its value before the first token."""

    dims: tuple[str, ...]
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    scope: str = "head"  # or "group", "shared"
    start: float = 0.0


def _operand(dims, draw):
    return Operand(tuple(dims.split()), draw)


def group(operand):
    """The operand, with one value for each group of heads."""
    return replace(operand, scope="group")


def shared(operand):
    """The operand, with one value for all heads."""
    return replace(operand, scope="shared")


def starts_at(start, operand):
    """The state, with another value than zero before the first token."""
    return replace(operand, start=start)


def normal(dims="", scale=1.0):
    return _operand(dims, lambda rng, shape: scale * rng.standard_normal(shape))


def complex_normal(dims="", scale=1.0):
    def draw(rng, shape):
        return scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))

    return _operand(dims, draw)


def uniform(low, high, dims=""):
    return _operand(dims, lambda rng, shape: rng.uniform(low, high, shape))


def softplus_normal(dims=""):
    """A time step: positive, of the order of one."""
    return _operand(dims, lambda rng, shape: np.log1p(np.exp(rng.standard_normal(shape))))


def unit(dims):
    """Vectors of length one along the last dim, as a key after L2 normalisation."""

    def draw(rng, shape):
        x = rng.standard_normal(shape)
        return x / np.sqrt(np.sum(x * x, axis=-1, keepdims=True))

    return _operand(dims, draw)


def log_decay(dims=""):
    """Log-decays of every strength: mostly moderate, some exactly 0, some barely below it, some that forget at once."""

    def draw(rng, shape):
        moderate = -np.exp(rng.standard_normal(shape) - 1.5)
        which = rng.uniform(size=shape)
        weak = np.where(which < 0.1, 0.0, -1e-3 * rng.uniform(size=shape))
        return np.where(which < 0.2, weak, np.where(which > 0.95, -40.0, moderate))

    return _operand(dims, draw)


def coin(probability, dims=""):
    return _operand(dims, lambda rng, shape: rng.uniform(size=shape) < probability)


def stable_poles(dims):
    """Eigenvalues in the open left half of the complex plane."""

    def draw(rng, shape):
        return -rng.uniform(0.2, 1.0, shape) + 1j * rng.uniform(-3.0, 3.0, shape)

    return _operand(dims, draw)


def contraction(dims):
    """A matrix, or an array of more axes, that on the average halves what its last axes are contracted with."""

    def draw(rng, shape):
        return 0.5 * rng.standard_normal(shape) / np.sqrt(np.prod(shape[1 - len(dims.split()):]))

    return _operand(dims, draw)


def computed(dims, function):
    """No random numbers, but those of a function of the sizes of the dims."""
    rank = len(dims.split())
    return _operand(dims, lambda rng, shape: np.broadcast_to(function(*shape[len(shape) - rank:]), shape).copy())
