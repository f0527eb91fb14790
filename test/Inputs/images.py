"""Prints what the manifest of a folder says of its images and their kernels, each entry on a line of its own.

    images.py FOLDER
"""

import json
import sys
from pathlib import Path

for image in json.loads((Path(sys.argv[1]) / "manifest.json").read_text())["images"]:
    for key, value in image.items():
        if key != "kernels":
            print(f"{key}: {json.dumps(value)}")
    for kernel in image["kernels"]:
        print(f"kernel {kernel['name']}")
        for key, value in kernel.items():
            print(f"  {key}: {json.dumps(value)}")
