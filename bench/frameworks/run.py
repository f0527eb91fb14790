#!/usr/bin/env python3
"""Prefill on the CPU: ssmc beside PyTorch and JAX written by hand, and ggml, on one machine, in one run.

    PYTHON=$(bench/frameworks/setup.sh)
    $PYTHON bench/frameworks/run.py --ssmc build/bin/ssmc [--ggml DIR] [--json out.json] > table.md
    $PYTHON bench/frameworks/run.py --check

Each framework has a process of its own for a case. There it compiles its variants (block length and
arrangement), holds each against the recurrence step by step in f64, and keeps the fastest; then all
programs take turns. --check does the comparison alone, at small sizes.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import cases
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
cpu = cases.load_cpu()

LEAF = {"torch": 8, "jax": 2}  # pairs of steps that decayed_products() sums directly: the fastest of 1, 2, 4, 8, 16


class Worker:
    """A framework in a process of its own."""

    def __init__(self, framework, case, arrays, folder):
        path = folder / f"{framework}.json"
        path.write_text(json.dumps({**case, "leaf": LEAF[framework]}))
        environment = {**os.environ, "OMP_NUM_THREADS": str(case["threads"]), "MKL_NUM_THREADS": str(case["threads"])}
        command = [sys.executable, str(HERE / "peer.py"), framework, str(path), str(arrays)]
        self.framework, self.process = framework, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.start = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.framework}: the process ended with exit code {self.process.wait()}")
        return json.loads(line)

    def ask(self, what, count):
        self.process.stdin.write(f"{what} {count}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def write_arrays(op, dims, heads, batch, time, dtype, folder, gradients=False):
    x = cases.inputs(op, dims, heads, batch, time)
    if dtype == "bf16":
        x = {n: v if n == cases.state_name(op) else cases.to_bf16(v) for n, v in x.items()}
    output, state = cases.expected(op, x, cases.some_heads(heads))
    path, more = folder / "arrays.npz", {"expected output": output, "expected state": state}
    if gradients:
        direction, more["slope"] = cases.slope(op, x, heads)
        more.update({f"direction {n}": d for n, d in direction.items()})
    np.savez(path, **x, **more)
    return path


def bind(threads):
    """This process and all that it starts get as many processors as threads, on cores of their own where there are enough.

    It is the only way to say how many threads XLA takes, and so it holds for everyone.
    """
    if not hasattr(os, "sched_setaffinity"):
        cpu.banner("processes cannot be bound here: JAX takes all processors, whatever --threads says")
        return
    everything, first, others = sorted(ALLOWED), [], []
    seen = set()
    for number in everything:
        try:
            core = pathlib.Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list").read_text()
        except OSError:
            core = str(number)
        (others if core in seen else first).append(number)
        seen.add(core)
    if len(everything) < threads:
        cpu.stop(f"{threads} threads on {len(everything)} processors")
    os.sched_setaffinity(0, (first + others)[:threads])


ALLOWED = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


# ---------------------------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------------------------


def bench_ours(case, form, dtype, options):
    command = [str(options.ssmc), "bench", str(ROOT / "zoo" / f"{case.shape.op}.ssm"), *case.arguments()]
    command += ["--form", form, "--target", "cpu", "--dtype", dtype, "--repeat", str(options.repeat), "--json", "-"]
    return json.loads(cpu.call(command, f"ssmc bench --form {form}"))[0]


def start_workers(case, dtype, tuned, options, folder):
    """The frameworks of a case, ready to take turns, and what went wrong with the others."""
    shape = case.shape
    arrays = write_arrays(shape.op, shape.dims, shape.heads, case.batch, case.time, dtype, folder)
    workers, problems = [], {}
    for framework in options.frameworks:
        key = (framework, shape.op, shape.text(), case.threads, dtype)
        description = {
            "op": shape.op, "dims": shape.dims, "heads": shape.heads, "time": case.time, "threads": case.threads,
            "dtype": dtype, "chunks": options.chunks, "variants": tuned.get(key),
        }  # fmt: skip
        cpu.wait_for_quiet(options.patience)
        try:
            worker = Worker(framework, description, arrays, folder)
        except RuntimeError as error:
            problems[framework] = str(error)
            continue
        if worker.start["best"] is None:
            problems[framework] = "; ".join(f"{v['name']}: {v.get('note') or v.get('error')}" for v in worker.start["variants"])
            worker.close()
            continue
        # Further lengths of the same shape choose between the two best of the first.
        able = [v for v in worker.start["variants"] if "trial_ms" in v]
        tuned.setdefault(key, [v["variant"] for v in sorted(able, key=lambda v: v["trial_ms"])[:2]])
        workers.append(worker)
    return workers, problems


def measure_case(case, dtype, programs, tuned, options):
    turns, about = {}, {}
    with tempfile.TemporaryDirectory() as name:
        workers, problems = start_workers(case, dtype, tuned, options, pathlib.Path(name))
        sides = {w.framework: (lambda w=w: w.ask("turn", options.repeat)) for w in workers}
        if programs and dtype == "f32":
            sides["ggml"] = lambda: cpu.bench_ggml(programs, case, options)
        for form in options.forms if options.ssmc else []:
            sides[form] = lambda form=form: bench_ours(case, form, dtype, options)
        busy = []
        for _ in range(options.rounds):
            busy.append(cpu.wait_for_quiet(options.patience))
            for side, take in sides.items():
                if side in problems:
                    continue
                try:
                    turns.setdefault(side, []).append(take())
                except (RuntimeError, ValueError, KeyError, OSError) as error:
                    problems[side] = str(error)
                    turns.pop(side, None)
        for worker in workers:
            about[worker.framework] = dict(worker.start)
            if options.gradients and worker.framework not in problems:
                about[worker.framework]["gradients"] = worker.ask("gradients", options.repeat)
            worker.close()
    for side, problem in problems.items():
        cpu.banner(f"{side} failed on {case.shape.op}: {problem}")
    forms = [f for f in options.forms if f in turns]
    best = min(forms, key=lambda f: cpu.summary(turns[f])["median_ms"]) if forms else None
    # Rounds are pairs: what slows one turn down tends to slow its neighbours down as well.
    ratios = {
        side: statistics.median(theirs["median_ms"] / ours["median_ms"] for theirs, ours in zip(rounds, turns[best]))
        for side, rounds in turns.items()
        if best and side not in options.forms
    }
    return {
        "op": case.shape.op, "shape": case.shape.text(), "batch": case.batch, "time": case.time, "threads": case.threads,
        "dtype": dtype, "units": case.units(), **case.work(), "busy_cores_before": busy, "about": about, "best_form": best,
        "ratios": ratios, "problems": problems, "sides": {side: cpu.summary(rounds) for side, rounds in turns.items()},
    }  # fmt: skip


def measure(options):
    record = {"machine": cpu.machine(), "cases": []}
    programs = cpu.build(options) if options.ggml else None
    shapes = [s for s in cpu.SHAPES if not options.ops or s.op in options.ops]
    work = list(itertools.product(options.dtypes, shapes, options.threads, options.times))
    tuned = {}
    for number, (dtype, shape, threads, time) in enumerate(work, 1):
        bind(threads)
        case = cpu.Case(shape, 1, time, threads)
        result = measure_case(case, dtype, programs, tuned, options)
        record["cases"].append(result)
        times = ", ".join(f"{side} {s['median_ms']:.4g}" for side, s in result["sides"].items())
        cpu.say(f"[{number}/{len(work)}] {shape.op} {shape.text()} T {time}, {threads} thread(s), {dtype}: {times} ms")
        if options.json:  # what there is, in case the run is cut short
            options.json.write_text(json.dumps(record, indent=1) + "\n")
    return record


# ---------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------

NAMES = {"torch": "PyTorch", "jax": "JAX"}


def spread(s):
    return f"{s['median_ms']:.4g} ({s['p25_ms']:.4g}–{s['p75_ms']:.4g})" if s else "–"


def how(side, case):
    about = case["about"].get(side)
    if not about:
        return ""
    note = about["best"]["note"]
    return about["best"]["name"] + (", eager" if note.startswith("eager") else "")


def table(record, options):
    m = record["machine"]
    versions = {NAMES[f]: a["version"] for c in record["cases"] for f, a in c["about"].items()}
    peers = ", ".join(f"{n} {v}" for n, v in versions.items())
    forms = options.forms if options.ssmc else []
    lines = [
        f"{m['processor']}, {m['cores']} cores, {m['date']}; {peers}.",
        "",
        "Milliseconds are the median over rounds (lowest lower quartile – highest upper quartile of any round); ratio is the median",
        "over rounds of the peer's time over that of our faster form. How: the arrangement and block length that the peer was fastest",
        "with. Error: of its f32 or bf16 result against the step in f64, RMS.",
        "",
        "| op | shape | T | threads | dtype | peer | how | error | peer ms | " + "".join(f"ours, {f}, ms | " for f in forms) + "ratio |",
        "|---" * (10 + len(forms)) + "|",
    ]
    for case in record["cases"]:
        for side in [*options.frameworks, *(["ggml"] if options.ggml and case["dtype"] == "f32" else [])]:
            about = case["about"].get(side)
            row = [case["op"], case["shape"], str(case["time"]), str(case["threads"]), case["dtype"], NAMES.get(side, side)]
            row += [how(side, case), f"{about['best']['error']:.0e}" if about else "", spread(case["sides"].get(side))]
            row += [spread(case["sides"].get(f)) for f in forms]
            row.append(f"{case['ratios'][side]:.2f}" if side in case["ratios"] else "–")
            lines.append("| " + " | ".join(row) + " |")
    if options.gradients:
        lines += ["", "Outputs and the gradients of all inputs together:", ""]
        lines += ["| op | shape | T | threads | dtype | peer | how | ms |", "|---" * 8 + "|"]
        for case in record["cases"]:
            for side, about in case["about"].items():
                both = about.get("gradients", {"problem": "not reached"})
                row = [case["op"], case["shape"], str(case["time"]), str(case["threads"]), case["dtype"], NAMES[side], how(side, case)]
                row.append(spread(both) if "median_ms" in both else both["problem"].split("\n")[0])
                lines.append("| " + " | ".join(row) + " |")
    failed = [f"{c['op']} {c['shape']} T {c['time']}, {c['threads']} threads, {c['dtype']}: {s}: {p.splitlines()[0]}"
              for c in record["cases"] for s, p in c["problems"].items()]  # fmt: skip
    if failed:
        lines += ["", "**Not measured:**", "", *(f"- {f}" for f in failed)]
    noisy = [c for c in record["cases"] if max(c["busy_cores_before"]) > 0.3]
    if noisy:
        lines += ["", f"Other programs were running before {len(noisy)} of {len(record['cases'])} measurements."]
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------


def check(options):
    """All variants of all ops at small sizes, and the gradients of the fastest."""
    good = True
    print("| op | dtype | peer | variant | error | |\n|---|---|---|---|---|---|")
    bind(1)
    for dtype, op in itertools.product(options.dtypes, sorted(cpu.OPS)):
        if options.ops and op not in options.ops:
            continue
        dims = {"mamba1": {"P": 48, "N": 16}, "mamba2": {"P": 16, "N": 24}}.get(op, {"K": 24, "V": 16})
        heads = 1 if op == "mamba1" else 3
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            arrays = write_arrays(op, dims, heads, 2, 128, dtype, folder, gradients=options.gradients)
            description = {"op": op, "dims": dims, "heads": heads, "time": 128, "threads": 1, "dtype": dtype,
                           "chunks": options.chunks[:1], "variants": None}  # fmt: skip
            for framework in options.frameworks:
                try:
                    worker = Worker(framework, description, arrays, folder)
                    variants = worker.start["variants"]
                    if options.gradients and worker.start["best"]:
                        variants.append({"name": f"gradients, {worker.start['best']['name']}", **worker.ask("gradients", 1)})
                    worker.close()
                except RuntimeError as error:
                    variants = [{"name": "", "note": str(error)}]
                for v in variants:
                    good &= v.get("right", False)
                    size = f"{v['error']:.1e}" if "error" in v else "–"
                    note = (v.get("note") or v.get("problem") or ("" if v["right"] else "WRONG")).split("\n")[0]
                    print(f"| {op} | {dtype} | {NAMES[framework]} | {v['name']} | {size} | {note} |", flush=True)
    print(f"\nRMS(x - step) / RMS(step) against the step in f64, and for gradients the error of the slope along a random direction over")
    print(f"the norm of the gradient: {'all within bounds' if good else 'NOT all within bounds'}.")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=pathlib.Path, help="our compiler; without it only the peers are measured")
    parser.add_argument("--ggml", type=pathlib.Path, help="ggml's source tree or installation prefix, as for bench/cpu/run.py")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-bench", help="where ggml's program is built")
    parser.add_argument("--jobs", type=int, default=1, help="parallel jobs if ggml must be built")
    parser.add_argument("--frameworks", nargs="*", choices=["torch", "jax"], default=["torch", "jax"])
    parser.add_argument("--ops", nargs="+", choices=sorted(cpu.OPS), help="only these")
    parser.add_argument("--times", nargs="+", type=int, default=[1024, 4096], help="sequence lengths")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--dtypes", nargs="+", choices=["f32", "bf16"], default=["f32", "bf16"])
    parser.add_argument("--forms", nargs="+", default=["recurrent", "chunked"], help="the forms that ssmc runs")
    parser.add_argument("--chunks", nargs="+", type=int, default=[8, 16, 32, 64], help="block lengths that the frameworks try")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each program takes on a shape")
    parser.add_argument("--repeat", type=int, default=5, help="samples a turn")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for other programs to be quiet")
    parser.add_argument("--gradients", action="store_true", help="also the frameworks' outputs and gradients together")
    parser.add_argument("--json", type=pathlib.Path, help="write all samples' statistics here")
    parser.add_argument("--check", action="store_true", help="compare numbers instead of times")
    options = parser.parse_args()
    if options.ssmc is not None and not (options.ssmc.is_file() and os.access(options.ssmc, os.X_OK)):
        cpu.stop("--ssmc is not a program")
    if any(t % c for t in options.times for c in options.chunks):
        cpu.stop("each of --chunks must divide each of --times")
    if options.check:
        sys.exit(0 if check(options) else 1)
    try:
        record = measure(options)
    except RuntimeError as error:
        cpu.stop(str(error))
    print(table(record, options))


if __name__ == "__main__":
    main()
