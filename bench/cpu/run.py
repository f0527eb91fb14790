#!/usr/bin/env python3
"""Recurrences on the CPU: ssmc beside ggml, on one machine, in one run.

    bench/cpu/run.py --ggml DIR [--ssmc build/bin/ssmc] [--json out.json] > table.md
    bench/cpu/run.py --ggml DIR [--ssmc build/bin/ssmc] --check

DIR is a ggml source tree (built here if it is not yet) or the prefix that it was installed to.
The two programs take turns, shape by shape, and the machine's limits are measured in between, so
that a change in the machine's mood meets all of them. --check times nothing: it shows that both
compute the same recurrence as a step written in NumPy. Python 3.9 or later; NumPy for --check only.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable, Dict, List, Optional

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


# ---------------------------------------------------------------------------------------------
# What is measured
# ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Op:
    """One recurrence, with its cost per token and head.

    flops counts what the step does to each element of the state (a multiply-add is 2): the decay
    1, each contraction or readout 2, each rank-one update 2. Vectors are not counted. exps counts
    only exponentials as many as the state has elements. token, shared and state are the numbers of
    f32 operands and results per token and head, per token and group, and per head.
    """

    flops: Callable
    token: Callable
    state: Callable
    shared: Callable = lambda d: 0
    exps: Callable = lambda d: 0
    width: Callable = lambda d: 1  # what "per head" means in nanoseconds: Mamba-1's is a channel


OPS = {
    # decay 1, contraction 2, update 2, readout 2
    "gated_delta_rule": Op(
        lambda d: 7 * d["K"] * d["V"], lambda d: 2 * d["K"] + 2 * d["V"] + 2, lambda d: d["K"] * d["V"]
    ),
    "kda": Op(
        lambda d: 7 * d["K"] * d["V"], lambda d: 3 * d["K"] + 2 * d["V"] + 1, lambda d: d["K"] * d["V"]
    ),
    # dt A 1, exp, decay 1, input 2, readout 2
    "mamba1": Op(
        lambda d: 6 * d["P"] * d["N"],
        lambda d: 3 * d["P"],
        lambda d: d["P"] * d["N"],
        shared=lambda d: 2 * d["N"],
        exps=lambda d: d["P"] * d["N"],
        width=lambda d: d["P"],
    ),
    # decay 1, input 2, readout 2
    "mamba2": Op(
        lambda d: 5 * d["P"] * d["N"],
        lambda d: 2 * d["P"] + 1,
        lambda d: d["P"] * d["N"],
        shared=lambda d: 2 * d["N"],
    ),
    "gla": Op(lambda d: 5 * d["K"] * d["V"], lambda d: 3 * d["K"] + 2 * d["V"], lambda d: d["K"] * d["V"]),
    # the bonus is a dot product and a scaled vector
    "rwkv6": Op(lambda d: 5 * d["K"] * d["V"], lambda d: 3 * d["K"] + 2 * d["V"], lambda d: d["K"] * d["V"]),
    # decay 1, contraction 2, two updates 4, readout 2
    "rwkv7": Op(lambda d: 9 * d["K"] * d["V"], lambda d: 5 * d["K"] + 2 * d["V"], lambda d: d["K"] * d["V"]),
}


@dataclasses.dataclass(frozen=True)
class Shape:
    op: str
    dims: Dict[str, int]
    heads: int

    def dims_text(self) -> str:
        return ",".join(f"{k}={v}" for k, v in self.dims.items())

    def text(self) -> str:
        sizes = " ".join(f"{k} {v}" for k, v in self.dims.items())
        return sizes if self.op == "mamba1" else f"{sizes} H {self.heads}"


SHAPES = [
    Shape("mamba2", {"P": 64, "N": 128}, 24),
    Shape("mamba1", {"P": 1536, "N": 16}, 1),
    Shape("gated_delta_rule", {"K": 128, "V": 128}, 16),
    Shape("kda", {"K": 128, "V": 128}, 16),
    Shape("gla", {"K": 64, "V": 64}, 16),
    Shape("gla", {"K": 64, "V": 64}, 32),
    Shape("rwkv6", {"K": 64, "V": 64}, 32),
    Shape("rwkv7", {"K": 64, "V": 64}, 32),
]


@dataclasses.dataclass(frozen=True)
class Case:
    shape: Shape
    batch: int
    time: int
    threads: int

    def arguments(self) -> List[str]:
        return [
            "--dims", self.shape.dims_text(), "--batch", str(self.batch),
            "--heads", str(self.shape.heads), "--groups", "1",
            "--time", str(self.time), "--threads", str(self.threads),
        ]  # fmt: skip

    def work(self) -> Dict[str, float]:
        """Operations, exponentials and bytes that the case cannot do without."""
        op, d = OPS[self.shape.op], self.shape.dims
        steps = self.batch * self.time
        items = steps * (self.shape.heads * op.token(d) + op.shared(d))
        items += 2 * self.batch * self.shape.heads * op.state(d)
        return {
            "flops": steps * self.shape.heads * op.flops(d),
            "exps": steps * self.shape.heads * op.exps(d),
            "bytes": 4 * items,
        }

    def units(self) -> int:
        """Tokens times heads (times channels for Mamba-1)."""
        return self.batch * self.time * self.shape.heads * OPS[self.shape.op].width(self.shape.dims)


def cases(options) -> List[Case]:
    result = []
    for shape in SHAPES:
        if options.ops and shape.op not in options.ops:
            continue
        for threads in options.threads:
            for steps in options.times:
                # Decoding one sequence finds its states in the cache; 24 of them show a stack of layers.
                for batch in [1] if steps > 1 else [1, 24]:
                    result.append(Case(shape, batch, steps, threads))
    return result


# ---------------------------------------------------------------------------------------------
# Building
# ---------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def stop(text: str) -> None:
    say(f"run.py: {text}")
    sys.exit(2)


def call(command: List[str], what: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{what} failed with exit code {done.returncode}:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def ggml_libraries(ggml: pathlib.Path) -> Optional[Dict[str, pathlib.Path]]:
    """The CPU back end and the core library, shared or static, wherever CMake leaves them."""
    found = {}
    for name in ("ggml-cpu", "ggml-base"):
        for folder in ("lib", "lib64", "build/src", "build/src/ggml-cpu", "build/bin", "build/lib"):
            for suffix in (".so", ".a", ".dylib"):
                path = ggml / folder / f"lib{name}{suffix}"
                if path.exists():
                    found.setdefault(name, path)
    return found if len(found) == 2 else None


def build(options) -> Dict[str, pathlib.Path]:
    options.build.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CXX", "c++")
    if not shutil.which(compiler):
        stop(f"no C++ compiler '{compiler}'; set CXX")
    flags = ["-std=c++17", "-O3", "-march=native", "-fopenmp"]
    programs = {"limits": options.build / "limits", "ggml_ops": options.build / "ggml_ops"}
    call([compiler, *flags, str(HERE / "limits.cpp"), "-o", str(programs["limits"])], "compiling limits.cpp")

    ggml = options.ggml.resolve()
    if not (ggml / "include" / "ggml-cpu.h").exists():
        stop("--ggml names neither a ggml source tree nor an installation: no include/ggml-cpu.h there")
    libraries = ggml_libraries(ggml)
    if libraries is None:
        if not (ggml / "CMakeLists.txt").exists():
            stop("no ggml libraries under --ggml, and no CMakeLists.txt to build them from")
        say("building ggml's CPU back end for this machine (some minutes)")
        tree = ggml / "build"
        settings = ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DGGML_OPENMP=ON", "-DBUILD_SHARED_LIBS=OFF",
                    "-DGGML_BUILD_TESTS=OFF", "-DGGML_BUILD_EXAMPLES=OFF"]  # fmt: skip
        call(["cmake", "-S", str(ggml), "-B", str(tree), *settings], "configuring ggml")
        call(["cmake", "--build", str(tree), "-j", str(options.jobs), "--target", "ggml-cpu"], "building ggml")
        libraries = ggml_libraries(ggml)
        if libraries is None:
            stop("ggml was built, but its libraries are not where they were expected")
    link = [str(libraries["ggml-cpu"]), str(libraries["ggml-base"])]
    link += [f"-Wl,-rpath,{p.parent}" for p in libraries.values() if p.suffix != ".a"]
    command = [compiler, *flags, f"-I{ggml / 'include'}", str(HERE.parent / "ggml" / "ggml_ops.cpp"), *link]
    command += ["-ldl", "-lpthread", "-lm", "-o", str(programs["ggml_ops"])]
    call(command, "compiling ggml_ops.cpp")
    return programs


# ---------------------------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------------------------


def busy_cores(seconds: float = 0.2) -> float:
    """How many cores' worth of time other programs take. Zero where /proc/stat does not exist."""

    def read():
        try:
            with open("/proc/stat") as stat:
                fields = [int(x) for x in stat.readline().split()[1:9]]
        except (OSError, ValueError):
            return 0, 1
        return sum(fields) - fields[3] - fields[4], sum(fields)

    busy, total = read()
    time.sleep(seconds)
    busy_then, total_then = read()
    return (os.cpu_count() or 1) * (busy_then - busy) / max(1, total_then - total)


