#!/usr/bin/env python3
"""Proves the kernels right on the GPU of this machine, and says so in JSON and in Markdown.

    bench/gpu/prove.py [--ssmc build/bin/ssmc] [--jobs N] [--quick] [--json proof.json] [zoo/*.ssm] > proof.md

 1. `ssmc check` of each recurrence: all forms, f32 and bf16, gradients, against the f64 interpreter of the declaration. What
    kernels write, and the memory they have for themselves, is NaN before each run. The cases "same bits", and gradients of
    several chunks, run --repeat times (100) with the same bits.
 2. The same of some recurrences with many heads and sizes of whole tiles.
 3. compute-sanitizer (memcheck, racecheck, initcheck, synccheck), from PATH or /usr/local/cuda/bin, over short runs of
    every kind of kernel.

--quick takes about two minutes on 16 cores: the zoo without repeats and without what takes longest.
`bench/accuracy_page.py --gpu proof.json` makes the JSON a part of docs/accuracy.md. Python 3.9 or later, nothing else.

Exit codes: 0 all is proven, 1 something failed or took too long, 2 the input is wrong or this machine cannot run it.
"""

import argparse
import array
import concurrent.futures
import ctypes
import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
# Of the zoo, first: what takes longest. --quick leaves it out.
SLOW = ("s4",)
# Kinds of what `ssmc check` proves.
CHECKS = ("check", "many", "segments", "stretches")
# What compute-sanitizer exits with where it found something; ssmc has no such code.
FOUND = 9
# It has ports for ten processes at a time.
MOST_SANITIZERS = 5


# ---------------------------------------------------------------------------------------------
# What is run
# ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Short:
    """A short run for compute-sanitizer. `gradient` names the output whose cotangent is given, with its last extents, and
    the operands whose gradients are written."""

    title: str
    spec: str
    form: str
    chunk: int
    dtype: str
    dims: str
    time: int = 150
    batch: int = 2
    heads: int = 2
    packed: tuple = ()
    gradient: tuple = ()

    def command(self, ssmc, folder):
        words = [str(ssmc), "run", str(ROOT / "zoo" / f"{self.spec}.ssm"), "--target", "cuda", "--random-in", "--form",
                 self.form, "--dtype", self.dtype, "--dims", self.dims, "--heads", str(self.heads), "--groups", "1"]
        words += ["--chunk", str(self.chunk)] if self.chunk else []
        batch = self.batch
        if self.packed:
            batch, offsets = 1, folder / "offsets.npy"
            write_npy(offsets, "<i4", (len(self.packed),), array.array("i", self.packed))
            words += ["--cu-seqlens", str(offsets)]
        words += ["--batch", str(batch), "--time", str(self.time)]
        if self.gradient:
            output, extent, operands = self.gradient
            shape, source = (batch, self.time, self.heads, extent), random.Random(1)
            count = batch * self.time * self.heads * extent
            write_npy(folder / "cotangent.npy", "<f4", shape, array.array("f", (source.gauss(0, 1) for _ in range(count))))
            words += ["--cotangent", f"{output}={folder / 'cotangent.npy'}"]
            for operand in operands:
                words += ["--grad-out", f"{operand}={folder / operand}.npy"]
        return words


