"""Fails when output shown in README.md or docs/ is not what the command prints.

A block under `<!-- ssmc explain zoo/gla.ssm -->` must be part of what that command prints, run at the top of the
repository. A block under `<!-- file: my.ssm -->` is written to a scratch folder, where commands that name it run.
"""

import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"<!-- (ssmc [^\n]*?|file: [^\n]*?) -->\s*\n *```[a-z]*\n(.*?)\n *```", re.S)
ssmc = Path(sys.argv[1]).resolve()
failed = checked = 0


def plain(text):
    return [line.rstrip() for line in textwrap.dedent(text).strip("\n").splitlines()]


for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
    with tempfile.TemporaryDirectory(prefix="ssmc-docs-") as folder:
        for what, text in BLOCK.findall(page.read_text()):
            if what.startswith("file: "):
                (Path(folder) / what.removeprefix("file: ")).write_text(textwrap.dedent(text) + "\n")
                continue
            arguments = [word for word in what.split()[1:]]
            words = [str(Path(folder) / w) if (Path(folder) / w).exists() else w for w in arguments]
            done = subprocess.run([ssmc, *words], cwd=ROOT, capture_output=True, text=True)
            found, shown = plain((done.stdout + done.stderr).replace(f"{folder}/", "")), plain(text)
            checked += 1
            if not any(plain("\n".join(found[at : at + len(shown)])) == shown for at in range(len(found) - len(shown) + 1)):
                failed += 1
                print(f"{page.relative_to(ROOT)}: this is not what `{what}` prints:", *shown, "but:", *found, sep="\n  ")
print(f"{checked} blocks checked, {failed} wrong")
sys.exit(1 if failed or not checked else 0)
