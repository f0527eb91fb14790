"""Runs a gradient with everything kept, then with spans of some steps computed again; fails unless all bits agree.

    recomputed.py PREFIX ssmc run SPEC … --- COTANGENT:SHAPE… --- GRADIENT… --- STEPS… [--- OFFSETS]

Inputs are random, by the seed of ssmc. Gradients of names that are among the cotangents are those of initial states,
which are given then.
"""

import subprocess
import sys

import numpy as np

prefix, *words = sys.argv[1:]
parts = [[]]
for word in words:
    if word == "---":
        parts.append([])
    else:
        parts[-1].append(word)
command, cotangents, gradients, steps, *packed = parts
rng = np.random.default_rng(1)
names = []
for text in cotangents:
    name, shape = text.split(":")
    names.append(name)
    shape = [int(size) for size in shape.split(",")]
    np.save(f"{prefix}.d.{name}.npy", rng.standard_normal(shape).astype(np.float32))
    command += ["--cotangent", f"{name}={prefix}.d.{name}.npy"]
    if name in gradients:
        np.save(f"{prefix}.{name}.npy", rng.standard_normal(shape).astype(np.float32))
        command += ["--state-in", f"{name}={prefix}.{name}.npy"]
if packed:
    np.save(f"{prefix}.cu.npy", np.array([int(offset) for offset in packed[0][0].split(",")]))
    command += ["--cu-seqlens", f"{prefix}.cu.npy"]


def run(choice):
    outs = [word for name in gradients for word in ("--grad-out", f"{name}={prefix}.g.{name}.npy")]
    subprocess.run([*command, *outs, "--recompute", choice], check=True)
    return {name: np.load(f"{prefix}.g.{name}.npy") for name in gradients}


kept = run("none")
for choice in steps:
    for name, found in run(choice).items():
        if found.tobytes() != kept[name].tobytes():
            sys.exit(f"the gradient of {name} differs with spans of {choice} steps")
        if not np.isfinite(found).all() or not found.any():
            sys.exit(f"the gradient of {name} is no gradient")