SHORT = [
    Short("recurrent f32", "gla", "recurrent", 0, "f32", "K=16,V=16", time=37),
    Short("one step bf16", "gated_delta_rule", "recurrent", 0, "bf16", "K=64,V=64", time=1),
    Short("scan f32", "mamba1", "scan", 16, "f32", "P=32,N=16"),
    Short("chunked f32", "gated_delta_rule", "chunked", 16, "f32", "K=12,V=21"),
    Short("chunked bf16", "gated_delta_rule", "chunked", 64, "bf16", "K=64,V=64", time=200),
    Short("decays of keys, chunked bf16", "kda", "chunked", 16, "bf16", "K=64,V=64"),
    Short("columns that never meet, chunked bf16", "gla", "chunked", 32, "bf16", "K=64,V=64", heads=1),
    Short("groups, chunked bf16", "mamba2", "chunked", 64, "bf16", "P=32,N=32", heads=4),
    Short("groups of warps, chunked bf16", "gated_delta_rule", "chunked", 32, "bf16", "K=64,V=64"),
    Short("groups of warps, packed, chunked bf16", "retnet", "chunked", 64, "bf16", "K=64,V=64", packed=(0, 21, 22, 150)),
    Short("packed, chunked bf16", "gated_delta_rule", "chunked", 64, "bf16", "K=32,V=32", packed=(0, 0, 21, 22, 150, 150)),
    Short("gradient, chunked bf16", "gated_delta_rule", "chunked", 32, "bf16", "K=32,V=32",
          gradient=("o", 32, ("q", "k", "v", "g", "beta"))),
    Short("gradient, scan f32", "mamba1", "scan", 16, "f32", "P=32,N=16", heads=1, gradient=("y", 32, ("u", "dt", "A"))),
    Short("gradient, packed, chunked f32", "gla", "chunked", 16, "f32", "K=12,V=21", packed=(0, 21, 22, 150),
          gradient=("o", 21, ("q", "k", "v", "g"))),
]

# Recurrences whose bits are compared with many blocks side by side, as (recurrence, form, type, dims).
MANY = [
    ("gated_delta_rule", "chunked", "bf16", "K=32,V=32"),
    ("kda", "chunked", "bf16", "K=32,V=32"),
    ("mamba2", "chunked", "bf16", "P=32,N=32"),
    ("retnet", "chunked", "bf16", "K=64,V=64"),
    ("comba", "chunked", "bf16", "K=64,V=64"),
    ("mamba3_siso", "chunked", "bf16", "P=64,N=64"),
    ("rwkv7", "chunked", "bf16", "K=64,V=64"),
    ("mamba1", "scan", "f32", "P=32,N=16"),
    ("gla", "recurrent", "f32", "K=32,V=32"),
]

# Forms whose sequences are also cut in segments, forwards and backwards, as (recurrence, form, type): summaries that are
# decays and matrices, in levels, and step by step.
SEGMENTED = [
    ("gla", "recurrent", "f32"),
    ("gated_delta_rule", "chunked", "bf16"),
    ("mlstm", "chunked", "f32"),
    ("mamba1", "scan", "f32"),
    ("mamba2", "chunked", "bf16"),
]
SEGMENTS = "4"
# Forms some of whose kernels wait for no state, and so run a stretch of time ahead of those that do.
STRETCHED = [
    ("gated_delta_rule", "K=64,V=64"),
    ("kda", "K=64,V=64"),
    ("mamba2", "P=64,N=64"),
    ("retnet", "K=64,V=64"),
]
STRETCHES = "3"


def write_npy(path, descr, shape, numbers):
    """A .npy file of format 1."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + numbers.tobytes())


# ---------------------------------------------------------------------------------------------
# Running it
# ---------------------------------------------------------------------------------------------


def execute(command, limit):
    """(exit code, what it printed, why it failed or None). A process over its time is ended, with what it started."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return None, output, f"took longer than {limit:.0f} s"
    if process.returncode < 0:
        return process.returncode, output, f"died of signal {-process.returncode}: {last_line(output)}"
    return process.returncode, output, None


def last_line(output):
    return (output.strip().splitlines() or ["no message"])[-1]


def prove_check(options, folder, spec, extra, repeat):
    """A check: what it found, and why it failed where it says no more than that."""
    path = folder / "found.json"
    command = [str(options.ssmc), "check", str(spec), "--target", "cuda", "--threads", "1", "--json", str(path), *extra]
    command += ["--repeat", str(repeat)] if repeat else []
    code, output, problem = execute(command, options.limit)
    if problem is None and code not in (0, 1):
        problem = f"exit code {code}: {last_line(output)}"
    found = []
    if path.exists() and problem is None:
        found = [entry for entry in json.loads(path.read_text()) if entry["exists"]]
        over = [entry for entry in found if not entry["ok"]]
        if over:
            first = over[0]
            problem = (f"{len(over)} of {len(found)} cases failed, first {first['form']} {first['chunk'] or ''} "
                       f"{first['dtype']}, {first['case']}: {first['problem'] or 'over its bound'}")
    if problem is None and not found:
        problem = "nothing was checked"
    return found, problem


