"""Makes a failing declaration smaller while it fails in the same way."""

from dataclasses import replace

from .tree import Call, Delay, Fold, Neg, Node, Num, Op, Recurrence, Reduce, Ref


def simpler(node):
    """Expressions that may stand in place of this one."""
    if isinstance(node, (Num, Ref)):
        return
    yield Num(0.5)
    yield from (child for child in node.children() if not isinstance(node, Fold))


def variants(node):
    """The expression with one place in it simpler, large changes first."""
    yield from simpler(node)
    for child in node.children():
        for other in variants(child):
            yield node.rebuilt(lambda c, child=child, other=other: other if c is child else c)


def used(recurrence):
    return {n.name for s in recurrence.statements for n in s.value.walk() if isinstance(n, Ref)} | \
        {n.name for o in recurrence.operands if o.init for n in o.init.walk() if isinstance(n, Ref)}


def pruned(recurrence):
    """Without what nothing reads."""
    while True:
        names = used(recurrence)
        states = {s.name for s in recurrence.statements if s.kind == "state"}
        statements = tuple(s for s in recurrence.statements if s.kind != "let" or s.name in names)
        operands = tuple(o for o in recurrence.operands if o.name in names or o.name in states)
        dims = {d for o in operands for d in o.dims}
        smaller = replace(recurrence, statements=statements, operands=operands,
                          dims={d: size for d, size in recurrence.dims.items() if d in dims})
        if smaller == recurrence:
            return recurrence
        recurrence = smaller


def candidates(recurrence):
    for at, statement in enumerate(recurrence.statements):
        rest = recurrence.statements[:at] + recurrence.statements[at + 1:]
        if statement.kind == "out":
            yield replace(recurrence, statements=rest)
        if statement.kind == "state":
            yield replace(recurrence, statements=rest,
                          operands=tuple(o for o in recurrence.operands if o.name != statement.name))
    if recurrence.others:
        yield replace(recurrence, others=())
    if recurrence.macros:
        yield replace(recurrence, macros=())
    for at, statement in enumerate(recurrence.statements):
        for value in variants(statement.value):
            changed = replace(statement, value=value)
            yield replace(recurrence, statements=recurrence.statements[:at] + (changed,) + recurrence.statements[at + 1:])
    for at, operand in enumerate(recurrence.operands):
        if operand.scope != "head" or operand.init:
            changed = replace(operand, scope="head", init=None)
            yield replace(recurrence, operands=recurrence.operands[:at] + (changed,) + recurrence.operands[at + 1:])
    for dim, (size, is_default) in recurrence.dims.items():
        for smaller in (1, 2, 3):
            if smaller < size:
                yield replace(recurrence, dims=recurrence.dims | {dim: (smaller, is_default)})


def shrink(recurrence, fails, budget=400):
    """`fails` says whether a declaration still fails in the same way."""
    found = True
    while found and budget > 0:
        found = False
        for candidate in candidates(recurrence):
            candidate = pruned(candidate)
            if not candidate.statements or candidate == recurrence:
                continue
            budget -= 1
            if budget < 0:
                break
            if fails(candidate):
                recurrence, found = candidate, True
                break
    return recurrence
