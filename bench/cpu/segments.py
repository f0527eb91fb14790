#!/usr/bin/env python3
"""One long sequence of one head, in segments.

    bench/cpu/segments.py --ssmc build/bin/ssmc [--threads 1 2] [--segments 1 2 3 4] > table.md

Every combination is measured once a round, so that a change in the machine's mood meets all of them; the table has the
median over the rounds, with the quartiles, of each round's fastest run. Python 3.9 or later.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

OPS = {
    "gla": "K=128,V=128",
    "mamba2": "P=64,N=128",
    "gated_delta_rule": "K=128,V=128",
    "mlstm": "K=128,V=128",
}
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def measure(options, op, form, threads, segments):
    """Milliseconds of the fastest of a few runs."""
    command = [
        options.ssmc, "bench", os.path.join(ROOT, "zoo", op + ".ssm"), "--dims", OPS[op], "--form", form,
        "--batch", "1", "--heads", str(options.heads), "--groups", "1", "--time", str(options.time),
        "--threads", str(threads), "--segments", str(segments), "--repeat", str(options.repeat), "--json", "-",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"segments.py: {' '.join(command)} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout)[0]["min_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", default="build/bin/ssmc")
    parser.add_argument("--ops", nargs="+", choices=sorted(OPS), default=list(OPS))
    parser.add_argument("--form", default="chunked")
    parser.add_argument("--time", type=int, default=65536)
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--segments", type=int, nargs="+", default=[1, 2, 3, 4, 8])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()

    rows = [(op, threads, segments) for op in options.ops for threads in options.threads
            for segments in options.segments]  # fmt: skip
    found = {row: [] for row in rows}
    for number in range(options.rounds):
        for op, threads, segments in rows:
            found[op, threads, segments].append(measure(options, op, options.form, threads, segments))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)

    print(f"B=1 H={options.heads} T={options.time}, {options.form}; ms, median (quartiles) of {options.rounds} rounds;")
    print("speed beside one segment on one thread, median of the rounds' ratios\n")
    print("| op | threads | segments | ms | speed |\n|---|---|---|---|---|")
    for op, threads, segments in rows:
        times = found[op, threads, segments]
        base = found.get((op, options.threads[0], options.segments[0]))
        low, middle, high = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
        speed = statistics.median(one / time for one, time in zip(base, times))
        print(f"| {op} | {threads} | {segments} | {middle:.4g} ({low:.4g}–{high:.4g}) | {speed:.2f} |")


if __name__ == "__main__":
    main()
