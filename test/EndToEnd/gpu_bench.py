"""Runs bench/gpu/run.py with a program in ssmc's place, without a GPU: which command it gives, which result it takes, and what
its table says.

    python3 gpu_bench.py
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "bench" / "gpu" / "run.py"
# Blocks of 32 are the fastest; blocks of 64 fail.
FAKE = f"""#!{sys.executable}
import json, sys
words = sys.argv[1:]
given = dict(zip(words[2::2], words[3::2]))
assert words[0] == "bench" and given["--target"] == "cuda" and given["--json"] == "-", words
chunk = int(given["--chunk"]) if "--chunk" in given else None
if chunk == 64:
    sys.exit("ssmc: error: too large")
ms = 0.5 if chunk == 32 else 2.0
print(json.dumps([dict(form=given["--form"], chunk=chunk, median_ms=ms, p25_ms=ms * 0.9, p75_ms=ms * 1.1)]))
"""
EXPECTED = [
    "| gated delta rule | 2×16384×16 | K=128 V=128 | chunked 32 | 0.5 | 0.45 | 0.55 | 0.129 | 26 % |  |  |",
    "| Mamba-1 | 1×8192×1 | P=4096 N=16 | scan 32 | 0.5 | 0.45 | 0.55 | 0.0482 | 10 % |  |  |",
    "| gated delta rule, decode | 256×1×16 | K=128 V=128 | recurrent | 2 | 1.8 | 2.2 | 0.129 | 6 % |  |  |",
]

with tempfile.TemporaryDirectory(prefix="ssmc-test-") as folder:
    fake, output = Path(folder) / "ssmc", Path(folder) / "out.json"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    done = subprocess.run([sys.executable, RUN, "--ssmc", fake, "--bandwidth", "4200", "--json", output],
                          capture_output=True, text=True)
    rows = json.loads(output.read_text())["rows"] if output.exists() else []
missing = [line for line in EXPECTED if line not in done.stdout.splitlines()]
if done.returncode or missing or len(rows) != 14 or "blocks of 64: ssmc: error: too large" not in done.stderr:
    sys.exit(f"exit code {done.returncode}, {len(rows)} rows; missing {missing}\n{done.stdout}{done.stderr}")
