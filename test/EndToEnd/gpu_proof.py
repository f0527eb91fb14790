"""Runs bench/gpu/prove.py with programs in the places of ssmc and compute-sanitizer, without a GPU: what it gives up, finds and
says, and what bench/accuracy_page.py makes of it. Without a driver it refuses.

    python3 gpu_proof.py
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# One recurrence is right, one is over its bound, one dies, one takes too long.
FAKE_SSMC = f"""#!{sys.executable}
import json, os, sys, time
words = sys.argv[1:]
if words == ["--version"]:
    sys.exit(print("ssmc 9.9.9"))
name = os.path.basename(words[1])[:-4]
given = dict(zip(words[2::2], words[3::2]))
assert given["--target"] == "cuda", words
if name == "dies":
    os.kill(os.getpid(), 11)
if name == "hangs":
    time.sleep(60)
case = dict(recurrence=name, target="cuda", form="scan", chunk=16, exists=True, dtype="f32", problem="", ok=name == "right")
values = dict(case, case="same bits", outputs=2e-7 if name == "right" else None, states=1e-7, bound=1e-5)
gradient = dict(case, case="packed", gates=["g"], gradients=dict(q=3e-7, g=4e-7, S=0), bound=1e-4)
gradient["initial states"] = ["S"]
open(given["--json"], "w").write(json.dumps([values, gradient, dict(recurrence=name, form="chunked", exists=False)]))
sys.exit(0 if name == "right" else 1)
"""
# Races alone are found.
FAKE_SANITIZER = f"""#!{sys.executable}
import sys
words = sys.argv[1:]
assert words[:2] == ["--tool", words[1]] and "run" in words, words
count = 3 if words[1] == "racecheck" else 0
print("========= " + (f"RACECHECK SUMMARY: {{count}} hazards displayed ({{count}} errors, 0 warnings)"
                      if words[1] == "racecheck" else "ERROR SUMMARY: 0 errors"))
sys.exit(9 if count else 0)
"""


def program(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def prove(folder, names, *options):
    specs = [folder / f"{name}.ssm" for name in names]
    for spec in specs:
        spec.write_text("")
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    command = [sys.executable, ROOT / "bench/gpu/prove.py", *specs, "--ssmc", folder / "ssmc", "--jobs", "4", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def expect(condition, *what):
    if not condition:
        sys.exit("\n".join(map(str, what)))


with tempfile.TemporaryDirectory(prefix="ssmc-test-") as name:
    folder = Path(name)
    program(folder / "ssmc", FAKE_SSMC)
    # A library of that name which is none, so that it is refused where there is a driver, too.
    (folder / "libcuda.so.1").write_text("")
    os.environ["LD_LIBRARY_PATH"] = name
    done = prove(folder, ["right"])
    expect(done.returncode == 2 and "prove.py: error: no CUDA driver" in done.stderr, done)

    done = prove(folder, ["right", "wrong", "dies", "hangs"], "--gpu", "GPU 7", "--limit", "3", "--repeat", "5")
    expect(done.returncode == 1, done)
    for line in ["3 FAILED:", "- Left out: compute-sanitizer: it is neither", "- check dies: died of signal 11: no message", "- check hangs: took longer than 3 s",
                 "- check wrong: 2 of 2 cases failed, first scan 16 f32, same bits: over its bound",
                 "| right | f32 | 2 | 2.0e-07 | 1.0e-07 | 3.0e-07 | 4.0e-07 | 0 |",
                 "| wrong | f32 | 2 (2 FAILED) | inf | 1.0e-07 | 3.0e-07 | 4.0e-07 | 0 |"]:
        expect(line in done.stdout, line, done.stdout, done.stderr)

    program(folder / "compute-sanitizer", FAKE_SANITIZER)
    report = folder / "proof.json"
    done = prove(folder, ["right"], "--gpu", "GPU 7", "--quick", "--json", report)
    expect(done.returncode == 1 and "racecheck gated_delta_rule: one step bf16: RACECHECK SUMMARY: 3 hazards" in done.stdout
           and "memcheck: 14 of 14 runs are clean" in done.stdout and "racecheck: 0 of 14 runs" in done.stdout, done.stdout,
           done.stderr)

    # The page: the part of the GPU comes, stays, and is replaced; all else stays.
    page = folder / "page.md"
    page.write_text("# Accuracy\n\nthe rest\n")
    command = [sys.executable, ROOT / "bench/accuracy_page.py", "-o", page]
    done = subprocess.run([*command, "--gpu", report], capture_output=True, text=True)
    first = page.read_text()
    expect(done.returncode == 1 and first.startswith("# Accuracy\n\nthe rest\n\n## On a GPU\n\n") and
           "another machine than the rest of this page: GPU 7, ssmc 9.9.9." in first, done, first)
    subprocess.run([*command, "--gpu", report], capture_output=True)
    expect(page.read_text() == first, "the page changes when it is written again", page.read_text())
    found = folder / "found.json"
    found.write_text("[]")
    done = subprocess.run([*command, "--ssmc", folder / "ssmc", "--found", found], capture_output=True, text=True)
    second = page.read_text()
    expect(done.returncode == 0 and "\nthe rest\n" not in second and second.partition("\n## On a GPU\n")[2] ==
           first.partition("\n## On a GPU\n")[2] != "", done, second)
