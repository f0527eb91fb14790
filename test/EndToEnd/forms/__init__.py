"""Second formulations, a family a file; importing the package enters them all."""

from . import state_space

__all__ = ["state_space"]
