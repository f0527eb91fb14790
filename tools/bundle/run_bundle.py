#!/usr/bin/env python3
"""Checks and times a bundle (ssmc --emit bundle) on the GPU of this machine.

    run_bundle.py FOLDER [--batch B --heads H --time T] [--repeat N] [--json FILE]

Compiles the bundle's launcher with a C compiler, loads it, and does what a program with the bundle does. Nothing else is
needed: no compiler of kernels, no CUDA but the driver, and of Python's packages NumPy alone.

 1. Every case of the bundle's check data (--check-data of ssmc): outputs, states and gradients against the f64 reference,
    RMS(x - reference) / RMS(reference), with bounds from the manifest. What is written is NaN before. The first launch of all
    takes at most 50 ms.
 2. The same bits in 100 launches, and from a CUDA graph that has captured the launch.
 3. Times, of the largest case's data repeated up to --batch, --heads and --time: median and quartiles of launches between
    two events, and of a graph's, one after the other, so that what fits the second-level cache is there already.

Exit codes: 0 done, 1 a check failed, 2 the input is wrong or this machine cannot run it, 3 a bug.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import cuda_driver
from cuda_driver import WrongInput


# ---- Arrays ---------------------------------------------------------------------------------------------------------

NUMPY = {"f32": np.float32, "f16": np.float16, "bf16": np.uint16, "i32": np.int32, "bool": np.uint8,
         "complex64": np.complex64}
# DLPack's codes and bits.
TYPES = {"f32": (2, 32), "f16": (2, 16), "bf16": (4, 16), "i32": (0, 32), "i64": (0, 64), "bool": (6, 8),
         "complex64": (5, 64)}


def to_bf16(array):
    """The bits of bf16, rounded to the nearest even."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(array), np.uint16(0x7FC0), rounded)


def to_stored(array, dtype):
    return to_bf16(array) if dtype == "bf16" else np.ascontiguousarray(array, NUMPY[dtype])


def from_stored(array, dtype):
    """In f64 or complex128."""
    if dtype == "bf16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.complex128 if dtype == "complex64" else np.float64)


def relative_error(found, expected):
    """RMS(found - expected) / RMS(expected), as ssmc check has it; infinite where one is NaN."""
    if found.shape != expected.shape:
        return float("inf")
    if found.size == 0:
        return 0.0
    error, size = (float(np.sqrt(np.mean(np.abs(x) ** 2))) for x in (found - expected, expected))
    return float("inf") if not np.isfinite(error) else error / size if size else error


# ---- The launcher ---------------------------------------------------------------------------------------------------

class Tensor(ctypes.Structure):
    """ssmc_tensor"""
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class Sizes(ctypes.Structure):
    """ssmc_sizes"""
    _fields_ = [(name, ctypes.c_int64) for name in ("batch", "time", "columns", "heads", "groups", "sequences")]


class LaunchError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def compile_launcher(bundle, manifest, output, compiler):
    command = [compiler, "-std=c11", "-O2", "-fPIC", "-shared", "-o", output,
               *(bundle / source for source in manifest["sources"]), "-ldl"]
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    except OSError as error:
        raise WrongInput(f"cannot run the C compiler '{compiler}': {error.strerror}; --cc names another") from error
    if done.returncode:
        raise WrongInput(f"'{compiler}' fails:\n{done.stderr}")


class Launcher:
    """The functions of a bundle."""

    def __init__(self, library, manifest):
        self.name, self.manifest = manifest["name"], manifest
        self.library = ctypes.CDLL(str(library))
        fields = [("sizes", Sizes)] + [(operand["field"], Tensor) for operand in manifest["operands"]]
        fields += [("cu_seqlens", Tensor), ("cu_seqlens_on_host", ctypes.POINTER(ctypes.c_int64)),
                   ("workspace", ctypes.c_void_p), ("workspace_bytes", ctypes.c_int64)]
        if manifest["backward"]:
            fields += [("kept", ctypes.c_void_p), ("kept_bytes", ctypes.c_int64)]
        self.Args = type("Args", (ctypes.Structure,), {"_fields_": fields})
        kernels = len(manifest["images"][0]["kernels"])
        # (What is in the module is the launcher's own; here only its size matters.)
        self.module = (ctypes.c_void_p * (kernels + 8))()
        self.passes = ["forward", "backward"] if manifest["backward"] else ["forward"]

    def _function(self, name, result=ctypes.c_int):
        function = getattr(self.library, f"{self.name}_{name}")
        function.restype = result
        return function

    def _call(self, name, *arguments):
        message = ctypes.create_string_buffer(512)
        code = self._function(name)(*arguments, message, ctypes.c_size_t(len(message)))
        if code:
            raise LaunchError(code, message.value.decode(errors="replace"))

    def load(self):
        self._call("load", self.module)

    def unload(self):
        self._function("unload", None)(self.module)

    def bytes_of(self, what, sizes):
        """`workspace` or `kept`."""
        count = self._function(what, ctypes.c_int64)(self.module, ctypes.byref(sizes))
        if count < 0:
            raise LaunchError(-1, f"{self.name}_{what} refuses the sizes")
        return count

    def launch(self, name, args, stream=None):
        self._call(name, self.module, ctypes.byref(args), ctypes.c_void_p(stream))


