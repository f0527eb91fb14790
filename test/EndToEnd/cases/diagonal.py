"""Recurrences whose state decays elementwise, real and complex."""

import numpy as np

from .algebra import apply, sigmoid, softplus
from .arrays import complex_normal, log_decay, normal, stable_poles, uniform
from .registry import recurrence


@recurrence("hgrn", D=23, inputs=dict(x=normal("D"), g=log_decay("D")), states=dict(h=normal("D")),
            outputs=dict(o="D"))
def hgrn(x, p, s):
    h = np.exp(x.g) * s.h + x.x
    return dict(o=h), dict(h=h)


@recurrence("mingru", D=23, inputs=dict(gate=normal("D", 2.0), x=normal("D")), states=dict(h=normal("D")),
            outputs=dict(o="D"))
def mingru(x, p, s):
    z = sigmoid(x.gate)
    h = s.h + z * (x.x - s.h)
    return dict(o=h), dict(h=h)


@recurrence("minlstm", D=23, inputs=dict(f=normal("D", 2.0), i=normal("D", 2.0), x=normal("D")),
            states=dict(h=normal("D")), outputs=dict(o="D"))
def minlstm(x, p, s):
    f, i = sigmoid(x.f), sigmoid(x.i)
    h = (f * s.h + i * x.x) / (f + i)
    return dict(o=h), dict(h=h)


@recurrence("rg_lru", D=23, inputs=dict(x=normal("D"), r=normal("D"), i=normal("D")),
            params=dict(Lambda=uniform(-4, 0, "D")), states=dict(h=normal("D")), outputs=dict(y="D"))
def rg_lru(x, p, s):
    a = np.exp(-8 * softplus(p.Lambda) * sigmoid(x.r))
    h = a * s.h + np.sqrt((1 - a) * (1 + a)) * (sigmoid(x.i) * x.x)
    return dict(y=h), dict(h=h)


@recurrence("s4d", P=12, N=7, inputs=dict(u=normal("P")),
            params=dict(A=stable_poles("P N"), B=complex_normal("P N"), C=complex_normal("P N"),
                        dt=uniform(0.05, 0.5, "P"), D=normal("P")),
            states=dict(h=complex_normal("P N")), outputs=dict(y="P"))
def s4d(x, p, s):
    a = np.exp(p.dt[..., None] * p.A)
    b = (a - 1) / p.A * p.B
    h = a * s.h + b * x.u[..., None]
    return dict(y=2 * np.sum(p.C * h, axis=-1).real + p.D * x.u), dict(h=h)


@recurrence("s5", P=11, N=9, inputs=dict(u=normal("P")),
            params=dict(Lambda=stable_poles("N"), B=complex_normal("N P"), C=complex_normal("P N"),
                        dt=uniform(0.05, 0.5, "N"), D=normal("P")),
            states=dict(x=complex_normal("N")), outputs=dict(y="P"))
def s5(x, p, s):
    a = np.exp(p.Lambda * p.dt)
    state = a * s.x + (a - 1) / p.Lambda * apply(p.B, x.u)
    return dict(y=2 * apply(p.C, state).real + p.D * x.u), dict(x=state)


@recurrence("lru", P=11, N=9, inputs=dict(u=normal("P")),
            params=dict(nu_log=uniform(-3, 0, "N"), theta_log=uniform(-3, 1, "N"), gamma_log=uniform(-2, 0, "N"),
                        B=complex_normal("N P"), C=complex_normal("P N"), D=normal("P")),
            states=dict(x=complex_normal("N")), outputs=dict(y="P"))
def lru(x, p, s):
    a = np.exp(-np.exp(p.nu_log) + 1j * np.exp(p.theta_log))
    state = a * s.x + np.exp(p.gamma_log) * apply(p.B, x.u)
    return dict(y=apply(p.C, state).real + p.D * x.u), dict(x=state)
