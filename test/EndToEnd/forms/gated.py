"""Elementwise decays as sums over the past, and softmax as it is usually written."""

import numpy as np

from .algebra import form, products


@form("minlstm")
def log_space(x, p, name):
    """Forget and input gates from the difference of their softplus, as the paper computes them in parallel."""
    difference = np.logaddexp(-x.f, 0) - np.logaddexp(-x.i, 0)
    forget, write = 1 / (1 + np.exp(difference)), 1 / (1 + np.exp(-difference))
    return dict(o=np.einsum("btshd,bshd->bthd", products(forget), write * x.x))


@form("longhorn")
def decay_of_both_axes(x, p, name):
    beta = 1 / (1 + np.exp(-x.beta))
    delta = (beta / (1 + beta * np.sum(x.k**2, -1, keepdims=True)))[..., None]
    k = x.k[..., None, :]
    return dict(o=np.einsum("bthn,btshpn,bshpn->bthp", x.q, products(1 - delta * k**2), delta * x.x[..., None] * k)
                + p.D * x.x)


@form("aaren")
def masked_softmax(x, p, name):
    score = np.einsum("hk,bshk->bhs", p.q, x.k)
    tokens = score.shape[-1]
    weight = np.where(np.tril(np.ones((tokens, tokens), bool)), score[:, :, None], -np.inf)
    weight = np.exp(weight - weight.max(-1, keepdims=True))
    return dict(o=np.einsum("bhts,bshv->bthv", weight / weight.sum(-1, keepdims=True), x.v))