# ---- Calls ----------------------------------------------------------------------------------------------------------

def extents_of(operand, sizes):
    known = {"B": sizes["batch"], "T": sizes["time"], "X": sizes["columns"], "H": sizes["heads"], "G": sizes["groups"],
             "N": sizes["sequences"] or sizes["batch"]}
    return [known[axis["axis"]] if "axis" in axis else axis["extent"] for axis in operand["axes"]]


def int64s(numbers):
    return (ctypes.c_int64 * max(len(numbers), 1))(*numbers)


class Call:
    """The arrays of one call on the GPU: `given` by field, and room for all that is written."""

    def __init__(self, driver, launcher, sizes, given, offsets=None):
        self.driver, self.launcher, self.sizes = driver, launcher, sizes
        self.memory, self.written, self.alive = {}, {}, []
        args = self.args = launcher.Args()
        for name, value in sizes.items():
            setattr(args.sizes, name, value)
        for operand in launcher.manifest["operands"]:
            field, shape = operand["field"], extents_of(operand, sizes)
            if operand["written"]:
                array = np.zeros(shape, NUMPY[operand["dtype"]])
                self.written[field] = (operand, array)
            elif field in given:
                array = to_stored(given[field], operand["dtype"]).reshape(shape)
            elif operand["optional"]:
                continue
            else:
                raise WrongInput(f"there is no data for '{field}'")
            setattr(args, field, self.tensor(field, array, operand["dtype"]))
        if offsets is not None:
            args.cu_seqlens = self.tensor("cu_seqlens", np.array(offsets, np.int64), "i64")
            self.alive.append(int64s(offsets))
            args.cu_seqlens_on_host = self.alive[-1]
        for what in ("workspace", "kept") if launcher.manifest["backward"] else ("workspace",):
            count = launcher.bytes_of(what, args.sizes)
            self.memory[what] = (driver.allocate(count), count)
            setattr(args, what, self.memory[what][0])
            setattr(args, what + "_bytes", count)

    def tensor(self, field, array, dtype):
        memory = self.driver.allocate(array.nbytes)
        self.memory[field] = (memory, array.nbytes)
        self.driver.upload(memory, array)
        shape = int64s(array.shape)
        self.alive.append(shape)
        code, bits = TYPES[dtype]
        return Tensor(memory, 2, self.driver.device, array.ndim, code, bits, 1, shape, None, 0)

    def poison(self):
        """NaN in all that is to be written, and in what kernels have for themselves."""
        for field in [*self.written, "workspace", "kept"]:
            if field in self.memory:
                self.driver.fill(*self.memory[field], 0xFF)

    def launch(self, stream=None):
        for name in self.launcher.passes:
            self.launcher.launch(name, self.args, stream)

    def results(self):
        """What was written, as it is stored."""
        self.driver.wait()
        for field, (_, array) in self.written.items():
            self.driver.download(array, self.memory[field][0])
        return {field: array.copy() for field, (_, array) in self.written.items()}

    def free(self):
        for memory, _ in self.memory.values():
            self.driver.release(memory)


# ---- Checks ---------------------------------------------------------------------------------------------------------

