"""What a declaration means: its tree evaluated cell by cell, in the precision asked for. Shares nothing with ssmc."""

import itertools
import sys

import numpy as np

from .tree import Call, Delay, Fold, Neg, Num, Op, Reduce, Ref

sys.setrecursionlimit(15000)  # a cell is evaluated by way of those before it


class Value:
    """An array [B, H, …] with a label for each axis after the first two."""

    def __init__(self, array, labels=()):
        self.array, self.labels = array, labels

    def to(self, labels):
        """The array with its axes in the order of `labels`, of extent one where it has none."""
        order = [self.labels.index(label) for label in labels if label in self.labels]
        array = self.array.transpose(0, 1, *(2 + axis for axis in order))
        at = tuple(slice(None) if label in self.labels else None for label in labels)
        return array[(slice(None), slice(None), *at)]


def pointwise(function, *values):
    labels = tuple(dict.fromkeys(itertools.chain(*(value.labels for value in values))))
    return Value(function(*(value.to(labels) for value in values)), labels)


def _softplus(x):
    return np.logaddexp(x.dtype.type(0), x)


def _sigmoid(x):
    return np.exp(-_softplus(-x))


FUNCTIONS = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "abs": np.abs,
    "sign": np.sign, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sigmoid": _sigmoid, "softplus": _softplus,
    "silu": lambda x: x * _sigmoid(x), "relu": lambda x: np.maximum(x, 0), "pow": np.power,
    "min": lambda *x: _chain(np.minimum, x), "max": lambda *x: _chain(np.maximum, x),
    "select": lambda c, a, b: np.where(c if c.dtype == bool else c != 0, a, b),
    "cis": lambda x: np.cos(x) + _i(x) * np.sin(x), "real": np.real, "imag": np.imag, "conj": np.conj,
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "<": np.less, "<=": np.less_equal,
    ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}


def _i(x):
    return np.complex64(1j) if x.dtype == np.float32 else 1j


def _chain(function, args):
    result = args[0]
    for arg in args[1:]:
        result = function(result, arg)
    return result


