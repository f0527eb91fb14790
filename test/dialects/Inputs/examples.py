"""Fails when an op, attribute or type of a dialect has no example, or an example does not parse.

examples.py SSMC-OPT REFERENCE…, the references as mlir-tblgen generates them. A block of code is run as it stands where
it is complete (a recurrence or a kernel); a line of code whose operands and types can be told is run with its operands
declared. The rest, terms and states whose surroundings would have to be guessed, stand inside a complete example.
"""

import re
import subprocess
import sys
from pathlib import Path

opt = sys.argv[1]
# Options of the whole suite, --verify-roundtrip, follow the tool.
options = [word for word in sys.argv[2:] if word.startswith("--")]
# Ops that need a surrounding; `in` needs none.
NOT_ALONE = ("at", "decay", "feedback", "fold", "in", "input", "prev", "stage", "state", "steps", "update", "yield")
errors = []
ran = 0


def run(where: str, text: str) -> None:
    global ran
    ran += 1
    result = subprocess.run([opt, *options], input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        errors.append(f"{where}: the example does not parse:\n{text}\n{result.stderr}")


def declared(line: str) -> str | None:
    """The line in a recurrence that declares its operands, or None where they are not told."""
    op = re.match(r"(?:%\w+ = )?ssm\.(\w+) (.*)$", line)
    if not op or op[1] in NOT_ALONE:
        return line if op and op[1] == "in" else None
    if op[2].startswith("over ") and "%" not in op[2]:
        return line
    if op[2].startswith("("):  # each operand with its type
        typed = re.findall(r"%(\w+) : \[([^\]]*)\]()", op[2])
        names, types = [name for name, *_ in typed], [rest for _, *rest in typed]
    else:
        operands, _, rest = op[2].partition(" : ")
        names = re.findall(r"%(\w+)", operands)
        types = re.findall(r"\[([^\]]*)\]((?: complex<f32>| i1| i32)?)", rest.split(" to ")[0])
    if not names or len(names) != len(types):
        return None
    lines = []
    for name, (axes, element) in zip(names, types):
        labels = ", ".join(axis.split(":")[0].strip() for axis in axes.split(",")) if axes else ""
        lines.append(f'%{name} = ssm.in "{name}" [{labels}] : [{axes}]{element}')
    return "\n".join([*lines, line])


for path in (Path(word) for word in sys.argv[2:] if not word.startswith("--")):
    sections = re.split(r"^###+ ", path.read_text(), flags=re.M)
    for section in sections:
        title = section.split("\n", 1)[0]
        definition = re.match(r"`?(?:ssm|tile)\.\w+|\w+(Attr|Type)$", title)
        blocks = re.findall(r"```mlir\n(.*?)```", section, flags=re.S)
        for block in blocks:
            if block.lstrip().startswith(("ssm.recurrence", "tile.kernel")):
                run(title, block)
        if not definition:
            continue
        if "Example" not in section:
            errors.append(f"{path.name}: {title} has no example")
            continue
        example = section[section.index("Example") :].split("\n\n")[0]
        for line in re.findall(r"`([^`]*(?:ssm|tile)\.\w+ [^`]*)`", example):
            text = declared(line)
            if text and "…" not in text:
                run(title, f"ssm.recurrence @r time [t] dims(D, K, V, N, J = 2) {{\n{text}\n}}\n")

print("\n".join(errors) or f"{ran} examples")
sys.exit(bool(errors) or ran < 20)
