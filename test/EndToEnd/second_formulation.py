"""Checks the NumPy steps of the test cases against a second formulation: attention matrices, products of transition
matrices, convolutions, the papers' unstabilised forms. Needs no compiler.

    python3 second_formulation.py [NAME...]
"""

import sys
from types import SimpleNamespace

import numpy as np

from cases import registry
from comparison import Mismatch, agree
from forms.algebra import FORMS, attention, form, per_key, products
from precision import doubled, rounded

BOUND = 1e-10


@form("linear_attention", "linear_attention_normalised", "retnet", "lightning_attention", "gla", "hgrn2", "gateloop",
      "reset_attention")
def gated_attention(x, p, name):
    decay = {
        "retnet": lambda: per_key(p.gamma),
        "lightning_attention": lambda: per_key(np.exp(-p.s)),
        "gla": lambda: np.exp(x.g),
        "hgrn2": lambda: np.exp(x.g),
        "gateloop": lambda: np.exp(-np.log1p(np.exp(-x.alpha)) + 1j * x.beta),
        "reset_attention": lambda: per_key(np.where(x.reset, 0, np.exp(x.g))),
    }.get(name, lambda: 1.0)()
    k = 1 - decay if name == "hgrn2" else x.k
    o = attention(x.q, k, x.v, decay)
    if name == "linear_attention_normalised":
        o = o / attention(x.q, k, np.ones_like(x.v[..., :1]), decay)
    return dict(o=o.real)


@form("rwkv6")
def rwkv6(x, p, name):
    """The read is one token behind the write: attention to the past with the decay since the write divided out."""
    before = np.concatenate([np.zeros_like(x.k[:, :1]), x.k[:, :-1]], 1), \
        np.concatenate([np.zeros_like(x.v[:, :1]), x.v[:, :-1]], 1)
    decay = np.concatenate([np.ones_like(x.w[:, :1]), np.exp(x.w[:, :-1])], 1)
    bonus = np.sum(x.r * p.u * x.k, -1, keepdims=True) * x.v
    return dict(o=attention(x.r, *before, decay) + bonus)


@form("deltanet", "gated_delta_rule", "kda", "gated_delta_product", "rwkv7")
def transition_matrices(x, p, name):
    """S_t = A_t S_{t-1} + U_t with the K x K matrix A_t written out."""
    batch, tokens, heads, K = (x.r if name == "rwkv7" else x.q).shape
    eye = np.eye(K)

    def steps():
        """The pairs (k, v, beta) of every token, with an axis for the steps inside it."""
        if name == "gated_delta_product":
            return x.k, x.v, x.beta
        return x.k[..., None, :], x.v[..., None, :], x.beta[..., None]

    if name == "rwkv7":
        A = eye * np.exp(x.w)[..., None, :] + np.einsum("...i,...l->...il", x.b, x.a)
        U = np.einsum("...i,...j->...ij", x.k, x.v)
        q = x.r
    else:
        g = {"deltanet": 0.0, "kda": getattr(x, "g", None)}.get(name, per_key(getattr(x, "g", np.zeros(()))))
        A = np.broadcast_to(eye * np.exp(np.broadcast_to(g, x.q.shape))[..., None, :], (*x.q.shape, K))
        U = 0.0
        k, v, beta = steps()
        for j in range(k.shape[-2]):
            reflect = eye - beta[..., j, None, None] * np.einsum("...i,...l->...il", k[..., j, :], k[..., j, :])
            A = reflect @ A
            U = reflect @ U if j else U
            U = U + beta[..., j, None, None] * np.einsum("...i,...j->...ij", k[..., j, :], v[..., j, :])
        q = x.q
    o = np.empty((batch, tokens, heads, U.shape[-1]))
    S = np.zeros(U[:, 0].shape)
    for t in range(tokens):
        S = A[:, t] @ S + U[:, t]
        o[:, t] = np.einsum("bhij,bhi->bhj", S, q[:, t])
    return dict(o=o)


@form("hgrn", "mingru", "rg_lru")
def elementwise(x, p, name):
    if name == "hgrn":
        a, b = np.exp(x.g), x.x
    elif name == "mingru":
        z = 1 / (1 + np.exp(-x.gate))
        a, b = 1 - z, z * x.x
    else:
        log_a = -8 * np.log1p(np.exp(p.Lambda)) / (1 + np.exp(-x.r))
        a, b = np.exp(log_a), np.sqrt(-np.expm1(2 * log_a)) / (1 + np.exp(-x.i)) * x.x
    return {"y" if name == "rg_lru" else "o": np.einsum("btshd,bshd->bthd", products(a), b)}