class Meaning:
    def __init__(self, recurrence, inputs, batch, heads, extents, real=np.float64, states=None):
        """`states` may give initial values [B, H, …] by name."""
        self.rec = recurrence
        self.batch, self.heads, self.extents = batch, heads, extents
        self.real, self.complex = real, np.complex128 if real == np.float64 else np.complex64
        self.macros = {macro.name: macro for macro in recurrence.macros}
        self.operands = {operand.name: operand for operand in recurrence.operands}
        self.defined = {statement.name: statement for statement in recurrence.statements}
        self.inputs = {name: self.per_head(self.operands[name], array) for name, array in inputs.items()}
        self.given = states or {}
        self.memo, self.ranges, self.inits = {}, {}, {}
        self.size_of = {}
        self.extent_of_axis = dict(zip(recurrence.time, extents))

    def dtype(self, array):
        if array.dtype.kind in "iu":
            return array.astype(self.real)
        return array.astype({"f": self.real, "c": self.complex}.get(array.dtype.kind, array.dtype))

    def per_head(self, operand, array):
        array = self.dtype(array)
        axis = 0 if operand.section == "param" else 1 + len(self.extents)
        if operand.scope == "shared":
            array = np.expand_dims(array, axis)
        return np.repeat(array, self.heads // array.shape[axis], axis=axis)

    # -- Results --

    def outputs(self):
        result = {}
        for statement in self.rec.statements:
            if statement.kind != "out":
                continue
            cells = [self.statement(statement, cell) for cell in np.ndindex(*self.extents)]
            stacked = np.stack(cells) if cells else None
            if stacked is not None:
                result[statement.name] = np.moveaxis(
                    stacked.reshape(*self.extents, *stacked.shape[1:]), len(self.extents), 0)
        return result

    def final_states(self):
        """Of declared states with one time axis."""
        result = {}
        for operand in self.rec.of("state"):
            direction = self.direction(operand.name)
            if not self.extents[0]:
                result[operand.name] = self.initial(operand.name).array
                continue
            cell = (self.extents[0] - 1,) if direction > 0 else (0,)
            result[operand.name] = self.statement(self.defined[operand.name], cell)
        return result

    def direction(self, name):
        for statement in self.rec.statements:
            for node in statement.value.walk():
                if isinstance(node, Delay):
                    body = node.body
                    while isinstance(body, Delay):
                        body = body.body
                    if isinstance(body, Ref) and body.name == name:
                        return 1 if node.steps[0][1] > 0 else -1
        return 1

    # -- Names --

    def full(self, statement):
        """The extents of a statement's indices."""
        operand = self.operands.get(statement.name)
        if operand:
            return tuple(self.rec.size(dim) for dim in operand.dims)
        return tuple(self.sizes(statement)[index] for index in statement.indices)

    def sizes(self, statement):
        """The extent of each index of a statement."""
        known = self.size_of.get(statement.name)
        if known is None:
            known = self.size_of[statement.name] = {}
            operand = self.operands.get(statement.name)
            if operand:
                known.update({i: self.rec.size(d) for i, d in zip(statement.indices, operand.dims)})
            folds = {}
            for node in statement.value.walk():
                if isinstance(node, Fold):
                    folds[node.variable] = node
            for _ in range(3):
                for node in statement.value.walk():
                    if isinstance(node, Ref):
                        if node.name in folds:
                            fold = folds[node.name]
                            extents = [known.get(axis) for axis in fold.axes]
                            start = fold.start
                            while isinstance(start, Delay):
                                start = start.body
                            extents = self.extents_of(start.name) or extents
                            known.update({a: e for a, e in zip(fold.axes, extents) if e})
                        else:
                            extents = self.extents_of(node.name)
                        if node.indices and extents:
                            known.update({i: e for i, e in zip(node.indices, extents) if e})
        return known

    def extents_of(self, name):
        if name in self.operands:
            return tuple(self.rec.size(dim) for dim in self.operands[name].dims)
        if name in self.defined:
            return self.full(self.defined[name])
        return ()

    def statement(self, statement, cell):
        key = statement.name, cell
        if key not in self.memo:
            value = self.evaluate(statement.value, cell, Scope(self.sizes(statement)))
            shape = (self.batch, self.heads, *self.full(statement))
            array = np.broadcast_to(value.to(statement.indices), shape)
            elem = self.operands[statement.name].kind if statement.kind == "state" else statement.elem
            if elem == "complex":
                array = array.astype(self.complex)
            self.memo[key] = array
        return self.memo[key]

    def named(self, name, cell, scope):
        """The whole array of a name."""
        if name in scope.folds:
            return scope.folds[name]
        operand = self.operands.get(name)
        if operand is None or operand.section == "state":
            return self.statement(self.defined[name], cell)
        array = self.inputs[name]
        if operand.section == "param":
            return array[None]
        return array[(slice(None), *cell)]

    def initial(self, name):
        if name not in self.inits:
            operand = self.operands[name]
            labels = tuple(f"@{axis}" for axis in range(len(operand.dims)))
            shape = (self.batch, self.heads, *(self.rec.size(dim) for dim in operand.dims))
            dtype = self.complex if operand.kind == "complex" else self.real
            if name in self.given:
                array = self.dtype(self.given[name])
            elif operand.init is None:
                array = np.zeros(shape, dtype)
            else:
                array = np.broadcast_to(self.evaluate(operand.init, None, Scope({}, labels)).to(labels), shape)
            self.inits[name] = Value(array.astype(dtype), labels)
        return self.inits[name]

    # -- Expressions --

    def evaluate(self, node, cell, scope):
        if isinstance(node, Num):
            return Value(np.full((1, 1), node.value, self.real))
        if isinstance(node, Ref):
            array = self.named(node.name, cell, scope)
            if scope.init is not None:
                return Value(array, scope.init if array.ndim > 2 else ())
            return self.indexed(array, node.indices, scope)
        if isinstance(node, Neg):
            return pointwise(np.negative, self.evaluate(node.operand, cell, scope))
        if isinstance(node, Op):
            return pointwise(FUNCTIONS[node.sign], *(self.evaluate(n, cell, scope) for n in (node.left, node.right)))
        if isinstance(node, Call):
            if node.name in self.macros:
                return self.evaluate(expand(self.macros[node.name], node.args), cell, scope)
            return pointwise(FUNCTIONS[node.name], *(self.evaluate(arg, cell, scope) for arg in node.args))
        if isinstance(node, Reduce):
            return self.reduce(node, cell, scope)
        if isinstance(node, Delay):
            return self.delay(node, cell, scope)
        if isinstance(node, Fold):
            return self.fold(node, cell, scope)
        raise TypeError(node)

    @staticmethod
    def indexed(array, indices, scope):
        labels = []
        for axis, index in reversed(list(enumerate(indices))):
            if index in scope.steps:
                array = np.take(array, scope.steps[index], axis=2 + axis)
            else:
                labels.insert(0, index)
        for label in dict.fromkeys(labels):
            while labels.count(label) > 1:
                first = labels.index(label)
                second = labels.index(label, first + 1)
                array = np.diagonal(array, axis1=2 + first, axis2=2 + second)
                del labels[second], labels[first]
                labels.append(label)
        return Value(array, tuple(labels))

    def reduce(self, node, cell, scope):
        body = self.evaluate(node.body, cell, scope)
        labels = tuple(label for label in body.labels if label not in node.indices)
        there = tuple(index for index in node.indices if index in body.labels)
        array = body.to(labels + there)
        axes = tuple(range(array.ndim - len(there), array.ndim))
        if node.name == "maximum":
            return Value(array.max(axes) if axes else array, labels)
        array = array.sum(axes) if axes else array
        for index in node.indices:
            if index not in there:
                array = array * self.real(scope.sizes[index])
        return Value(array, labels)

    def delay(self, node, cell, scope):
        body, steps = node.body, dict(node.steps)
        while isinstance(body, Delay) and (body.steps[0][1] > 0) == (node.steps[0][1] > 0):
            for axis, count in body.steps:
                steps[axis] = steps.get(axis, 0) + count
            body = body.body
        there = tuple(at - steps.get(axis, 0) for at, axis in zip(cell, self.rec.time))
        if all(0 <= at < extent for at, extent in zip(there, self.extents)):
            # What stands in prev is computed outside of the folds around it, but for the position at a step.
            return self.evaluate(body, there, scope)
        if isinstance(body, Ref) and body.name in self.operands and self.operands[body.name].section == "state":
            if scope.whole:
                return Value(self.initial(body.name).array, scope.init)
            return self.indexed(self.initial(body.name).array, body.indices, scope)
        return Value(np.zeros((1, 1), self.real))

    def fold(self, node, cell, scope):
        outside = Scope(scope.sizes, node.axes, scope.steps, scope.folds, whole=True)
        shape = (self.batch, self.heads, *(scope.sizes[axis] for axis in node.axes))
        array = np.broadcast_to(self.evaluate(node.start, cell, outside).to(node.axes), shape)
        for step in range(scope.sizes[node.step]):
            inside = Scope(scope.sizes, None, scope.steps | {node.step: step}, scope.folds | {node.variable: array})
            array = np.broadcast_to(self.evaluate(node.body, cell, inside).to(node.axes), shape)
        return Value(array, node.axes)


class Scope:
    def __init__(self, sizes, init=None, steps=None, folds=None, whole=False):
        self.sizes, self.init, self.steps, self.folds, self.whole = sizes, init, steps or {}, folds or {}, whole


def expand(macro, args):
    given = dict(zip(macro.parameters, args))

    def inside(node):
        if isinstance(node, Ref) and node.name in given:
            return given[node.name]
        return node.rebuilt(inside)

    return inside(macro.body)
