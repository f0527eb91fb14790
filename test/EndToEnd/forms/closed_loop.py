"""States that are corrected by what they read, with their transition matrices written out."""

import numpy as np

from .algebra import diagonal, form, pairs, products, through_transitions


def both(scalar):
    return scalar[..., None, None]


@form("comba", "gdn2", "precond_gated_delta_rule")
def key_transitions(x, p, name):
    eye = np.eye(x.k.shape[-1])
    q = x.q
    if name == "comba":
        A = both(np.exp(x.g)) * eye - both(p.b * x.beta) * pairs(x.k, x.k)
        U = both(x.beta) * pairs(x.k, x.v)
        q = x.q - p.d[:, None] * x.k
    elif name == "gdn2":
        A = (eye - pairs(x.k, x.b * x.k)) @ diagonal(np.exp(x.g))
        U = pairs(x.k, x.w * x.v)
    else:
        moments = np.einsum("btsh,bsh,bshk->bthk", products(np.exp(x.ga)), x.ba, x.k**2)
        r = np.log(moments + 1e-6) - p.c[:, None]
        write = x.k * np.exp(-np.log(1.5) * r / (1 + abs(r)))
        A = both(np.exp(x.g)) * (eye - both(x.beta) * pairs(write, x.k))
        U = both(x.beta) * pairs(write, x.v)
    return dict(o=through_transitions(A, U, q))


@form("gated_oja")
def value_transitions(x, p, name):
    """The transposed state, which a matrix of value channels acts upon from the left."""
    A = (np.eye(x.v.shape[-1]) - both(x.beta) * pairs(x.v, x.v)) @ diagonal(np.exp(x.g))
    U = both(x.beta) * pairs(x.v, x.k)
    S = np.zeros(U[:, 0].shape)
    o = np.empty_like(x.v)
    for t in range(o.shape[1]):
        S = A[:, t] @ S + U[:, t]
        o[:, t] = np.einsum("bhvk,bhk->bhv", S, x.q[:, t])
    return dict(o=o)


@form("ttt_linear")
def constant_feature(x, p, name):
    """The bias is the row of a key channel that is always one: the delta rule."""
    one = np.ones_like(x.k[..., :1])
    k, q = np.concatenate([x.k, one], -1), np.concatenate([x.q, one], -1)
    A = np.eye(k.shape[-1]) - both(x.eta) * pairs(k, k)
    return dict(o=through_transitions(A, both(x.eta) * pairs(k, x.v), q))


@form("titans")
def stacked_blocks(x, p, name):
    """Momentum above memory: the momentum's new value is also what enters the memory."""
    eye = np.eye(x.k.shape[-1])
    pull = -2 * both(x.theta) * pairs(x.k, x.k)
    carried = both(x.eta) * eye
    A = np.concatenate([np.concatenate([carried, pull], -1),
                        np.concatenate([carried, both(1 - x.alpha) * eye + pull], -1)], -2)
    U = 2 * both(x.theta) * pairs(x.k, x.v)
    q = np.concatenate([np.zeros_like(x.q), x.q], -1)
    return dict(o=through_transitions(A, np.concatenate([U, U], -2), q))
