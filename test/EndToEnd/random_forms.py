"""Draws linear recurrences at random; `ssmc check` compares all forms and gradients of each with the f64 reference.

    python3 random_forms.py --ssmc PATH [--seed N] [--count N] [--batch N] [--jobs N] [--brief] [--keep FOLDER] [--shrink]

Declaration N depends on its seed alone: --seed N --count 1 checks it again. The steps of a block are drawn too. With
--brief the seed also draws one form of each declaration, and that form and its gradient alone are checked. A failure
prints its seed and its declaration, made small by --shrink, and leaves it in FOLDER/N.ssm. Exit code 1 if there was one.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from randomised.shrink import shrink
from randomised.systems import draw
from randomised.tree import source

VANISHING = 1e-8
SLIGHT = 1e-2
CHUNKS = [2, 3, 5, 8, 16, 32]


def sweep(seed, brief):
    """The options that the seed draws: the lists of forms and steps to check, one after the other until one is there."""
    rng = random.Random(f"sweep {seed}")
    chunk = rng.choice(CHUNKS)
    if not brief:
        return chunk, ["auto"]
    # A recurrence with feedback has no scan, one without linearity no chunks; all have the recurrent form.
    forms = rng.choice([["chunked", "scan", "recurrent"], ["chunked", "scan", "recurrent"], ["scan", "chunked", "recurrent"],
                        ["recurrent"]])
    return chunk, forms


class Problem(Exception):
    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind


def checked(ssmc, text, chunk, form, timeout, data=1):
    """The findings of `ssmc check` on a file; `data` is the seed of the arrays."""
    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder) / "r.ssm", Path(folder) / "r.json"
        path.write_text(text)
        command = [ssmc, "check", path, "--target", "cpu", "--dtype", "f32", "--threads", "1", "--chunk", str(chunk),
                   "--form", form, "--seed", str(data), "--json", found]
        try:
            # Threads that wait take their time from the other jobs if they spin.
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                                  env=os.environ | {"KMP_BLOCKTIME": "0"})
        except subprocess.TimeoutExpired:
            raise Problem("hangs", f"{timeout} s") from None
        if done.returncode in (0, 1) and found.exists():
            return json.loads(found.read_text())
        raise Problem("refused" if done.returncode == 2 else "breaks", f"exit {done.returncode}\n{done.stderr[-1500:]}")


def is_over(entry):
    """Whether a finding is a failure: a gradient that all but vanishes beside its cotangents, which are of size one (the
    initial state's after many strong decays), is not judged by its relative error but by this size."""
    if entry["ok"] or "gradients" not in entry or entry["problem"]:
        return not entry["ok"]
    size = entry["sizes"]
    return any(error is None or (error > entry["bound"] and max(1, error) * size[name] > VANISHING)
               for name, error in entry["gradients"].items())


def describe(entry):
    form = entry["form"] + (f" {entry['chunk']}" if entry.get("chunk") else "")
    if "gradients" in entry:
        over = {name: error for name, error in entry["gradients"].items() if not (error is not None and error <= entry["bound"])}
        return f"{form} gradient, {entry['case']}: {over} {entry['problem']}"
    return f"{form}, {entry['case']}: outputs {entry['outputs']}, states {entry['states']} {entry['problem']}"


def kind_of(entry):
    """What is wrong in a few words, the same for what has the same cause."""
    if entry["problem"]:
        return f"{entry['form']} {' '.join(word for word in entry['problem'].split()[:6] if word.isalpha())}"
    if "gradients" not in entry:
        return f"{entry['form']} value"
    slight = all(error is not None and error < SLIGHT for name, error in entry["gradients"].items()
                 if entry["sizes"][name] > VANISHING)
    return f"{entry['form']} gradient" + (", slight" if slight else "")


def attempt(recurrences, chunk, forms, ssmc, timeout=60, data=1):
    """Checks recurrences in one process: for each what is wrong with it, as (kind, message), or None; and what was
    compared. Raises where that cannot be told apart."""
    text = "".join(map(source, recurrences))
    findings = None
    for form in forms:
        try:
            findings = checked(ssmc, text, chunk, form, timeout * len(recurrences) + 120, data)
            break
        except Problem as problem:
            if problem.kind != "refused" or form == forms[-1]:
                raise
    verdict = {recurrence.name: None for recurrence in recurrences}
    compared = set()
    for entry in findings:
        if entry["exists"]:
            compared.add((entry["recurrence"], entry["form"], "gradients" in entry))
            if is_over(entry):
                known = verdict[entry["recurrence"]]
                if known is None or known[0].endswith("slight"):  # the gravest is told
                    verdict[entry["recurrence"]] = (kind_of(entry), describe(entry))
        elif not entry["reason"]:
            verdict[entry["recurrence"]] = ("no reason", f"{entry['form']} is refused without a reason")
    return verdict, compared


def failure_of(recurrence, chunk, forms, ssmc, data=1):
    try:
        verdict, compared = attempt([recurrence], chunk, forms, ssmc, data=data)
        return verdict[recurrence.name], compared
    except Problem as problem:
        return (problem.kind, str(problem)), set()


def confirmed(failure, recurrence, chunk, forms, ssmc):
    """A failure, or None. One gradient in some thousands, of a param of one number, is a sum that happens to cancel to
    less than a thousandth of its terms, and is then not known to 1e-4 in f32: with other data it does not cancel, whereas a
    wrong rule is wrong with any. What is far off, and every output, is a failure at once."""
    if failure is None or not failure[0].endswith("gradient, slight"):
        return failure
    for data in (2, 3):
        again, _ = failure_of(recurrence, chunk, forms, ssmc, data)
        if again is not None:
            return again
    return None


def run_batch(seeds, options):
    """Seeds of the same sweep. One that breaks the process is found by checking each alone."""
    chunk, forms = sweep(seeds[0], options.brief)
    recurrences = [draw(seed) for seed in seeds]
    if len(forms) == 1:
        try:
            verdict, compared = attempt(recurrences, chunk, forms, options.ssmc)
            found = [(verdict[r.name], {c for c in compared if c[0] == r.name}) for r in recurrences]
        except Problem:
            found = [failure_of(r, chunk, forms, options.ssmc) for r in recurrences]
    else:
        found = [failure_of(r, chunk, forms, options.ssmc) for r in recurrences]
    return [(seed, chunk, forms, confirmed(failure, r, chunk, forms, options.ssmc), compared)
            for seed, r, (failure, compared) in zip(seeds, recurrences, found)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--batch", type=int, default=10, help="declarations that one process checks")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--keep", type=Path, help="leave the declarations that fail here")
    parser.add_argument("--shrink", action="store_true")
    options = parser.parse_args()
    options.ssmc = options.ssmc.resolve()

    groups = {}
    for seed in range(options.seed, options.seed + options.count):
        groups.setdefault(str(sweep(seed, options.brief)), []).append(seed)
    batches = [seeds[at:at + options.batch] for seeds in groups.values() for at in range(0, len(seeds), options.batch)]
    began, failed, count = time.time(), 0, {}
    with ThreadPoolExecutor(options.jobs) as pool:
        for results in pool.map(lambda seeds: run_batch(seeds, options), batches):
            for seed, chunk, forms, failure, compared in results:
                for _, form, gradient in compared:
                    key = form + (" gradient" if gradient else "")
                    count[key] = count.get(key, 0) + 1
                if failure is None:
                    continue
                failed += 1
                recurrence = draw(seed)
                if options.shrink:
                    def fails(candidate):
                        other, _ = failure_of(candidate, chunk, forms, options.ssmc)
                        return other is not None and other[0] == failure[0]
                    recurrence = shrink(recurrence, fails)
                    failure = failure_of(recurrence, chunk, forms, options.ssmc)[0] or failure
                text = source(recurrence)
                print(f"-- {seed} FAILED with --chunk {chunk} --form {forms[0]}\n{failure[1]}\n{text}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{seed}.ssm").write_text(text)
    compared = ", ".join(f"{count[key]} {key}" for key in sorted(count))
    print(f"{options.count - failed} passed, {failed} failed, {time.time() - began:.0f} s; compared: {compared}")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
