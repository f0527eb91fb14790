"""The recurrences in JAX: blocks of steps, matrix products in place of states, under jax.jit.

The arrangement is torch_ops.py's: prepare() does for a block of steps what needs no state, step()
carries the state over the block. lax.scan runs over the blocks with both in its body ("loop"), or
prepare() is done for all blocks before ("bulk"). Mamba-1 has step() alone, with associative_scan
inside the block.
"""

import jax
import jax.numpy as jnp
import numpy
from jax import lax
from jax.scipy.linalg import solve_triangular


def rows(x):
    return jnp.swapaxes(x.astype(jnp.float32), -3, -2)


def scalars(x):
    return jnp.swapaxes(x.astype(jnp.float32), -2, -1)


def product(formula, a, b, narrow):
    """An einsum with sums in f32; narrow rounds the operands to bf16."""
    if narrow:
        a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return jnp.einsum(formula, a, b, preferred_element_type=jnp.float32)


GRAM = "...ik,...jk->...ij"  # rows of a against rows of b
APPLY = "...ij,...jv->...iv"
UPDATE = "...ik,...iv->...kv"


def head_decays(G):
    """exp(G_i - G_j) for j <= i and 0 above, where a head has one decay."""
    n = G.shape[-1]
    return jnp.exp(jnp.where(jnp.tri(n, dtype=bool), G[..., :, None] - G[..., None, :], -jnp.inf))


def decayed_products(a, b, R, G, narrow, leaf, diagonal=0):
    """sum_k a_ik b_jk exp(R_ik - G_jk) for j <= i + diagonal and 0 above, by halving as in torch_ops.py."""
    n = a.shape[-2]
    if n <= leaf:
        below = jnp.tri(n, k=diagonal, dtype=bool)[:, :, None]
        E = jnp.exp(jnp.where(below, R[..., :, None, :] - G[..., None, :, :], -jnp.inf))
        return (a[..., :, None, :] * b[..., None, :, :] * E).sum(-1)
    h = n // 2
    border = G[..., h - 1 : h, :]
    later = a[..., h:, :] * jnp.exp(R[..., h:, :] - border)
    earlier = b[..., :h, :] * jnp.exp(border - G[..., :h, :])
    below = product(GRAM, later, jnp.broadcast_to(earlier, later.shape), narrow)
    # Halves lie along the first axis: XLA's CPU back end aborts on products of arrays with eight axes.
    halves = [jnp.concatenate([x[..., :h, :], x[..., h:, :]], 0) for x in (a, b, R, G)]
    first, second = jnp.split(decayed_products(*halves, narrow, leaf, diagonal), 2, 0)
    top = jnp.concatenate([first, jnp.zeros_like(first)], -1)
    return jnp.concatenate([top, jnp.concatenate([below, second], -1)], -2)


def solve(M, right):
    """The x with (I + M) x = right, for M that is zero on and above the diagonal."""
    return solve_triangular(M, right, lower=True, unit_diagonal=True)


def feedback(M, bulk):
    if not bulk:
        return {"M": M}
    return {"inverse": solve(M, jnp.broadcast_to(jnp.eye(M.shape[-1], dtype=M.dtype), M.shape))}


def eliminate(p, right, narrow):
    return product(APPLY, p["inverse"], right, narrow) if "inverse" in p else solve(p["M"], right)


# ---------------------------------------------------------------------------------------------
# Without feedback
# ---------------------------------------------------------------------------------------------


def mamba2_prepare(x, narrow, bulk, leaf):
    X = rows(x["x"])
    B, C = (x[n].astype(jnp.float32)[..., 0, :] for n in "BC")  # shared by all heads
    dt = scalars(x["dt"])
    G = jnp.cumsum(dt * x["A"].astype(jnp.float32)[:, None], -1)
    last, u = G[..., -1:], dt[..., None] * X
    read = product(GRAM, C, B, narrow)[..., None, :, :] * head_decays(G)
    return {
        "own": product(APPLY, read, u, narrow) + x["D"].astype(jnp.float32)[:, None, None] * X,
        "B": B,
        "C": C,
        "since": jnp.exp(G)[..., None],
        "u": jnp.exp(last - G)[..., None] * u,
        "decay": jnp.exp(last)[..., None],
    }


def mamba2_step(S, p, narrow):
    y = p["own"] + p["since"] * product("...in,...hpn->...hip", p["C"], S, narrow)
    return p["decay"] * S + product("...hip,...in->...hpn", p["u"], p["B"], narrow), jnp.swapaxes(y, -3, -2)


