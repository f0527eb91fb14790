"""The table of second formulations, and what they are made of."""

import numpy as np

FORMS = {}


def form(*names):
    """Enters a function (x, p) -> outputs of whole sequences [B, T, H, dims...], from zero initial states."""

    def enter(function):
        FORMS.update(dict.fromkeys(names, function))
        return function

    return enter


def products(a):
    """M[t, s] = a_{s+1} ... a_t for s <= t and zero above, from a[B, T, ...]."""
    tokens = a.shape[1]
    M = np.zeros((a.shape[0], tokens, *a.shape[1:]), a.dtype)
    for s in range(tokens):
        M[:, s, s] = 1
        for t in range(s + 1, tokens):
            M[:, t, s] = M[:, t - 1, s] * a[:, t]
    return M


def attention(q, k, v, decay):
    """Sums over the past, weighted by the decay between write and read; the decay varies over K or not at all."""
    return np.einsum("bthk,btshk,bshk,bshv->bthv", q, products(np.broadcast_to(decay, k.shape)), k, v)


def per_key(scalar):
    return scalar[..., None]


def through_transitions(A, U, q):
    """Reads q of S_t = A_t S_{t-1} + U_t, the matrices A_t written out."""
    o = np.empty((*q.shape[:-1], U.shape[-1]))
    S = np.zeros(U[:, 0].shape)
    for t in range(q.shape[1]):
        S = A[:, t] @ S + U[:, t]
        o[:, t] = np.einsum("bhij,bhi->bhj", S, q[:, t])
    return o


def pairs(a, b):
    """a b^T at every token."""
    return np.einsum("...i,...j->...ij", a, b)


def diagonal(a):
    return np.eye(a.shape[-1]) * a[..., None, :]


def convolved(kernel, u):
    """The causal convolution of u[B, T, H, P] with kernel[L, H, P, ...], channel by channel."""
    y = np.zeros((*u.shape, *kernel.shape[3:]))
    for lag in range(u.shape[1]):
        y[:, lag:] += np.einsum("hp...,bthp->bthp...", kernel[lag], u[:, : u.shape[1] - lag])
    return y
