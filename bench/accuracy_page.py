#!/usr/bin/env python3
"""Writes docs/accuracy.md: the errors of every form, type and gradient of the zoo, as `ssmc check` finds them.

    bench/accuracy_page.py --ssmc build/bin/ssmc [--found FILE] [--gpu FILE] [-o docs/accuracy.md] [zoo/*.ssm]

--found takes the JSON of an earlier `ssmc check --target cpu --json FILE` instead of running it. --gpu takes the JSON of
bench/gpu/prove.py, from a machine with a GPU; without it the page keeps the part that it has of one, and without --ssmc it
keeps all else. Exit code 1 if something is over its bound; the page is written all the same, and says so.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench/gpu"))
import prove  # noqa: E402: what it says of a report is the GPU's part of the page

GPU_HEADING = "\n## On a GPU\n\n"
FEATURES = ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "asimd"]


def check(ssmc, specs):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        done = subprocess.run([ssmc, "check", *specs, "--target", "cpu", "--json", path], stdout=subprocess.DEVNULL)
        if done.returncode not in (0, 1):
            sys.exit(done.returncode)
        return json.loads(path.read_text())


def machine():
    """Features that decide which code is compiled; the name of the machine decides nothing."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    flags = re.search(r"^(?:flags|Features)\s*: (.*)", text, re.M)
    found = set(flags.group(1).split()) if flags else set()
    return f"{platform.machine()}, {' '.join(f for f in FEATURES if f in found) or 'no vector features'}"


def text(error):
    return "inf" if error is None else "0" if error == 0 else f"{error:.1e}"


def worst(errors):
    errors = list(errors)
    return None if None in errors else max(errors, default=0)


def cpu_part(arguments):
    """The page but for the part of a GPU, and whether something is over its bound."""
    specs = arguments.specs or sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("zoo/*.ssm"))
    found = json.loads(Path(arguments.found).read_text()) if arguments.found else check(arguments.ssmc, specs)
    version = subprocess.run([arguments.ssmc, "--version"], capture_output=True, text=True).stdout.splitlines()[0]

    lines, absent = {}, {}
    for entry in found:
        if not entry["exists"]:
            absent.setdefault(entry["recurrence"], []).append(f"no {entry['form']} form: {entry['reason']}")
            continue
        key = (entry["recurrence"], entry["form"] + (f" {entry['chunk']}" if entry["chunk"] else ""), entry["dtype"])
        lines.setdefault(key, []).append(entry)
    failed = sum(not entry["ok"] for entry in found if entry["exists"])
    cases = sum(entry["exists"] for entry in found)

    page = f"""# Accuracy

Each form of each recurrence of the zoo, with blocks of two sizes, against the f64 interpreter of its declaration, and its
gradients against that interpreter's. A figure is the worst of all cases: odd sizes, no step, one step, lengths about a
multiple of a block, 4096 steps, initial states, strong and weak gates, the sequence in parts and step by step, packed
sequences with empty ones. An error is RMS(x - reference) / RMS(reference) of one array. 16-bit inputs are rounded before both
sides read them; a 16-bit result cannot be nearer than its own rounding, 1.7e-3.

Bounds: outputs and states 1e-5 in f32 and 4e-3 in bf16; gradients 1e-4 and 8e-3, of operands that a decay depends on 1.5e-2 in
bf16. {cases - failed} of {cases} cases are within them{"" if not failed else f"; {failed} ARE NOT"}.

{version}; {machine()}. Written by

```
bench/accuracy_page.py --ssmc build/bin/ssmc
```

| recurrence | form | type | outputs | states | bound | gradients | of gates | of initial states | bound |
|---|---|---|---|---|---|---|---|---|---|
"""
    for (recurrence, form, dtype), entries in lines.items():
        values = [entry for entry in entries if "gradients" not in entry]
        gradients = [entry for entry in entries if "gradients" in entry]
        cells = [text(worst(entry[what] for entry in values)) for what in ("outputs", "states")]
        cells.append(text(values[0]["bound"]) if values else "")
        if gradients:
            role = lambda name, entry: ("gate" if name in entry["gates"] else
                                        "state" if name in entry["initial states"] else "operand")
            for wanted in ("operand", "gate", "state"):
                errors = [error for entry in gradients for name, error in entry["gradients"].items()
                          if role(name, entry) == wanted]
                cells.append(text(worst(errors)) if errors else "")
            cells.append(text(gradients[0]["bound"]))
        else:
            cells += ["", "", "", ""]
        verdict = "" if all(entry["ok"] for entry in entries) else " FAILED"
        page += f"| {recurrence} | {form}{verdict} | {dtype} | {' | '.join(cells)} |\n"
    page += "\n## Forms that there are not\n\n"
    for recurrence, reasons in absent.items():
        page += f"- {recurrence}: {'; '.join(reasons)}\n"
    return page, bool(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*")
    parser.add_argument("--ssmc")
    parser.add_argument("--found")
    parser.add_argument("--gpu", type=Path)
    parser.add_argument("-o", dest="out", default=str(ROOT / "docs/accuracy.md"))
    arguments = parser.parse_args()
    out = Path(arguments.out)
    rest, _, gpu = out.read_text().partition(GPU_HEADING) if out.exists() else ("", "", "")
    failed = False
    if arguments.gpu:
        report = json.loads(arguments.gpu.read_text())
        gpu, failed = "\n".join(prove.section(report)) + "\n", bool(prove.problems_of(report))
    if arguments.ssmc:
        rest, over = cpu_part(arguments)
        failed |= over
    elif not arguments.gpu or not rest:
        parser.error("--ssmc is missing")
    out.write_text(rest + (GPU_HEADING + gpu if gpu else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
