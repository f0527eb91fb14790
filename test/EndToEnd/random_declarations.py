"""Draws declarations at random, runs them through ssmc and judges the results by their meaning in NumPy.

    python3 random_declarations.py --ssmc PATH [--opt PATH] [--seed N] [--count N] [--keep FOLDER] [--shrink]

Declaration N depends on its seed alone: --seed N --count 1 runs it again. Failures are printed, made small if
--shrink says so, and left with their arrays in FOLDER/N. Exit code 1 if there was one.
"""

import argparse
import random
import sys
import threading
import time
from pathlib import Path

from randomised.draw import draw
from randomised.judge import Failure, Judge, Shape, Unfit
from randomised.shrink import shrink
from randomised.tree import source
from ssmc_process import in_new_folder


def shape_of(recurrence, seed):
    rng = random.Random(seed)
    heads, groups = rng.choice([(1, 1), (2, 1), (3, 1), (3, 3), (4, 2)])
    batch = rng.choice([1, 2, 2])
    if len(recurrence.time) == 2:
        return Shape(batch, heads, groups, rng.choice([(1, 1), (4, 5), (3, 7), (5, 1)]))
    return Shape(batch, heads, groups, (rng.choice([1, 2, 17, 17, 45]),))


def attempt(recurrence, seed, options, keep=None, kind=None):
    """The failure of a declaration, or None."""
    rng = random.Random(seed + 1)
    level = 2 if rng.random() < options.thorough else rng.randrange(2)
    emit = rng.random() < options.thorough
    with in_new_folder(options.ssmc, keep) as ssmc:
        try:
            judge = Judge(ssmc, recurrence, shape_of(recurrence, seed), seed, options.opt)
            if kind:
                judge.repeat(kind)
                return None
            if emit:
                judge.emit()
            judge.judge(level)
        except Failure as failure:
            return failure
    return None


def same_failure(failure, seed, options):
    def fails(candidate):
        try:
            other = attempt(candidate, seed, options, kind=failure.kind)
        except Exception:  # the smaller declaration may be no declaration
            return False
        return other is not None and other.kind == failure.kind and signature(other) == signature(failure)

    return fails


def signature(failure):
    """What tells messages of different causes apart: the first line, without names and numbers."""
    if "is wrong" in failure.kind or "NaN" in failure.kind:
        return ""
    lines = str(failure).splitlines()
    words = (lines[1] if len(lines) > 1 and lines[0].split(": ")[-1].startswith("exit") else lines[0]).split()
    return " ".join(word for word in words if word.isalpha())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=Path, required=True)
    parser.add_argument("--opt", type=Path, help="ssmc-opt, for round trips")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="leave what fails here")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--thorough", type=float, default=0.3, help="share of declarations that get all checks")
    options = parser.parse_args()
    options.ssmc = options.ssmc.resolve()
    options.opt = options.opt and options.opt.resolve()

    failed = unfit = 0
    began = time.time()
    for seed in range(options.seed, options.seed + options.count):
        recurrence = draw(seed)
        try:
            failure = attempt(recurrence, seed, options)
        except Unfit:
            unfit += 1
            continue
        if failure is None:
            continue
        failed += 1
        if options.shrink:
            recurrence = shrink(recurrence, same_failure(failure, seed, options))
            failure = attempt(recurrence, seed, options, kind=failure.kind) or failure
        print(f"-- {seed} ... FAILED\n{failure}\n{source(recurrence)}", flush=True)
        if options.keep:
            try:
                attempt(recurrence, seed, options, options.keep / str(seed), failure.kind)
            except Unfit:
                pass
    print(f"{options.count - failed - unfit} passed, {failed} failed, {unfit} unfit to judge, "
          f"{time.time() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    threading.stack_size(512 << 20)
    thread = threading.Thread(target=lambda: codes.append(main()))
    codes = []
    thread.start()
    thread.join()
    sys.exit(codes[0] if codes else 1)