def wait_for_quiet(patience: float) -> float:
    """Waits until others leave the machine alone; gives up after patience seconds."""
    end = time.monotonic() + patience
    while True:
        load = busy_cores()
        if load < 0.15 or time.monotonic() > end:
            return load
        time.sleep(1)


def bench_ggml(programs, case: Case, options) -> Dict:
    command = [str(programs["ggml_ops"]), "--op", case.shape.op, *case.arguments()]
    return json.loads(call([*command, "--repeat", str(options.repeat), "--warmup", "1"], "ggml_ops"))


def bench_ours(case: Case, options) -> Dict:
    command = [str(options.ssmc), "bench", str(options.zoo / f"{case.shape.op}.ssm"), *case.arguments()]
    command += ["--form", options.form, "--target", "cpu", "--dtype", options.dtype]
    text = call([*command, "--repeat", str(options.repeat), "--json", "-"], "ssmc bench")
    results, decoder, at = [], json.JSONDecoder(), 0
    while text[at:].strip():  # one object after another, or one array
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        results += value if isinstance(value, list) else [value]
    if not results:
        raise RuntimeError("ssmc bench printed no result")
    chosen = [r for r in results if r.get("auto")] if options.form == "auto" else results
    return min(chosen or results, key=lambda r: r["median_ms"])


