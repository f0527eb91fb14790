"""States that are the parameters of a model, trained while tokens come."""

from .algebra import outer, read
from .arrays import normal, uniform, unit
from .registry import recurrence


@recurrence("ttt_linear", K=12, V=20, inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), eta=uniform(0, 0.9)),
            states=dict(W=normal("K V"), b=normal("V")), outputs=dict(o="V"))
def ttt_linear(x, p, s):
    gradient = read(x.k, s.W) + s.b - x.v
    W = s.W - x.eta[..., None, None] * outer(x.k, gradient)
    b = s.b - x.eta[..., None] * gradient
    return dict(o=read(x.q, W) + b), dict(W=W, b=b)


@recurrence("titans", K=12, V=20,
            inputs=dict(q=unit("K"), k=unit("K"), v=normal("V"), eta=uniform(0, 0.9), theta=uniform(0, 0.5),
                        alpha=uniform(0, 0.3)),
            states=dict(S=normal("K V"), M=normal("K V")), outputs=dict(o="V"))
def titans(x, p, s):
    eta, theta, alpha = (a[..., None, None] for a in (x.eta, x.theta, x.alpha))
    gradient = 2 * outer(x.k, read(x.k, s.M) - x.v)
    S = eta * s.S - theta * gradient
    M = (1 - alpha) * s.M + S
    return dict(o=read(x.q, M)), dict(S=S, M=M)
