"""Fails when a numbered law of a dialect, like recurrence_c1, has no test that cites it, or when a test cites none."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAW = re.compile(r"\b([a-z]+_c[0-9]+)\b")

laws = {law: path for path in sorted(ROOT.glob("dialects/*/*.td")) for law in re.findall(r"\(([a-z]+_c[0-9]+)\)", path.read_text())}
# `mnemonic # "_c1"` in a class: a law of each of its ops, and of those of the classes made from it that state it anew.
for path in sorted(ROOT.glob("dialects/*/*.td")):
    text = path.read_text()
    for name, body in re.findall(r"^class (\w+)<(.*?)^}", text, flags=re.S | re.M):
        numbers = re.findall(r'" ?# mnemonic # "_(c[0-9]+)\)|# mnemonic # "_(c[0-9]+)\)', body)
        for number in {a or b for a, b in numbers}:
            for mnemonic in re.findall(rf'^def \w+ : {name}<"(\w+)"', text, flags=re.M):
                laws[f"{mnemonic}_{number}"] = path

cited = {law for path in (ROOT / "test").rglob("*.mlir") for law in LAW.findall(path.read_text())}
missing = sorted(set(laws) - cited)
for law in missing:
    print(f"{laws[law].relative_to(ROOT)}: law {law} has no test; name it in a test of what breaks it")
for law in sorted(cited - set(laws)):
    print(f"a test cites {law}, which is no law")
sys.exit(1 if missing or cited - set(laws) else 0)
