"""Compiles each ```ssm block of a page by itself: the examples of the documentation are tests.

usage: examples.py PAGE FOLDER
"""

import pathlib
import re
import subprocess
import sys

page, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
examples = re.findall(r"^```ssm\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
failed = not examples
for number, example in enumerate(examples, 1):
    path = folder / f"{page.stem}-{number}.ssm"
    path.write_text(example)
    failed |= subprocess.run(["ssmc", path, "--emit", "ssm"], stdout=subprocess.DEVNULL).returncode != 0
sys.exit(failed)
