"""Runs bench/gpu/run.py with a program in ssmc's place, without a GPU: which command it gives, which result it takes, what it
gives up, and what its table says.

    python3 gpu_bench.py
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "bench" / "gpu" / "run.py"
# Blocks of 32 are the fastest; blocks of 64 fail; RWKV-7 in blocks of 16 hangs.
FAKE = f"""#!{sys.executable}
import json, sys, time
words = sys.argv[1:]
grad = "--grad" in words and not words.remove("--grad")
given = dict(zip(words[2::2], words[3::2]))
assert words[0] == "bench" and given["--target"] == "cuda" and given["--json"] == "-", words
chunk = int(given["--chunk"]) if "--chunk" in given else None
if chunk == 64:
    sys.exit("ssmc: error: too large")
if chunk == 16 and "rwkv7" in words[1]:
    time.sleep(60)
ms = 0.5 if chunk == 32 else 2.0
result = dict(form=given["--form"], chunk=chunk, median_ms=ms, p25_ms=ms * 0.9, p75_ms=ms * 1.1)
if grad:
    result.update(forward_and_backward_ms=4 * ms, forward_and_backward_p25_ms=3 * ms, forward_and_backward_p75_ms=5 * ms)
print(json.dumps([result]))
"""
FORWARD = [
    "| gated delta rule | 2×16384×16 | K=128 V=128 | chunked 32 | 0.5 | 0.45 | 0.55 | 0.129 | 26 % |  |  | 64: failed |",
    "| Mamba-1 | 1×8192×1 | P=4096 N=16 | scan 32 | 0.5 | 0.45 | 0.55 | 0.0482 | 10 % |  |  | 64: failed |",
    "| gated delta rule, decode | 256×1×16 | K=128 V=128 | recurrent | 2 | 1.8 | 2.2 | 0.129 | 6 % |  |  |  |",
    "| RWKV-7 | 2×16384×16 | K=128 V=128 | chunked 32 | 0.5 | 0.45 | 0.55 | 0.225 | 45 % |  |  | 16: over 2 s, 64: failed |",
]
BACKWARD = ["| GLA, forward and backward | 2×16384×16 | K=128 V=128 | chunked 32 | 2 | 1.5 | 2.5 | 0.45 | 22 % |  |  "
            "| 16: no time, 64: no time |"]


def run(folder, *options):
    fake, output = Path(folder) / "ssmc", Path(folder) / "out.json"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    done = subprocess.run([sys.executable, RUN, "--ssmc", fake, "--bandwidth", "4200", "--json", output, *options],
                          capture_output=True, text=True)
    return done, json.loads(output.read_text())["rows"] if output.exists() else []


for options, expected, count, said in [(["--limit", "2"], FORWARD, 14, "blocks of 64: ssmc: error: too large"),
                                       (["--grad", "--budget", "0"], BACKWARD, 13, "RWKV-7")]:
    with tempfile.TemporaryDirectory(prefix="ssmc-test-") as folder:
        done, rows = run(folder, *options)
    missing = [line for line in expected if line not in done.stdout.splitlines()]
    if done.returncode or missing or len(rows) != count or said not in done.stderr:
        sys.exit(f"exit code {done.returncode}, {len(rows)} rows; missing {missing}\n{done.stdout}{done.stderr}")