def prove_clean(options, folder, sanitizer, tool, short):
    """Why compute-sanitizer is not content with a run; None if it is."""
    command = [str(sanitizer), "--tool", tool, "--error-exitcode", str(FOUND), *short.command(options.ssmc, folder)]
    code, output, problem = execute(command, options.limit)
    if problem:
        return problem
    summary = re.search(r"(ERROR|RACECHECK) SUMMARY: (\d+) (errors?|hazards?).*", output)
    if summary and summary.group(2) != "0":
        first = re.search(r"^=+ ((?:Invalid|Error|Warning|Uninitialized|Barrier|Program).*(?:\n=+ +(?:and|at|by) .*)*)",
                          output, re.M)
        text = re.sub(r"\s*\n=+\s*", " ", first.group(1)) if first else ""
        return f"{summary.group(0)}{'; ' + text if text else ''}"
    if code:
        return f"exit code {code}: {last_line(output)}"
    return None if summary else f"no summary: {last_line(output)}"


def worst(errors):
    """The largest; None, for infinite, if one is."""
    errors = list(errors)
    return None if None in errors else max(errors, default=0)


def rows_of(found):
    """Of each recurrence and type its number of cases, how many failed, and the worst errors."""
    groups = {}
    for entry in found:
        groups.setdefault((entry["recurrence"], entry["dtype"]), []).append(entry)
    for (recurrence, dtype), entries in sorted(groups.items()):
        row = dict(recurrence=recurrence, dtype=dtype, cases=len(entries), failed=sum(not one["ok"] for one in entries))
        for what in ("outputs", "states"):
            row[what] = worst(one[what] for one in entries if what in one)
        roles = {"gradients": [], "gates": [], "initial_states": []}
        for one in entries:
            for name, error in one.get("gradients", {}).items():
                role = "gates" if name in one["gates"] else "initial_states" if name in one["initial states"] else "gradients"
                roles[role].append(error)
        row.update({role: worst(errors) if errors else "" for role, errors in roles.items()})
        yield row


