"""Runs the ssmc binary on .npy files in a folder of its own."""

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Result:
    command: list[str]
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Ssmc:
    """The binary, and the folder in which it runs."""

    binary: Path
    folder: Path

    def __call__(self, *arguments, threads=None, timeout=120, **limits):
        command = [str(self.binary), *map(str, arguments)]
        environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, timeout=timeout, **limits)
        return Result(command, done.returncode, done.stdout.decode(errors="replace"),
                      done.stderr.decode(errors="replace"))

    def save(self, name, array):
        """Writes an array and returns its file name, relative to the folder."""
        path = f"{name}.npy"
        np.save(self.folder / path, array)
        return path

    def load(self, path):
        """Reads an array; one of bfloat16, two bytes without a meaning to NumPy, comes back as float32."""
        array = np.load(self.folder / path)
        if array.dtype.itemsize == 2 and array.dtype.kind in "Vu":
            return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return array


@contextmanager
def in_new_folder(binary, keep=None):
    """An Ssmc in an empty folder: a temporary one, or `keep`, which stays."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield Ssmc(binary, keep.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="ssmc-test-") as folder:
        yield Ssmc(binary, Path(folder))
