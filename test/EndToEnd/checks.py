"""What is checked of every recurrence. Each check takes a case and an Ssmc, and raises a Mismatch."""

from dataclasses import replace

import numpy as np

import gradients
from cases import registry
from comparison import Mismatch, agree
from precision import CPU_BF16, CPU_F32, REFERENCE, doubled, rounded

SPLIT = 13
LENGTHS = (0, 5, 1, 0, 37, 16)  # of packed sequences: none, one, less than a tile, several and a part


def run(ssmc, case, target, data, *, given=False, threads=None, offsets=None, form="auto"):
    """Runs the declaration on the data. States are handed over only if `given`; final states always come back.
    With `offsets` the data are packed sequences."""
    dims = ",".join(f"{dim}={case.dims[dim]}" for dim in case.bound)
    arguments = ["run", case.spec, "--dims", dims, "--form", form, *target.arguments]
    if offsets is not None:
        arguments += ["--cu-seqlens", ssmc.save("cu_seqlens", offsets)]
    for name, array in (data.inputs | data.params).items():
        arguments += ["--in", f"{name}={ssmc.save(f'in-{name}', array)}"]
    if given:
        for name, array in data.states.items():
            arguments += ["--state-in", f"{case.state_name(name)}={ssmc.save(f'state-in-{name}', array)}"]
    for name in case.outputs:
        arguments += ["--out", f"{name}=out-{name}.npy"]
    final = [*case.states, *(case.delays if given else ())]
    for name in final:
        arguments += ["--state-out", f"{case.state_name(name)}=state-out-{name}.npy"]

    result = ssmc(*arguments, threads=threads)
    if result.code != 0:
        raise Mismatch(f"exit code {result.code}\n{result.err.strip()}\n$ {' '.join(result.command)}")
    outputs = {name: ssmc.load(f"out-{name}.npy") for name in case.outputs}
    return outputs, {name: ssmc.load(f"state-out-{name}.npy") for name in final}


def prepared(case, target, **options):
    """Data as the target takes it: inputs and parameters in its dtype, states in at least f32."""
    data = registry.draw(case, **options)
    state = "f32" if target.dtype == "bf16" else target.dtype
    return registry.Data(*({n: rounded(a, dtype) for n, a in part.items()} for part, dtype in
                           ((data.inputs, target.dtype), (data.params, target.dtype), (data.states, state))),
                         data.heads)


def judge(case, target, data, outputs, states, offsets=None):
    """Compares with the NumPy step in double precision on the same values, packed sequences one by one."""
    right_outputs, right_states = registry.expected(case, data.map(doubled), offsets)
    for name, array in outputs.items():
        agree(f"output {name}", array, right_outputs[name], target.bound)
    for name, array in states.items():
        agree(f"final state {name}", array, right_states[name], target.bound)


def resized(case, size):
    return replace(case, dims=case.dims | dict.fromkeys(case.bound, size)) if size else case


def whole(target, *, initial=False, size=None, **options):
    """All of a sequence in one run; with every bound dim of one `size` if given."""

    def check(case, ssmc):
        case = resized(case, size)
        data = prepared(case, target, initial=initial, **options)
        judge(case, target, data, *run(ssmc, case, target, data, given=initial))

    return check


def split(target, tokens, cuts):
    """The sequence in several runs, each from the states that the one before left, against all of it at once."""

    def check(case, ssmc):
        data = prepared(case, target, tokens=tokens)
        states, pieces = data.states, []
        for first, last in zip((0, *cuts), (*cuts, tokens)):
            piece, states = run(ssmc, case, target, data.span(first, last, states), given=True)
            pieces.append(piece)
        outputs = {name: np.concatenate([piece[name] for piece in pieces], axis=1) for name in case.outputs}
        judge(case, target, data, outputs, states)

    return check


def prepared_packed(case, target, lengths, **options):
    """Packed sequences, each with a state of its own, and where they begin and end."""
    data = prepared(case, target, batch=1, tokens=sum(lengths), **options)
    states = prepared(case, target, batch=len(lengths), tokens=0, initial=True, **options).states
    return replace(data, states=states), np.cumsum((0, *lengths))


def packed(target, *, lengths=LENGTHS, dtype=np.int64, size=None, **options):
    """Sequences of several lengths, one after the other in one array, each from its own state."""

    def check(case, ssmc):
        case = resized(case, size)
        data, offsets = prepared_packed(case, target, lengths, **options)
        results = run(ssmc, case, target, data, given=True, offsets=offsets.astype(dtype))
        judge(case, target, data, *results, offsets)

    return check


def same_bits(case, ssmc):
    """Runs on one and on two threads, and again, give the same bits."""
    data = prepared(case, CPU_F32)
    all_same(run(ssmc, case, CPU_F32, data, threads=threads) for threads in (1, 2, 2))


def packed_same_bits(case, ssmc):
    """So do packed sequences, and all are what each gives by itself. The form is named, as `auto` looks at lengths."""
    data, offsets = prepared_packed(case, CPU_F32, LENGTHS)
    common = {"given": True, "form": "recurrent"}
    runs = [run(ssmc, case, CPU_F32, data, threads=threads, offsets=offsets, **common) for threads in (1, 2, 3)]
    apart = [run(ssmc, case, CPU_F32, data.sequence(n, offsets), **common) for n in range(len(LENGTHS))]
    all_same([*runs, registry.joined(apart)])


def all_same(results):
    first, *others = results
    for other in others:
        for mine, its in zip(first, other):
            for name, array in mine.items():
                if array.tobytes() != its[name].tobytes():
                    raise Mismatch(f"{name}: {np.sum(array != its[name])} of {array.size} values differ between runs")


def of(case):
    """The checks that make sense for a case, by name."""
    checks = {}
    for target in (REFERENCE, CPU_F32, CPU_BF16):
        checks[f"{target.name}"] = whole(target)
        if case.carried:
            checks[f"{target.name}.initial_state"] = whole(target, initial=True)
    for target in (REFERENCE, CPU_F32):
        checks[f"{target.name}.size_one"] = whole(target, size=1)
        if case.axes == 1:
            checks[f"{target.name}.one_token"] = whole(target, tokens=1, initial=True)
            checks[f"{target.name}.zero_tokens"] = whole(target, tokens=0, initial=True)
        if not case.whole:
            checks[f"{target.name}.split_prefill"] = split(target, 37, (SPLIT,))
            checks[f"{target.name}.token_by_token"] = split(target, 5, (1, 2, 3, 4))
        if case.grouped:
            checks[f"{target.name}.groups"] = whole(target, heads=4, groups=2)
    checks["reference.gradient"] = gradients.of_reference(initial=False)
    if case.axes == 1 and case.carried:
        checks["reference.gradient_of_states"] = gradients.of_reference(initial=True)
    checks["cpu_f32.even_sizes"] = whole(CPU_F32, size=32, tokens=64, batch=1, heads=2)
    if case.axes == 1:
        checks["cpu_f32.many_tokens"] = whole(CPU_F32, tokens=523, batch=1, heads=2)
        for target in (REFERENCE, CPU_F32, CPU_BF16):
            checks[f"{target.name}.packed"] = packed(target)
        checks["cpu_f32.packed_alike"] = packed(CPU_F32, lengths=(32, 32), dtype=np.int32, size=32)
        checks["cpu_f32.packed_same_bits"] = packed_same_bits
        if case.grouped:
            checks["cpu_f32.packed_groups"] = packed(CPU_F32, heads=4, groups=2)
    checks["cpu_f32.same_bits"] = same_bits
    return checks
