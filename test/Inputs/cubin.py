"""Runs a command that writes a cubin, its last argument, and fails unless that is an ELF file or, where there is no
ptxas, the command says so."""

import subprocess
import sys
from pathlib import Path

command, output = sys.argv[1:], Path(sys.argv[-1])
done = subprocess.run(command, capture_output=True, text=True)
if done.returncode == 0:
    sys.exit(0 if output.read_bytes()[:4] == b"\x7fELF" else f"{output} is no ELF file")
if done.returncode != 2 or "there is no ptxas" not in done.stderr or output.exists():
    sys.exit(f"exit code {done.returncode}: {done.stderr}")
