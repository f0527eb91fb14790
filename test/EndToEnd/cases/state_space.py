"""State space models that are more than a diagonal: low-rank and dense transitions, one model after another."""

import numpy as np

from .algebra import apply, outer
from .arrays import complex_normal, computed, contraction, normal, shared, stable_poles, uniform
from .registry import recurrence


@recurrence("s4", P=6, N=7, inputs=dict(u=normal("P")),
            params=dict(Lambda=stable_poles("P N"), p=complex_normal("P N", 0.5), B=complex_normal("P N"),
                        C=complex_normal("P N"), dt=uniform(0.05, 0.5, "P"), D=normal("P")),
            states=dict(x=complex_normal("P N")), outputs=dict(y="P"))
def s4(x, p, s):
    eye = np.eye(p.Lambda.shape[-1], dtype=p.Lambda.dtype)
    half = p.dt[..., None, None] / 2 * (eye * p.Lambda[..., None] - outer(p.p, p.p.conj()))
    driven = apply(eye + half, s.x) + p.dt[..., None] * p.B * x.u[..., None]
    state = np.linalg.solve(np.broadcast_to(eye - half, (*driven.shape, eye.shape[0])), driven[..., None])[..., 0]
    return dict(y=np.sum(p.C * state, axis=-1).real + p.D * x.u), dict(x=state)


@recurrence("dss", P=12, N=7, inputs=dict(u=normal("P")),
            params=dict(Lambda=stable_poles("N"), w=complex_normal("P N"), dt=uniform(0.05, 0.5, "P")),
            states=dict(x=complex_normal("P N")), outputs=dict(y="P"))
def dss(x, p, s):
    step = p.dt[..., :, None] * p.Lambda[..., None, :]
    state = np.exp(step) * s.x + np.expm1(step) / p.Lambda[..., None, :] * x.u[..., None]
    return dict(y=np.sum(p.w * state, axis=-1).real), dict(x=state)


@recurrence("dlr", P=12, N=7, inputs=dict(u=normal("P")),
            params=dict(log_Lambda=stable_poles("N"), w=complex_normal("P N")),
            states=dict(x=complex_normal("P N")), outputs=dict(y="P"))
def dlr(x, p, s):
    state = np.exp(p.log_Lambda)[..., None, :] * s.x + x.u[..., None]
    return dict(y=np.sum(p.w * state, axis=-1).real), dict(x=state)


@recurrence("h3", K=5, V=6, N=7, inputs=dict(q=normal("K"), k=normal("K"), v=normal("V")),
            params=dict(c0=normal("K"), c1=normal("K"), c2=normal("K"), c3=normal("K"), A=stable_poles("N"),
                        B=complex_normal("N"), C=complex_normal("N"), dt=uniform(0.05, 0.5), D=normal()),
            states=dict(h=complex_normal("K V N")), delays=dict(k_1=normal("K"), k_2=normal("K"), k_3=normal("K")),
            outputs=dict(o="V"))
def h3(x, p, s):
    shifted = p.c0 * x.k + p.c1 * s.k_1 + p.c2 * s.k_2 + p.c3 * s.k_3
    kv = outer(shifted, x.v)
    a = np.exp(p.dt[:, None] * p.A)
    h = a[:, None, None, :] * s.h + ((a - 1) / p.A * p.B)[:, None, None, :] * kv[..., None]
    y = 2 * np.einsum("hn,bhijn->bhij", p.C, h).real + p.D[:, None, None] * kv
    return dict(o=np.einsum("bhi,bhij->bhj", x.q, y)), dict(h=h, k_1=x.k, k_2=s.k_1, k_3=s.k_2)


def legendre(order, window=20.0):
    """The discrete A and B of a memory over `window` tokens: the exponential of [[A, B], [0, 0]]."""
    i, j = np.indices((order, order))
    continuous = np.zeros((order + 1, order + 1))
    continuous[:order, :order] = (2 * i + 1) / window * np.where(i < j, -1, (-1.0) ** (i - j + 1))
    continuous[:order, order] = (2 * i[:, 0] + 1) / window * (-1.0) ** i[:, 0]
    scaled, squarings = continuous / 2**10, 10
    result = power = np.eye(order + 1)
    for n in range(1, 12):
        power = power @ scaled / n
        result = result + power
    for _ in range(squarings):
        result = result @ result
    return result[:order, :order], result[:order, order]


@recurrence("lmu", P=5, N=9, inputs=dict(u=normal("P")),
            params=dict(A=shared(computed("N N", lambda n, _: legendre(n)[0])),
                        B=shared(computed("N", lambda n: legendre(n)[1]))),
            states=dict(m=normal("P N")), outputs=dict(o="P N"))
def lmu(x, p, s):
    m = s.m @ np.swapaxes(p.A, -1, -2) + outer(x.u, p.B)
    return dict(o=m), dict(m=m)


@recurrence("spacetime", P=5, N=9, inputs=dict(u=normal("P")),
            params=dict(shift=shared(computed("N N", lambda n, _: np.eye(n, k=-1))),
                        last=shared(computed("N", lambda n: np.eye(n)[-1])),
                        a=contraction("P N"), B=normal("P N"), C=normal("P N"), D=normal("P")),
            states=dict(x=normal("P N")), outputs=dict(y="P"))
def spacetime(x, p, s):
    A = p.shift[:, None] + outer(p.a, p.last[:, None])
    state = apply(A, s.x) + p.B * x.u[..., None]
    return dict(y=np.sum(p.C * state, axis=-1) + p.D * x.u), dict(x=state)


@recurrence("bilinear_rnn", N=11, K=7, inputs=dict(x=normal("K"), b=normal("N")), params=dict(W=contraction("N N K")),
            states=dict(h=normal("N")), outputs=dict(o="N"))
def bilinear_rnn(x, p, s):
    h = np.einsum("hijk,bhj,bhk->bhi", p.W, s.h, x.x) + x.b
    return dict(o=h), dict(h=h)
