"""The recurrences in PyTorch: blocks of steps, matrix products in place of states, under torch.compile.

Each op is a pair. prepare() does for a block of steps what needs no state, step() carries the state
over the block and returns its outputs. Both accept any leading axes, so that prepare() serves one
block at a time ("loop") or all of them at once ("bulk"). Mamba-1, whose decays admit no matrix
products, has step() alone.

Arrays of a block are [..., C, H, D] or [..., C, H] as in memory, and [..., H, C, D] inside. S is the
state before the block, G_t the sum of the log-decays up to step t. A decay is formed as exp of a
difference that is at most zero, except where the op itself bounds it (RWKV-7).
"""

import torch


def rows(x):
    return x.float().transpose(-3, -2)


def scalars(x):
    return x.float().transpose(-2, -1)


def product(a, b, narrow):
    """a b with sums in f32; narrow rounds the operands, and with them the result, to bf16."""
    return (a.bfloat16() @ b.bfloat16()).float() if narrow else a @ b


def lower(n, diagonal=0):
    return torch.ones(n, n, dtype=torch.bool).tril(diagonal)


def head_decays(G):
    """exp(G_i - G_j) for j <= i and 0 above, where a head has one decay."""
    return (G[..., :, None] - G[..., None, :]).masked_fill(~lower(G.shape[-1]), -torch.inf).exp()


def decayed_products(a, b, R, G, narrow, leaf, diagonal=0):
    """sum_k a_ik b_jk exp(R_ik - G_jk) for j <= i + diagonal and 0 above, where each channel has a decay.

    A block is halved: a later and an earlier step meet at the border between the halves, and both
    exponents are at most zero. Pairs within leaf steps are summed as they stand.
    """
    n = a.shape[-2]
    if n <= leaf:
        E = (R[..., :, None, :] - G[..., None, :, :]).masked_fill(~lower(n, diagonal)[:, :, None], -torch.inf).exp()
        return (a[..., :, None, :] * b[..., None, :, :] * E).sum(-1)
    h = n // 2
    border = G[..., h - 1 : h, :]
    later = a[..., h:, :] * (R[..., h:, :] - border).exp()
    earlier = b[..., :h, :] * (border - G[..., :h, :]).exp()
    below = product(later, earlier.mT, narrow)
    halves = [x.unflatten(-2, (2, h)) for x in (a, b, R, G)]
    first, second = decayed_products(*halves, narrow, leaf, diagonal).unbind(-3)
    return torch.cat([torch.nn.functional.pad(first, (0, h)), torch.cat([below, second], -1)], -2)


def feedback(M, bulk):
    """What eliminate() needs of M, which is zero on and above the diagonal."""
    if not bulk:
        return {"M": M}
    eye = torch.eye(M.shape[-1]).expand(M.shape)
    return {"inverse": torch.linalg.solve_triangular(M, eye, upper=False, unitriangular=True)}


def eliminate(p, right, narrow):
    """The x with (I + M) x = right."""
    if "inverse" in p:
        return product(p["inverse"], right, narrow)
    return torch.linalg.solve_triangular(p["M"], right, upper=False, unitriangular=True)


# ---------------------------------------------------------------------------------------------
# Without feedback
# ---------------------------------------------------------------------------------------------


def mamba2_prepare(x, narrow, bulk, leaf):
    X = rows(x["x"])
    B, C = (x[n].float().squeeze(-2) for n in "BC")  # shared by all heads
    dt = scalars(x["dt"])
    G = (dt * x["A"].float()[:, None]).cumsum(-1)
    last, u = G[..., -1:], dt[..., None] * X
    read = product(C, B.mT, narrow).unsqueeze(-3) * head_decays(G)
    return {
        "own": product(read, u, narrow) + x["D"].float()[:, None, None] * X,
        "B": B,
        "C": C,
        "since": G.exp()[..., None],
        "u": (last - G).exp()[..., None] * u,
        "decay": last.exp()[..., None],
    }


def mamba2_step(S, p, narrow):
    # One product for all heads: their rows of the state lie behind each other, and so do their columns of u.
    y = product(p["C"], S.flatten(-3, -2).mT, narrow).unflatten(-1, S.shape[-3:-1]).transpose(-3, -2)
    added = product(p["u"].transpose(-2, -1).flatten(-3, -2), p["B"], narrow).unflatten(-2, S.shape[-3:-1])
    return p["decay"] * S + added, (p["own"] + p["since"] * y).transpose(-3, -2)


def gla_prepare(x, narrow, bulk, leaf):
    q, k, v = (rows(x[n]) for n in "qkv")
    G = rows(x["g"]).cumsum(-2)
    last = G[..., -1:, :]
    read = decayed_products(q, k, G, G, narrow, leaf)
    return {"own": product(read, v, narrow), "q": G.exp() * q, "k": (last - G).exp() * k, "v": v, "decay": last.mT.exp()}


