"""Draws well-formed recurrences whose states stay bounded.

A state is defined from a template (decay, delta rule, dense transition, lags, fold, max-plus, …) whose gates and
inputs are random expressions; around it are lets, other states that it reads or that read it, and outs. Every
expression is of size about one, so that nothing overflows and no difference cancels more than f32 can bear.
"""

import random

from .tree import Call, Delay, Fold, Macro, Neg, Num, Op, Operand, Recurrence, Reduce, Ref, Statement

INDICES = "i j k l m n a b s t x y K V N p q i1 _i id ij T H e o".split()
NAMES = """q k v w g u z r beta gamma dt x x1 x_2 B C A f lam K V t s b1 _a theta alpha main data size count kernel i32
    batch head m n y o c h S p i j const tensor memref step Q k_ e1 E nan float2 first""".split()
DIMS = "K V N D P R J M x t Lx d_1".split()
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 70]
TITLES = "r main malloc expf memcpy free rec_1 loop llvm double run kernel printf a T".split()


def n(value):
    return Num(round(value, 3))


def times(*factors):
    factors = [factor for factor in factors if factor is not None]
    result = factors[0]
    for factor in factors[1:]:
        result = Op("*", result, factor)
    return result


def plus(*terms):
    result = terms[0]
    for term in terms[1:]:
        result = Op("+", result, term)
    return result


def minus(a, b):
    return Op("-", a, b)


class Symbol:
    def __init__(self, name, dims, kind="real", role="let", exact=False, constant=False):
        self.name, self.dims, self.kind, self.role = name, tuple(dims), kind, role
        self.exact, self.constant = exact, constant