@form("s4d", "s5", "lru")
def convolution(x, p, name):
    """Constant in time, so the output is a convolution with the kernel C A^l B."""
    lags = np.arange(x.u.shape[1])
    if name == "s4d":
        lam = np.exp(p.dt[..., None] * p.A)
        weight = 2 * p.C * p.B * (lam - 1) / p.A
        kernel = np.einsum("hpn,lhpn->lhp", weight, lam ** lags[:, None, None, None]).real
        mix = np.einsum("lhp,po->lhop", kernel, np.eye(kernel.shape[-1]))
    else:
        if name == "s5":
            lam = np.exp(p.Lambda * p.dt)
            scale = 2 * (lam - 1) / p.Lambda
        else:
            lam = np.exp(-np.exp(p.nu_log)) * np.exp(1j * np.exp(p.theta_log))
            scale = np.exp(p.gamma_log)
        mix = np.einsum("hon,hn,lhn,hnp->lhop", p.C, scale, lam ** lags[:, None, None], p.B).real
    y = p.D * x.u
    for lag in lags:
        y[:, lag:] += np.einsum("hop,bthp->btho", mix[lag], x.u[:, : len(lags) - lag])
    return dict(y=y)


@form("mamba1", "mamba2")
def selective_scan(x, p, name):
    if name == "mamba1":
        a, b = np.exp(x.dt[..., None] * p.A), (x.dt * x.u)[..., None] * x.B[..., None, :]
        skip = p.D * x.u
    else:
        b = (per_key(x.dt) * x.x)[..., None] * x.B[..., None, :]
        a = np.broadcast_to(np.exp(x.dt * p.A)[..., None, None], b.shape)
        skip = p.D[..., None] * x.x
    return dict(y=np.einsum("bthn,btshpn,bshpn->bthp", x.C, products(a), b) + skip)


@form("mamba3_siso")
def rotated_keys(x, p, name):
    """Real pairs: B and C rotated by the cumulative angle, scalar decay, each write scaled by both its trapezoids."""
    angle = np.cumsum(np.pi * per_key(x.dt) * np.tanh(x.theta), axis=1)
    lam = 1 / (1 + np.exp(-x.trap))

    def rotate(even, odd):
        c, s = np.cos(angle), np.sin(angle)
        return np.concatenate([c * even - s * odd, s * even + c * odd], -1)

    q, k = rotate(x.C.real, x.C.imag), rotate(x.B.real, -x.B.imag)
    own = lam * x.dt
    after = np.concatenate([((1 - lam) * x.dt)[:, 1:], np.zeros_like(lam[:, :1])], 1)
    decay = per_key(np.exp(x.dt * x.A))
    everything = attention(q, per_key(own + after) * k, x.x, decay)
    itself = per_key(np.sum(q * k, -1) * after) * x.x
    return dict(y=everything - itself + p.D[..., None] * x.x)


@form("mamba3_mimo")
def rank_r(x, p, name):
    """Every column of the rank a token of its own; the readers see all columns of their token."""
    angle = np.cumsum(per_key(x.dt) * x.theta, axis=1)
    decay = products(np.exp(x.dt * p.A))
    own = x.lam * x.dt
    after = np.concatenate([((1 - x.lam) * x.dt)[:, 1:], np.zeros_like(own[:, :1])], 1)
    weight = decay * (own + after)[:, None] - np.einsum("ts,bsh->btsh", np.eye(own.shape[1]), after)
    turned = np.cos(angle[:, :, None] - angle[:, None])
    return dict(y=np.einsum("bthrn,btsh,btshn,bshqn,bshqp->bthrp", x.C, weight, turned, x.B, x.x, optimize=True))


@form("rwkv4", "mlstm")
def without_running_max(x, p, name):
    if name == "rwkv4":
        past = products(np.broadcast_to(np.exp(p.w), x.k.shape))
        weight = np.zeros_like(past)
        weight[:, 1:] = past[:, :-1] * np.exp(x.k)[:, None]
        tokens = np.arange(x.k.shape[1])
        weight[:, tokens, tokens] = np.exp(p.u + x.k)
        return dict(wkv=np.einsum("btshd,bshd->bthd", weight, x.v) / weight.sum(2))
    k, forget = np.exp(x.i)[..., None] * x.k, per_key(1 / (1 + np.exp(-x.f)))
    norm = attention(x.q, k, np.ones_like(x.v[..., :1]), forget)
    return dict(h=attention(x.q, k, x.v, forget) / np.maximum(np.abs(norm), 1))


