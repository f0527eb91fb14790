"""The few products that the steps are made of. Leading axes are batch and head."""

import numpy as np


def outer(a, b):
    return a[..., :, None] * b[..., None, :]


def read(q, S):
    """S^T q for a state S[K, V]."""
    return np.einsum("...i,...ij->...j", q, S)


def apply(M, x):
    """M x for a matrix M[I, J]."""
    return np.einsum("...ij,...j->...i", M, x)


def dot(a, b):
    return np.einsum("...i,...i->...", a, b)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def softplus(x):
    return np.logaddexp(x, x.dtype.type(0))
