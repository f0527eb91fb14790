"""Runs a command for a GPU without showing it one, and fails unless it is refused with exit code 2 and a reason."""

import os
import subprocess
import sys

done = subprocess.run(sys.argv[1:], capture_output=True, text=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
lines = done.stderr.splitlines()
refusals = [line for line in lines if "--emit ptx and --emit cubin need none" in line]
if done.returncode != 2 or len(lines) != 1 or not refusals or done.stdout:
    sys.exit(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