@form("bidirectional_decay")
def both_triangles(x, p, name):
    past = products(np.exp(x.g))
    future = products(np.exp(x.g)[:, ::-1])[:, ::-1, ::-1]
    both = past + future - np.eye(x.g.shape[1])[..., None]
    return dict(o=np.einsum("bthk,btsh,bshk,bshv->bthv", x.q, both, x.k, x.v))


@form("tropical_attention")
def best_path(x, p, name):
    way = np.cumsum(x.g, 1)
    key = np.max(x.q[:, :, None] + x.k[:, None], axis=-1)  # [B, t, s, H]
    score = key + way[:, :, None] - way[:, None]
    score = np.where(np.tril(np.ones(score.shape[1:3], bool))[..., None], score, -np.inf)
    return dict(o=np.max(score[..., None] + x.v[:, None], axis=2))


@form("short_conv")
def convolve_then_scan(x, p, name):
    conv = np.stack([np.apply_along_axis(np.convolve, 0, x.x[b, :, h, d], [p.c0[h, d], p.c1[h, d], p.c2[h, d]])
                     for b, h, d in np.ndindex(x.x.shape[0], *x.x.shape[2:])])
    conv = np.moveaxis(conv.reshape(x.x.shape[0], *x.x.shape[2:], -1), -1, 1)[:, : x.x.shape[1]]
    f = 1 / (1 + np.exp(-x.f))
    u = conv / (1 + np.exp(-conv))
    return dict(o=np.einsum("btshd,bshd->bthd", products(f), (1 - f) * u))


@form("dense_gru")
def stacked_gates(x, p, name):
    """Both gates as one product with their matrices stacked."""
    o, h = np.empty_like(x.xh), np.zeros_like(x.xh[:, 0])
    gates = np.concatenate([p.Uz, p.Ur], axis=-2)
    for t in range(o.shape[1]):
        zr = np.concatenate([x.xz[:, t], x.xr[:, t]], -1) + np.squeeze(gates @ h[..., None], -1)
        z, r = np.split(1 / (1 + np.exp(-zr)), 2, axis=-1)
        h = (1 - z) * h + z * np.tanh(x.xh[:, t] + np.squeeze(p.Uh @ (r * h)[..., None], -1))
        o[:, t] = h
    return dict(o=o)


@form("mamba2d")
def sum_over_paths(x, p, name):
    """The grid as one triangular system of equations over its cells."""
    batch, rows, columns, heads, P = x.u.shape
    N = p.Ax.shape[-1]
    cells = np.arange(rows * columns).reshape(rows, columns)
    ax, ay = (0.5 * np.exp(d[..., None] * A) for d, A in ((x.dx, p.Ax), (x.dy, p.Ay)))
    M = np.zeros((batch, heads, P, N, cells.size, cells.size))
    M[..., range(cells.size), range(cells.size)] = 1
    for i, j in np.ndindex(rows, columns):
        if j:
            M[..., cells[i, j], cells[i, j - 1]] = -ax[:, i, j]
        if i:
            M[..., cells[i, j], cells[i - 1, j]] = -ay[:, i, j]
    drive = 0.5 * ((x.dx + x.dy) * x.u)[..., None] * x.B[..., None, :]
    drive = np.moveaxis(drive.reshape(batch, -1, heads, P, N), 1, -1)
    h = np.moveaxis(np.linalg.solve(M, drive[..., None])[..., 0], -1, 1).reshape(batch, rows, columns, heads, P, N)
    return dict(o=np.einsum("byxhn,byxhpn->byxhp", x.C, h))


def check(case):
    """Step against form; and the step in float32 against itself, for data on which float32 fails cannot judge it."""
    data = registry.draw(case)
    outputs, _ = registry.expected(case, data)
    inputs = {n: np.repeat(a, data.heads // a.shape[1 + case.axes], 1 + case.axes) for n, a in data.inputs.items()}
    closed = FORMS[case.name](SimpleNamespace(**inputs), SimpleNamespace(**data.params), case.name)
    error = max(agree(n, outputs[n], closed[n], BOUND) for n in outputs)
    single = max(single_precision(case, registry.draw(case, initial=initial)) for initial in (False, True))
    return error, single


def single_precision(case, data):
    single = data.map(lambda array: rounded(array, "f32"))
    exact = registry.expected(case, single.map(doubled))
    rough = registry.expected(case, single)
    return max(agree(n, rough[part][n], exact[part][n], 5e-6) for part in (0, 1) for n in exact[part])


def main(names):
    table = registry.load()
    failed = 0
    for name in names or table:
        try:
            error, single = check(table[name])
            print(f"{name} ... ok (second form {error:.1e}, float32 {single:.1e})")
        except Mismatch as mismatch:
            failed += 1
            print(f"{name} ... FAILED\n  {mismatch}")
    print(f"{len(names or table) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