def gla_prepare(x, narrow, bulk, leaf):
    q, k, v = (rows(x[n]) for n in "qkv")
    G = jnp.cumsum(rows(x["g"]), -2)
    last = G[..., -1:, :]
    return {
        "own": product(APPLY, decayed_products(q, k, G, G, narrow, leaf), v, narrow),
        "q": jnp.exp(G) * q,
        "k": jnp.exp(last - G) * k,
        "v": v,
        "decay": jnp.exp(last.mT),
    }


def rwkv6_prepare(x, narrow, bulk, leaf):
    r, k, v, w = (rows(x[n]) for n in "rkvw")
    G = jnp.cumsum(w, -2)
    R, last = G - w, G[..., -1:, :]
    read = decayed_products(r, k, R, G, narrow, leaf, diagonal=-1)
    bonus = (r * x["u"].astype(jnp.float32)[:, None, :] * k).sum(-1, keepdims=True)
    return {
        "own": product(APPLY, read, v, narrow) + bonus * v,
        "q": jnp.exp(R) * r,
        "k": jnp.exp(last - G) * k,
        "v": v,
        "decay": jnp.exp(last.mT),
    }


def attention_step(S, p, narrow):
    o = p["own"] + product(APPLY, p["q"], S, narrow)
    return p["decay"] * S + product(UPDATE, p["k"], p["v"], narrow), jnp.swapaxes(o, -3, -2)


# ---------------------------------------------------------------------------------------------
# With feedback
# ---------------------------------------------------------------------------------------------


def gated_delta_rule_prepare(x, narrow, bulk, leaf):
    q, k, v = (rows(x[n]) for n in "qkv")
    G, beta = jnp.cumsum(scalars(x["g"]), -1), scalars(x["beta"])[..., None]
    L, last, since = head_decays(G), G[..., -1:], jnp.exp(G)[..., None]
    return {
        **feedback(jnp.tril(product(GRAM, beta * k, k, narrow) * L, -1), bulk),
        "read": product(GRAM, q, k, narrow) * L,
        "v": beta * v,
        "predict": beta * since * k,
        "q": since * q,
        "k": jnp.exp(last - G)[..., None] * k,
        "decay": jnp.exp(last)[..., None],
    }


def kda_prepare(x, narrow, bulk, leaf):
    q, k, v = (rows(x[n]) for n in "qkv")
    G, beta = jnp.cumsum(rows(x["g"]), -2), scalars(x["beta"])[..., None]
    last = G[..., -1:, :]
    once = [y[..., None, :, :] for y in (k, G, G)]
    both = decayed_products(jnp.stack([beta * k, q], -3), *once, narrow, leaf)
    return {
        **feedback(jnp.tril(both[..., 0, :, :], -1), bulk),
        "read": both[..., 1, :, :],
        "v": beta * v,
        "predict": beta * jnp.exp(G) * k,
        "q": jnp.exp(G) * q,
        "k": jnp.exp(last - G) * k,
        "decay": jnp.exp(last.mT),
    }


def delta_step(S, p, narrow):
    U = eliminate(p, p["v"] - product(APPLY, p["predict"], S, narrow), narrow)
    o = product(APPLY, p["q"], S, narrow) + product(APPLY, p["read"], U, narrow)
    return p["decay"] * S + product(UPDATE, p["k"], U, narrow), jnp.swapaxes(o, -3, -2)


