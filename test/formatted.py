"""Fails when a C++ file is not as clang-format writes it. The argument is clang-format 22, found by CMake."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ["include", "lib", "dialects", "tools", "test", "bench"]

clang_format = sys.argv[1]
if not os.access(clang_format, os.X_OK):
    sys.exit("clang-format 22 is missing: `bash setup.sh packages` installs it, and CMake must then run again")
files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".h", ".cpp"))
result = subprocess.run([clang_format, "--dry-run", "--Werror", *files])
if result.returncode:
    sys.exit("`bash setup.sh format` formats all files")
