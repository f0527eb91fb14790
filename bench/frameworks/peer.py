"""One framework and one case in a process of its own. Started by run.py.

    peer.py torch|jax CASE.json ARRAYS.npz

Every variant is compiled, held against the step-by-step result and timed a few times; the fastest
that is right takes part. Then each line "turn N" on the standard input times N calls, and "gradients N"
times N calls that compute the gradients as well. Answers are lines of JSON.
"""

import json
import os
import statistics
import sys
import time

import cases
import numpy as np

BOUND = {"f32": 1e-4, "bf16": 2e-2}


def samples(peer, call, count):
    result, processor = [], time.process_time()
    begin = time.perf_counter()
    for _ in range(count):
        start = time.perf_counter()
        peer.finish(call())
        result.append(1e3 * (time.perf_counter() - start))
    return result, (time.process_time() - processor) / (time.perf_counter() - begin)


def turn(peer, call, count):
    peer.finish(call())
    times, cores = samples(peer, call, count)
    low, median, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    return {"median_ms": median, "p25_ms": low, "p75_ms": high, "min_ms": min(times), "max_ms": max(times),
            "cores": cores, "samples": times}  # fmt: skip


def verified(peer, case, result, wanted):
    some = cases.some_heads(case["heads"])
    output, state = (peer.numpy(r) for r in result)
    return max(cases.error(output[:, :, some], wanted[0]), cases.error(state[:, some], wanted[1]))


def main():
    # Compilers may print; the answers keep the standard output for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    framework, case_file, arrays_file = sys.argv[1:]
    with open(case_file) as file:
        case = json.load(file)
    if framework == "torch":
        from torch_ops import Peer, variants
    else:
        from jax_ops import Peer, variants
    data = dict(np.load(arrays_file))
    wanted = data.pop("expected output"), data.pop("expected state")
    direction = {n: data.pop(f"direction {n}") for n in list(data) if f"direction {n}" in data}
    slope = data.pop("slope", None)
    state = data.pop(cases.state_name(case["op"]))
    params, narrow = sorted(cases.params(case["op"])), case["dtype"] == "bf16"
    peer = Peer(case["threads"])
    arrays = peer.arrays(data, state, case["dtype"])

    tried = []
    for variant in case["variants"] or variants(case["op"], case["chunks"], narrow):
        name = f"{variant[0]} {variant[1]}" + (", bf16 products" if variant[2] else "")
        record = {"name": name, "variant": variant}
        tried.append(record)
        try:
            start = time.perf_counter()
            call, note = peer.function(case["op"], params, variant, case["leaf"], arrays)
            result = peer.finish(call())
            record.update(compile_s=time.perf_counter() - start, note=note, error=verified(peer, case, result, wanted))
            record["right"] = record["error"] < BOUND[case["dtype"]]
            record["call"] = call
            if record["right"]:
                # The least: a neighbour that takes a processor away makes the others wait at every barrier.
                record["trial_ms"] = min(samples(peer, call, 5)[0])
        except Exception as problem:
            record["note"] = f"failed: {type(problem).__name__}: {str(problem)[:300]}"
        told = ", ".join(f"{k} {record[k]}" for k in ("error", "trial_ms", "compile_s", "note") if record.get(k))
        print(f"{peer.name} {case['op']} {name}: {told}", file=sys.stderr, flush=True)
    able = [r for r in tried if "trial_ms" in r]
    best = min(able, key=lambda r: r["trial_ms"]) if able else None
    call = best["call"] if best else None
    for record in tried:
        record.pop("call", None)
    answer({"peer": peer.name, "version": peer.version, "variants": tried, "best": best})
    if not best:
        return
    for line in sys.stdin:
        what, count = line.split()
        if what == "turn":
            answer(turn(peer, call, int(count)))
            continue
        try:
            both = peer.gradients(case["op"], params, best["variant"], case["leaf"], arrays)
            start = time.perf_counter()
            _, dx, dS = peer.finish(both())
            record = {"compile_s": time.perf_counter() - start}
            if direction:
                gradient = {n: peer.numpy(d) for n, d in {**dx, cases.state_name(case["op"]): dS}.items()}
                along = sum((d * direction[n]).sum() for n, d in gradient.items())
                norm = sum((d * d).sum() for d in gradient.values()) ** 0.5
                record["error"] = float(abs(along - slope) / norm)
                record["right"] = record["error"] < BOUND[case["dtype"]]
            answer({**record, **turn(peer, both, int(count))})
        except Exception as problem:
            answer({"problem": f"{type(problem).__name__}: {str(problem)[:300]}"})


if __name__ == "__main__":
    main()
