#!/usr/bin/env python3
"""Does `--form auto` pick the fastest form? 50 shapes x recurrences, every form and chunk measured.

    bench/cpu/auto_grid.py --ssmc build/bin/ssmc [--dtype bf16] [--json grid.json] > grid.md
    bench/cpu/auto_grid.py --ssmc build/bin/ssmc --measured grid.json [--predictions]

Each form that a recurrence has is timed by `ssmc bench` on one thread, those of blocks with 16, 32, 64 and 128
steps. Further turns, after all of the first, take those that could still be the best. The
least of all runs is a form's time, as other programs on the machine only make a run longer. `auto` is right where
its pick takes at most 10 % longer than the best. With --measured nothing is timed again: picks of another build are held
against times of an earlier run on the same machine; --predictions lists predicted beside measured times.
Takes about ten minutes. Python 3.9 or later.
"""

import argparse
import json
import os
import subprocess
import sys

CHUNKS = (16, 32, 64, 128)

# Recurrence, dims, steps, heads. Heads are few where steps are many, so that a turn stays short.
POINTS = [
    ("gated_delta_rule", "K=128,V=128", 1, 16),
    ("gated_delta_rule", "K=128,V=128", 16, 32),
    ("gated_delta_rule", "K=128,V=128", 1024, 8),
    ("gated_delta_rule", "K=64,V=64", 4096, 4),
    ("gated_delta_rule", "K=256,V=256", 256, 4),
    ("kda", "K=128,V=128", 1024, 8),
    ("kda", "K=64,V=64", 256, 16),
    ("kda", "K=64,V=128", 4096, 2),
    ("deltanet", "K=64,V=64", 1024, 8),
    ("deltanet", "K=128,V=256", 256, 4),
    ("deltanet", "K=128,V=128", 4096, 2),
    ("gated_delta_product", "K=64,V=64", 1024, 4),
    ("gated_delta_product", "K=128,V=128", 256, 4),
    ("comba", "K=128,V=128", 256, 8),
    ("rwkv7", "K=64,V=64", 1024, 8),
    ("rwkv7", "K=64,V=64", 16, 32),
    ("rwkv7", "K=128,V=128", 256, 4),
    ("titans", "K=64,V=64", 1024, 4),
    ("titans", "K=128,V=128", 256, 2),
    ("mamba2", "P=64,N=128", 1, 24),
    ("mamba2", "P=64,N=128", 1024, 8),
    ("mamba2", "P=64,N=128", 4096, 4),
    ("mamba2", "P=64,N=16", 256, 16),
    ("gla", "K=64,V=64", 1024, 8),
    ("gla", "K=128,V=256", 256, 4),
    ("gla", "K=16,V=64", 4096, 4),
    ("rwkv6", "K=64,V=64", 1024, 8),
    ("rwkv6", "K=64,V=64", 16, 32),
    ("hgrn2", "K=128,V=128", 1024, 4),
    ("retnet", "K=128,V=128", 1024, 8),
    ("retnet", "K=256,V=256", 256, 4),
    ("linear_attention", "K=64,V=64", 4096, 4),
    ("mlstm", "K=128,V=128", 1024, 4),
    ("mlstm", "K=64,V=256", 256, 4),
    ("mamba3_siso", "P=64,N=64", 1024, 4),
    ("mamba3_mimo", "P=64,N=64", 256, 4),
    ("mamba1", "P=64,N=16", 1024, 8),
    ("mamba1", "P=256,N=16", 1, 16),
    ("mamba1", "P=256,N=16", 256, 4),
    ("longhorn", "P=128,N=16", 1024, 4),
    ("s4d", "P=64,N=64", 1024, 2),
    ("s5", "P=64,N=64", 1024, 8),
    ("lru", "P=128,N=128", 256, 8),
    ("hgrn", "D=256", 1024, 8),
    ("hgrn", "D=64", 16, 64),
    ("rg_lru", "D=256", 4096, 4),
    ("rwkv4", "D=256", 1024, 8),
    ("lmu", "P=16,N=64", 256, 2),
    ("s4", "P=16,N=64", 256, 2),
    ("aaren", "K=64,V=64", 1024, 8),
]


def run(arguments, ssmc):
    command = [ssmc] + arguments
    if os.path.exists("/usr/bin/taskset"):
        command = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] + command
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def zoo(name):
    return os.path.join(os.path.dirname(__file__), "..", "..", "zoo", name + ".ssm")


def shape(point, options):
    name, dims, steps, heads = point
    return [zoo(name), "--dims", dims, "--time", str(steps), "--heads", str(heads)] + options


def label(form, chunk):
    return f"{form} {chunk}" if chunk else form


def candidates(point, ssmc, options):
    """All forms with all sizes of blocks that are worth a try at so many steps."""
    forms = run(["explain", *shape(point, options), "--json", "-"], ssmc)[0]["forms"]
    steps = point[2]
    chunks = [c for c in CHUNKS if c <= max(steps, 16)]
    found = ["recurrent"]
    for form in ("scan", "chunked"):
        if forms.get(form):
            found += [label(form, chunk) for chunk in chunks]
    return found


