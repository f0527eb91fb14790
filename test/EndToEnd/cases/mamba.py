"""The Mamba family and Longhorn: states [P, N], with what writes and reads along N shared by a group of heads."""

import numpy as np

from .algebra import apply, dot, outer, sigmoid
from .arrays import complex_normal, group, normal, softplus_normal, uniform
from .registry import recurrence


@recurrence("mamba1", P=12, N=7,
            inputs=dict(u=normal("P"), dt=softplus_normal("P"), B=group(normal("N")), C=group(normal("N"))),
            params=dict(A=uniform(-2, -0.01, "P N"), D=normal("P")), states=dict(h=normal("P N")),
            outputs=dict(y="P"))
def mamba1(x, p, s):
    h = np.exp(x.dt[..., None] * p.A) * s.h + outer(x.dt * x.u, x.B)
    return dict(y=apply(h, x.C) + p.D * x.u), dict(h=h)


@recurrence("mamba2", P=12, N=20,
            inputs=dict(x=normal("P"), dt=softplus_normal(), B=group(normal("N")), C=group(normal("N"))),
            params=dict(A=uniform(-2, -0.01), D=normal()), states=dict(h=normal("P N")), outputs=dict(y="P"))
def mamba2(x, p, s):
    h = np.exp(x.dt * p.A)[..., None, None] * s.h + outer(x.dt[..., None] * x.x, x.B)
    return dict(y=apply(h, x.C) + p.D[:, None] * x.x), dict(h=h)


@recurrence("longhorn", P=12, N=7,
            inputs=dict(x=normal("P"), beta=normal("P"), k=group(normal("N")), q=group(normal("N"))),
            params=dict(D=normal("P")), states=dict(S=normal("P N")), outputs=dict(o="P"))
def longhorn(x, p, s):
    beta = sigmoid(x.beta)
    delta = beta / (1 + beta * dot(x.k, x.k)[..., None])
    S = s.S - outer(delta, x.k**2) * s.S + outer(delta * x.x, x.k)
    return dict(o=apply(S, x.q) + p.D * x.x), dict(S=S)


@recurrence("mamba3_siso", P=12, N=9,
            inputs=dict(x=normal("P"), A=uniform(-2, -0.01), dt=softplus_normal(), trap=normal(), theta=normal("N"),
                        B=group(complex_normal("N")), C=group(complex_normal("N"))),
            params=dict(D=normal()), states=dict(h=complex_normal("P N")),
            delays=dict(x_1=normal("P"), B_1=complex_normal("N")), outputs=dict(y="P"))
def mamba3_siso(x, p, s):
    dt, lam = x.dt[..., None], sigmoid(x.trap)[..., None]
    rotation = np.exp(1j * np.pi * dt * np.tanh(x.theta))
    before = outer((1 - lam) * dt * s.x_1, s.B_1)  # the trapezoid's left end, which the transition still acts upon
    h = (np.exp(dt * x.A[..., None]) * rotation)[..., None, :] * (s.h + before) + outer(lam * dt * x.x, x.B)
    return dict(y=apply(h, x.C).real + p.D[:, None] * x.x), dict(h=h, x_1=x.x, B_1=x.B)


@recurrence("mamba3_mimo", P=12, N=9, R=4, defaults=("R",),
            inputs=dict(x=normal("R P"), dt=softplus_normal(), lam=uniform(0, 1), theta=normal("N"),
                        B=group(normal("R N")), C=group(normal("R N"))),
            params=dict(A=uniform(-2, -0.01)), states=dict(h=complex_normal("P N")), delays=dict(w_1=normal("P N")),
            outputs=dict(y="R P"))
def mamba3_mimo(x, p, s):
    dt, lam = x.dt[..., None, None], x.lam[..., None, None]
    a = (np.exp(x.dt * p.A)[..., None] * np.exp(1j * x.dt[..., None] * x.theta))[..., None, :]
    w = np.swapaxes(x.x, -1, -2) @ x.B
    h = a * (s.h + (1 - lam) * dt * s.w_1) + lam * dt * w
    return dict(y=np.einsum("...rn,...pn->...rp", x.C, h.real)), dict(h=h, w_1=w)


@recurrence("mamba2d", P=12, N=7, whole=True, axes=2,
            inputs=dict(u=normal("P"), dy=softplus_normal("P"), dx=softplus_normal("P"), B=group(normal("N")),
                        C=group(normal("N"))),
            params=dict(Ay=uniform(-2, -0.01, "P N"), Ax=uniform(-2, -0.01, "P N")), states={}, outputs=dict(o="P"))
def mamba2d(x, p, s):
    batch, rows, columns, heads = x.u.shape[:4]
    zero = np.zeros((batch, heads, *p.Ay.shape[1:]), x.u.dtype)
    o = np.empty_like(x.u)
    above = [zero] * columns
    for i in range(rows):
        left = zero
        for j in range(columns):
            dy, dx = x.dy[:, i, j, ..., None], x.dx[:, i, j, ..., None]
            drive = (dy + dx) * outer(x.u[:, i, j], x.B[:, i, j])
            left = above[j] = 0.5 * (np.exp(dx * p.Ax) * left + np.exp(dy * p.Ay) * above[j] + drive)
            o[:, i, j] = apply(left, x.C[:, i, j])
    return dict(o=o), {}
