"""Declarations that exercise the language: no published models, so they live beside the tests."""

from functools import partial

import numpy as np

from .algebra import apply, outer, read, sigmoid
from .arrays import coin, log_decay, normal, starts_at
from .registry import recurrence

declared = partial(recurrence, folder="test/EndToEnd/declarations")


@declared("bidirectional_decay", K=12, V=20, whole=True,
          inputs=dict(q=normal("K"), k=normal("K"), v=normal("V"), g=log_decay()),
          states=dict(F=normal("K V"), R=normal("K V")), outputs=dict(o="V"))
def bidirectional_decay(x, p, s):
    kv = outer(x.k, x.v)
    keep = np.exp(x.g)[..., None, None]
    o = np.zeros_like(x.v)
    F, R = s.F, s.R
    tokens = x.q.shape[1]
    for t in range(tokens):
        F = keep[:, t] * F + kv[:, t]
        o[:, t] += read(x.q[:, t], F)
    for t in reversed(range(tokens)):
        o[:, t] += read(x.q[:, t], keep[:, t] * R)  # without the token itself, which F has
        R = keep[:, t] * R + kv[:, t]
    return dict(o=o), dict(F=F, R=R)


@declared("tropical_attention", K=12, V=20,
          inputs=dict(q=normal("K"), k=normal("K"), v=normal("V"), g=log_decay()),
          states=dict(M=starts_at(-np.inf, normal("K V"))), outputs=dict(o="V"))
def tropical_attention(x, p, s):
    M = np.maximum(s.M + x.g[..., None, None], x.k[..., :, None] + x.v[..., None, :])
    return dict(o=np.max(x.q[..., None] + M, axis=-2)), dict(M=M)


@declared("reset_attention", K=12, V=20,
          inputs=dict(q=normal("K"), k=normal("K"), v=normal("V"), g=log_decay(), reset=coin(0.1)),
          states=dict(S=normal("K V")), outputs=dict(o="V"))
def reset_attention(x, p, s):
    kept = np.where(x.reset, 0, np.exp(x.g)).astype(x.g.dtype)
    S = kept[..., None, None] * s.S + outer(x.k, x.v)
    return dict(o=read(x.q, S)), dict(S=S)


@declared("dense_gru", D=11, inputs=dict(xz=normal("D"), xr=normal("D"), xh=normal("D")),
          params=dict(Uz=normal("D D", 0.3), Ur=normal("D D", 0.3), Uh=normal("D D", 0.3)),
          states=dict(h=normal("D")), outputs=dict(o="D"))
def dense_gru(x, p, s):
    z = sigmoid(x.xz + apply(p.Uz, s.h))
    r = sigmoid(x.xr + apply(p.Ur, s.h))
    h = s.h + z * (np.tanh(x.xh + apply(p.Uh, r * s.h)) - s.h)
    return dict(o=h), dict(h=h)


@declared("short_conv", D=23, inputs=dict(x=normal("D"), f=normal("D")),
          params=dict(c0=normal("D"), c1=normal("D"), c2=normal("D")), states=dict(h=normal("D")),
          delays=dict(x_1=normal("D"), x_2=normal("D")), outputs=dict(o="D"))
def short_conv(x, p, s):
    conv = p.c0 * x.x + p.c1 * s.x_1 + p.c2 * s.x_2
    f = sigmoid(x.f)
    h = f * s.h + (1 - f) * (conv * sigmoid(conv))
    return dict(o=h), dict(h=h, x_1=x.x, x_2=s.x_1)