def gradient_of(parts, add_up_over, operand, expected, sizes):
    """What the caller of a bundle makes of a gradient: parts, sequences and heads are added up."""
    total = sum(parts)
    if "sequences" in add_up_over:
        total = total.sum(0)
    if len(add_up_over) > ("sequences" in add_up_over):
        heads = [axis.get("axis") for axis in operand["axes"]].index("H") - ("sequences" in add_up_over)
        sharers = sizes["groups"] if "heads of a group" in add_up_over else 1
        shape = total.shape[:heads] + (sharers, sizes["heads"] // sharers) + total.shape[heads + 1:]
        total = total.reshape(shape).sum(heads + 1)
    return total.reshape(expected.shape) if total.size == expected.size else total


def check_case(bundle, case, call):
    """Rows (what, error, bound)."""
    call.poison()
    call.launch()
    found = call.results()
    for entry in case["expected"]:
        expected = np.load(bundle / entry["file"])
        operand = call.written[entry["fields"][0]][0]
        parts = [from_stored(found[field], call.written[field][0]["dtype"]) for field in entry["fields"]]
        computed = gradient_of(parts, entry["add_up_over"], operand, expected, case["sizes"])
        yield " + ".join(entry["fields"]), relative_error(computed, expected), entry["bound"]


def same_bits(first, second):
    return [field for field in first if first[field].tobytes() != second[field].tobytes()]


def check_repeats(call, repeats):
    """What differs between launches, and between a launch and a graph that has captured it."""
    call.poison()
    call.launch()
    first, different = call.results(), set()
    for _ in range(repeats - 1):
        call.launch()
        different.update(same_bits(first, call.results()))
    graph = call.driver.capture(call.launch)
    call.poison()
    call.driver.launch_graph(graph)
    in_graph = same_bits(first, call.results())
    call.driver.release_graph(graph)
    return sorted(different), in_graph


# ---- Times ----------------------------------------------------------------------------------------------------------

def repeat_to(array, operand, sizes):
    """An array repeated along its axes until it is of these sizes."""
    for axis, (size, wanted) in enumerate(zip(array.shape, extents_of(operand, sizes))):
        if size != wanted:
            array = np.take(array, np.arange(wanted) % size, axis)
    return array


def summary_of(times):
    p25, median, p75 = (float(np.quantile(times, q)) for q in (0.25, 0.5, 0.75))
    return dict(median_ms=median, p25_ms=p25, p75_ms=p75, least_ms=min(times))


def measure(driver, launcher, bundle, case, sizes, repeats):
    operands = {operand["field"]: operand for operand in launcher.manifest["operands"]}
    given = {field: repeat_to(np.load(bundle / file), operands[field], sizes) for field, file in case["given"].items()}
    call = Call(driver, launcher, sizes, given)
    figures = {}
    for name in launcher.passes:
        launch = lambda stream=None: launcher.launch(name, call.args, stream)
        for _ in range(3):
            launch()
        driver.wait()
        times = [driver.time(launch) for _ in range(repeats)]
        host = time.perf_counter()
        launch()
        host = time.perf_counter() - host
        driver.wait()
        graph = driver.capture(launch)
        in_graph = [driver.time(lambda: driver.launch_graph(graph), driver.stream) for _ in range(repeats)]
        driver.release_graph(graph)
        figures[name] = dict(summary_of(times), host_us=host * 1e6, graph=summary_of(in_graph))
    moved = sum(count for field, (_, count) in call.memory.items() if field in operands)
    call.free()
    return dict(sizes=sizes, passes=figures, array_bytes=moved)


# A first launch after loading takes no longer: nothing is compiled, tuned or loaded then.
FIRST_LAUNCH_MS = 50


# ---- The command ----------------------------------------------------------------------------------------------------

def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="the folder")
    for name in ("batch", "heads", "time", "groups"):
        parser.add_argument(f"--{name}", type=int, help="of the call that is timed (default: the check data's)")
    parser.add_argument("--repeat", type=int, default=100, metavar="N", help="launches that are timed and compared (100)")
    parser.add_argument("--no-time", action="store_true", help="check alone")
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"), metavar="CC", help="the C compiler (CC, else cc)")
    parser.add_argument("--library", type=Path, metavar="FILE.so", help="the launcher, compiled already")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was found")
    return parser.parse_args(arguments)


