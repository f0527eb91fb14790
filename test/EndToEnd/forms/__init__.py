"""Second formulations, a family a file; importing the package enters them all."""

from . import closed_loop, gated, state_space

__all__ = ["closed_loop", "gated", "state_space"]