def measure(point, form, ssmc, options, repeat):
    name, _, chunk = form.partition(" ")
    arguments = ["bench", *shape(point, options), "--form", name, "--batch", "1", "--threads", "1",
                 "--repeat", str(repeat), "--json", "-"]
    if chunk:
        arguments += ["--chunk", chunk]
    return run(arguments, ssmc)[0]["min_ms"]


def measure_all(ssmc, options, points):
    results = [{"point": point, "ms": {}} for point in points]
    for turn, hope in enumerate((0, 2, 1.35, 1.35)):
        for number, result in enumerate(results):
            print(f"\rturn {turn + 1}, {number + 1} of {len(points)}: {result['point'][0]:<24}", end="",
                  file=sys.stderr, flush=True)
            times = result["ms"]
            if turn == 0:
                forms = candidates(result["point"], ssmc, options)
            else:
                best = min(min(t) for t in times.values())
                forms = [f for f, t in times.items() if f == "recurrent" or min(t) < hope * best]
                if len(forms) == 1:
                    continue
            worst = {}  # of a form, once a size of blocks is hopeless, so are larger ones of the same form
            for form in forms:
                kind = form.split()[0]
                if turn == 0 and worst.get(kind, 0) > 6:
                    continue
                times.setdefault(form, []).append(
                    measure(result["point"], form, ssmc, options, 9 if turn == 0 else 15))
                worst[kind] = times[form][-1] / times["recurrent"][0]
    print(file=sys.stderr)
    return results


def pick(point, ssmc, options):
    for entry in run(["explain", *shape(point, options), "--json", "-"], ssmc)[0]["predicted"]:
        if entry["auto"]:
            return label(entry["form"], entry["chunk"])


def print_predictions(results, ssmc, options):
    for result in results:
        point, times = result["point"], result["ms"]
        predicted = {}
        for chunk in CHUNKS:
            for entry in run(["explain", *shape(point, options), "--chunk", str(chunk), "--json", "-"],
                             ssmc)[0]["predicted"]:
                predicted[label(entry["form"], entry["chunk"])] = entry
        base = min(times["recurrent"])
        steps = point[2] * point[3]
        print(f"{point[0]} {point[1]} T={point[2]} H={point[3]}")
        for form, t in times.items():
            ms, entry = min(t), predicted.get(form)
            if entry:
                cycles = entry["cycles"] * steps
                print(f"    {form:<12} {ms:9.3f} ms  x{ms / base:6.2f}   predicted "
                      f"x{entry['cycles'] / predicted['recurrent']['cycles']:6.2f}   "
                      f"{cycles / ms * 1e-6:6.2f} cycles/ns  near {entry['l2_bytes'] * steps / cycles:5.1f} B/cycle")


def print_table(results, ssmc, options):
    right, slower, count = 0, 0, 0
    print("| recurrence | shape | T | H | best | ms | recurrent ms | auto | ms | over best |  |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for result in results:
        point = result["point"]
        times = {form: min(t) for form, t in result["ms"].items()}
        best = min(times, key=times.get)
        chosen = pick(point, ssmc, options)
        ratio = times[chosen] / times[best] if chosen in times else float("inf")
        ok = ratio <= 1.1
        count += 1
        right += ok
        slower += chosen not in times or times[chosen] > 1.05 * times["recurrent"]
        print(f"| {point[0]} | {point[1].replace(',', ' ')} | {point[2]} | {point[3]} | {best} | {times[best]:.3g} | "
              f"{times['recurrent']:.3g} | {chosen} | {times.get(chosen, float('nan')):.3g} | "
              f"{(ratio - 1) * 100:.0f} % | {'' if ok else 'x'} |")
    print(f"\nauto is within 10 % of the best on {right} of {count} ({100 * right / count:.0f} %); "
          f"its pick is more than 5 % slower than the recurrent form on {slower}.")
    return right / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", default="build/bin/ssmc")
    parser.add_argument("--dtype", default="f32")
    parser.add_argument("--only", nargs="*", help="recurrences")
    parser.add_argument("--json", help="where to keep the times")
    parser.add_argument("--measured", help="times of an earlier run")
    parser.add_argument("--predictions", action="store_true")
    arguments = parser.parse_args()
    options = ["--dtype", arguments.dtype]
    points = [p for p in POINTS if not arguments.only or p[0] in arguments.only]
    if arguments.measured:
        with open(arguments.measured) as file:
            results = [r for r in json.load(file) if not arguments.only or r["point"][0] in arguments.only]
    else:
        results = measure_all(arguments.ssmc, options, points)
        if arguments.json:
            with open(arguments.json, "w") as file:
                json.dump(results, file, indent=1)
    if arguments.predictions:
        print_predictions(results, arguments.ssmc, options)
    else:
        print_table(results, arguments.ssmc, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