def rwkv7_prepare(x, narrow, bulk, leaf):
    """w > -0.61, so that half a block of 64 steps decays by no more than exp(20): it has one reference, its middle."""
    r, w, k, v, a, b = (rows(x[n]) for n in "rwkvab")
    G = jnp.cumsum(w, -2)
    C, R, last = G.shape[-2], G - w, G[..., -1:, :]
    middle = G[..., C // 2 - 1 : C // 2, :]
    left = jnp.concatenate([a * jnp.exp(R - middle), r * jnp.exp(G - middle)], -2)
    right = jnp.concatenate([b * jnp.exp(middle - G), k * jnp.exp(middle - G)], -2)
    grams = product(GRAM, left, right, narrow)
    rest = jnp.exp(last - G)
    return {
        **feedback(-jnp.tril(grams[..., :C, :C], -1), bulk),
        "seen": product(APPLY, jnp.tril(grams[..., :C, C:], -1), v, narrow),
        "own": product(APPLY, jnp.tril(grams[..., C:, C:]), v, narrow),
        "read": jnp.tril(grams[..., C:, :C]),
        "a": jnp.exp(R) * a,
        "r": jnp.exp(G) * r,
        "bk": jnp.concatenate([b * rest, k * rest], -2),
        "v": v,
        "decay": jnp.exp(last.mT),
    }


def rwkv7_step(S, p, narrow):
    P = eliminate(p, product(APPLY, p["a"], S, narrow) + p["seen"], narrow)
    o = product(APPLY, p["r"], S, narrow) + product(APPLY, p["read"], P, narrow) + p["own"]
    update = product(UPDATE, p["bk"], jnp.concatenate([P, p["v"]], -2), narrow)
    return p["decay"] * S + update, jnp.swapaxes(o, -3, -2)


# ---------------------------------------------------------------------------------------------
# Mamba-1
# ---------------------------------------------------------------------------------------------


def mamba1_inputs(x):
    """Without the axis of heads, of which there is one. Channels come last: they are many, and nothing is summed over them."""
    u, dt, B, C = (x[n].astype(jnp.float32).squeeze(-2) for n in ("u", "dt", "B", "C"))
    return u, dt, B, C, x["A"][0].astype(jnp.float32).T, x["D"].astype(jnp.float32) * u


def mamba1_steps(h, x):
    """One step after another."""
    u, dt, B, C, A, Du = mamba1_inputs(x)

    def step(h, now):
        decay, added = now
        h = decay * h + added
        return h, h

    decays, added = jnp.exp(dt[..., None, :] * A), (dt * u)[..., None, :] * B[..., None]
    h, states = lax.scan(step, h[:, 0].mT, [jnp.moveaxis(v, 1, 0) for v in (decays, added)])
    return h.mT[:, None], (jnp.einsum("tbnp,btn->btp", states, C) + Du)[..., None, :]


def mamba1_scan(h, x):
    u, dt, B, C, A, Du = mamba1_inputs(x)
    a, b = jnp.exp(dt[..., None, :] * A), (dt * u)[..., None, :] * B[..., None]
    a, b = lax.associative_scan(lambda first, second: (first[0] * second[0], second[0] * first[1] + second[1]), (a, b), axis=1)
    states = a * h[:, 0].mT[:, None] + b
    return states[:, -1].mT[:, None], ((states * C[..., None]).sum(-2) + Du)[..., None, :]


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


def build(op, params, arrangement, chunk, narrow, leaf):
    """A jitted function of (inputs [B, T, ...], state) that returns (outputs, state)."""

    def run(x, S):
        fixed, kind = {n: x[n] for n in params}, next(iter(x.values())).dtype
        # [B, T, ...] to [blocks, B, chunk, ...]
        blocks = {n: jnp.moveaxis(v.reshape(v.shape[0], -1, chunk, *v.shape[2:]), 1, 0) for n, v in x.items() if n not in params}
        if op in STEPS:
            body = lambda S, x: STEPS[op][arrangement](S, {**x, **fixed})
        else:
            prepare, step = PRODUCTS[op]
            if arrangement == "loop":
                body = lambda S, x: step(S, prepare({**x, **fixed}, narrow, False, leaf), narrow)
            else:
                blocks = prepare({**blocks, **fixed}, narrow, True, leaf)
                body = lambda S, p: step(S, p, narrow)

        def rounded(S, block):
            S, o = body(S, block)
            return S, o.astype(kind)

        S, o = lax.scan(rounded, S, blocks)
        o = jnp.moveaxis(o, 0, 1)
        return o.reshape(o.shape[0], -1, *o.shape[3:]), S

    return jax.jit(run)


def variants(op, chunks, narrow):
    """(arrangement, block length, 16-bit products). The last pay only where the processor has them."""
    if op in STEPS:
        return [(a, c, False) for a in STEPS[op] for c in chunks]
    return [(a, c, n) for a in ("loop", "bulk") for c in chunks for n in ((False, True) if narrow else (False,))]


class Peer:
    """JAX under jax.jit, on as many threads as the process has processors."""

    name = "JAX"

    def __init__(self, threads):
        self.version = jax.__version__

    def arrays(self, inputs, state, dtype):
        kind = {"f32": jnp.float32, "bf16": jnp.bfloat16}[dtype]
        return {n: jnp.asarray(v, kind) for n, v in inputs.items()}, jnp.asarray(state)

    def function(self, op, params, variant, leaf, arrays):
        run = build(op, params, *variant, leaf)
        return lambda: run(*arrays), ""

    def finish(self, result):
        return jax.block_until_ready(result)

    def numpy(self, array):
        return numpy.asarray(array.astype(jnp.float32)).astype(numpy.float64)

    def gradients(self, op, params, variant, leaf, arrays):
        """Outputs, and gradients of all inputs for cotangents of ones."""
        run = build(op, params, *variant, leaf)

        def both(x, S):
            result, back = jax.vjp(run, x, S)
            return result, *back(jax.tree.map(jnp.ones_like, result))

        both = jax.jit(both)
        return lambda: both(*arrays)
