"""The fake driver of fake_cuda.c, from Python."""

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "fake_cuda.c"
DEFAULTS = dict(init=0, context=1, major=9, minor=0, shared=232448, load_cubin=0, load_ptx=0, find=0, attribute=0, launch=0)


def build(folder, *flags):
    """Compiles it as libcuda.so.1, and returns its path."""
    library = Path(folder) / "libcuda.so.1"
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", *flags,
                    "-o", str(library), str(SOURCE)], check=True)
    return library


@dataclass(frozen=True)
class Launch:
    kernel: str
    grid: tuple
    block: tuple
    shared: int
    stream: int
    captured: bool
    parameters: tuple  # numbers


class Fake:
    """Loaded once a process: from then on whoever opens libcuda.so.1 gets it."""

    def __init__(self, library):
        self.library = ctypes.CDLL(str(library))
        self.library.fake_calls.restype = ctypes.c_char_p
        self.parameters = {}  # of each kernel: how many
        self.launches, self.graph, self.problems = [], [], []
        self.on_launch = None  # called for each launch that runs
        # (ctypes keeps no reference to callbacks.)
        self._callbacks = [ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int64),
                                            ctypes.POINTER(ctypes.c_void_p))(self._launched),
                           ctypes.CFUNCTYPE(None)(self._graph_launched)]
        self.library.fake_on_launch(self._callbacks[0])
        self.library.fake_on_graph(self._callbacks[1])

    def reset(self, **settings):
        for name, value in (DEFAULTS | settings).items():
            self.library.fake_set(name.encode(), value)
        self.library.fake_reset()
        self.launches.clear()

    def calls(self):
        return self.library.fake_calls().decode().split()

    def loaded_ptx(self):
        return bool(self.library.fake_loaded_ptx())

    def _run(self, launch):
        try:
            if self.on_launch:
                self.on_launch(launch)
        except Exception as problem:  # a callback cannot raise
            self.problems.append(f"{launch.kernel}: {type(problem).__name__}: {problem}")

    def _launched(self, name, numbers, parameters):
        n = numbers[:10]
        count = self.parameters[name.decode()]
        values = tuple(ctypes.cast(parameters[i], ctypes.POINTER(ctypes.c_int64))[0] for i in range(count))
        launch = Launch(name.decode(), tuple(n[:3]), tuple(n[3:6]), n[6], n[7], bool(n[8]), values)
        self.launches.append(launch)
        if launch.captured:
            self.graph.append(launch)
        else:
            self._run(launch)

    def _graph_launched(self):
        for launch in self.graph:
            self._run(launch)
        self.graph.clear()
