"""The table of test cases. A family's module fills it with @recurrence; `load()` reads them all.

A step is a function (x, p, s) -> (outputs, next states) of the inputs at one token, the parameters and the states
before it, each with axes [B, H, dims...]. It is written from the paper's equation and never looks at the declaration.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from .arrays import Operand

FAMILIES = ("attention", "delta", "diagonal", "mamba", "running_max", "state_space", "test_time", "language")
ROOT = Path(__file__).resolve().parents[3]
TABLE: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    name: str
    spec: Path
    dims: dict[str, int]
    bound: tuple[str, ...]  # the dims to bind on the command line; the others have a default in the declaration
    inputs: dict[str, Operand]
    params: dict[str, Operand]
    states: dict[str, Operand]
    delays: dict[str, Operand]  # the states that prev of no state implies: x_1, x_2 are x one and two tokens earlier
    outputs: dict[str, tuple[str, ...]]
    step: Callable
    whole: bool  # `step` takes whole sequences: two time axes, or a state that runs against time
    axes: int  # time axes

    @property
    def carried(self):
        """All that must be handed from one span of tokens to the next."""
        return self.states | self.delays

    def state_name(self, name):
        """The name of a state on the command line, where x_1 is x~1."""
        return "~".join(name.rsplit("_", 1)) if name in self.delays else name

    @property
    def grouped(self):
        return any(operand.scope == "group" for operand in self.inputs.values())


def recurrence(name, *, inputs, states, outputs, params=None, delays=None, defaults=(), whole=False, axes=1,
               folder="zoo", **dims):
    """Enters the decorated step in the table. `outputs` maps a name to its dims; `defaults` are the dims not bound."""

    def enter(step):
        TABLE[name] = Case(
            name=name,
            spec=ROOT / folder / f"{name}.ssm",
            dims=dims,
            bound=tuple(dim for dim in dims if dim not in defaults),
            inputs=inputs,
            params=params or {},
            states=states,
            delays=delays or {},
            outputs={output: tuple(of.split()) for output, of in outputs.items()},
            step=step,
            whole=whole,
            axes=axes,
        )
        return step

    return enter


def load():
    for family in FAMILIES:
        importlib.import_module(f"{__package__}.{family}")
    return TABLE


@dataclass(frozen=True)
class Data:
    """Arrays in the layout of the command line."""

    inputs: dict[str, np.ndarray]
    params: dict[str, np.ndarray]
    states: dict[str, np.ndarray]
    heads: int

    def span(self, first, last, states):
        """The tokens first .. last, starting from the given states."""
        return Data({n: a[:, first:last] for n, a in self.inputs.items()}, self.params, states, self.heads)

    def sequence(self, n, offsets):
        """One of packed sequences."""
        return self.span(offsets[n], offsets[n + 1], {name: a[n:n + 1] for name, a in self.states.items()})

    def map(self, function):
        return Data(*({n: function(a) for n, a in part.items()} for part in (self.inputs, self.params, self.states)),
                    self.heads)


def draw(case, *, batch=2, tokens=37, heads=3, groups=1, initial=False, seed=0):
    """Random data for a case. Without `initial` the states hold their value before the first token."""
    rng = np.random.default_rng([seed, *case.name.encode()])
    time = (tokens,) if case.axes == 1 else (5, 7)
    lead = {"head": (heads,), "group": (groups,), "shared": ()}

    def sizes(operand):
        return lead[operand.scope] + tuple(case.dims[dim] for dim in operand.dims)

    def state(operand):
        drawn = operand.draw(rng, (batch, *sizes(operand)))
        return drawn if initial else np.full_like(drawn, operand.start)

    return Data(
        {n: o.draw(rng, (batch, *time, *sizes(o))) for n, o in case.inputs.items()},
        {n: o.draw(rng, sizes(o)) for n, o in case.params.items()},
        {n: state(o) for n, o in case.carried.items()},
        heads,
    )


def joined(results):
    """Outputs and states of several sequences as those of packed ones."""
    outputs, states = zip(*results)
    return tuple({name: np.concatenate([part[name] for part in parts], axis) for name in parts[0]}
                 for parts, axis in ((outputs, 1), (states, 0)))


def expected(case, data, offsets=None):
    """Outputs and final states by the case's step, a plain loop over time in the precision of the data; of packed
    sequences one by one."""
    if offsets is not None:
        return joined(expected(case, data.sequence(n, offsets)) for n in range(len(offsets) - 1))

    def per_head(operand, array, axis):
        if operand.scope == "head":
            return array
        if operand.scope == "shared":
            array = np.expand_dims(array, axis)
        return np.repeat(array, data.heads // array.shape[axis], axis=axis)

    inputs = {n: per_head(o, data.inputs[n], 1 + case.axes) for n, o in case.inputs.items()}
    params = SimpleNamespace(**{n: per_head(o, data.params[n], 0) for n, o in case.params.items()})
    if case.whole:
        return case.step(SimpleNamespace(**inputs), params, SimpleNamespace(**data.states))
    return _loop(case, inputs, params, data.states)


def _loop(case, inputs, params, states):
    any_input = next(iter(inputs.values()))
    precision = next(a for a in inputs.values() if a.dtype.kind == "f").dtype
    batch, tokens, heads = any_input.shape[:3]
    outputs = {n: np.empty((batch, tokens, heads, *(case.dims[d] for d in of)), precision)
               for n, of in case.outputs.items()}
    for t in range(tokens):
        now = SimpleNamespace(**{n: a[:, t] for n, a in inputs.items()})
        read, states = case.step(now, params, SimpleNamespace(**states))
        for n, value in read.items():
            outputs[n][:, t] = value
    return outputs, states