def read_manifest(bundle):
    try:
        manifest = json.loads((bundle / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise WrongInput(f"'{bundle}' is no bundle: {error}") from error
    if manifest.get("format") != 1:
        raise WrongInput(f"'{bundle}' is a bundle of format {manifest.get('format')}, expected 1")
    return manifest


def first_launch(options, driver, launcher):
    """Milliseconds of the first launch of all."""
    case = launcher.manifest["check"][0]
    given = {field: np.load(options.bundle / file) for field, file in case["given"].items()}
    call = Call(driver, launcher, case["sizes"], given, case.get("cu_seqlens"))
    driver.wait()
    start = time.perf_counter()
    call.launch()
    driver.wait()
    elapsed = time.perf_counter() - start
    call.free()
    return elapsed * 1e3


def run_checks(options, driver, launcher, report):
    """Whether all is within its bound."""
    good = True
    for case in launcher.manifest["check"]:
        given = {field: np.load(options.bundle / file) for field, file in case["given"].items()}
        call = Call(driver, launcher, case["sizes"], given, case.get("cu_seqlens"))
        for what, error, bound in check_case(options.bundle, case, call):
            passed = error <= bound
            good &= passed
            print(f"{case['name']:<16} {what:<24} {error:10.1e} {bound:10.1e}  {'ok' if passed else 'FAILED'}")
            report["check"].append(dict(case=case["name"], what=what, error=error, bound=bound))
        different, in_graph = check_repeats(call, options.repeat)
        for how, fields in ((f"{options.repeat} launches", different), ("a graph", in_graph)):
            good &= not fields
            print(f"{case['name']:<16} {'bits in ' + how:<46}  " + ("ok" if not fields else f"FAILED: {', '.join(fields)}"))
        report["bits"].append(dict(case=case["name"], launches=different, graph=in_graph))
        call.free()
    return good


def run_times(options, driver, launcher, report):
    case = next(case for case in launcher.manifest["check"] if case["name"] == "batch")
    sizes = dict(case["sizes"])
    sizes.update({name: getattr(options, name) for name in ("batch", "heads", "time", "groups")
                  if getattr(options, name) is not None})
    figures = report["times"] = measure(driver, launcher, options.bundle, case, sizes, options.repeat)
    shape = "×".join(str(sizes[name]) for name in ("batch", "time", "heads"))
    for name, row in figures["passes"].items():
        for how, times in (("launched", row), ("in a graph", row["graph"])):
            print(f"{name:<8} {how:<10} B×T×H {shape}: median {times['median_ms']:.4g} ms "
                  f"({times['p25_ms']:.4g} – {times['p75_ms']:.4g}), least {times['least_ms']:.4g}")
        print(f"{name:<8} {row['host_us']:.0f} µs on the host")
    print(f"arrays take {figures['array_bytes'] / 2**20:.1f} MiB; second-level cache warm, "
          f"{driver.cache_bytes() / 2**20:.0f} MiB")


def execute(options):
    if options.repeat < 1:
        raise WrongInput("--repeat is at least 1")
    manifest = read_manifest(options.bundle)
    if not manifest.get("check"):
        raise WrongInput("the bundle has no check data: ssmc makes them with --check-data")
    with tempfile.TemporaryDirectory(prefix="ssmc-bundle-") as folder:
        library = options.library
        if not library:
            library = Path(folder) / "launcher.so"
            compile_launcher(options.bundle, manifest, library, options.cc)
        driver = cuda_driver.Driver()
        launcher = Launcher(library.resolve(), manifest)
        start = time.perf_counter()
        try:
            launcher.load()
        except LaunchError as error:
            raise WrongInput(str(error)) from error
        loading = time.perf_counter() - start
        print(f"{manifest['name']}, {manifest['form']} {manifest['chunk']}, {manifest['dtype']}, on {driver.name()}; "
              f"loaded in {loading * 1e3:.1f} ms")
        report = dict(name=manifest["name"], gpu=driver.name(), load_ms=loading * 1e3, check=[], bits=[])
        first = report["first_launch_ms"] = first_launch(options, driver, launcher)
        good = first <= FIRST_LAUNCH_MS
        print(f"first launch {first:.3f} ms until its end, at most {FIRST_LAUNCH_MS}: {'ok' if good else 'FAILED'}")
        good &= run_checks(options, driver, launcher, report)
        if not options.no_time:
            run_times(options, driver, launcher, report)
        launcher.unload()
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if good else 1


def main(arguments=None):
    options = parse(arguments)
    try:
        return execute(options)
    except WrongInput as error:
        print(f"run_bundle.py: error: {error}", file=sys.stderr)
        return 2
    except LaunchError as error:
        print(f"run_bundle.py: the launcher returns {error.code}: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
