"""State space models that are constant in time, as convolutions; one that is not, as products of its matrices."""

import numpy as np

from .algebra import convolved, form


@form("s4")
def eigenvalues_by_bilinear_rule(x, p, name):
    """In the eigenbasis of A the bilinear rule acts on numbers."""
    N = p.Lambda.shape[-1]
    A = np.eye(N) * p.Lambda[..., None] - p.p[..., :, None] * p.p.conj()[..., None, :]
    values, vectors = np.linalg.eig(A)
    half = p.dt[..., None] * values / 2
    discrete = (1 + half) / (1 - half)
    weight = (np.einsum("hpn,hpnm->hpm", p.C, vectors) * p.dt[..., None] / (1 - half)
              * np.linalg.solve(vectors, p.B[..., None])[..., 0])
    lags = np.arange(x.u.shape[1])
    kernel = np.sum(weight * discrete ** lags[:, None, None, None], axis=-1).real
    return dict(y=convolved(kernel, x.u) + p.D * x.u)


@form("dss", "dlr")
def vandermonde(x, p, name):
    lags = np.arange(x.u.shape[1])[:, None, None, None]
    if name == "dss":
        kernel = (p.w / p.Lambda[:, None] * (np.exp(p.dt[..., None] * p.Lambda[:, None]) - 1)
                  * np.exp(lags * p.dt[..., None] * p.Lambda[:, None]))
    else:
        kernel = p.w * np.exp(lags * p.log_Lambda[:, None])
    return dict(y=convolved(kernel.sum(-1).real, x.u))


@form("h3")
def two_convolutions(x, p, name):
    tokens = x.k.shape[1]
    taps = np.zeros((tokens, *p.c0.shape))
    for lag, c in enumerate((p.c0, p.c1, p.c2, p.c3)):
        taps[lag] = c
    kv = np.einsum("bthi,bthj->bthij", convolved(taps, x.k), x.v)
    a = p.dt[:, None] * p.A
    lags = np.arange(tokens)[:, None, None]
    kernel = 2 * np.sum(p.C * p.B * (np.exp(a) - 1) / p.A * np.exp(lags * a), axis=-1).real
    kernel[0] += p.D
    flat = kv.reshape(*kv.shape[:3], -1)
    y = convolved(np.broadcast_to(kernel[..., None], (tokens, *flat.shape[2:])), flat).reshape(kv.shape)
    return dict(o=np.einsum("bthi,bthij->bthj", x.q, y))


@form("lmu", "spacetime")
def powers(x, p, name):
    heads, P = x.u.shape[2:]
    if name == "lmu":
        A, B = np.broadcast_to(p.A, (heads, P, *p.A.shape[-2:])), np.broadcast_to(p.B, (heads, P, p.B.shape[-1]))
    else:
        N = p.a.shape[-1]
        A, B = np.eye(N, k=-1) + p.a[..., None] * np.eye(N)[-1], p.B
    kernel = np.stack([np.einsum("hpij,hpj->hpi", np.linalg.matrix_power(A, lag), B) for lag in range(x.u.shape[1])])
    if name == "lmu":
        return dict(o=convolved(kernel, x.u))
    return dict(y=convolved(np.sum(p.C * kernel, axis=-1), x.u) + p.D * x.u)


@form("bilinear_rnn")
def products_of_matrices(x, p, name):
    A = np.einsum("hijk,bthk->bthij", p.W, x.x)
    o = np.zeros_like(x.b)
    for first in range(x.b.shape[1]):
        h = x.b[:, first]
        o[:, first] += h
        for t in range(first + 1, x.b.shape[1]):
            h = np.einsum("bhij,bhj->bhi", A[:, t], h)
            o[:, t] += h
    return dict(o=o)
