"""A declaration as a tree, and its text. What a tree means is in meaning.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace


class Node:
    def children(self) -> Iterator[Node]:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Node):
                yield value
            elif isinstance(value, tuple):
                yield from (item for item in value if isinstance(item, Node))

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children():
            yield from child.walk()

    def rebuilt(self, function):
        """The same node with `function` of each child in the child's place."""
        changes = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Node):
                changes[entry.name] = function(value)
            elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
                changes[entry.name] = tuple(function(item) if isinstance(item, Node) else item for item in value)
        return replace(self, **changes) if changes else self


@dataclass(frozen=True)
class Num(Node):
    value: float


@dataclass(frozen=True)
class Ref(Node):
    name: str
    indices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Neg(Node):
    operand: Node


@dataclass(frozen=True)
class Op(Node):
    sign: str  # one of + - * / < <= > >= == !=
    left: Node
    right: Node


@dataclass(frozen=True)
class Call(Node):
    name: str  # of a function or a macro
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Reduce(Node):
    name: str  # sum or maximum
    indices: tuple[str, ...]
    body: Node


@dataclass(frozen=True)
class Delay(Node):
    """Steps along time axes, all back (positive) or all ahead (negative)."""

    steps: tuple[tuple[str, int], ...]
    body: Node


@dataclass(frozen=True)
class Fold(Node):
    step: str
    variable: str
    start: Node
    body: Node
    axes: tuple[str, ...]  # the index of the body that is each axis of the variable


@dataclass(frozen=True)
class Operand:
    section: str  # in, param or state
    name: str
    dims: tuple[str | int, ...]
    kind: str = "real"
    scope: str = "head"
    init: Node | None = None


@dataclass(frozen=True)
class Statement:
    kind: str  # let, out or state
    name: str
    indices: tuple[str, ...]
    value: Node
    elem: str = "real"
    says_kind: bool = False


@dataclass(frozen=True)
class Macro:
    name: str
    parameters: tuple[str, ...]
    body: Node


@dataclass(frozen=True)
class Recurrence:
    name: str
    dims: dict[str, tuple[int, bool]]  # the size, and whether it is written as the default
    time: tuple[str, ...]
    operands: tuple[Operand, ...]
    statements: tuple[Statement, ...]
    macros: tuple[Macro, ...] = ()
    others: tuple[str, ...] = field(default=())  # the text of other recurrences of the file

    def size(self, dim):
        return dim if isinstance(dim, int) else self.dims[dim][0]

    def bound(self):
        return {name: size for name, (size, is_default) in self.dims.items() if not is_default}

    def of(self, section):
        return [operand for operand in self.operands if operand.section == section]


# -- Text ---------------------------------------------------------------------------------------------------------

LEVEL = {sign: 0 for sign in ("<", "<=", ">", ">=", "==", "!=")} | {"+": 1, "-": 1, "*": 2, "/": 2}


def number(value):
    if value == float("inf"):
        return "inf"
    text = f"{value:.9g}"
    return text


def text(node, level=0):
    """The text of an expression where operators below `level` need parentheses."""
    if isinstance(node, Num):
        if node.value < 0:
            return bracket("-" + number(-node.value), level > 3)
        return number(node.value)
    if isinstance(node, Ref):
        return node.name + (f"[{','.join(node.indices)}]" if node.indices else "")
    if isinstance(node, Neg):
        return bracket("-" + text(node.operand, 3), level > 3)
    if isinstance(node, Op):
        mine = LEVEL[node.sign]
        left = text(node.left, max(mine, 1) if mine else 1)
        return bracket(f"{left} {node.sign} {text(node.right, mine + 1)}", level > mine)
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(text, node.args))})"
    if isinstance(node, Reduce):
        return f"{node.name}[{','.join(node.indices)}]({text(node.body)})"
    if isinstance(node, Delay):
        word = "prev" if node.steps[0][1] > 0 else "next"
        return f"{word}({', '.join([text(node.body), *_steps(node.steps)])})"
    if isinstance(node, Fold):
        return f"(fold[{node.step}]({node.variable} = {text(node.start)}) {text(node.body)})"
    raise TypeError(node)


def bracket(inside, needed):
    return f"({inside})" if needed else inside


def _steps(steps):
    if len(steps) == 1 and steps[0][0] == "":
        return [] if abs(steps[0][1]) == 1 else [str(abs(steps[0][1]))]
    return [axis if abs(count) == 1 else f"{axis}:{abs(count)}" for axis, count in steps]


def _declared(operand):
    result = operand.name + (f"[{','.join(map(str, operand.dims))}]" if operand.dims else "")
    if operand.kind != "real":
        result += f" : {operand.kind}"
    return result + (f" = {text(operand.init)}" if operand.init else "")


def _statement(statement):
    word = "" if statement.kind == "state" else statement.kind + " "
    left = statement.name + (f"[{','.join(statement.indices)}]" if statement.indices else "")
    kind = f" : {statement.elem}" if statement.says_kind else ""
    right = text(statement.value)
    if isinstance(statement.value, Fold):
        right = right[1:-1]
    return f"  {word}{left}{kind} = {right}"


def source(recurrence):
    """The text of the file."""
    lines = [f"def {m.name}({', '.join(m.parameters)}) = {text(m.body)}" for m in recurrence.macros]
    lines += recurrence.others
    lines.append(f"recurrence {recurrence.name} {{")
    if recurrence.time != ("",):
        lines.append(f"  time {', '.join(recurrence.time)}")
    if recurrence.dims:
        lines.append("  dim " + ", ".join(f"{name} = {size}" if is_default else name
                                          for name, (size, is_default) in recurrence.dims.items()))
    for operand in recurrence.operands:
        scope = f"({operand.scope})" if operand.scope != "head" else ""
        lines.append(f"  {operand.section}{scope} {_declared(operand)}")
    lines += map(_statement, recurrence.statements)
    return "\n".join(lines) + "\n}\n"
