"""Runs a command and fails unless it exits with the code given first."""

import subprocess
import sys

expected, *command = sys.argv[1:]
code = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
if code != int(expected):
    sys.exit(f"exit code {code}, expected {expected}: {' '.join(command)}")
