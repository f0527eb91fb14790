"""Compiles the zoo for GPUs, without one: PTX of every recurrence, form and gradient, and what ptxas makes of it.

    python3 cuda_compiles.py --ssmc PATH [--all] [--jobs N] [--timings] [NAME...]

Checks of every kernel that it is in the PTX, that it takes no more shared memory than its architecture has, and that a
block has no more threads than may be. Where there is a ptxas it must take the PTX, and a kernel must not spill more than
SPILLS bytes. Without --all a sample, for the time's sake: see `cases`. Exit code 1 if a check failed.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ZOO = Path(__file__).resolve().parents[2] / "zoo"
# Bytes of shared memory that a block may have: CUDA C++ Programming Guide, technical specifications.
SHARED = {"sm_80": 163 << 10, "sm_90a": 227 << 10, "sm_120": 99 << 10}
THREADS = 1024
FORMS = ("recurrent", "scan", "chunked")
# Bytes of spill stores that a kernel may have.
SPILLS = 1024
# BUG to fix: dense transitions write out more at once than registers hold (S4's adjoint in blocks of 64 steps spills 5.4 KB).
KNOWN_TO_SPILL = {"s4": 2048, "s4_adjoint": 8192, "spacetime_adjoint_1": 2048}
KERNEL = re.compile(r"^// kernel (\w+): threads (\d+), slices (\d+), shared_bytes (\d+),", re.MULTILINE)
ENTRY = re.compile(r"^\.visible \.entry (\w+)\(", re.MULTILINE)
REPORT = re.compile(r"Compiling entry function '(\w+)'.*?(\d+) bytes spill stores", re.DOTALL)
# What is no failure: a form that a recurrence does not have.
ABSENT = ("has no scan form", "has no chunked form", "has no gradient: there are two time axes")
# Steps in a block of the sample: code grows with their square, and ptxas takes a minute for 64 of some.
FEW_STEPS = 16


@dataclass(frozen=True)
class Case:
    recurrence: str
    form: str
    grad: bool
    arch: str
    dtype: str

    def __str__(self):
        return f"{self.recurrence} {self.form}{' grad' if self.grad else ''} {self.dtype} {self.arch}"


def cases(names, everything):
    """All there is, or a sample: on sm_90a every recurrence, step by step and in blocks, a gradient of one of them, and every
    third one also as a scan; every third one in bf16 and in blocks on the other architectures. Blocks are short."""
    for number, name in enumerate(names):
        third = number % 3 == 0
        for arch in SHARED:
            for form in FORMS:
                for grad in (False, True):
                    on_main = form == FORMS[number % 2 * 2] if grad else form != "scan" or third
                    on_others = third and form == "chunked" and not grad
                    if everything or (on_main if arch == "sm_90a" else on_others):
                        yield Case(name, form, grad, arch, "f32")
        for grad in (False, True):
            if everything or third and not grad:
                yield Case(name, "chunked", grad, "sm_90a", "bf16")


def dims(name):
    """Small sizes for the dims that have no default."""
    declared = re.search(r"^\s*dim ([^/\n]*)", (ZOO / f"{name}.ssm").read_text(), re.MULTILINE).group(1)
    wanted = [dim.strip() for dim in declared.split(",") if "=" not in dim]
    return ",".join(f"{dim}={16 if dim == 'N' else 32}" for dim in wanted)


def problems_of(case, ptx):
    kernels = {name: (int(threads), int(shared)) for name, threads, _, shared in KERNEL.findall(ptx)}
    if not kernels or set(kernels) != set(ENTRY.findall(ptx)):
        yield f"kernels {sorted(kernels)}, entries {ENTRY.findall(ptx)}"
    if f"\n.target {case.arch}\n" not in ptx:
        yield f"not for {case.arch}"
    for name, (threads, shared) in kernels.items():
        if shared > SHARED[case.arch]:
            yield f"{name}: {shared} bytes of shared memory, {case.arch} has {SHARED[case.arch]}"
        if not 0 < threads <= THREADS:
            yield f"{name}: {threads} threads"


class Compiler:
    def __init__(self, ssmc, ptxas, steps):
        self.ssmc, self.ptxas, self.steps = ssmc, ptxas, steps
        self.spills = []  # (bytes, kernel, case)

    def __call__(self, case):
        """Pairs (seconds, problems); problems are None where there is no such form."""
        start = time.monotonic()
        problems = self.compile(case)
        return time.monotonic() - start, problems

    def compile(self, case):
        command = [self.ssmc, ZOO / f"{case.recurrence}.ssm", "--dims", dims(case.recurrence), "--form", case.form,
                   "--dtype", case.dtype, "--target", f"cuda:{case.arch}", "--emit", "ptx"]
        if case.grad:
            command += ["--grad"]
        if self.steps and case.form != "recurrent":
            command += ["--chunk", str(self.steps)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            if done.returncode == 2 and any(reason in done.stderr for reason in ABSENT):
                return None
            return [f"ssmc: exit code {done.returncode}: {done.stderr.strip()}"]
        problems = list(problems_of(case, done.stdout))
        if self.ptxas:
            problems += self.assemble(case, done.stdout)
        return problems

    def assemble(self, case, ptx):
        with tempfile.TemporaryDirectory(prefix="ssmc-test-") as folder:
            source = Path(folder) / "kernels.ptx"
            source.write_text(ptx)
            done = subprocess.run([self.ptxas, "-v", f"-arch={case.arch}", "-o", source.with_suffix(".cubin"), source],
                                  capture_output=True, text=True)
        if done.returncode:
            return [f"ptxas: {done.stderr.strip()}"]
        problems = []
        for kernel, text in REPORT.findall(done.stdout + done.stderr):
            spilled = int(text)
            if spilled:
                self.spills.append((spilled, kernel, case))
            most = KNOWN_TO_SPILL.get(kernel, SPILLS)
            if spilled > most:
                problems.append(f"{kernel} spills {spilled} bytes, more than {most}")
        return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=Path, required=True, help="the binary")
    parser.add_argument("--all", action="store_true", help="all of it, which takes a while")
    parser.add_argument("--jobs", type=int, default=2, help="compilations at a time (default 2)")
    parser.add_argument("--timings", action="store_true", help="print what each case takes")
    parser.add_argument("names", nargs="*", metavar="NAME", help="recurrences (default: the zoo)")
    options = parser.parse_args()
    ptxas = shutil.which("ptxas")
    if not ptxas:
        print("there is no ptxas on PATH: PTX is checked, not assembled")
    names = options.names or sorted(path.stem for path in ZOO.glob("*.ssm"))
    selected = list(cases(names, options.all))
    compiler = Compiler(options.ssmc.resolve(), ptxas, None if options.all else FEW_STEPS)
    failed = absent = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for case, (seconds, problems) in zip(selected, pool.map(compiler, selected)):
            absent += problems is None
            if options.timings and problems is not None:
                print(f"{seconds:8.2f} s  {case}", flush=True)
            if problems:
                failed += 1
                print(f"{case} ... FAILED", *problems, sep="\n  ", flush=True)
    for spilled, kernel, case in sorted(compiler.spills, key=lambda one: -one[0]):
        print(f"spills {spilled:5} bytes: {kernel} ({case})")
    passed = len(selected) - failed - absent
    print(f"{passed} passed, {failed} failed, {absent} forms that do not exist"
          + ("" if options.all else "; a sample, see --help"))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