def prove(options, gpu, sanitizer):
    """The report."""
    left_out, checks, clean = [], [], []
    specs = sorted(options.specs or ROOT.glob("zoo/*.ssm"), key=lambda path: (path.stem not in SLOW, path.stem))
    if options.quick:
        left_out += [f"{spec.stem}: takes longest" for spec in specs if spec.stem in SLOW]
        specs = [spec for spec in specs if spec.stem not in SLOW]
    sweep_repeat = 0 if options.quick else options.repeat
    if not sanitizer:
        left_out.append("compute-sanitizer: it is neither on PATH nor in /usr/local/cuda/bin")
    sanitizers = min(MOST_SANITIZERS, max(1, options.jobs // 3)) if sanitizer else 0
    start = time.monotonic()
    found, rows = [], []
    with tempfile.TemporaryDirectory(prefix="ssmc-prove-") as root, \
            concurrent.futures.ThreadPoolExecutor(max(1, options.jobs - sanitizers)) as checkers, \
            concurrent.futures.ThreadPoolExecutor(max(1, sanitizers)) as watchers:
        folders = (pathlib.Path(root) / str(number) for number in range(1 << 30))

        def started(pool, function, *arguments):
            folder = next(folders)
            folder.mkdir()

            def timed():
                begin = time.monotonic()
                return function(options, folder, *arguments), time.monotonic() - begin
            return pool.submit(timed)

        waiting = {}
        for spec in specs:
            waiting[started(checkers, prove_check, spec, [], sweep_repeat)] = ("check", spec.stem)
        for spec, form, dtype, dims in [] if options.specs else MANY:
            extra = ["--form", form, "--dtype", dtype, "--dims", dims, "--heads", "8"]
            path = ROOT / "zoo" / f"{spec}.ssm"
            waiting[started(checkers, prove_check, path, extra, options.repeat)] = ("many", f"{spec} {form} {dtype} {dims}")
        for spec, form, dtype in [] if options.specs else SEGMENTED:
            extra = ["--form", form, "--dtype", dtype, "--segments", SEGMENTS]
            path = ROOT / "zoo" / f"{spec}.ssm"
            waiting[started(checkers, prove_check, path, extra, 0)] = ("segments", f"{spec} {form} {dtype}")
        for spec, dims in [] if options.specs else STRETCHED:
            extra = ["--form", "chunked", "--dtype", "bf16", "--dims", dims, "--chunk", "32", "--stretches", STRETCHES]
            path = ROOT / "zoo" / f"{spec}.ssm"
            waiting[started(checkers, prove_check, path, extra, 0)] = ("stretches", f"{spec} {dims}")
        for short in SHORT if sanitizer else []:
            for tool in TOOLS:
                waiting[started(watchers, prove_clean, sanitizer, tool, short)] = (tool, f"{short.spec}: {short.title}")
        for done, future in enumerate(concurrent.futures.as_completed(waiting), 1):
            kind, title = waiting[future]
            result, seconds = future.result()
            cases, problem = (len(result[0]), result[1]) if kind in CHECKS else (None, result)
            line = dict(kind=kind, title=title, seconds=round(seconds, 1), problem=problem)
            if cases is None:
                clean.append(line)
            else:
                checks.append({**line, "cases": cases})
                rows += rows_of(result[0]) if kind == "check" else []
                found += result[0] if kind == "check" else []
            run.say(f"[{done}/{len(waiting)}] {kind} {title}: {'ok' if problem is None else 'FAILED: ' + problem}, "
                    f"{seconds:.0f} s")
    order = lambda line: (line["kind"], line["title"])
    return dict(gpu=gpu, ssmc=version(options.ssmc), quick=options.quick, repeat=options.repeat,
                sweep_repeat=sweep_repeat, seconds=round(time.monotonic() - start), cases=len(found),
                failed=sum(not entry["ok"] for entry in found), rows=sorted(rows, key=lambda row: row["recurrence"]),
                checks=sorted(checks, key=order), sanitizer=sorted(clean, key=order), left_out=left_out)


def problems_of(report):
    return [f"{line['kind']} {line['title']}: {line['problem']}" for line in report["checks"] + report["sanitizer"]
            if line["problem"]]


# ---------------------------------------------------------------------------------------------
# Saying it
# ---------------------------------------------------------------------------------------------


def text(error):
    return error if error == "" else "inf" if error is None else "0" if error == 0 else f"{error:.1e}"


def section(report):
    """The part of docs/accuracy.md, without its heading."""
    problems = problems_of(report)
    sweep, many, segmented, stretched = ([line for line in report["checks"] if line["kind"] == kind] for kind in CHECKS)

    def within(lines):
        return f"{sum(line['cases'] for line in lines if not line['problem'])} of {sum(line['cases'] for line in lines)} cases"

    yield (f"Measured on another machine than the rest of this page: {report['gpu']}, {report['ssmc']}. Written by")
    yield ""
    yield "```"
    yield f"bench/gpu/prove.py{' --quick' if report['quick'] else ''} --json proof.json"
    yield "bench/accuracy_page.py --gpu proof.json"
    yield "```"
    yield ""
    if problems:
        yield f"{len(problems)} FAILED:"
        yield ""
        yield from (f"- {problem}" for problem in problems)
        yield ""
    yield (f"- Errors: {report['cases'] - report['failed']} of {report['cases']} cases are within the bounds above, of "
           f"{len(sweep)} recurrences, in the same cases as on a CPU, but for segments.")
    yield ("- Memory: whatever a kernel is to write, and what it has for itself, is NaN before each run, so that what is not "
           "written, or read before it is, shows in the errors.")
    if report["sweep_repeat"]:
        yield (f"- Bits: {report['sweep_repeat']} runs of each form and type, of batches and of packed sequences, give the "
               "same ones; so do gradients; packed sequences give those that each has alone.")
    else:
        yield "- Bits: 3 runs of each form and type, of batches and of packed sequences, give the same ones."
    if many:
        yield (f"- Bits with many blocks side by side: {report['repeat']} runs each of "
               f"{', '.join(line['title'] for line in many)}, and of their gradients.")
    if stretched:
        yield (f"- Stretches: {within(stretched)} are within the bounds, in blocks of 32 "
               f"steps of bf16, sequences of more than one block run in up to {STRETCHES} stretches of time, of "
               f"{', '.join(line['title'] for line in stretched)}.")
    if segmented:
        yield (f"- Segments: {within(segmented)} and their gradients are within "
               f"the bounds, sequences cut in {SEGMENTS} among them, of "
               f"{', '.join(line['title'] for line in segmented)}.")
    for tool in TOOLS:
        lines = [line for line in report["sanitizer"] if line["kind"] == tool]
        if lines:
            yield f"- compute-sanitizer {tool}: {sum(not one['problem'] for one in lines)} of {len(lines)} runs are clean."
    if report["sanitizer"]:
        titles = sorted({line["title"] for line in report["sanitizer"]})
        yield f"- These runs are {'; '.join(titles)}."
    yield from (f"- Left out: {what}." for what in report["left_out"])
    yield ""
    yield "| recurrence | type | cases | outputs | states | gradients | of gates | of initial states |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in report["rows"]:
        verdict = f" ({row['failed']} FAILED)" if row["failed"] else ""
        yield (f"| {row['recurrence']} | {row['dtype']} | {row['cases']}{verdict} | " +
               " | ".join(text(row[what]) for what in ("outputs", "states", "gradients", "gates", "initial_states")) + " |")


# ---------------------------------------------------------------------------------------------
# The machine
# ---------------------------------------------------------------------------------------------


def version(ssmc):
    return subprocess.run([str(ssmc), "--version"], capture_output=True, text=True).stdout.partition("\n")[0]


def find_gpu():
    """The GPU's name, and the CUDA version of its driver."""
    driver, number = run.Driver(), ctypes.c_int()
    driver("cuDriverGetVersion", ctypes.byref(number))
    return f"{driver.name}, CUDA {number.value // 1000}.{number.value % 1000 // 10}"


def find_sanitizer():
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=pathlib.Path, help="declarations (default: the zoo)")
    parser.add_argument("--ssmc", type=pathlib.Path, default=ROOT / "build/bin/ssmc")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (default: one a core)")
    parser.add_argument("--limit", type=float, help="seconds that each process may take (default 900, with --quick 150)")
    parser.add_argument("--repeat", type=int, default=100, help="runs that must have the same bits (default 100)")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="also write the report there")
    parser.add_argument("--gpu", help="the GPU's name, in place of asking the driver")
    options = parser.parse_args()
    options.limit = options.limit or (150 if options.quick else 900)
    refuse = lambda reason: (run.say(f"prove.py: error: {reason}"), sys.exit(2))
    if not options.ssmc.exists():
        found = shutil.which(str(options.ssmc)) or refuse(f"there is no '{options.ssmc}'; --ssmc says where it is")
        options.ssmc = pathlib.Path(found)
    if missing := [str(spec) for spec in options.specs if not spec.exists()]:
        refuse(f"there is no '{missing[0]}'")
    try:
        gpu = options.gpu or find_gpu()
    except OSError as problem:
        refuse(f"no CUDA driver: {problem}")
    except RuntimeError as problem:
        refuse(f"no GPU: {problem}")
    report = prove(options, gpu, find_sanitizer())
    print("\n".join(section(report)))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if problems_of(report) else 0


if __name__ == "__main__":
    sys.exit(main())
