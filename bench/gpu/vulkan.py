#!/usr/bin/env python3
"""Recurrences through a GPU's Vulkan driver: ssmc's kernels there beside its own for CUDA and beside ggml's shaders.

    bench/gpu/vulkan.py [--ssmc build/bin/ssmc] [--ggml build-ggml/ggml_ops] [--check] [--json vulkan.json] > vulkan.md

Each row is timed by `ssmc bench` through Vulkan in blocks (bf16 operands, f32 states) and step by step (all f32, as ggml has
it), through CUDA in blocks, and by `ggml_ops` (bench/ggml) where that is given and has the op at that size. Medians of
--repeat runs, ms; a launch and the wait for it are in all of them. --check first runs `ssmc check` of the chunked form of the
zoo in bf16, forward and gradient, with all dims a multiple of what matrices have, --jobs recurrences at a time; what takes
longer than --limit-of-check seconds, most of them the driver's to compile, is left out, and said so.

Exit codes: 0 done, 1 a check failed, 2 the input is wrong. Python 3.9 or later, nothing else.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

import run

ROOT = run.ROOT
K128, K64, MAMBA = "K=128,V=128", "K=64,V=64", "P=64,N=128"
# (recurrence, dims, sequences, heads, steps, whether ggml has it)
ROWS = [(name, dims, 2, 16, steps, True)
        for steps in (1024, 4096)
        for name, dims in [("gated_delta_rule", K128), ("kda", K128), ("gla", K64), ("rwkv6", K64), ("rwkv7", K64),
                           ("mamba2", MAMBA)]]
ROWS += [(name, K128, 2, 16, 16384, False)
         for name in ("gated_delta_rule", "deltanet", "kda", "gla", "retnet", "rwkv6", "rwkv7")]
ROWS += [("mamba2", MAMBA, 8, 64, 4096, False)]
# What takes longest to check is begun first, or left out.
FIRST = ("gated_oja", "precond_gated_delta_rule", "comba", "kda", "rwkv7", "titans")
NOT_CHECKED = ("s4",)


def output_of(command, limit):
    """What a command printed on stdout; None, with a message, where it failed or took too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        run.say(f"left out, {limit} s: {' '.join(command)}")
        return None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        run.say(f"left out, exit code {done.returncode}: {' '.join(command)}: {lines[-1]}")
        return None
    return done.stdout


def measure(options, row, target, form, dtype):
    name, dims, batch, heads, steps, _ = row
    text = output_of([str(options.ssmc), "bench", str(ROOT / "zoo" / f"{name}.ssm"), "--target", target, "--form", form,
                      "--dtype", dtype, "--dims", dims, "--batch", str(batch), "--heads", str(heads), "--time", str(steps),
                      "--repeat", str(options.repeat), "--json", "-"], options.limit)
    return json.loads(text)[0] if text else None


def measure_ggml(options, row):
    name, dims, batch, heads, steps, _ = row
    text = output_of([str(options.ggml), "--backend", "vulkan", "--op", name, "--dims", dims, "--batch", str(batch),
                      "--heads", str(heads), "--time", str(steps), "--repeat", str(options.repeat)], options.limit)
    return json.loads(text.strip().splitlines()[-1]) if text else None


def number(found):
    return f"{found['median_ms']:.3g}" if found else "–"


def ratio(x, y):
    return f"{x['median_ms'] / y['median_ms']:.2f}" if x and y else "–"


def table(results):
    yield "| recurrence | B×T×H | dims | Vulkan, ms | 25 % | 75 % | steps of a block | step by step, f32 | CUDA | times CUDA | ggml | times as fast as ggml |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for (name, dims, batch, heads, steps, _), found in results:
        ours = found["blocks"]
        spread = (f"{ours['p25_ms']:.3g}", f"{ours['p75_ms']:.3g}", str(ours["chunk"])) if ours else ("–",) * 3
        yield (f"| {name} | {batch}×{steps}×{heads} | {dims.replace('=', ' ').replace(',', ' ')} | {number(ours)} | "
               + " | ".join(spread)
               + f" | {number(found['steps'])} | {number(found['cuda'])} | {ratio(ours, found['cuda'])} | "
                 f"{number(found['ggml'])} | {ratio(found['ggml'], ours)} |")


