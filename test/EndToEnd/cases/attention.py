"""Linear attention and its gated descendants: S_t = decay S_{t-1} + k_t v_t^T."""

import numpy as np

from .algebra import dot, outer, read, sigmoid
from .arrays import complex_normal, log_decay, normal, uniform
from .registry import recurrence


@recurrence("linear_attention", K=12, V=20, inputs=dict(q=normal("K"), k=normal("K"), v=normal("V")),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def linear_attention(x, p, s):
    S = s.S + outer(x.k, x.v)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("linear_attention_normalised", K=12, V=20,
            inputs=dict(q=uniform(0.1, 2, "K"), k=uniform(0.1, 2, "K"), v=normal("V")),
            states=dict(S=normal("K V"), z=uniform(0.1, 2, "K")), outputs=dict(o="V"))
def linear_attention_normalised(x, p, s):
    S, z = s.S + outer(x.k, x.v), s.z + x.k
    return dict(o=read(x.q, S) / dot(x.q, z)[..., None]), dict(S=S, z=z)


@recurrence("retnet", K=12, V=20, inputs=dict(q=normal("K"), k=normal("K"), v=normal("V")),
            params=dict(gamma=uniform(0.9, 1)), states=dict(S=normal("K V")), outputs=dict(o="V"))
def retnet(x, p, s):
    S = p.gamma[:, None, None] * s.S + outer(x.k, x.v)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("lightning_attention", K=7, V=13, inputs=dict(q=normal("K"), k=normal("K"), v=normal("V")),
            params=dict(s=uniform(0, 0.7)), states=dict(S=normal("K V")), outputs=dict(o="V"))
def lightning_attention(x, p, s):
    ratio = np.exp(-p.s)
    S = ratio[:, None, None] * s.S + outer(x.k, x.v)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("gla", K=12, V=20, inputs=dict(q=normal("K"), k=normal("K"), v=normal("V"), g=log_decay("K")),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def gla(x, p, s):
    S = np.exp(x.g)[..., None] * s.S + outer(x.k, x.v)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("hgrn2", K=12, V=20, inputs=dict(q=normal("K"), g=log_decay("K"), v=normal("V")),
            states=dict(S=normal("K V")), outputs=dict(o="V"))
def hgrn2(x, p, s):
    forget = np.exp(x.g)
    S = forget[..., None] * s.S + outer(1 - forget, x.v)
    return dict(o=read(x.q, S)), dict(S=S)


@recurrence("gateloop", K=12, V=20,
            inputs=dict(q=normal("K"), k=normal("K"), v=normal("V"), alpha=normal("K", 2.0), beta=normal("K")),
            states=dict(S=complex_normal("K V")), outputs=dict(o="V"))
def gateloop(x, p, s):
    a = sigmoid(x.alpha) * (np.cos(x.beta) + 1j * np.sin(x.beta))
    S = a[..., None] * s.S + outer(x.k, x.v)
    return dict(o=read(x.q, S).real), dict(S=S)


@recurrence("rwkv6", K=12, V=20, inputs=dict(r=normal("K"), k=normal("K"), v=normal("V"), w=log_decay("K")),
            params=dict(u=normal("K")), states=dict(S=normal("K V")), outputs=dict(o="V"))
def rwkv6(x, p, s):
    kv = outer(x.k, x.v)
    o = read(x.r, s.S + p.u[:, :, None] * kv)
    return dict(o=o), dict(S=np.exp(x.w)[..., None] * s.S + kv)
