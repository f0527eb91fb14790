"""Exponential gates, stabilised by a running maximum."""

import numpy as np

from .algebra import dot, outer, read, softplus
from .arrays import normal, starts_at, uniform
from .registry import recurrence


@recurrence("rwkv4", D=23, inputs=dict(k=normal("D", 4.0), v=normal("D")),
            params=dict(w=uniform(-2, -0.01, "D"), u=normal("D")),
            states=dict(a=normal("D"), b=uniform(0.5, 2, "D"), e=starts_at(-np.inf, normal("D"))),
            outputs=dict(wkv="D"))
def rwkv4(x, p, s):
    top = np.maximum(s.e, p.u + x.k)
    past, present = np.exp(s.e - top), np.exp(p.u + x.k - top)
    wkv = (past * s.a + present * x.v) / (past * s.b + present)
    e = np.maximum(s.e + p.w, x.k)
    past, present = np.exp(s.e + p.w - e), np.exp(x.k - e)
    return dict(wkv=wkv), dict(a=past * s.a + present * x.v, b=past * s.b + present, e=e)


@recurrence("mlstm", K=12, V=20,
            inputs=dict(q=normal("K", 0.3), k=normal("K"), v=normal("V"), i=normal("", 3.0), f=normal("", 3.0)),
            states=dict(m=starts_at(-np.inf, normal()), C=normal("K V"), n=normal("K")), outputs=dict(h="V"))
def mlstm(x, p, s):
    log_forget = -softplus(-x.f)
    m = np.maximum(log_forget + s.m, x.i)
    keep, write = np.exp(log_forget + s.m - m), np.exp(x.i - m)
    C = keep[..., None, None] * s.C + write[..., None, None] * outer(x.k, x.v)
    n = keep[..., None] * s.n + write[..., None] * x.k
    norm = np.maximum(np.abs(dot(n, x.q)), np.exp(-m))
    return dict(h=read(x.q, C) / norm[..., None]), dict(m=m, C=C, n=n)


@recurrence("aaren", K=12, V=20, inputs=dict(k=normal("K"), v=normal("V")), params=dict(q=normal("K")),
            states=dict(m=starts_at(-np.inf, normal()), a=normal("V"), c=uniform(0.5, 2)), outputs=dict(o="V"))
def aaren(x, p, s):
    score = dot(np.broadcast_to(p.q, x.k.shape), x.k)
    m = np.maximum(s.m, score)
    keep, write = np.exp(s.m - m), np.exp(score - m)
    a = keep[..., None] * s.a + write[..., None] * x.v
    c = keep * s.c + write
    return dict(o=a / c[..., None]), dict(m=m, a=a, c=c)
