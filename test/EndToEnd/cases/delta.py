"""The delta rule's family: the state is corrected by its own prediction error."""

import numpy as np

from .algebra import apply, outer, read
from .arrays import log_decay, normal, uniform, unit
from .registry import recurrence


def _corrected(S, k, v, beta):
    return S + beta[..., None, None] * outer(k, v - read(k, S))


@recurrence("deltanet", K=12, V=20, inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), beta=uniform(0, 2)),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def deltanet(x, p, s):
    S = _corrected(s.S, x.k, x.v, x.beta)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("gated_delta_rule", K=12, V=20,
            inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), g=log_decay(), beta=uniform(0, 2)),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def gated_delta_rule(x, p, s):
    S = _corrected(np.exp(x.g)[..., None, None] * s.S, x.k, x.v, x.beta)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("kda", K=12, V=20,
            inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), g=log_decay("K"), beta=uniform(0, 1)),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def kda(x, p, s):
    S = _corrected(np.exp(x.g)[..., None] * s.S, x.k, x.v, x.beta)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("gated_delta_product", K=12, V=20, J=2, defaults=("J",),
            inputs=dict(q=unit("K"), g=log_decay(), k=unit("J K"), v=normal("J V"), beta=uniform(0, 2, "J")),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def gated_delta_product(x, p, s):
    S = np.exp(x.g)[..., None, None] * s.S
    for j in range(x.k.shape[-2]):
        S = _corrected(S, x.k[..., j, :], x.v[..., j, :], x.beta[..., j])
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("rwkv7", K=12, V=20,
            inputs=dict(r=normal("K"), w=uniform(-0.6065, 0, "K"), k=normal("K", 0.3), v=normal("V"), a=unit("K"),
                        b=normal("K", 0.1)),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def rwkv7(x, p, s):
    S = np.exp(x.w)[..., None] * s.S + outer(x.b, read(x.a, s.S)) + outer(x.k, x.v)
    return dict(o=read(x.r, S)), dict(S=S)


@recurrence("comba", K=12, V=20,
            inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), g=log_decay(), beta=uniform(0, 1)),
            params=dict(b=uniform(0, 1), d=uniform(0, 1)), states=dict(S=normal("K V")), outputs=dict(o="V"))
def comba(x, p, s):
    predicted = p.b[:, None] * read(x.k, s.S)
    S = np.exp(x.g)[..., None, None] * s.S + x.beta[..., None, None] * outer(x.k, x.v - predicted)
    return dict(o=read(x.q - p.d[:, None] * x.k, S)), dict(S=S)


@recurrence("gdn2", K=12, V=20,
            inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), g=log_decay("K"), b=uniform(0, 1, "K"),
                        w=uniform(0, 1, "V")),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def gdn2(x, p, s):
    D = np.exp(x.g)[..., None] * s.S
    S = D - outer(x.k, read(x.b * x.k, D)) + outer(x.k, x.w * x.v)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("gated_oja", K=12, V=20,
            inputs=dict(q=normal("K", 0.3), k=normal("K"), v=unit("V"), g=log_decay("V"), beta=uniform(0, 1)),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def gated_oja(x, p, s):
    D = np.exp(x.g)[..., None, :] * s.S
    S = D + x.beta[..., None, None] * outer(x.k - apply(D, x.v), x.v)
    return dict(o=read(x.q, S)), dict(S=S)


# ba stays away from zero, where log(A) bends too sharply for differences of the step.
@recurrence("precond_gated_delta_rule", K=12, V=20,
            inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), g=log_decay(), beta=uniform(0, 1), ga=log_decay(),
                        ba=uniform(0.2, 1)),
            params=dict(c=uniform(-1, 0)), states=dict(A=uniform(0, 1, "K"), S=normal("K V")), outputs=dict(o="V"))
def precond_gated_delta_rule(x, p, s):
    A = np.exp(x.ga)[..., None] * s.A + x.ba[..., None] * x.k**2
    r = np.log(A + A.dtype.type(1e-6)) - p.c[:, None]
    write = x.k / A.dtype.type(1.5) ** (r / (1 + np.abs(r)))
    D = np.exp(x.g)[..., None, None] * s.S
    S = D + x.beta[..., None, None] * outer(write, x.v - read(x.k, D))
    return dict(o=read(x.q, S)), dict(A=A, S=S)
