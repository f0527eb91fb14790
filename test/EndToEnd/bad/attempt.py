"""A good invocation of `ssmc run` to be spoilt, and what is asked of a refusal.

A refusal has exit code 2 and a message on stderr that names the culprit, leaves no file behind, and comes before
any large allocation.
"""

import re
import resource
import signal
from dataclasses import dataclass, field

import numpy as np

from cases.registry import ROOT
from comparison import Mismatch

BATCH, TOKENS, HEADS, GROUPS, K, V = 1, 3, 2, 1, 4, 5
P, N = V, K
ADDRESS_SPACE = 16 << 30  # the compiler's own libraries map a lot; a refusal needs no data beside them

TESTS = {}


def test(function):
    """Enters a function of an Ssmc in the table of tests."""
    TESTS[f"bad_input.{function.__name__}"] = function
    return function


def zeros(*dims, heads=HEADS, dtype=np.float32):
    return np.zeros((BATCH, TOKENS, heads, *dims), dtype)


def gated_delta_rule():
    return Attempt("gated_delta_rule", {"K": K, "V": V},
                   {"q": zeros(K), "k": zeros(K), "v": zeros(V), "g": zeros(), "beta": zeros()}, ["o"])


def mamba2():
    return Attempt("mamba2", {"P": P, "N": N},
                   {"x": zeros(P), "dt": zeros(), "B": zeros(N, heads=GROUPS), "C": zeros(N, heads=GROUPS),
                    "A": np.zeros(HEADS, np.float32), "D": np.zeros(HEADS, np.float32)}, ["y"])


@dataclass
class Attempt:
    recurrence: str
    dims: dict[str, object]
    inputs: dict[str, object]  # an array, or the text to stand for its path
    outputs: list[str]
    states: dict[str, object] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)  # of outputs that do not go to NAME.npy

    def arguments(self, ssmc):
        def path(name, value):
            return ssmc.save(name, value) if isinstance(value, np.ndarray) else value

        dims = ",".join(f"{name}={size}" for name, size in self.dims.items())
        arguments = ["run", ROOT / "zoo" / f"{self.recurrence}.ssm", *(["--dims", dims] if dims else [])]
        for name, value in self.inputs.items():
            arguments += ["--in", f"{name}={path(f'in-{name}', value)}"]
        for name, value in self.states.items():
            arguments += ["--state-in", f"{name}={path(f'state-in-{name}', value)}"]
        for name in self.outputs:
            arguments += ["--out", f"{name}={self.paths.get(name, f'out-{name}.npy')}"]
        return [*arguments, *self.extra]

    def is_refused(self, ssmc, *culprits, **limits):
        arguments = self.arguments(ssmc)
        return refused(ssmc, arguments, *culprits, **limits)

    def is_accepted(self, ssmc):
        """Runs it and returns the outputs."""
        return accepted(ssmc, self.arguments(ssmc), self.outputs)

    def is_either(self, ssmc, *culprits):
        """Accepted (the outputs are returned) or refused with a message (None is)."""
        arguments = self.arguments(ssmc)
        if ssmc(*arguments).code == 0:
            return accepted(ssmc, arguments, self.outputs)
        refused(ssmc, arguments, *culprits)
        return None


def refused(ssmc, arguments, *culprits, file_size=resource.RLIM_INFINITY):
    """Runs it, lets no file grow over `file_size`, and checks all that is asked of a refusal."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails, as on a full disk

    before = set(ssmc.folder.iterdir())
    result = ssmc(*arguments, timeout=30, preexec_fn=limit)
    shown = f"\n{result.err.strip()[:2000]}\n$ {' '.join(result.command)[:2000]}"
    if result.code != 2:
        raise Mismatch(f"exit code {result.code}, expected 2{shown}")
    missing = [culprit for culprit in culprits if not _mentions(result.err, culprit)]
    if missing:
        raise Mismatch(f"the message does not name {', '.join(map(repr, missing))}{shown}")
    if not result.err.strip() or "Stack dump" in result.err or "PLEASE submit" in result.err:
        raise Mismatch(f"no message for a person{shown}")
    left = {path.name for path in set(ssmc.folder.iterdir()) - before}
    if left:
        raise Mismatch(f"left behind: {', '.join(sorted(left))}{shown}")
    return result


def accepted(ssmc, arguments, outputs):
    result = ssmc(*arguments)
    if result.code != 0:
        raise Mismatch(f"exit code {result.code}, expected 0\n{result.err.strip()}\n$ {' '.join(result.command)}")
    return {name: ssmc.load(f"out-{name}.npy") for name in outputs}


def _mentions(message, culprit):
    """Whether the culprit occurs, and not as a part of a longer word."""
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(culprit)}(?![A-Za-z0-9_])", message) is not None