class Drawer:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.symbols, self.planned = [], []
        self.operands, self.statements, self.macros = [], [], []
        self.names = set()
        self.free_names = self.rng.sample(NAMES, len(NAMES))
        self.plain = self.rng.random() < 0.5  # names without surprises
        self.in_fold = False
        self.left = ()  # the indices of the left side of the statement that is drawn

    # -- Small things --

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, *options):
        return self.rng.choice(options)

    def number(self, low=0.1, high=0.9):
        return n(self.rng.uniform(low, high))

    def name(self, prefix):
        if not self.plain and self.free_names:
            name = self.free_names.pop()
        else:
            name = prefix
        while name in self.names:
            name = f"{prefix}{len(self.names)}"
        self.names.add(name)
        return name

    def index(self, scope):
        """An index that is not bound yet."""
        taken = {*scope, *self.left}
        pool = [index for index in (INDICES[:6] if self.plain else INDICES) if index not in taken]
        return self.rng.choice(pool) if pool else f"i{len(taken)}"

    def indices(self, dims):
        """Indices for the left side of a statement, which nothing on its right side may bind."""
        self.left = ()
        for _ in dims:
            self.left += (self.index(()),)
        return self.left

    def size(self, dim):
        return dim if isinstance(dim, int) else self.dims[dim][0]

    # -- The whole --

    def draw(self):
        rng = self.rng
        count = rng.choice([1, 1, 2, 2, 2, 3])
        names = rng.sample(DIMS[:6] if self.plain else DIMS, count)
        self.dims = {}
        for position, name in enumerate(names):
            size = rng.choice(SIZES if position == 0 else SIZES[:9])
            self.dims[name] = (size, self.chance(0.2))
        self.dim_pool = [*names]
        if self.chance(0.1):
            self.dim_pool.append(rng.choice([2, 3]))
        self.time = ("",)
        self.direction = self.pick(*["forward"] * 7, "backward", "mixed", "mixed")
        if self.chance(0.1):
            self.time = self.pick(("y", "x"), ("row", "col"), ("K", "t"))
            self.direction = self.pick("forward", "forward", "mixed")
        elif self.chance(0.1):
            self.time = (self.pick("t", "s", "x", "time_"),)
        self.is_complex = self.chance(0.2)
        self.draw_macros()
        self.draw_inputs()
        self.plan_states()
        for _ in range(rng.choice([0, 0, 1, 2])):
            self.draw_let()
        for state in self.planned:
            if self.chance(0.3):
                self.draw_let()
            self.define_state(state)
        if self.chance(0.3):
            self.draw_let()
        self.draw_outs()
        statements = list(self.statements)
        if self.chance(0.3):
            rng.shuffle(statements)
        operands = list(self.operands)
        if self.chance(0.2):
            rng.shuffle(operands)
        title = "r" if self.plain else self.pick(*TITLES)
        others = ()
        if self.chance(0.05):
            others = ("recurrence other {\n  in x\n  state s\n  s = 0.5 * prev(s) + x\n  out o = s\n}",)
        return Recurrence(title, self.dims, self.time, tuple(operands), tuple(statements), tuple(self.macros), others)

    def draw_macros(self):
        if not self.chance(0.15):
            return
        body, parameters = self.pick(
            (Op("+", Ref("a"), Op("*", Ref("w"), Op("-", Ref("b"), Ref("a")))), ("a", "b", "w")),
            (Call("sigmoid", (Op("+", Ref("a"), Op("*", Num(0.5), Op("*", Ref("b"), Ref("w")))),)), ("a", "b", "w")),
            (Op("/", Op("+", Ref("a"), Ref("w")), Op("+", Num(1), Op("*", Ref("b"), Ref("b")))), ("a", "b", "w")))
        self.macros.append(Macro(self.name("lerp"), parameters, body))

    def draw_inputs(self):
        rng = self.rng
        for _ in range(rng.choice([2, 3, 4, 5, 6])):
            rank = rng.choice([0, 0, 1, 1, 1, 2, 2, 3])
            dims = [rng.choice(self.dim_pool) for _ in range(rank)]
            while rank > 1 and self.elements(dims) > 1200:
                dims[rng.randrange(rank)] = min(self.dim_pool, key=self.size)
                if self.elements(dims) > 1200:
                    dims.pop()
                    rank -= 1
            section = self.pick("in", "in", "in", "param")
            kind = self.pick(*["real"] * 12, "bool", "int", *["complex"] * (6 if self.is_complex else 0))
            scope = self.pick("head", "head", "head", "group", "shared")
            self.add_operand(section, self.name("x" if section == "in" else "p"), dims, kind, scope)
        if not any(o.kind == "real" and o.section == "in" for o in self.operands):
            self.add_operand("in", self.name("x"), [], "real", "head")
        if not any(o.kind == "real" and o.section == "in" and o.dims for o in self.operands):
            self.add_operand("in", self.name("x"), [self.dim_pool[0]], "real", "head")

    def elements(self, dims):
        result = 1
        for dim in dims:
            result *= self.size(dim)
        return result

    def add_operand(self, section, name, dims, kind, scope):
        self.operands.append(Operand(section, name, tuple(dims), kind, scope))
        self.symbols.append(Symbol(name, dims, kind, section, exact=True, constant=section == "param"))

    # -- Expressions --

    def usable(self, kind="real", **wanted):
        return [symbol for symbol in self.symbols if symbol.kind == kind
                and all(getattr(symbol, key) == value for key, value in wanted.items())]

    def place(self, dims, scope):
        """Indices of the scope for all dims, or None."""
        result = []
        for dim in dims:
            candidates = [index for index, of in scope.items() if of == dim]
            if not candidates:
                return None
            fresh = [index for index in candidates if index not in result]
            result.append(self.rng.choice(fresh if fresh and not self.chance(0.1) else candidates))
        return tuple(result)

    def ref(self, symbol, scope, kind="real"):
        """The symbol in the scope; what it has more is summed or its maximum."""
        placed = self.place(symbol.dims, scope)
        if placed is not None and not (placed and self.chance(0.05)):
            return Ref(symbol.name, placed)
        inner, indices, bound = dict(scope), [], []
        for dim in symbol.dims:
            candidates = [index for index, of in scope.items() if of == dim and index not in indices]
            if candidates and self.chance(0.8):
                indices.append(self.rng.choice(candidates))
                continue
            index = self.index(inner)
            inner[index] = dim
            indices.append(index)
            bound.append(index)
        core = Ref(symbol.name, tuple(indices))
        if not bound:
            return core
        if kind == "real" and self.chance(0.15):
            return Reduce("maximum", tuple(bound), core)
        others = [other for other in self.usable("real") if other.role != "state" and other.dims
                  and self.place(other.dims, inner) and other is not symbol]
        body = core
        if others and self.chance(0.6):
            other = self.rng.choice(others)
            body = times(Ref(other.name, self.place(other.dims, inner)), core)
            if self.chance(0.3):
                body = Op("*", body.right, body.left)
        if len(bound) > 1 and self.chance(0.3):
            total = Reduce("sum", tuple(bound[1:]), body)
            total = Reduce("sum", (bound[0],), total)
        else:
            total = Reduce("sum", tuple(bound), body)
        weight = self.elements([inner[index] for index in bound]) ** -0.5
        return times(n(weight), total) if weight < 1 else total

    def atom(self, scope, kind="real"):
        symbols = self.usable(kind)
        if kind == "real" and (not symbols or self.chance(0.08)):
            return self.number(-1, 1)
        if not symbols:
            return Call("cis", (self.atom(scope),))
        fitting = [symbol for symbol in symbols if self.place(symbol.dims, scope) is not None]
        if fitting and self.chance(0.85):
            ranked = sorted(fitting, key=lambda s: -len(s.dims))
            symbols = ranked[:3] if self.chance(0.5) else fitting
        return self.ref(self.rng.choice(symbols), scope, kind)

    def condition(self, scope):
        bools = [s for s in self.usable("bool") if self.place(s.dims, scope) is not None]
        if bools and self.chance(0.7):
            symbol = self.rng.choice(bools)
            result = Ref(symbol.name, self.place(symbol.dims, scope))
            if symbol.role == "in" and self.chance(0.1):
                return self.delayed(result)
            return result
        exact = [s for s in self.usable("real", exact=True) + self.usable("int", exact=True)
                 if self.place(s.dims, scope) is not None]
        if not exact:
            return Op("<", Num(0), Num(1))
        symbol = self.rng.choice(exact)
        a = Ref(symbol.name, self.place(symbol.dims, scope))
        if symbol.kind == "int":
            return self.pick(a, Op(self.pick("==", "!=", "<=", ">", "<", ">="), a, Num(self.rng.choice([0, 1, 2]))))
        return Op(self.pick("<", "<=", ">", ">="), a, self.number(-1, 1))

    def value(self, scope, depth=2):
        """A real expression of size about one."""
        if depth <= 0 or self.chance(0.15):
            return self.atom(scope)
        v = lambda: self.value(scope, depth - 1)
        choice = self.rng.randrange(34)
        if choice < 5:
            return Op(self.pick("+", "-"), v(), v())
        if choice < 10:
            return times(v(), v())
        if choice < 11:
            return Neg(v())
        if choice < 12:
            x = self.atom(scope)
            return Op("/", v(), plus(Num(1), times(x, x)))
        if choice < 18:
            return Call(self.pick("tanh", "sigmoid", "sin", "cos", "silu", "relu", "softplus", "abs"), (v(),))
        if choice < 19:
            return Call("exp", (self.pick(Neg(Call("abs", (v(),))), Call("min", (v(), Num(1)))),))
        if choice < 20:
            x = self.atom(scope)
            return Call(self.pick("log", "sqrt", "rsqrt"), (plus(Num(1), times(x, x)),))
        if choice < 21:
            return Call(self.pick("min", "max"), tuple(v() for _ in range(self.pick(2, 2, 3))))
        if choice < 22:
            return Call("select", (self.condition(scope), v(), v()))
        if choice < 23:
            return Call("pow", (plus(Call("abs", (v(),)), Num(0.5)), self.pick(Num(0.5), Num(2), Num(-0.5), Num(0.7))))
        if choice < 24:
            exact = [s for s in self.usable("real", exact=True) if self.place(s.dims, scope) is not None]
            if exact:
                symbol = self.rng.choice(exact)
                return Call("sign", (Ref(symbol.name, self.place(symbol.dims, scope)),))
            return v()
        if choice < 25 and self.macros:
            return Call(self.macros[0].name, (v(), v(), v()))
        if choice < 28:
            return self.summed(scope, depth)
        if choice < 29 and self.is_complex:
            return Call(self.pick("real", "imag", "abs"), (self.complex_value(scope, depth - 1),))
        if choice < 31 and not self.in_fold:
            return self.delayed(v())
        if choice < 32 and not self.in_fold and depth > 1:
            return self.inner_fold(scope)
        if choice < 33:
            ints = [s for s in self.usable("int") if self.place(s.dims, scope) is not None]
            if ints:
                symbol = self.rng.choice(ints)
                return Ref(symbol.name, self.place(symbol.dims, scope))
        return self.atom(scope)

    def summed(self, scope, depth):
        dim = self.rng.choice(self.dim_pool)
        index = self.index(scope)
        body = self.value({**scope, index: dim}, depth - 1)
        if not mentions(body, index):
            mine = [s for s in self.usable("real") if dim in s.dims and self.place(s.dims, {**scope, index: dim})]
            if not mine:
                return body
            symbol = self.rng.choice(mine)
            placed = [index if d == dim else p
                      for d, p in zip(symbol.dims, self.place(symbol.dims, {**scope, index: dim}))]
            body = Op(self.pick("+", "*"), Ref(symbol.name, tuple(placed)), body)
        if self.chance(0.2):
            return Reduce("maximum", (index,), body)
        return times(n(1 / self.size(dim)), Reduce("sum", (index,), body))

    def inner_fold(self, scope):
        """A fold that starts from an array of the scope's indices, used as part of an expression."""
        starts = [s for s in self.usable("real") if s.dims and len(set(s.dims)) == len(s.dims)
                  and self.place(s.dims, scope) is not None and s.role in ("in", "let", "state") and len(s.dims) < 3]
        stepped = [s for s in self.usable("real", exact=True) if s.dims]
        if not starts or not stepped:
            return self.atom(scope)
        symbol, by = self.rng.choice(starts), self.rng.choice(stepped)
        placed = self.place(symbol.dims, scope)
        step = self.index(scope)
        inner = {index: scope[index] for index in placed}
        indices = self.place(by.dims[1:], inner)
        if indices is None:
            return self.atom(scope)
        variable = self.name("M")
        self.in_fold = True
        body = plus(times(self.number(), Ref(variable, placed)),
                    times(self.number(), Ref(by.name, (step, *indices))))
        self.in_fold = False
        return Fold(step, variable, Ref(symbol.name), body, placed)

    def complex_value(self, scope, depth=1):
        if depth <= 0 or self.chance(0.2):
            return self.atom(scope, "complex")
        c = lambda: self.complex_value(scope, depth - 1)
        return self.pick(
            lambda: Op(self.pick("+", "-"), c(), c()), lambda: times(c(), self.value(scope, depth - 1)),
            lambda: times(c(), c()), lambda: Call("conj", (c(),)), lambda: Neg(c()),
            lambda: times(self.value(scope, 0), Call("cis", (self.value(scope, depth - 1),))),
            lambda: Op("/", c(), plus(Num(1), Call("abs", (c(),)))),
            lambda: Call("exp", (Op("/", c(), plus(Num(1), Call("abs", (c(),)))),)),
            lambda: Call("select", (self.condition(scope), c(), c())), lambda: plus(c(), self.value(scope, 0)))()

    def way(self):
        if self.direction == "mixed":
            return self.pick(1, 1, -1)
        return -1 if self.direction == "backward" else 1

    def steps_of(self, way, axis=None, far=True):
        axes = [axis] if axis is not None else [self.rng.choice(self.time)]
        if len(self.time) == 2 and axis is None and self.chance(0.2):
            axes = list(self.time)
        return tuple((name, way * (self.pick(1, 1, 1, 2, 3) if far else 1)) for name in axes)

    def delayed(self, body):
        if not any(isinstance(node, Ref) for node in body.walk()):
            return body
        constant = {symbol.name for symbol in self.symbols if symbol.constant}
        if isinstance(body, Ref) and body.name in constant:
            return body
        states = {symbol.name for symbol in self.planned} | {o.name for o in self.operands if o.section == "state"}
        if self.direction == "mixed" and any(isinstance(node, Ref) and node.name in states for node in body.walk()):
            return body
        return Delay(self.steps_of(self.way()), body)

    def gate(self, scope, depth=1):
        """In (-1, 1), over some of the labels."""
        labels = list(scope)
        kept = {label: scope[label] for label in labels if self.chance(0.6)}
        if self.chance(0.2):
            kept = {}
        v = lambda: self.value(kept, depth)
        sigmoid = lambda: Call("sigmoid", (v(),))

        def reciprocal():
            x = self.atom(kept)
            return Op("/", Num(1), plus(Num(1), times(x, x)))

        return self.rng.choice([
            lambda: self.number(0.2, 0.95), lambda: n(-self.rng.uniform(0.1, 0.9)),
            lambda: Num(0) if self.chance(0.2) else self.number(), sigmoid, sigmoid, lambda: Neg(sigmoid()),
            lambda: Call("exp", (Neg(Call("softplus", (v(),))),)), lambda: Call("exp", (Neg(Call("softplus", (v(),))),)),
            lambda: minus(Num(1), sigmoid()), reciprocal, lambda: Call("exp", (Neg(Call("abs", (v(),))),)),
            lambda: Call("exp", (times(Call("softplus", (v(),)), Neg(Call("exp", (Call("min", (v(), Num(1))),)))),)),
            lambda: Call("tanh", (v(),)), lambda: Call("cos", (v(),)),
            lambda: Call("select", (self.condition(kept), Num(0), sigmoid())),
            lambda: times(self.gate(scope, 0), self.gate(scope, 0)),
            lambda: times(Call("exp", (Neg(Call("abs", (v(),))),)), sigmoid()),
            lambda: Call("exp", (plus(Neg(Call("abs", (self.atom(kept),))), Neg(Call("softplus", (v(),)))),)),
            lambda: Call("pow", (self.number(), Call("softplus", (v(),)))),
            lambda: Call("sqrt", (sigmoid(),)),
            lambda: Call("max", (Call("tanh", (v(),)), n(-0.5))),
            lambda: Op("/", sigmoid(), n(self.rng.uniform(1.1, 3))),
        ])()

    def complex_gate(self, scope):
        return self.pick(lambda: times(self.gate(scope, 0), Call("cis", (self.value(scope, 1),))),
                         lambda: times(Call("exp", (Neg(Call("softplus", (self.atom(scope),))),)),
                                       Call("cis", (self.atom(scope),))),
                         lambda: times(Call("cis", (self.atom(scope),)), self.number()),
                         lambda: Op("/", self.atom(scope, "complex"),
                                    plus(Num(1), Call("abs", (self.atom(scope, "complex"),))))
                         if False else times(self.number(), Call("cis", (self.atom(scope),))))()

    def drive(self, scope, elem="real"):
        """What enters a state."""
        if elem == "complex" and self.chance(0.7):
            return self.complex_value(scope, 1)
        if len(scope) >= 2 and self.chance(0.6):
            labels = list(scope)
            self.rng.shuffle(labels)
            factors = [self.value({label: scope[label]}, self.pick(0, 0, 1)) for label in labels]
            if self.chance(0.3):
                factors.insert(0, self.value({}, 0))
            return times(*factors)
        if self.chance(0.1):
            return self.value({}, 1)
        return self.value(scope, 2)

    # -- Statements --

    def draw_let(self):
        rank = self.pick(0, 1, 1, 2)
        dims = [self.rng.choice(self.dim_pool) for _ in range(rank)]
        if self.elements(dims) > 1200:
            dims = dims[:1]
        indices = self.indices(dims)
        scope = dict(zip(indices, dims))
        kind = "complex" if self.is_complex and self.chance(0.3) else "bool" if self.chance(0.05) else "real"
        value = self.complex_value(scope, 2) if kind == "complex" else \
            self.condition(scope) if kind == "bool" else self.value(scope, 3)
        self.add_let(indices, dims, value, kind)

    def add_let(self, indices, dims, value, kind="real", name="d"):
        """Leaves out indices that the value does not tell the dim of."""
        kept = [(i, d) for i, d in zip(indices, dims) if mentions(value, i)]
        indices, dims = tuple(i for i, _ in kept), tuple(d for _, d in kept)
        if kind == "real" and self.could_be_complex(value):
            value = Call("real", (value,))
        if kind == "complex" and not self.could_be_complex(value):
            kind = "real"
        name = self.name(name)
        self.statements.append(Statement("let", name, indices, value, kind))
        symbol = Symbol(name, dims, kind, "let")
        symbol.indices = indices
        self.symbols.append(symbol)
        return symbol

    def could_be_complex(self, node):
        if isinstance(node, Ref):
            return any(s.name == node.name and s.kind == "complex" for s in self.symbols)
        if isinstance(node, Call) and node.name in ("real", "imag", "abs"):
            return False
        if isinstance(node, Call) and node.name == "cis":
            return True
        return any(self.could_be_complex(child) for child in node.children())

    def plan_states(self):
        for _ in range(self.pick(1, 1, 1, 2, 2, 3)):
            rank = self.pick(0, 1, 1, 2, 2, 2, 2, 3)
            dims = [self.rng.choice(self.dim_pool) for _ in range(rank)]
            while self.elements(dims) > 2500:
                dims.pop()
            kind = "complex" if self.is_complex and self.chance(0.6) else "real"
            symbol = Symbol(self.name("S"), dims, kind, "state")
            self.planned.append(symbol)

    def prior(self, symbol, indices, steps=None, way=None):
        return Delay(steps or self.steps_of(way, far=False), Ref(symbol.name, tuple(indices)))

    def define_state(self, symbol):
        dims = symbol.dims
        indices = self.indices(dims)
        scope = dict(zip(indices, dims))
        way = self.way()
        templates = ["decay"] * 3 + ["convex", "lags", "reset", "mean", "twice", "whole", "split_let", "transition_let"]
        if symbol.kind == "real":
            templates += ["nonlinear", "quotient"]
            templates += ["maxplus", "stabilised"]
        if len(dims) >= 1:
            templates += ["delta", "delta", "dense", "dense", "fold", "fold", "feedback"]
        if any(dims.count(dim) > 1 for dim in dims):
            templates += ["transposed"] * 4
        if len(self.time) == 2:
            templates = ["grid"] * 3 + ["decay", "convex", "split_let"] + (["dense"] if dims else [])
        if self.direction != "mixed" and len(self.time) == 1 and len(self.planned) > 1:
            templates += ["coupled"] * 3
        method = getattr(self, "state_" + self.rng.choice(templates))
        value = method(symbol, indices, scope, way)
        init = None
        if self.chance(0.2) and symbol.kind == "real":
            params = [s for s in self.usable("real", constant=True) if not s.dims or s.dims == dims]
            init = self.number(-1, 1)
            if params and self.chance(0.6):
                param = self.rng.choice(params)
                init = self.pick(lambda: Ref(param.name), lambda: times(Num(2), Ref(param.name)),
                                 lambda: plus(Call("tanh", (Ref(param.name),)), init))()
        if init is None and symbol in self.minus_infinite:
            init = self.minus_infinite[symbol]
        self.operands.append(Operand("state", symbol.name, dims, symbol.kind, "head", init))
        self.statements.append(Statement("state", symbol.name, indices, value, symbol.kind))
        self.symbols.append(symbol)

    minus_infinite = {}

    def some_gate(self, symbol, scope):
        return self.complex_gate(scope) if symbol.kind == "complex" and self.chance(0.7) else self.gate(scope)

    def state_decay(self, symbol, indices, scope, way):
        prior, gate = self.prior(symbol, indices, way=way), self.some_gate(symbol, scope)
        product = times(gate, prior) if self.chance(0.7) else times(prior, gate)
        drive = self.drive(scope, symbol.kind)
        return self.pick(plus(product, drive), plus(drive, product), minus(product, drive))

    def state_convex(self, symbol, indices, scope, way):
        gate = self.add_let(indices, symbol.dims, Call("sigmoid", (self.value(scope, 1),)), name="z")
        z = Ref(gate.name, gate.indices)
        return plus(times(minus(Num(1), z), self.prior(symbol, indices, way=way)), times(z, self.drive(scope, symbol.kind)))

    def state_lags(self, symbol, indices, scope, way):
        axis = self.rng.choice(self.time)
        terms = [times(self.pick(n(0.4), times(n(0.4), self.gate(scope, 0))),
                       Delay(((axis, way * lag),), Ref(symbol.name, indices)))
                 for lag in self.rng.sample([1, 2, 3], self.pick(1, 2))]
        return plus(*terms, self.drive(scope, symbol.kind))

    def state_reset(self, symbol, indices, scope, way):
        prior = self.prior(symbol, indices, way=way)
        gate = self.some_gate(symbol, scope)
        reset = self.condition({label: dim for label, dim in scope.items() if self.chance(0.5)})
        return self.pick(
            lambda: plus(Call("select", (reset, Num(0), times(gate, prior))), self.drive(scope, symbol.kind)),
            lambda: Call("select", (reset, self.drive(scope, symbol.kind), times(gate, prior))),
            lambda: Call("select", (reset, times(n(0.3), prior),
                                    plus(times(gate, prior), self.drive(scope, symbol.kind)))),
            lambda: plus(times(Call("select", (reset, Num(0), gate)), prior), self.drive(scope, symbol.kind)))()

    def state_mean(self, symbol, indices, scope, way):
        """Mixes with the mean over some axes."""
        own = times(n(0.5), self.prior(symbol, indices, way=way))
        if not indices:
            return plus(own, self.drive(scope, symbol.kind))
        inner, read, bound = dict(scope), [], []
        for index, dim in zip(indices, symbol.dims):
            if self.chance(0.6) or (index is indices[-1] and not bound):
                fresh = self.index(inner)
                inner[fresh] = dim
                bound.append(fresh)
                read.append(fresh)
            else:
                read.append(index)
        weight = n(0.3 / self.elements([inner[index] for index in bound]))
        total = Reduce("sum", tuple(bound), self.prior(symbol, read, way=way))
        return plus(own, times(weight, total) if float(weight.value) else own, self.drive(scope, symbol.kind))

    def state_twice(self, symbol, indices, scope, way):
        prior = self.prior(symbol, indices, way=way)
        return self.pick(
            lambda: plus(times(n(0.5), prior), Op("/", times(n(0.3), plus(prior, self.drive(scope, symbol.kind))),
                                                  self.number(1, 2))),
            lambda: times(self.gate(scope), plus(prior, self.drive(scope, symbol.kind))),
            lambda: times(n(0.5), minus(plus(prior, self.drive(scope, symbol.kind)), Neg(times(n(0.4), prior)))),
            lambda: Neg(times(self.gate(scope, 0), minus(self.drive(scope, symbol.kind), prior))))()

    def state_whole(self, symbol, indices, scope, way):
        """prev of a whole expression that reads the state."""
        inside = plus(times(n(0.6), Ref(symbol.name, indices)), times(n(0.5), self.atom(scope)))
        return plus(Delay(self.steps_of(way, far=False), inside), self.drive(scope, symbol.kind))

    def state_split_let(self, symbol, indices, scope, way):
        """The decayed memory under a name."""
        value = times(self.some_gate(symbol, scope), self.prior(symbol, indices, way=way))
        name = self.name("D")
        self.statements.append(Statement("let", name, indices, value,
                                         "complex" if symbol.kind == "complex" else "real"))
        return plus(Ref(name, indices), self.drive(scope, symbol.kind))

    def state_transition_let(self, symbol, indices, scope, way):
        drive = self.add_let(indices, symbol.dims, self.value(scope, 2), name="u")
        return plus(times(self.some_gate(symbol, scope), self.prior(symbol, indices, way=way)),
                    Ref(drive.name, drive.indices))

    def state_delta(self, symbol, indices, scope, way):
        dims = symbol.dims
        axis = self.rng.randrange(len(dims))
        key_dim = dims[axis]
        gate = self.gate(scope) if self.chance(0.7) else None
        decayed = times(gate, self.prior(symbol, indices, way=way)) if gate else None
        kind = "complex" if symbol.kind == "complex" else "real"
        if decayed is not None and self.chance(0.7):
            name = self.name("D")
            self.statements.append(Statement("let", name, indices, decayed, kind))
            read = lambda at: Ref(name, at)
        else:
            read = lambda at: self.prior(symbol, at, way=way)
        result = read(indices)
        used = {}
        for _ in range(self.pick(1, 1, 2)):
            key = self.key(key_dim)
            contracted = self.index({**scope, **used})
            used[contracted] = key_dim
            at = tuple(contracted if i == axis else index for i, index in enumerate(indices))
            rest = {label: dim for label, dim in scope.items() if label != indices[axis]}
            beta = self.pick(self.number(0.1, 0.9), Call("sigmoid", (self.value({}, 1),)))
            got = Reduce("sum", (contracted,), times(key(contracted), read(at)))
            if self.chance(0.4):
                wanted = self.name("e")
                error = minus(self.value(rest, 0), got)
                left = tuple(label for label in indices if label != indices[axis] and mentions(error, label))
                self.statements.append(Statement("let", wanted, left, error, kind if kind == "complex" or
                                                 not self.could_be_complex(error) else "complex"))
                error = Ref(wanted, left)
            else:
                error = minus(self.drive(rest), got)
            term = times(beta, key(indices[axis]), error)
            if self.chance(0.3):
                term = times(key(indices[axis]), times(error, beta))
            result = plus(result, term)
        return result

    def key(self, dim):
        """A function index -> vector of norm below one."""
        fitting = [s for s in self.usable("real", exact=True) if s.dims == (dim,)]
        if not fitting:
            self.add_operand("in", self.name("k"), [dim], "real", "head")
            fitting = [self.symbols[-1]]
        symbol = self.rng.choice(fitting)
        scale = 1 / (2 * self.size(dim) ** 0.5)
        if self.chance(0.5):
            return lambda index: times(n(max(scale, 0.05)), Ref(symbol.name, (index,)))
        index = self.index(())
        inner = self.index((index,))
        square = Reduce("sum", (inner,), times(Ref(symbol.name, (inner,)), Ref(symbol.name, (inner,))))
        norm = times(Ref(symbol.name, (index,)), Call("rsqrt", (plus(square, Num(0.1)),)))
        name = self.name("kn")
        self.statements.append(Statement("let", name, (index,), norm))
        return lambda index: Ref(name, (index,))

    def matrix(self, dim, scale):
        fitting = [s for s in self.usable("real", exact=True) if s.dims == (dim, dim)]
        if not fitting:
            section = self.pick("in", "param", "param")
            self.add_operand(section, self.name("A"), [dim, dim], "real", self.pick("head", "shared"))
            fitting = [self.symbols[-1]]
        symbol = self.rng.choice(fitting)
        weight = Num(float(f"{scale / (2 * self.size(dim) ** 0.5):.3g}"))
        flipped = self.chance(0.3)
        return lambda i, l: times(weight, Ref(symbol.name, (l, i) if flipped else (i, l)))

    def state_dense(self, symbol, indices, scope, way):
        axes = [axis for axis in range(len(indices)) if self.size(symbol.dims[axis]) < 40]
        if not axes:
            return self.state_decay(symbol, indices, scope, way)
        chosen = self.rng.sample(axes, 1 if len(axes) == 1 or self.chance(0.7) else 2)
        inner, read, factors = dict(scope), list(indices), []
        for axis in chosen:
            fresh = self.index(inner)
            inner[fresh] = symbol.dims[axis]
            factors.append(self.matrix(symbol.dims[axis], 0.7)(indices[axis], fresh))
            read[axis] = fresh
        bound = tuple(read[axis] for axis in chosen)
        product = Reduce("sum", bound, times(*factors, self.prior(symbol, read, way=way)))
        if self.chance(0.4):
            product = times(self.gate(scope, 0), product)
        if self.chance(0.3):
            product = plus(product, times(n(0.2), self.prior(symbol, indices, way=way)))
        return plus(product, self.drive(scope, symbol.kind))

    def state_feedback(self, symbol, indices, scope, way):
        """Rank-one feedback over all axes, or over one."""
        inner, read, factors, out_factors = dict(scope), list(indices), [], []
        axes = self.rng.sample(range(len(indices)), self.pick(1, len(indices)))
        for axis in axes:
            fresh = self.index(inner)
            inner[fresh] = symbol.dims[axis]
            read[axis] = fresh
            factors.append(self.key(symbol.dims[axis])(fresh))
            out_factors.append(self.key(symbol.dims[axis])(indices[axis]))
        total = Reduce("sum", tuple(read[axis] for axis in axes), times(*factors, self.prior(symbol, read, way=way)))
        feedback = times(n(0.3), *out_factors, total)
        return plus(times(n(0.6), self.prior(symbol, indices, way=way)), feedback, self.drive(scope, symbol.kind))

    def state_transposed(self, symbol, indices, scope, way):
        a, b = next((a, b) for a in range(len(indices)) for b in range(a + 1, len(indices))
                    if symbol.dims[a] == symbol.dims[b])
        turned = list(indices)
        turned[a], turned[b] = turned[b], turned[a]
        diagonal = list(indices)
        diagonal[b] = indices[a]
        return self.pick(
            lambda: plus(times(n(0.6), self.prior(symbol, turned, way=way)), self.drive(scope, symbol.kind)),
            lambda: plus(times(n(0.4), self.prior(symbol, turned, way=way)),
                         times(self.gate(scope, 0), n(0.5), self.prior(symbol, indices, way=way)),
                         self.drive(scope, symbol.kind)),
            lambda: plus(times(n(0.5), self.prior(symbol, indices, way=way)),
                         times(n(0.3), self.prior(symbol, diagonal, way=way)), self.drive(scope, symbol.kind)))()

    def state_fold(self, symbol, indices, scope, way):
        dims = symbol.dims
        step = self.index({**scope})
        step_dim = min(self.dim_pool, key=self.size) if self.chance(0.8) else self.rng.choice(self.dim_pool)
        variable = self.name("M")
        axis = self.rng.randrange(len(dims))
        key = self.stepped(step_dim, dims[axis])
        beta = self.stepped(step_dim)
        contracted = self.index({**scope, step: 0})
        at = tuple(contracted if i == axis else index for i, index in enumerate(indices))
        rest = {label: dim for label, dim in scope.items() if label != indices[axis]}
        scale = n(max(0.05, 0.5 / self.size(dims[axis]) ** 0.5))
        carried = Ref(variable, indices)
        self.in_fold = True
        wanted = self.value(rest, 0)
        self.in_fold = False
        kind = self.pick("delta", "delta", "decay", "twice", "nonlinear") if symbol.kind == "real" else "decay"
        if kind == "delta":
            error = minus(wanted, Reduce("sum", (contracted,), times(scale, key(step, contracted), Ref(variable, at))))
            body = plus(carried, times(n(0.5), Call("sigmoid", (beta(step),)), scale, key(step, indices[axis]), error))
        elif kind == "twice":
            body = plus(times(Call("sigmoid", (beta(step),)), carried),
                        times(n(0.1), key(step, indices[axis]), scale,
                              Reduce("sum", (contracted,), times(scale, Ref(variable, at)))))
        elif kind == "nonlinear":
            body = Call("tanh", (plus(carried, times(key(step, indices[axis]), beta(step))),))
        else:
            body = plus(times(Call("sigmoid", (beta(step),)), carried), times(n(0.3), key(step, indices[axis])))
        choice = self.pick("let", "prev", "after")
        if choice == "prev":
            steps = self.steps_of(way, far=False)
            fold = Fold(step, variable, Delay(steps, Ref(symbol.name)), body, indices)
            if self.chance(0.6):
                return plus(times(n(0.9), fold), self.drive(scope, symbol.kind))
            return fold if kind != "delta" else plus(times(n(0.9), fold), self.drive(scope, symbol.kind))
        name = self.name("D")
        start = times(self.gate(scope), self.prior(symbol, indices, way=way))
        if choice == "after":
            start = plus(start, self.drive(scope, symbol.kind))
        self.statements.append(Statement("let", name, indices, start,
                                         "complex" if symbol.kind == "complex" or self.could_be_complex(start)
                                         else "real"))
        return Fold(step, variable, Ref(name), body, indices)

    def stepped(self, step_dim, *dims):
        fitting = [s for s in self.usable("real", exact=True) if s.dims == (step_dim, *dims)]
        if not fitting or self.chance(0.3):
            self.add_operand("in", self.name("ks"), [step_dim, *dims], "real", self.pick("head", "head", "group"))
            fitting = [self.symbols[-1]]
        symbol = self.rng.choice(fitting)
        return lambda *indices: Ref(symbol.name, indices)

    def state_maxplus(self, symbol, indices, scope, way):
        decay = Neg(Call("softplus", (self.value(scope, 1),)))
        prior = self.prior(symbol, indices, way=way)
        if self.chance(0.5):
            self.minus_infinite = {**self.minus_infinite, symbol: Num(float("-inf"))}
        name = self.pick("max", "max", "min")
        if name == "min" or symbol not in self.minus_infinite:
            self.minus_infinite = {s: v for s, v in self.minus_infinite.items() if s is not symbol}
        value = self.value(scope, 1)
        if name == "min":
            return Call("min", (minus(prior, decay), value))
        return self.pick(Call("max", (plus(prior, decay), value)), Call("max", (value, plus(decay, prior))),
                         Call("max", (prior, value)))

    def state_stabilised(self, symbol, indices, scope, way):
        """A running maximum of the logarithms and a state scaled by it."""
        dims = [dim for dim in symbol.dims if self.chance(0.4)]
        kept = [index for index, dim in zip(indices, symbol.dims)][: len(dims)]
        dims = list(symbol.dims[: len(kept)])
        m = Symbol(self.name("m"), dims, "real", "state")
        inner = dict(zip(kept, dims))
        forget = Neg(Call("softplus", (self.value(inner, 1),)))
        name = self.name("lf")
        left = tuple(index for index in kept if mentions(forget, index))
        self.statements.append(Statement("let", name, left, forget))
        lf = Ref(name, left)
        gate = self.value(inner, 1)
        inner_name = self.name("lg")
        left = tuple(index for index in kept if mentions(gate, index))
        self.statements.append(Statement("let", inner_name, left, gate))
        lg = Ref(inner_name, left)
        self.operands.append(Operand("state", m.name, tuple(dims), "real", "head", Num(float("-inf"))))
        prior = self.prior(m, kept, way=way)
        now = Ref(m.name, tuple(kept))
        self.statements.append(Statement("state", m.name, tuple(kept), Call("max", (plus(lf, prior), lg))))
        self.symbols.append(Symbol(m.name, dims, "real", "state"))
        return plus(times(Call("exp", (minus(plus(lf, prior), now),)), self.prior(symbol, indices, way=way)),
                    times(Call("exp", (minus(lg, now),)), self.drive(scope, symbol.kind)))

    def state_nonlinear(self, symbol, indices, scope, way):
        prior = self.prior(symbol, indices, way=way)
        x = self.value(scope, 1)
        return self.pick(
            lambda: Call("tanh", (plus(times(n(0.5), prior), x),)),
            lambda: times(Call("sigmoid", (plus(prior, x),)), plus(times(n(0.5), prior), self.drive(scope))),
            lambda: plus(times(n(0.5), prior), Op("/", self.drive(scope), plus(Num(1), times(prior, prior)))),
            lambda: plus(times(n(0.5), Call("relu", (prior,))), self.drive(scope)))()

    def state_quotient(self, symbol, indices, scope, way):
        prior = self.prior(symbol, indices, way=way)
        x = self.atom(scope)
        return plus(Op("/", prior, plus(n(1.2), times(x, x))), self.drive(scope, symbol.kind))

    def state_grid(self, symbol, indices, scope, way):
        ways = {axis: self.way() for axis in self.time}
        at = lambda *axes: Delay(tuple((axis, ways[axis]) for axis in axes), Ref(symbol.name, indices))
        terms = []
        y, x = self.time
        for axes in self.rng.sample([(y,), (x,)], self.pick(1, 2, 2)):
            terms.append(times(n(0.45), self.some_gate(symbol, scope), at(*axes)))
        if ways[y] == ways[x] and self.chance(0.4):
            terms.append(times(n(0.2), at(y, x)))
        self.rng.shuffle(terms)
        return plus(*terms, self.drive(scope, symbol.kind))

    def state_coupled(self, symbol, indices, scope, way):
        """Reads other states, also such as are defined later, one step back."""
        own = times(n(0.6), self.prior(symbol, indices, way=way))
        others = [other for other in self.planned if other is not symbol and other.kind == "real"]
        if not others:
            return plus(own, self.drive(scope, symbol.kind))
        other = self.rng.choice(others)
        placed = self.place(other.dims, scope)
        if placed is not None:
            term = times(n(0.2), self.prior(other, placed, way=way))
        else:
            inner, read, bound = dict(scope), [], []
            for dim in other.dims:
                candidates = [index for index, of in scope.items() if of == dim and index not in read]
                if candidates:
                    read.append(candidates[0])
                else:
                    fresh = self.index(inner)
                    inner[fresh] = dim
                    read.append(fresh)
                    bound.append(fresh)
            term = times(n(0.2 / self.elements([inner[b] for b in bound]) + 0.001),
                         Reduce("sum", tuple(bound), self.prior(other, read, way=way)))
        if self.chance(0.3):
            term = times(self.value({}, 0) if False else Call("tanh", (self.value({}, 0),)), term)
        elif self.chance(0.2):
            term = Call("tanh", (term,))
        return plus(own, term, self.drive(scope, symbol.kind))

    # -- Outs --

    def draw_outs(self):
        states = [s for s in self.symbols if s.role == "state"]
        for position in range(self.pick(1, 1, 2, 2, 3)):
            rank = self.pick(0, 1, 1, 1, 2, 2, 3)
            dims = [self.rng.choice(self.dim_pool) for _ in range(rank)]
            while self.elements(dims) > 1500:
                dims.pop()
            indices = self.indices(dims)
            scope = dict(zip(indices, dims))
            state = states[position % len(states)]
            kind = "real"
            if self.chance(0.1):
                value = self.value(scope, 2)
            elif state.kind == "complex":
                value = self.ref(state, scope, "complex")
                if self.chance(0.8):
                    value = Call(self.pick("real", "imag", "abs", "real"), (value,))
            else:
                value = self.readout(state, scope)
            if self.could_be_complex(value):
                kind = "complex"
            kept = [(i, d) for i, d in zip(indices, dims) if mentions(value, i)]
            self.statements.append(Statement("out", self.name("o"), tuple(i for i, _ in kept), value, kind,
                                             self.chance(0.1) and kind == "complex"))
        if self.chance(0.1):
            operand = self.rng.choice([o for o in self.operands if o.section != "state" and o.kind == "real"])
            indices = self.indices(operand.dims)
            self.statements.append(Statement("out", self.name("o"), indices, Ref(operand.name, indices)))

    def readout(self, state, scope):
        r = lambda: self.ref(state, scope)
        way = self.direction_of(state)
        return self.rng.choice([
            r, r, r, lambda: plus(r(), self.value(scope, 1)), lambda: times(r(), self.value(scope, 1)),
            lambda: Op("/", r(), Call("max", (Call("abs", (r(),)), Num(1)))),
            lambda: self.rewritten(r(), state, way) if way else r(),
            lambda: plus(self.rewritten(r(), state, way), self.value(scope, 1)) if way else r(),
            lambda: Call(self.pick("tanh", "silu", "abs"), (r(),)),
            lambda: self.delayed(r()) if way and self.way() == way else r(),
            lambda: self.value(scope, 3),
        ])()

    def direction_of(self, state):
        for statement in self.statements:
            for node in statement.value.walk():
                if isinstance(node, Delay) and isinstance(node.body, Ref) and node.body.name == state.name:
                    return node.steps
        return None

    def rewritten(self, node, state, steps):
        """The state before its update in place of the state."""
        if isinstance(node, Ref) and node.name == state.name:
            return Delay(steps, node)
        return node.rebuilt(lambda child: self.rewritten(child, state, steps))


def mentions(node, index):
    """Whether the index is free in the expression and its dim told there."""
    return any(isinstance(inner, Ref) and index in inner.indices for inner in node.walk())


def draw(seed):
    return Drawer(seed).draw()
