"""Inputs of a case, and what its recurrence makes of them step by step in f64."""

import importlib.util
import pathlib
import sys

import numpy as np

CPU = pathlib.Path(__file__).resolve().parent.parent / "cpu" / "run.py"


def load_cpu():
    """bench/cpu/run.py as a module: shapes, the step in NumPy, ggml and the machine are its own."""
    if "bench_cpu" not in sys.modules:
        spec = importlib.util.spec_from_file_location("bench_cpu", CPU)
        module = sys.modules["bench_cpu"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["bench_cpu"]


STATE = {"mamba1": "h", "mamba2": "h"}
PARAMS = {"mamba1": {"A", "D"}, "mamba2": {"A", "D"}, "rwkv6": {"u"}}


def state_name(op):
    return STATE.get(op, "S")


def params(op):
    return PARAMS.get(op, set())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(x, 0)


def inputs(op, dims, heads, batch, time, seed=1):
    """Values of the sizes that the models make, f32. One log-decay in a hundred is strong where the op does not bound it."""
    rng = np.random.default_rng(seed)
    token = (batch, time, heads)

    def normal(*shape):
        return rng.standard_normal(shape)

    def unit(*shape):
        x = normal(*shape)
        return x / np.sqrt((x * x).sum(-1, keepdims=True))

    def decays(*shape):
        return -softplus(normal(*shape) - 3) * np.where(rng.random(shape) < 0.01, 100, 1)

    if op in ("mamba1", "mamba2"):
        P, N = dims["P"], dims["N"]
        x = {"B": normal(batch, time, 1, N), "C": normal(batch, time, 1, N) / np.sqrt(N), "h": normal(batch, heads, P, N)}
        if op == "mamba1":
            x.update(u=normal(*token, P), dt=softplus(normal(*token, P) - 3), D=normal(heads, P))
            x.update(A=-np.broadcast_to(np.arange(1.0, N + 1), (heads, P, N)))
        else:
            x.update(x=normal(*token, P), dt=softplus(normal(*token) - 3), D=normal(heads), A=-np.exp(normal(heads)))
    else:
        K, V = dims["K"], dims["V"]
        x = {"k": unit(*token, K), "v": normal(*token, V), "S": normal(batch, heads, K, V)}
        x["r" if "rwkv" in op else "q"] = unit(*token, K)
        if op in ("gated_delta_rule", "kda"):
            x["g"] = decays(*token) if op == "gated_delta_rule" else decays(*token, K)
            x["beta"] = sigmoid(normal(*token))
        elif op == "gla":
            x["g"] = decays(*token, K)
        elif op == "rwkv6":
            x["w"], x["u"] = decays(*token, K), normal(heads, K)
        else:
            kappa = unit(*token, K)
            x["w"] = -np.exp(-0.5) * sigmoid(normal(*token, K))
            x["a"], x["b"] = -kappa, kappa * sigmoid(normal(*token, K))
    return {n: np.ascontiguousarray(v, dtype=np.float32) for n, v in x.items()}


def to_bf16(x):
    """The nearest numbers that bf16 has, ties to even, still as f32."""
    bits = x.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def some_heads(heads):
    """Heads do not meet: the first and the last of them stand for all."""
    return sorted({0, heads - 1})


def expected(op, x, some):
    """Outputs and last state of some heads, one step after another in f64."""

    def pick(name, v):
        v = v.astype(np.float64)
        if name in params(op):
            return v[some]
        if name == state_name(op):
            return v[:, some]
        return v if name in ("B", "C") else v[:, :, some]

    a = {n: pick(n, v) for n, v in x.items()}
    result = load_cpu().numpy_step(op, a, np)
    output, state = result["y" if state_name(op) == "h" else "o"], result[state_name(op)]
    if "D" in a:  # which bench/cpu leaves out
        D = a["D"] if op == "mamba1" else a["D"][:, None]
        output = output + D * a["u" if op == "mamba1" else "x"]
    return output, state


def slope(op, x, heads, seed=2, step=1e-6):
    """A direction in the space of all inputs, and the slope along it of the sum of all outputs and states."""
    rng = np.random.default_rng(seed)
    direction = {n: rng.standard_normal(v.shape) for n, v in x.items()}

    def total(sign):
        moved = {n: v + sign * step * direction[n] for n, v in x.items()}
        return sum(r.sum() for r in expected(op, moved, range(heads)))

    return direction, (total(1) - total(-1)) / (2 * step)


def error(got, wanted):
    return float(np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2)))