def summary(rounds: List[Dict]) -> Optional[Dict]:
    """The median of the rounds' medians, and the widest of their interquartile ranges."""
    if not rounds:
        return None
    return {
        "median_ms": statistics.median(r["median_ms"] for r in rounds),
        "p25_ms": min(r["p25_ms"] for r in rounds),
        "p75_ms": max(r["p75_ms"] for r in rounds),
        "min_ms": min(r["min_ms"] for r in rounds),
        "max_ms": max(r["max_ms"] for r in rounds),
        "form": rounds[0].get("form"),
        "rounds": rounds,
    }


def measure(programs, options) -> Dict:
    record = {"machine": machine(), "limits": {t: [] for t in options.threads}, "cases": []}
    work = cases(options)
    if options.ssmc is None:
        banner("no --ssmc: ggml alone is measured, and the columns for ours stay empty")
    for number, case in enumerate(work, 1):
        ggml, ours, busy, problem = [], [], [], None
        limits = json.loads(call([str(programs["limits"]), "--threads", str(case.threads)], "limits"))
        record["limits"][case.threads].append(limits)
        for _ in range(options.rounds):
            busy.append(wait_for_quiet(options.patience))
            ggml.append(bench_ggml(programs, case, options))
            if options.ssmc is not None and problem is None:
                try:
                    ours.append(bench_ours(case, options))
                except (RuntimeError, ValueError, KeyError, OSError) as error:
                    problem = str(error)
                    banner(f"ours failed on {case.shape.op}: {problem}")
        record["cases"].append(
            {
                "op": case.shape.op,
                "shape": case.shape.text(),
                "batch": case.batch,
                "time": case.time,
                "threads": case.threads,
                "units": case.units(),
                **case.work(),
                "busy_cores_before": busy,
                "ggml": summary(ggml),
                "ours": summary(ours),
                # Rounds are pairs: what slows one turn down tends to slow its neighbour down as well.
                "ratio": statistics.median(g["median_ms"] / o["median_ms"] for g, o in zip(ggml, ours)) if ours else None,
                "problem": problem,
            }
        )
        ns = record["cases"][-1]["ggml"]["median_ms"] * 1e6 / case.units()
        say(f"[{number}/{len(work)}] {case.shape.op} {case.shape.text()} {case.batch}x{case.time}, "
            f"{case.threads} thread(s): ggml {ns:.0f} ns" + (f", ours {record['cases'][-1]['ours']['median_ms'] * 1e6 / case.units():.0f} ns" if ours else ""))  # fmt: skip
    return record


