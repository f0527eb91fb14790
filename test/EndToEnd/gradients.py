"""Gradients on the command line, against differences of the NumPy step."""

import numpy as np

from cases import registry
from comparison import Mismatch
from precision import REFERENCE, doubled

STEP = 1e-4  # of differences of fourth order
DIRECTIONS = 3


def _normal(rng, array):
    """Standard normal numbers of an array's shape, complex where it is."""
    drawn = rng.standard_normal(array.shape)
    return drawn + 1j * rng.standard_normal(array.shape) if array.dtype.kind == "c" else drawn


def _terms(a, b):
    return (np.conj(a) * b).real


def of_reference(initial):
    """The gradient of every real or complex operand, and of states if they are given (`initial`): along random
    directions it says by how much a loss, random cotangents times outputs and final states, changes."""

    def check(case, ssmc):
        data = registry.draw(case, tokens=5, heads=4, groups=2, initial=initial and case.axes == 1).map(doubled)
        rng = np.random.default_rng([5, *case.name.encode()])
        final = case.states if case.axes == 1 else {}

        def results(data):
            outputs, states = registry.expected(case, data)
            return outputs | {case.state_name(n): states[n] for n in final}

        cotangents = {n: _normal(rng, a) for n, a in results(data).items()}

        def loss(data):
            return sum(_terms(cotangents[n], a).sum() for n, a in results(data).items())

        gradients = run(case, ssmc, data, cotangents, initial)
        for name, gradient in gradients.items():
            part = next(p for p in (data.inputs, data.params, data.states) if name in p)
            if gradient.shape != part[name].shape or gradient.dtype != part[name].dtype:
                raise Mismatch(f"gradient of {name}: {gradient.dtype} {gradient.shape}, "
                               f"expected {part[name].dtype} {part[name].shape}")
            for _ in range(DIRECTIONS):
                direction = _normal(rng, part[name])

                def moved(by):
                    before = part[name]
                    part[name] = before + by * direction
                    result = loss(data)
                    part[name] = before
                    return result

                first, second = (moved(by) - moved(-by) for by in (STEP, 2 * STEP))
                found = (8 * first - second) / (12 * STEP)
                terms = _terms(gradient, direction)
                size = np.sqrt((terms**2).sum())
                if not size or not abs(found - terms.sum()) <= 1e-6 * size:
                    raise Mismatch(f"gradient of {name}: {terms.sum():.9g} along a direction, by differences {found:.9g}")

    return check


def run(case, ssmc, data, cotangents, initial):
    """The gradients by ssmc, under the names of the case."""
    dims = ",".join(f"{dim}={case.dims[dim]}" for dim in case.bound)
    arguments = ["run", case.spec, "--dims", dims, *REFERENCE.arguments]
    wanted = {}
    for name, array in (data.inputs | data.params).items():
        arguments += ["--in", f"{name}={ssmc.save(f'in-{name}', array)}"]
        if array.dtype.kind in "fc":
            wanted[name] = name
    for name, array in data.states.items() if initial else ():
        arguments += ["--state-in", f"{case.state_name(name)}={ssmc.save(f'state-in-{name}', array)}"]
        wanted[name] = case.state_name(name)
    for name, array in cotangents.items():
        arguments += ["--cotangent", f"{name}={ssmc.save(f'cotangent-{name}', array)}"]
    for name, told in wanted.items():
        arguments += ["--grad-out", f"{told}=grad-{name}.npy"]
    result = ssmc(*arguments)
    if result.code != 0:
        raise Mismatch(f"exit code {result.code}\n{result.err.strip()}\n$ {' '.join(result.command)}")
    return {name: ssmc.load(f"grad-{name}.npy") for name in wanted}