def rwkv6_prepare(x, narrow, bulk, leaf):
    r, k, v, w = (rows(x[n]) for n in "rkvw")
    G = w.cumsum(-2)
    R, last = G - w, G[..., -1:, :]
    read = decayed_products(r, k, R, G, narrow, leaf, diagonal=-1)
    bonus = (r * x["u"].float()[:, None, :] * k).sum(-1, keepdim=True)
    own = product(read, v, narrow) + bonus * v
    return {"own": own, "q": R.exp() * r, "k": (last - G).exp() * k, "v": v, "decay": last.mT.exp()}


def attention_step(S, p, narrow):
    o = p["own"] + product(p["q"], S, narrow)
    return p["decay"] * S + product(p["k"].mT, p["v"], narrow), o.transpose(-3, -2)


# ---------------------------------------------------------------------------------------------
# With feedback: what the state is updated by solves a triangular system over the block
# ---------------------------------------------------------------------------------------------


def gated_delta_rule_prepare(x, narrow, bulk, leaf):
    q, k, v = (rows(x[n]) for n in "qkv")
    G, beta = scalars(x["g"]).cumsum(-1), scalars(x["beta"])[..., None]
    L, last, since = head_decays(G), G[..., -1:], G.exp()[..., None]
    return {
        **feedback((product(beta * k, k.mT, narrow) * L).tril(-1), bulk),
        "read": product(q, k.mT, narrow) * L,
        "v": beta * v,
        "predict": beta * since * k,
        "q": since * q,
        "k": (last - G).exp()[..., None] * k,
        "decay": last.exp()[..., None],
    }


def kda_prepare(x, narrow, bulk, leaf):
    q, k, v = (rows(x[n]) for n in "qkv")
    G, beta = rows(x["g"]).cumsum(-2), scalars(x["beta"])[..., None]
    last = G[..., -1:, :]
    once = [y.unsqueeze(-3) for y in (k, G, G)]
    M, read = decayed_products(torch.stack([beta * k, q], -3), *once, narrow, leaf).unbind(-3)
    return {
        **feedback(M.tril(-1), bulk),
        "read": read,
        "v": beta * v,
        "predict": beta * G.exp() * k,
        "q": G.exp() * q,
        "k": (last - G).exp() * k,
        "decay": last.mT.exp(),
    }


def delta_step(S, p, narrow):
    U = eliminate(p, p["v"] - product(p["predict"], S, narrow), narrow)
    o = product(p["q"], S, narrow) + product(p["read"], U, narrow)
    return p["decay"] * S + product(p["k"].mT, U, narrow), o.transpose(-3, -2)


