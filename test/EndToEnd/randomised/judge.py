"""Runs a declaration through ssmc in all ways and says what is wrong with it."""

import json
import subprocess
import warnings
from dataclasses import dataclass

import numpy as np

from comparison import Mismatch, agree
from precision import doubled

from .meaning import Meaning
from .tree import Delay, source

BOUND = 1e-5
EXACT = 1e-9
EMITS = ("ssm", "normal", "form", "tile", "llvm", "obj")


class Failure(Exception):
    """`kind` is what is wrong in a word or two, the same for what has the same cause."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Unfit(Exception):
    """The declaration or its data cannot judge a compiler."""


@dataclass(frozen=True)
class Shape:
    batch: int
    heads: int
    groups: int
    extents: tuple[int, ...]


def inputs_of(recurrence, shape, seed):
    rng = np.random.default_rng(seed)
    result = {}
    for operand in recurrence.operands:
        if operand.section == "state":
            continue
        lead = {"head": (shape.heads,), "group": (shape.groups,), "shared": ()}[operand.scope]
        dims = tuple(recurrence.size(dim) for dim in operand.dims)
        time = () if operand.section == "param" else (shape.batch, *shape.extents)
        full = (*time, *lead, *dims)
        drawn = rng.standard_normal(full)
        if operand.kind == "bool":
            result[operand.name] = drawn > 0.8
        elif operand.kind == "int":
            result[operand.name] = rng.integers(-1, 3, full).astype(np.int32)
        elif operand.kind == "complex":
            result[operand.name] = (drawn + 1j * rng.standard_normal(full)).astype(np.complex64) * np.float32(0.7)
        else:
            result[operand.name] = drawn.astype(np.float32)
    return result


class Judge:
    def __init__(self, ssmc, recurrence, shape, seed, opt=None):
        self.ssmc, self.rec, self.shape, self.opt = ssmc, recurrence, shape, opt
        (ssmc.folder / "d.ssm").write_text(source(recurrence))
        self.inputs = inputs_of(recurrence, shape, seed)
        self.outs = [s.name for s in recurrence.statements if s.kind == "out"]
        self.states = [o.name for o in recurrence.of("state")] if len(recurrence.time) == 1 else []

    # -- Running --

    def arguments(self, shape):
        bound = ",".join(f"{name}={size}" for name, size in self.rec.bound().items())
        result = ["--name", self.rec.name] if self.rec.others else []
        return result + (["--dims", bound] if bound else [])

    def checked(self, what, *arguments, **options):
        try:
            result = self.ssmc(*arguments, **options)
        except subprocess.TimeoutExpired:
            raise Failure(f"{what} hangs", "") from None
        if result.code == 2:
            raise Failure(f"{what} refuses", result.err.strip()[:1500])
        if result.code != 0:
            kind = result.err.strip().splitlines()
            raise Failure(f"{what} breaks", f"exit {result.code}\n{result.err.strip()[:1500]}" if kind else "")
        return result

    def run(self, target, *extra, shape=None, inputs=None, states=None, threads=1, tag="o", keep_states=True):
        shape = shape or self.shape
        arguments = ["run", "d.ssm", *self.arguments(shape), "--target", target, "--batch", shape.batch,
                     "--heads", shape.heads, "--groups", shape.groups, "--time", ",".join(map(str, shape.extents)),
                     "--threads", threads]
        for name, array in (inputs or self.inputs).items():
            arguments += ["--in", f"{name}={self.ssmc.save(f'in.{name}', array)}"]
        for name in self.outs:
            arguments += ["--out", f"{name}={tag}.{name}.npy"]
        hidden = self.hidden if keep_states else []
        for name in hidden:
            arguments += ["--state-out", f"{name}={tag}.state.{name}.npy"]
        for name, array in (states or {}).items():
            arguments += ["--state-in", f"{name}={self.ssmc.save(f'state-in.{name}', array)}"]
        self.checked(f"run {target.split(':')[0]}", *arguments, *extra, threads=threads)
        outs = {name: self.ssmc.load(f"{tag}.{name}.npy") for name in self.outs}
        return outs, {name: self.ssmc.load(f"{tag}.state.{name}.npy") for name in hidden}

    @property
    def hidden(self):
        """All states, those of delays too."""
        if not hasattr(self, "_hidden"):
            self._hidden = []
            if self.states or len(self.rec.time) == 1:
                self.checked("run reference", "run", "d.ssm", *self.arguments(self.shape), "--target", "reference",
                             "--batch", 1, "--heads", max(1, self.shape.groups), "--groups", self.shape.groups,
                             "--time", 1, "--json", "j.json")
                listed = json.loads((self.ssmc.folder / "j.json").read_text())
                self._hidden = [entry["name"] for entry in listed if entry["kind"] == "state"]
        return self._hidden

    # -- Comparing --

    def meaning(self, real, states=None):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            meaning = Meaning(self.rec, self.inputs, self.shape.batch, self.shape.heads, self.shape.extents, real,
                              states)
            outs = meaning.outputs()
            finals = meaning.final_states() if self.states else {}
            return outs, finals

    def repeat(self, kind):
        """Only the checks that can fail in this way."""
        if kind.startswith(("emit", "round")):
            self.emit([word for word in EMITS if word in kind.split()])
            return
        if kind.startswith("run reference"):
            self.run("reference", tag="ref", keep_states=False)
            return
        if kind.startswith("run cpu"):
            self.run("cpu", tag="cpu", keep_states=False)
            return
        self.judge(2 if kind.startswith(("cpu threads", "cpu:", "cpu split")) else 1)

    def judge(self, level=2):
        """Level 0: the CPU by the NumPy meaning. 1: also the reference, and the states of delays. 2: all."""
        if level == 0:
            self._hidden = self.states
        right = self.meaning(np.float64)
        for part in right:
            for name, array in part.items():
                if np.isnan(array).any() or np.abs(array[np.isfinite(array)]).max(initial=0) > 1e6:
                    raise Unfit(f"{name} is not finite or large")
        rough = self.meaning(np.float32)
        bounds = [{name: max(BOUND, 5 * self.error(rough[at].get(name, right[at][name]), right[at][name]))
                   for name in right[at]} for at in (0, 1)]
        if max((bound for part in bounds for bound in part.values()), default=0) > 1e-3:
            raise Unfit("badly conditioned in f32")

        if level:
            reference = self.run("reference", tag="ref", inputs={n: doubled(a) for n, a in self.inputs.items()})
            self.compare("reference", reference, right, [dict.fromkeys(p, EXACT) for p in right])
        host = self.run("cpu", tag="cpu")
        self.compare("cpu", host, right, bounds)
        if not level:
            return
        for name in self.hidden:
            self.close("cpu", f"state {name}", host[1][name], reference[1][name],
                       max(bounds[1].get(name, 0), 5 * BOUND))
        if level < 2:
            return
        self.same("cpu threads", host, self.run("cpu", threads=2, tag="two"))
        for features in ("", ":+avx2,+fma"):
            other = self.run("cpu:x86_64-linux-gnu" + features, tag="other")
            self.compare("cpu" + (features or ":plain"), other, right, bounds)
        self.split(host, bounds)

    @staticmethod
    def error(x, reference):
        x, reference = x.astype(np.complex128), reference.astype(np.complex128)
        finite = np.isfinite(reference)
        off = np.abs(np.where(finite, x, 0) - np.where(finite, reference, 0))
        size = np.sqrt(np.mean(np.abs(reference[finite]) ** 2)) if finite.any() else 0
        return float(np.sqrt(np.mean(off ** 2)) / size) if size else 0.0

    def compare(self, what, found, right, bounds):
        for part in (0, 1):
            for name, array in right[part].items():
                if name in found[part]:
                    self.close(what, name, found[part][name], array, bounds[part][name])

    @staticmethod
    def close(what, name, found, right, bound):
        size = np.abs(right[np.isfinite(right)]).max(initial=0) if right.size else 0
        if size < 1e-30:
            bound = np.inf if np.abs(found[np.isfinite(found)]).max(initial=0) < 1e-6 else bound
        try:
            agree(name, found, right, bound)
        except Mismatch as mismatch:
            word = "is NaN" if "NaN" in str(mismatch) else "has a wrong shape" if "shape" in str(mismatch) else \
                "has a wrong kind" if "dtype" in str(mismatch) else "is wrong"
            raise Failure(f"{what} {word}", str(mismatch)) from None

    @staticmethod
    def same(what, a, b):
        for mine, its in zip(a, b):
            for name in mine:
                if mine[name].tobytes() != its[name].tobytes():
                    raise Failure(f"{what} differ", name)

    def split(self, host, bounds):
        """Two spans, the second from the states of the first, are the whole."""
        tokens = self.shape.extents[0]
        ahead = any(isinstance(n, Delay) and n.steps[0][1] < 0 for s in self.rec.statements for n in s.value.walk())
        if len(self.rec.time) > 1 or tokens < 2 or ahead:
            return
        cut = tokens // 2 | 1 if tokens > 2 else 1
        spans, states = [], None
        for first, last in ((0, cut), (cut, tokens)):
            inputs = {o.name: self.inputs[o.name] if o.section == "param" else self.inputs[o.name][:, first:last]
                      for o in self.rec.operands if o.section != "state"}
            shape = Shape(self.shape.batch, self.shape.heads, self.shape.groups, (last - first,))
            outs, states = self.run("cpu", shape=shape, inputs=inputs, states=states, tag=f"part{first}")
            spans.append(outs)
        for name in self.outs:
            whole = np.concatenate([span[name] for span in spans], axis=1)
            self.close("cpu split", name, whole, host[0][name].astype(whole.dtype), bounds[0][name])
        for name in self.hidden:
            self.close("cpu split", f"state {name}", states[name], host[1][name],
                       max(bounds[1].get(name, 0), 5 * BOUND))

    def emit(self, kinds=EMITS):
        for kind in kinds:
            self.checked(f"emit {kind}", "d.ssm", *self.arguments(self.shape), "--emit", kind, "-o", f"e.{kind}")
            if self.opt and kind in ("ssm", "normal", "form", "tile"):
                first = (self.ssmc.folder / f"e.{kind}").read_text()
                done = subprocess.run([self.opt, f"e.{kind}"], cwd=self.ssmc.folder, capture_output=True, text=True)
                if done.returncode:
                    raise Failure(f"round trip of {kind}", done.stderr[:800])
                again = subprocess.run([self.opt, "-"], input=done.stdout, cwd=self.ssmc.folder, capture_output=True,
                                       text=True)
                if again.stdout != done.stdout:
                    raise Failure(f"round trip of {kind} changes", "")