def banner(text: str) -> None:
    say("*" * 80 + f"\n*** {text}\n" + "*" * 80)


def machine() -> Dict:
    model = platform.processor()
    try:
        with open("/proc/cpuinfo") as info:
            model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), model)
    except OSError:
        pass
    return {"processor": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}",
            "date": time.strftime("%Y-%m-%d")}  # fmt: skip


# ---------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------


def limit_ms(case: Dict, limits: Dict) -> float:
    """Arithmetic at the measured rates, or bytes at the measured copy bandwidth, whichever is more."""
    arithmetic = case["flops"] / limits["fma_gflops"] + case["exps"] / limits["exp_gops"]
    return max(arithmetic, case["bytes"] / limits["copy_gbs"]) * 1e-6


def table(record: Dict) -> str:
    limits = {}
    for threads, rows in record["limits"].items():
        limits[int(threads)] = {k: statistics.median(r[k] for r in rows) for k in ("fma_gflops", "exp_gops", "copy_gbs")}
        limits[int(threads)]["isa"] = rows[0]["isa"]
    m = record["machine"]
    version = record["cases"][0]["ggml"]["rounds"][0]["ggml"]
    lines = [f"{m['processor']}, {m['cores']} cores, {m['date']}; ggml {version}. Limits measured in this run:", ""]
    lines += ["| threads | f32 multiply-add GFLOP/s | exp G/s | copy GB/s (read + written) |", "|---|---|---|---|"]
    for threads, l in sorted(limits.items()):
        lines.append(f"| {threads} ({l['isa']}) | {l['fma_gflops']:.0f} | {l['exp_gops']:.1f} | {l['copy_gbs']:.1f} |")
    lines += [
        "",
        "Milliseconds are the median over rounds (lowest lower quartile – highest upper quartile of any round); ns are per token and head",
        "(Mamba-1: per token and channel); ratio is the median over rounds of ggml's time over ours; share is the limit's time over",
        "ours, or over ggml's.",
        "",
        "| op | shape | B×T | threads | ggml ms | ggml ns | ours ms | ours ns | ratio | GFLOP/s | GB/s | limit | share | ggml's share |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case in record["cases"]:
        l = limits[case["threads"]]
        best = limit_ms(case, l)
        kind = "memory" if best * l["copy_gbs"] * 1e6 <= case["bytes"] * 1.0001 else "arithmetic"
        row = [case["op"], case["shape"], f"{case['batch']}×{case['time']}", str(case["threads"])]
        for side in ("ggml", "ours"):
            s = case[side]
            if s is None:
                row += ["–", "–"]
            else:
                row.append(f"{s['median_ms']:.4g} ({s['p25_ms']:.4g}–{s['p75_ms']:.4g})")
                ns = s["median_ms"] * 1e6 / case["units"]
                row.append(f"{ns:.0f}" if ns >= 20 else f"{ns:.1f}")
        shown = case["ours"] or case["ggml"]
        row.append(f"{case['ratio']:.2f}" if case["ours"] else "–")
        row.append(f"{case['flops'] / shown['median_ms'] * 1e-6:.1f}")
        row.append(f"{case['bytes'] / shown['median_ms'] * 1e-6:.2f}")
        row.append(kind)
        row.append(f"{100 * best / case['ours']['median_ms']:.0f} %" if case["ours"] else "–")
        row.append(f"{100 * best / case['ggml']['median_ms']:.0f} %")
        lines.append("| " + " | ".join(row) + " |")
    lines += [
        "",
        "Operations per token and head, a multiply-add counted as 2: gated delta rule and KDA 7 K V (decay 1, contraction 2, update 2,",
        "readout 2); Mamba-2, GLA and RWKV-6 5 K V (decay, update, readout); RWKV-7 9 K V (decay, contraction, two updates, readout);",
        "Mamba-1 6 P N and P N exponentials. GFLOP/s and GB/s are ours where measured, else ggml's. Bytes: each operand, result and",
        "state once. At T = 1 the data lie in the cache, so a share of the memory limit may exceed 100 %. ggml is given the decays of GLA",
        "and RWKV already exponentiated; its Mamba ops apply softplus to the time step, ours is given the step.",
    ]
    noisy = [c for c in record["cases"] if max(c["busy_cores_before"]) > 0.3]
    if noisy:
        lines += ["", f"Other programs were running before {len(noisy)} of {len(record['cases'])} measurements."]
    if any(c["ours"] is None for c in record["cases"]):
        lines += ["", "**Ours was not measured in every row.**"]
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------
# The same recurrence?
# ---------------------------------------------------------------------------------------------


def numpy_step(op: str, a: Dict, np) -> Dict:
    """The declared step in f64, one token after another. Arrays [B, T, H, ...], states [B, H, ...]."""
    outer = lambda x, y: x[..., :, None] * y[..., None, :]
    dot = lambda x, s: np.einsum("bhi,bhij->bhj", x, s)
    outputs = []
    if op in ("mamba1", "mamba2"):
        h = a["h"]
        x = a["u" if op == "mamba1" else "x"]
        for t in range(x.shape[1]):
            if op == "mamba1":
                dt = a["dt"][:, t]  # [B, H, P]
                decay, u = np.exp(dt[..., None] * a["A"]), dt * x[:, t]
            else:
                dt = a["dt"][:, t]  # [B, H]
                decay, u = np.exp(dt * a["A"])[..., None, None], dt[..., None] * x[:, t]
            h = decay * h + outer(u, a["B"][:, t])  # one group serves all heads
            outputs.append(np.einsum("bhpn,bn->bhp", h, a["C"][:, t, 0]))
        return {"y": np.stack(outputs, 1), "h": h}
    S = a["S"]
    for t in range(a["k"].shape[1]):
        k, v = a["k"][:, t], a["v"][:, t]
        if op in ("gated_delta_rule", "kda"):
            g = a["g"][:, t]
            D = np.exp(g[..., None] if op == "kda" else g[..., None, None]) * S
            S = D + a["beta"][:, t, :, None, None] * outer(k, v - dot(k, D))
            outputs.append(dot(a["q"][:, t], S))
        elif op == "gla":
            S = np.exp(a["g"][:, t])[..., None] * S + outer(k, v)
            outputs.append(dot(a["q"][:, t], S))
        elif op == "rwkv6":
            outputs.append(dot(a["r"][:, t], S + outer(a["u"] * k, v)))
            S = np.exp(a["w"][:, t])[..., None] * S + outer(k, v)
        elif op == "rwkv7":
            S = np.exp(a["w"][:, t])[..., None] * S + outer(a["b"][:, t], dot(a["a"][:, t], S)) + outer(k, v)
            outputs.append(dot(a["r"][:, t], S))
    return {"o": np.stack(outputs, 1), "S": S}


def check(programs, options) -> bool:
    import numpy as np

    bound = 1e-5
    good, seen = True, set()
    if options.ssmc is None:
        banner("no --ssmc: only ggml is held against the step in NumPy")
    print("| op | shape | ggml: output, state | ours: output, state |\n|---|---|---|---|")
    for shape in SHAPES:
        if (options.ops and shape.op not in options.ops) or shape.op in seen:
            continue
        seen.add(shape.op)
        case = Case(dataclasses.replace(shape, heads=min(shape.heads, 3)), batch=2, time=100, threads=2)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            command = [str(programs["ggml_ops"]), "--op", shape.op, *case.arguments(), "--repeat", "1"]
            call([*command, "--dump", name], "ggml_ops")
            arrays = {p.stem[3:]: np.load(p) for p in folder.glob("in_*.npy")}
            expected = numpy_step(shape.op, {k: v.astype(np.float64) for k, v in arrays.items()}, np)

            def errors(prefix):
                result = []
                for key, value in expected.items():
                    got = np.load(folder / f"{prefix}_{key}.npy").astype(np.float64)
                    if got.shape != value.shape:
                        raise RuntimeError(f"{prefix} {key}: shape {got.shape}, expected {value.shape}")
                    result.append(float(np.sqrt(np.mean((got - value) ** 2) / np.mean(value**2))))
                return result

            def cell(values):
                return ", ".join(f"{v:.1e}" for v in values)

            theirs, ours = errors("out"), None
            good &= all(e < bound for e in theirs)
            if options.ssmc is not None:
                output, state = expected
                command = [str(options.ssmc), "run", str(options.zoo / f"{shape.op}.ssm"), "--dims", shape.dims_text()]
                command += ["--form", options.form, "--target", "cpu", "--dtype", options.dtype]
                for key in arrays:
                    command += ["--state-in" if key == state else "--in", f"{key}={folder / f'in_{key}.npy'}"]
                command += ["--out", f"{output}={folder / f'ours_{output}.npy'}"]
                command += ["--state-out", f"{state}={folder / f'ours_{state}.npy'}"]
                try:
                    call(command, "ssmc run")
                    ours = errors("ours")
                    good &= all(e < bound for e in ours)
                except (RuntimeError, OSError, ValueError) as error:
                    good = False
                    banner(f"ours failed on {shape.op}: {error}")
            print(f"| {shape.op} | {case.shape.text()} 2×100 | {cell(theirs)} | {cell(ours) if ours else '–'} |", flush=True)
    print(f"\nRMS(x - step) / RMS(step) against the step in f64; bound {bound:.0e}: {'all within' if good else 'NOT all within'}.")
    return good


# ---------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ggml", type=pathlib.Path, required=True, help="ggml's source tree or installation prefix")
    parser.add_argument("--ssmc", type=pathlib.Path, help="our compiler; without it only ggml is measured")
    parser.add_argument("--zoo", type=pathlib.Path, default=ROOT / "zoo", help="folder of the declarations")
    parser.add_argument("--form", default="recurrent", help="the form that ssmc runs (default: recurrent)")
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"], help="ssmc's operands (ggml's are f32)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-bench", help="where programs are built")
    parser.add_argument("--jobs", type=int, default=1, help="parallel jobs if ggml must be built")
    parser.add_argument("--ops", nargs="+", choices=sorted(OPS), help="only these")
    parser.add_argument("--times", nargs="+", type=int, default=[1024, 4096, 1], help="sequence lengths")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5, help="turns that each program takes on a shape")
    parser.add_argument("--repeat", type=int, default=5, help="samples a turn")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for other programs to be quiet")
    parser.add_argument("--json", type=pathlib.Path, help="write all samples' statistics here")
    parser.add_argument("--check", action="store_true", help="compare numbers instead of times")
    options = parser.parse_args()
    if options.ssmc is not None and not (options.ssmc.is_file() and os.access(options.ssmc, os.X_OK)):
        stop("--ssmc is not a program")
    if min(options.rounds, options.repeat, *options.times, *options.threads) < 1:
        stop("rounds, repeats, times and threads must be at least 1")
    try:
        programs = build(options)
        if options.check:
            sys.exit(0 if check(programs, options) else 1)
        record = measure(programs, options)
    except RuntimeError as error:
        stop(str(error))
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