def rwkv7_prepare(x, narrow, bulk, leaf):
    """w > -0.61, so that half a block of 64 steps decays by no more than exp(20): it has one reference, its middle."""
    r, w, k, v, a, b = (rows(x[n]) for n in "rwkvab")
    G = w.cumsum(-2)
    C, R, last = G.shape[-2], G - w, G[..., -1:, :]
    middle = G[..., C // 2 - 1 : C // 2, :]
    left = torch.cat([a * (R - middle).exp(), r * (G - middle).exp()], -2)
    right = torch.cat([b * (middle - G).exp(), k * (middle - G).exp()], -2)
    grams = product(left, right.mT, narrow)
    rest = (last - G).exp()
    return {
        **feedback(-grams[..., :C, :C].tril(-1), bulk),
        "seen": product(grams[..., :C, C:].tril(-1), v, narrow),
        "own": product(grams[..., C:, C:].tril(), v, narrow),
        "read": grams[..., C:, :C].tril(),
        "a": R.exp() * a,
        "r": G.exp() * r,
        "bk": torch.cat([b * rest, k * rest], -2),
        "v": v,
        "decay": last.mT.exp(),
    }


def rwkv7_step(S, p, narrow):
    P = eliminate(p, product(p["a"], S, narrow) + p["seen"], narrow)
    o = product(p["r"], S, narrow) + product(p["read"], P, narrow) + p["own"]
    return p["decay"] * S + product(p["bk"].mT, torch.cat([P, p["v"]], -2), narrow), o.transpose(-3, -2)


# ---------------------------------------------------------------------------------------------
# Mamba-1
# ---------------------------------------------------------------------------------------------


def mamba1_inputs(x):
    """Without the axis of heads, of which there is one."""
    u, dt, B, C = (x[n].squeeze(-2).float() for n in ("u", "dt", "B", "C"))
    return u, dt, B, C, x["A"][0].float(), x["D"].float() * u


def mamba1_steps(h, x):
    """One step after another, unrolled over the block."""
    u, dt, B, C, A, Du = mamba1_inputs(x)
    h, states = h[:, 0], []
    for t in range(u.shape[1]):
        h = (dt[:, t, :, None] * A).exp() * h + (dt[:, t] * u[:, t])[..., None] * B[:, t, None, :]
        states.append(h)
    y = (torch.stack(states, 1) * C[:, :, None, :]).sum(-1) + Du
    return h[:, None], y[..., None, :]


def mamba1_scan(h, x):
    """A scan of pairs of decay and increment, in log2(C) passes over the block's states."""
    u, dt, B, C, A, Du = mamba1_inputs(x)
    a, b = (dt[..., None] * A).exp(), (dt * u)[..., None] * B[:, :, None, :]
    span = 1
    while span < u.shape[1]:
        b = torch.cat([b[:, :span], b[:, span:] + a[:, span:] * b[:, :-span]], 1)
        a = torch.cat([a[:, :span], a[:, span:] * a[:, :-span]], 1)
        span *= 2
    states = a * h + b
    return states[:, None, -1], ((states * C[:, :, None, :]).sum(-1) + Du)[..., None, :]


# ---------------------------------------------------------------------------------------------
# Blocks
# ---------------------------------------------------------------------------------------------

PRODUCTS = {
    "gated_delta_rule": (gated_delta_rule_prepare, delta_step),
    "kda": (kda_prepare, delta_step),
    "gla": (gla_prepare, attention_step),
    "rwkv6": (rwkv6_prepare, attention_step),
    "rwkv7": (rwkv7_prepare, rwkv7_step),
    "mamba2": (mamba2_prepare, mamba2_step),
}
STEPS = {"mamba1": {"steps": mamba1_steps, "scan": mamba1_scan}}


def build(op, params, arrangement, chunk, narrow, leaf, kind, compiled=True):
    """A function of (inputs [B, T, ...], state) that returns (outputs of type kind, state)."""

    def translate(function):
        return torch.compile(function, dynamic=False, fullgraph=True) if compiled else function

    def rounded(step):
        def run(S, x):
            S, o = step(S, x)
            return S, o.to(kind)

        return translate(run)

    def over_blocks(step, S, blocks, fixed):
        outputs = []
        for values in zip(*blocks.values()):
            S, o = step(S, {**dict(zip(blocks, values)), **fixed})
            outputs.append(o)
        return torch.cat(outputs, 1), S

    def of_tokens(x):
        return {n: v for n, v in x.items() if n not in params}

    if op in STEPS or arrangement == "loop":
        if op in STEPS:
            step = rounded(STEPS[op][arrangement])
        else:
            prepare, after = PRODUCTS[op]
            step = rounded(lambda S, x: after(S, prepare(x, narrow, False, leaf), narrow))
        return lambda x, S: over_blocks(
            step, S, {n: v.split(chunk, 1) for n, v in of_tokens(x).items()}, {n: x[n] for n in params}
        )

    prepare, after = PRODUCTS[op]
    prepare_all = translate(lambda x: prepare(x, narrow, True, leaf))
    step = rounded(lambda S, p: after(S, p, narrow))

    def bulk(x, S):
        blocks = {n: v.unflatten(1, (-1, chunk)) for n, v in of_tokens(x).items()}
        prepared = prepare_all({**blocks, **{n: x[n] for n in params}})
        return over_blocks(step, S, {n: v.unbind(1) for n, v in prepared.items()}, {})

    return bulk


def variants(op, chunks, narrow):
    """(arrangement, block length, 16-bit products). The last pay only where the processor has them."""
    if op in STEPS:
        return [(a, c, False) for a in STEPS[op] for c in chunks]
    return [(a, c, n) for a in ("loop", "bulk") for c in chunks for n in ((False, True) if narrow else (False,))]


class Peer:
    """PyTorch under torch.compile, or eager where that fails."""

    name = "PyTorch"

    def __init__(self, threads):
        torch.set_num_threads(threads)
        torch._dynamo.config.recompile_limit = 100  # all variants are translations of the same few functions
        self.version = torch.__version__

    def arrays(self, inputs, state, dtype):
        kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
        x = {n: torch.from_numpy(v).to(kind) for n, v in inputs.items()}
        return x, torch.from_numpy(state)

    def function(self, op, params, variant, leaf, arrays):
        """A function of no arguments, and what there is to say about it."""
        x, S = arrays
        kind = next(iter(x.values())).dtype

        def bind(compiled):
            run = build(op, params, *variant, leaf, kind, compiled)
            return torch.no_grad()(lambda: run(x, S))

        try:
            result = bind(True)
            result()
            return result, ""
        except Exception as error:  # whatever the compiler or the C++ compiler behind it raises
            return bind(False), f"eager, since torch.compile failed: {type(error).__name__}: {str(error)[:300]}"

    def finish(self, result):
        return result

    def numpy(self, tensor):
        return tensor.double().numpy()

    def gradients(self, op, params, variant, leaf, arrays):
        """Outputs, and gradients of all inputs for cotangents of ones."""
        x, S = ({n: v.clone().requires_grad_() for n, v in arrays[0].items()}, arrays[1].clone().requires_grad_())
        run = build(op, params, *variant, leaf, next(iter(x.values())).dtype)

        def both():
            result = run(x, S)
            *dx, dS = torch.autograd.grad(result, (*x.values(), S), [torch.ones_like(r) for r in result])
            return result, dict(zip(x, dx)), dS

        return both