def dims_of(spec):
    """All dims that have no size of their own, each 32."""
    declared = re.search(r"^ *dim (.*?)(//.*)?$", spec.read_text(), re.M).group(1)
    return ",".join(f"{part.strip()}=32" for part in declared.split(",") if "=" not in part)


def check(options, spec):
    """(recurrence, cases, those that failed, why there are none)."""
    command = [str(options.ssmc), "check", str(spec), "--target", options.target, "--dtype", "bf16", "--form", "chunked",
               "--dims", dims_of(spec), "--repeat", "1", "--json", "-"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit_of_check)
    except subprocess.TimeoutExpired:
        return spec.stem, 0, 0, f"took longer than {options.limit_of_check} s"
    if done.returncode not in (0, 1):
        return spec.stem, 0, 0, (done.stderr.strip().splitlines() or ["no message"])[-1]
    cases = [case for case in json.loads(done.stdout) if case["exists"]]
    return spec.stem, len(cases), sum(not case["ok"] for case in cases), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=pathlib.Path, default=ROOT / "build" / "bin" / "ssmc")
    parser.add_argument("--ggml", type=pathlib.Path, help="ggml_ops, built with its Vulkan back end")
    parser.add_argument("--target", default="vulkan:nvidia-hopper", help="profile of the device (default %(default)s)")
    parser.add_argument("--filter", default="", help="rows whose recurrence has this in its name")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--limit", type=float, default=40, help="seconds for a row (default %(default)s)")
    parser.add_argument("--limit-of-check", type=float, default=170, help="seconds for a recurrence (default %(default)s)")
    parser.add_argument("--check", action="store_true", help="check the zoo first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-rows", action="store_true", help="only what else is asked for")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    for program in filter(None, (options.ssmc, options.ggml)):
        if not os.access(program, os.X_OK):
            parser.error(f"{program} is no program")
    report = {"target": options.target, "checks": [], "rows": []}
    # (Its context also keeps the clocks of a GPU up, which otherwise stay low for some processes that use Vulkan alone.)
    driver = run.Driver()
    print(f"{driver.name}: copies {driver.bandwidth():.0f} GB/s", end="\n\n", flush=True)
    failed = 0
    if options.check:
        specs = sorted(ROOT.glob("zoo/*.ssm"), key=lambda spec: (spec.stem not in FIRST, spec.stem))
        specs = [spec for spec in specs if spec.stem not in NOT_CHECKED and options.filter in spec.stem]
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            found = list(pool.map(lambda spec: check(options, spec), specs))
        failed = sum(wrong for _, _, wrong, _ in found)
        report["checks"] = [dict(zip(("recurrence", "cases", "failed", "left_out"), one)) for one in found]
        print(f"{sum(cases for _, cases, _, _ in found) - failed} of {sum(cases for _, cases, _, _ in found)} cases of "
              f"{sum(why is None for _, _, _, why in found)} recurrences are within their bound, {options.target}, bf16, chunked.")
        for name, cases, wrong, why in found:
            if why or wrong:
                print(f"- {name}: " + (f"left out: {why}" if why else f"{wrong} of {cases} cases FAILED"))
        print(flush=True)
    results = []
    for row in [] if options.no_rows else ROWS:
        if options.filter not in row[0]:
            continue
        found = dict(blocks=measure(options, row, options.target, "chunked", "bf16"),
                     steps=measure(options, row, options.target, "recurrent", "f32") if row[5] else None,
                     cuda=measure(options, row, "cuda", "chunked", "bf16"),
                     ggml=measure_ggml(options, row) if options.ggml and row[5] else None)
        results.append((row, found))
        report["rows"].append(dict(zip(("recurrence", "dims", "batch", "heads", "time"), row), **found))
    if results:
        print("\n".join(table(results)))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
