"""Fails when a file under test/ belongs to no suite: a lit file without a RUN line, a unit test that no CMakeLists.txt
names, or a kind of file that nothing runs."""

import sys
from pathlib import Path

TEST = Path(__file__).resolve().parent
LIT = {".mlir", ".ssm", ".test"}
forgotten = []
for path in sorted(TEST.rglob("*")):
    parts = path.relative_to(TEST).parts
    if path.is_dir() or "__pycache__" in parts or len(parts) == 1:
        continue
    listed = path.parent / "CMakeLists.txt"
    if parts[0] == "EndToEnd" or {"Inputs", "Corpus"} & set(parts) or path.name == "CMakeLists.txt":
        continue  # EndToEnd finds its declarations by a pattern, and a case without one fails there
    if path == TEST / "unit" / "main.cpp":
        continue  # the frame of every unit test
    if path.suffix in (".cpp", ".h"):
        if path.suffix == ".cpp" and not (listed.exists() and path.name in listed.read_text()):
            forgotten.append(f"{path}: in no CMakeLists.txt")
    elif path.suffix in LIT:
        if "RUN:" not in path.read_text(errors="replace"):
            forgotten.append(f"{path}: no RUN line")
    else:
        forgotten.append(f"{path}: no suite runs such a file")
print("\n".join(forgotten))
sys.exit(bool(forgotten))
