#!/usr/bin/env python3
"""Errors of the CPU kernels over thousands of steps, as the table of docs/performance.md.

    bench/accuracy.py --ssmc build/bin/ssmc [--time 4096] [--size 64] [--dtype f32] [zoo/*.ssm]

Each recurrence runs on the same random inputs by the CPU target and by the f64 reference; the error is
RMS(x - reference) / RMS(reference), the larger of all outputs. Exit code 1 if one is over the bound.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BOUNDS = {"f32": 1e-5, "bf16": 4e-3}
ROOT = Path(__file__).resolve().parents[1]


def run(arguments, spec, text, target, folder):
    dims = re.search(r"^\s*dim ([^/\n]*)", text, re.M)
    names = [entry.strip().partition("=") for entry in dims.group(1).split(",")] if dims else []
    sizes = ",".join(f"{name.strip()}={default.strip() or arguments.size}" for name, _, default in names)
    side = str(int(arguments.time**0.5))
    time = f"{side},{side}" if re.search(r"^\s*time \w+\s*,", text, re.M) else str(arguments.time)
    outputs = re.findall(r"^\s*out (\w+)", text, re.M)
    command = [arguments.ssmc, "run", spec, "--batch", "1", "--heads", "1", "--groups", "1", "--time", time,
               "--target", target, "--dtype", arguments.dtype, "--seed", "3"]
    command += ["--dims", sizes] if sizes else []
    for name in outputs:
        command += ["--out", f"{name}={folder}/{target}_{name}.npy"]
    subprocess.run(command, check=True)
    return [np.load(f"{folder}/{target}_{name}.npy").astype(np.complex128) for name in outputs]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", default=sorted(map(str, ROOT.glob("zoo/*.ssm"))))
    parser.add_argument("--ssmc", required=True)
    parser.add_argument("--time", type=int, default=4096)
    parser.add_argument("--size", type=int, default=64, help="of dims without a default")
    parser.add_argument("--dtype", choices=BOUNDS, default="f32")
    arguments = parser.parse_args()
    print(f"| recurrence | error over {arguments.time} steps, {arguments.dtype} |\n|---|---|")
    failed = 0
    for spec in arguments.specs:
        text = Path(spec).read_text()
        with tempfile.TemporaryDirectory() as folder:
            ours, reference = (run(arguments, spec, text, target, folder) for target in ("cpu", "reference"))
        error = max(np.sqrt(np.mean(abs(x - y) ** 2) / np.mean(abs(y) ** 2)) for x, y in zip(ours, reference))
        good = error <= BOUNDS[arguments.dtype]
        failed += not good
        print(f"| {Path(spec).stem} | {error:.1e}{'' if good else ' FAILED'} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
