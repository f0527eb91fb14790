"""Draws linear recurrences in all the shapes that a form or a gradient has rules for.

draw.py draws from the whole grammar and asks what a declaration means; here each declaration is a linear system, or
several, put together from the parts of the normal form (decay, feedback, input, readout), so that most have all forms
and well-conditioned gradients: decays are at most one in modulus, feedback contracts, no difference cancels.
"""

import random

from .draw import minus, n, plus, times
from .tree import Call, Delay, Fold, Neg, Num, Op, Operand, Recurrence, Reduce, Ref, Statement

SMALL = [1, 2, 3, 4, 5, 6]
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 17]


def sigmoid(x):
    return Call("sigmoid", (x,))


def exp(x):
    return Call("exp", (x,))


def total(index, body):
    return Reduce("sum", (index,), body)


class State:
    def __init__(self, name, dims, kind):
        self.name, self.dims, self.kind = name, dims, kind
        self.undamped = False

    def at(self, indices):
        return Ref(self.name, tuple(indices))


class Systems:
    def __init__(self, seed):
        self.rng = random.Random(f"systems {seed}")
        self.operands, self.statements, self.states = [], [], []
        self.used = {}
        self.undamped = False  # whether the state that is drawn adds up all that it is given

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, *options):
        return self.rng.choice(options)

    def name(self, prefix):
        self.used[prefix] = self.used.get(prefix, 0) + 1
        return prefix if self.used[prefix] == 1 else f"{prefix}{self.used[prefix]}"

    def size(self, dim):
        return self.dims[dim][0]

    # -- Operands --

    def operand(self, prefix, dims=(), kind="real", section=None):
        """The name of an input (sometimes an earlier one of the same shape) or parameter."""
        alike = [o.name for o in self.operands if o.section != "state" and o.dims == tuple(dims) and o.kind == kind
                 and o.name.startswith(prefix) and not (self.undamped and o.section == "param")]
        if alike and self.chance(0.25):
            return self.rng.choice(alike)
        section = section or ("param" if self.chance(0.1) and not self.undamped else "in")
        scope = self.pick(*["head"] * 6, "group", "shared")
        name = self.name(prefix)
        self.operands.append(Operand(section, name, tuple(dims), kind, scope))
        return name

    def let(self, prefix, indices, value, kind="real"):
        name = self.name(prefix)
        self.statements.append(Statement("let", name, tuple(indices), value, kind))
        return lambda *at: Ref(name, at)

    def input(self, prefix, index, dim):
        """A vector over one index: an operand, or a short convolution, product or function of some."""
        value = Ref(self.operand(prefix, [dim]), (index,))
        roll = self.rng.random()
        if roll < 0.08:
            x = Ref(self.operand("x", [dim], section="in"), (index,))
            return plus(times(n(0.6), x), times(n(0.4), Delay((("", self.pick(1, 1, 2, 3)),), x)))
        if roll < 0.13:
            return Call(self.pick("tanh", "silu"), (value,))
        if roll < 0.18:
            return times(value, Ref(self.operand("c"), ()))
        return value

    def key(self, dim):
        """A vector no longer than one, as a function of its index."""
        if self.chance(0.5):
            name = self.operand("k", [dim], section="in")
            return lambda index: Ref(name, (index,))
        raw = self.operand("k", [dim], section="in")
        square = total("m", times(Ref(raw, ("m",)), Ref(raw, ("m",))))
        return self.let("kn", ["i"], times(Ref(raw, ("i",)), Call("rsqrt", (plus(square, Num(0.5)),))))

    # -- Parts of a system --

    def gate(self, indices, dims):
        """A decay over some of the indices, or None for none at all."""
        roll = self.rng.random()
        if roll < 0.1:
            self.undamped = True
            return None
        if roll < 0.15:
            return n(self.rng.uniform(0.3, 0.99))
        kept = [(i, d) for i, d in zip(indices, dims) if self.chance(0.4)]
        at, over = tuple(i for i, _ in kept), [d for _, d in kept]
        g = lambda section=None: Ref(self.operand("g", over, section=section), at)
        return self.pick(
            lambda: exp(g()), lambda: exp(g()), lambda: exp(Neg(Call("softplus", (g(),)))), lambda: sigmoid(g()),
            lambda: sigmoid(g()), lambda: Ref(self.operand("a", over), at), lambda: Call("tanh", (g(),)), lambda: minus(Num(1), sigmoid(g())),
            lambda: exp(times(Ref(self.operand("dt")), Ref(self.operand("A", over, section="param"), at))),
            lambda: times(sigmoid(g()), sigmoid(Ref(self.operand("f")))),
            lambda: Call("select", (Ref(self.operand("reset", kind="bool", section="in")), Num(0), sigmoid(g()))),
            lambda: Call("relu", (minus(sigmoid(g()), n(0.3)),)), lambda: times(n(0.9), exp(g())))()

    def prior(self, state, indices, lag=1):
        return Delay((("", lag),), state.at(indices))

    def feedback(self, carried, indices, dims, rank):
        """-sum over r of beta u (w . carried), each a contraction of one axis."""
        axis = self.rng.randrange(len(indices))
        result = None
        for _ in range(rank):
            at = list(indices)
            at[axis] = "l"
            key = self.key(dims[axis])
            other = key if self.chance(0.75) or self.undamped else self.key(dims[axis])
            beta = self.pick(lambda: sigmoid(Ref(self.operand("beta"))), lambda: sigmoid(Ref(self.operand("beta"))),
                             lambda: Ref(self.operand("beta")), lambda: n(0.5))()
            if rank > 1 or other is not key:
                beta = times(n(0.9 / max(rank, 2)), beta)
            term = times(beta, other(indices[axis]), total("l", times(key("l"), carried(at))))
            result = term if result is None else plus(result, term)
        return result

    def drive(self, indices, dims, rank, earlier):
        terms = []
        if self.undamped:  # sums of what has a mean grow, and so does what f32 loses of them
            earlier = []
        for _ in range(rank):
            roll = self.rng.random()
            if earlier and roll < 0.35:
                terms.append(self.read(self.rng.choice(earlier), indices, dims))
            elif roll < 0.5 or not indices:
                terms.append(Ref(self.operand("b", dims), tuple(indices)))
            elif roll < 0.6 and len(indices) > 1:
                r = self.size("R")
                parts = [Ref(self.operand("k" + "u"[:a], ["R", d]), ("r", i)) for a, (i, d) in enumerate(zip(indices, dims))]
                terms.append(times(n(r ** -0.5), total("r", times(*parts))))
            else:
                terms.append(times(*[self.input("kvw"[a], i, d) for a, (i, d) in enumerate(zip(indices, dims))]))
            if self.chance(0.2):
                terms[-1] = times(sigmoid(Ref(self.operand("z"))), terms[-1])
        return plus(*terms)

    def read(self, state, indices, dims, pre=False):
        """A value of these indices made from a state: what they lack is contracted."""
        at, bound, left = [], [], list(zip(indices, dims))
        for position, dim in enumerate(state.dims):
            found = next(((i, d) for i, d in left if d == dim), None)
            if found and not self.chance(0.15):
                left.remove(found)
                at.append(found[0])
            else:
                at.append("abc"[position])
                bound.append(("abc"[position], dim))
        value = self.prior(state, at) if pre else state.at(at)
        for index, dim in bound:
            value = total(index, times(self.input("q", index, dim), value))
            if self.size(dim) > 1:
                value = times(n(self.size(dim) ** -0.5), value)
        if state.kind == "complex":
            value = Call(self.pick("real", "real", "imag"), (value,))
        for index, dim in left:
            value = times(self.input("p", index, dim), value)
        return value

    # -- Systems --

    def system(self):
        rank = self.pick(0, 1, 1, 2, 2, 2, 2, 3)
        dims = [self.rng.choice(["K", "V", "N"]) for _ in range(rank)]
        if len(set(dims)) < len(dims) and self.chance(0.7):
            dims = self.rng.sample(["K", "V", "N"], rank)
        indices = ["i", "j", "h"][:rank]
        earlier = [state for state in self.states if not state.undamped]
        self.undamped = False
        kinds = ["diagonal"] * 4 + ["coupled", "max"]
        if rank:
            kinds += ["feedback"] * 7 + ["fold"] * 2 + ["dense"]
        if rank > 1:
            kinds += ["stabilised"]
        kind = self.rng.choice(kinds)
        complex_ = kind == "diagonal" and self.chance(0.15)
        state = State(self.name("S"), tuple(dims), "complex" if complex_ else "real")
        init = None
        if not complex_ and kind != "max" and self.chance(0.1):
            init = Ref(self.operand("S0", dims, section="param"))
        if kind == "feedback":
            self.feedback_system(state, indices, earlier, self.pick(1, 1, 1, 2, 3))
        else:
            getattr(self, kind)(state, indices, earlier)
        state.undamped = self.undamped
        self.operands.append(Operand("state", state.name, state.dims, state.kind, "head", init))
        self.states.append(state)

    def define(self, state, indices, value):
        self.statements.append(Statement("state", state.name, tuple(indices), value))

    def decayed(self, state, indices):
        gate = self.gate(indices, state.dims)
        prior = lambda at: self.prior(state, at)
        if gate is None:
            return prior
        if self.chance(0.5):
            D = self.let("D", indices, times(gate, prior(indices)))
            return lambda at: D(*at)
        renamed = lambda node, at: node if isinstance(node, Num) else self.relabelled(node, dict(zip(indices, at)))
        return lambda at: times(renamed(gate, at), prior(at))

    def relabelled(self, node, to):
        if isinstance(node, Ref):
            return Ref(node.name, tuple(to.get(i, i) for i in node.indices))
        return node.rebuilt(lambda child: self.relabelled(child, to))

    def diagonal(self, state, indices, earlier):
        own = self.decayed(state, indices)(indices)
        if state.kind == "complex":
            angle = Ref(self.operand("theta", state.dims[:1]), tuple(indices[:1]))
            own = times(n(0.97), Call("cis", (angle,)), own)
        elif self.chance(0.1):
            own = plus(times(n(0.5), own), times(n(0.4), self.prior(state, indices, lag=self.pick(2, 3))))
        self.define(state, indices, plus(own, self.drive(indices, state.dims, self.pick(1, 1, 1, 2, 3), earlier)))

    def feedback_system(self, state, indices, earlier, rank):
        carried = self.decayed(state, indices)
        first = carried(indices)
        read = carried if self.chance(0.7) else lambda at: self.prior(state, at)
        value = minus(first, self.feedback(read, indices, state.dims, rank))
        self.define(state, indices, plus(value, self.drive(indices, state.dims, self.pick(1, 1, 1, 2, 3), earlier)))

    def fold(self, state, indices, earlier):
        carried = self.decayed(state, indices)
        axis = self.rng.randrange(len(indices))
        D = self.let("F", indices, carried(indices))(*indices)
        key, beta = self.operand("ks", ["J", state.dims[axis]], section="in"), self.operand("bs", ["J"], section="in")
        at = list(indices)
        at[axis] = "l"
        wanted = [(i, d) for a, (i, d) in enumerate(zip(indices, state.dims)) if a != axis]
        v = Ref(self.operand("vs", ["J", *[d for _, d in wanted]], section="in"), ("s", *[i for i, _ in wanted]))
        error = minus(v, total("l", times(Ref(key, ("s", "l")), Ref("M", tuple(at)))))
        body = plus(Ref("M", tuple(indices)),
                    times(n(0.5), sigmoid(Ref(beta, ("s",))), Ref(key, ("s", indices[axis])), error))
        if self.chance(0.2):
            body = plus(times(sigmoid(Ref(beta, ("s",))), Ref("M", tuple(indices))), times(Ref(key, ("s", indices[axis])), v))
        fold = Fold("s", "M", Ref(D.name), body, tuple(indices))
        self.define(state, indices, fold)

    def coupled(self, state, indices, earlier):
        """Momentum: a velocity that the state reads, and that reads the state."""
        other = State(self.name("m"), state.dims, "real")
        self.operands.append(Operand("state", other.name, other.dims))
        velocity = times(sigmoid(Ref(self.operand("eta"))), self.prior(other, indices))
        if self.chance(0.6):
            velocity = minus(velocity, times(n(0.3), self.prior(state, indices)))
        if indices and self.chance(0.5):
            velocity = minus(velocity, times(n(0.4), self.feedback(lambda at: self.prior(state, at), indices, state.dims, 1)))
        self.define(other, indices, plus(velocity, self.drive(indices, state.dims, 1, earlier)))
        read = other.at(indices) if self.chance(0.6) else self.prior(other, indices)
        self.define(state, indices, plus(times(n(0.8), self.decayed(state, indices)(indices)), times(n(0.5), read)))
        self.states.append(other)

    def max(self, state, indices, earlier):
        decay = Neg(Call("softplus", (Ref(self.operand("f")),)))
        self.define(state, indices, Call("max", (plus(decay, self.prior(state, indices)),
                                                 Ref(self.operand("e", state.dims, section="in"), tuple(indices)))))

    def stabilised(self, state, indices, earlier):
        m = State(self.name("mx"), (), "real")
        self.operands.append(Operand("state", m.name, (), "real", "head", Neg(Num(float("inf")))))
        lf = self.let("lf", [], Neg(Call("softplus", (Ref(self.operand("f", section="in")),))))()
        gate = Ref(self.operand("li", section="in"))
        self.define(m, [], Call("max", (plus(lf, self.prior(m, [])), gate)))
        now = m.at([])
        own = times(exp(minus(plus(lf, self.prior(m, [])), now)), self.prior(state, indices))
        self.define(state, indices, plus(own, times(exp(minus(gate, now)), self.drive(indices, state.dims, 1, earlier))))

    def dense(self, state, indices, earlier):
        axis = self.rng.randrange(len(indices))
        at = list(indices)
        at[axis] = "l"
        dim = state.dims[axis]
        weight = Ref(self.operand("A", [dim, dim]), (indices[axis], "l"))
        product = total("l", times(n(0.4 * self.size(dim) ** -0.5), Call("tanh", (weight,)), self.prior(state, at)))
        if self.chance(0.5):
            product = plus(times(n(0.4), self.decayed(state, indices)(indices)), product)
        self.define(state, indices, plus(product, self.drive(indices, state.dims, 1, earlier)))

    # -- Outs --

    def out(self, state):
        rank = self.pick(0, 1, 1, 1, 2)
        dims = self.rng.sample([d for d in ("K", "V", "N")], rank)
        if self.chance(0.75):  # what a state has, less what is contracted
            dims = [d for d in dict.fromkeys(state.dims)][len(state.dims) > 1:]
        indices = ["i", "j", "h"][:len(dims)]
        value = self.read(state, indices, dims, pre=self.chance(0.25))
        roll = self.rng.random()
        # The sum of terms of all sizes that cancel is no norm.
        normed = [s for s in self.states if not s.undamped]
        if roll < 0.1 and not state.undamped:
            value = Op("/", value, Call("max", (Call("abs", (self.read(state, [], []),)), Num(1))))
        elif roll < 0.15 and normed:
            value = Op("/", value, plus(Num(1), Call("abs", (self.read(self.rng.choice(normed), [], []),))))
        elif roll < 0.25 and indices:
            value = times(Call("silu", (self.input("y", indices[-1], dims[-1]),)), value)
        elif roll < 0.35 and indices:
            value = plus(value, times(Ref(self.operand("D", section="param")), self.input("v", indices[-1], dims[-1])))
        elif roll < 0.45:
            value = plus(value, self.read(self.rng.choice(self.states), indices, dims, pre=self.chance(0.4)))
        elif roll < 0.5:
            value = Call("tanh", (value,))
        self.statements.append(Statement("out", self.name("o"), tuple(indices), value))

    def draw(self, title):
        # Small ones compile in half the time; what depends on sizes (strips, tails) needs some of the others.
        pool = SIZES if self.chance(0.2) else SMALL
        sizes = {name: self.rng.choice(pool) for name in ("K", "V", "N")}
        if sizes["K"] * sizes["V"] * sizes["N"] > 600:
            sizes[self.pick("K", "V", "N")] = 2
        sizes |= {"R": self.pick(1, 2, 3), "J": self.pick(1, 2, 3)}
        self.dims = {name: (size, True) for name, size in sizes.items()}
        for _ in range(self.pick(1, 1, 1, 1, 1, 2, 2, 3)):
            self.system()
        for state in self.rng.sample(self.states, min(len(self.states), self.pick(1, 2, 3))):
            self.out(state)
        if self.chance(0.4):
            self.out(self.rng.choice(self.states))
        # A cascade is drawn in order; statements may stand in any.
        if self.chance(0.2):
            self.rng.shuffle(self.statements)
        read = {d for o in self.operands for d in o.dims}
        return Recurrence(title, {k: v for k, v in self.dims.items() if k in read}, ("",), tuple(self.operands),
                          tuple(self.statements))


def draw(seed):
    return Systems(seed).draw(f"r{seed}")
