"""Compiles the zoo for Vulkan and runs it on what there is of two implementations on the CPU: lavapipe and SwiftShader.

    python3 vulkan_sweep.py --ssmc PATH [--all] [--jobs N] [--timings] [--on IMPLEMENTATION] [NAME...]

Modules must pass spirv-val and keep to the limits of their profile. Numbers are compared with the f64 reference, by
`ssmc check` (forward, gradient, packed sequences) or, where a driver takes long to compile, by `ssmc run` (forward). The
validation layer must say nothing. What cannot be done must be refused, with a message that names why. Without --all a
sample, for the time's sake: see `cases`. Exit code 1 if anything failed, or if there is no implementation.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ZOO = Path(__file__).resolve().parents[2] / "zoo"
DRIVERS = {"lavapipe": Path("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"),
           "swiftshader": Path("/usr/lib/chromium/vk_swiftshader_icd.json")}
LAYER = Path("/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json")
FORMS = ("recurrent", "scan", "chunked")
# Shared memory, threads and storage buffers of a profile, and what a device of it speaks.
LIMITS = {"vulkan": (32 << 10, 128, 30, "vulkan1.1"), "vulkan:nvidia-hopper": (48 << 10, 128, 1 << 20, "vulkan1.3"),
          "vulkan,spirv1.6": (32 << 10, 128, 30, "vulkan1.3")}
CAPABILITIES = {"Matrix": 0, "Shader": 1, "Int16": 22, "GroupNonUniform": 61, "GroupNonUniformShuffle": 65,
                "WorkgroupMemoryExplicitLayoutKHR": 4428, "WorkgroupMemoryExplicitLayout16BitAccessKHR": 4430,
                "StorageBuffer16BitAccess": 4433, "BFloat16TypeKHR": 5116, "BFloat16CooperativeMatrixKHR": 5118,
                "VulkanMemoryModel": 5345, "CooperativeMatrixKHR": 6022}
FEATURES = {"Int16": "shaderInt16", "StorageBuffer16BitAccess": "storageBuffer16BitAccess",
            "WorkgroupMemoryExplicitLayoutKHR": "workgroupMemoryExplicitLayout",
            "WorkgroupMemoryExplicitLayout16BitAccessKHR": "workgroupMemoryExplicitLayout16BitAccess",
            "BFloat16TypeKHR": "shaderBFloat16Type",
            "BFloat16CooperativeMatrixKHR": "shaderBFloat16CooperativeMatrix",
            "VulkanMemoryModel": "vulkanMemoryModel", "CooperativeMatrixKHR": "cooperativeMatrix"}
# Validators before this year do not know matrices of bf16.
KNOWS_MATRICES = 2025
# What is no failure: a form that a recurrence does not have.
ABSENT = ("has no scan form", "has no chunked form", "has no gradient: there are two time axes")
# Dense transitions: lavapipe takes a minute to compile their blocks, so that the sample has steps alone.
DENSE = ("s4",)
# Gradients in the sample on lavapipe, which compiles one for 10 s.
FEW_GRADIENTS = ("hgrn", "lightning_attention", "mingru", "retnet")
# Steps in a block: code grows with their square.
FEW_STEPS, STEPS = 4, 16
# As few storage buffers as Vulkan allows: the caller's arrays share them.
FEW_BUFFERS = "vulkan:few.json"
# Subgroups that exchange values, of the least size that an implementation has.
SUBGROUPS = "vulkan:subgroups.json"
EXCHANGING = ("gated_delta_rule", "retnet")  # In the sample, of those whose sums use them.
# Cut into segments: by a decay, by a matrix, in two levels. Steps that make whole segments, and those that leave a rest.
SEGMENTED = ("gla", "deltanet", "mlstm")
SEGMENTS, SEGMENTED_STEPS = 3, (24, 31)
# Backwards too, with what is added up over all steps, in blocks and, as recurrent kernels are, sixteen steps at a time.
SUMMED, SUMMED_STEPS = {"retnet": ("q", "k", "v", "gamma")}, (48, 75)
# With a kernel before those that carry states, of what a group's heads share: in stretches it runs ahead.
# Steps that make whole blocks of the last stretch, and those that do not.
STRETCHED, STRETCHES, STRETCHED_STEPS = ("mamba2",), 3, (36, 37)
SEQUENCES = [0, 0, 21, 22, 22, 37]
BOUNDS = {"f32": 1e-5, "bf16": 4e-3, "f16": 4e-3}
SECONDS = 600


@dataclass(frozen=True)
class Case:
    what: str  # module, check or run
    on: str  # an implementation, or the profile of modules
    recurrence: str
    form: str
    dtype: str = "f32"
    steps: int = FEW_STEPS
    grad: bool = False
    wide: bool = False  # columns for most threads of a block, which then work on their own
    profile: str = "vulkan"  # of what runs
    segments: bool = False
    stretches: bool = False

    def __str__(self):
        block = "" if self.form == "recurrent" else f" {self.steps}"
        words = " grad" * self.grad + " wide" * self.wide + " segments" * self.segments + " stretches" * self.stretches
        profile = "" if self.profile == "vulkan" else f" {self.profile}"
        return f"{self.what} {self.recurrence} {self.form}{block}{words} {self.dtype}, {self.on}{profile}"


def cases(names, drivers, everything):
    """All there is, or a sample: of every recurrence one form on each implementation, the next recurrence's being the
    next; on SwiftShader with its gradient, on lavapipe forward, with a few gradients. Every second is wide, every sixth
    also in blocks of bf16 or f16. Modules of every recurrence and every second gradient; of every third for the other
    profiles. Every sixth also with as few storage buffers as there can be. Blocks are short."""
    for number, name in enumerate(names):
        grads = (False, True) if everything else (number % 2 == 1,)
        for profile in LIMITS:
            for form in FORMS if everything else (FORMS[(number + number // 3) % 3],):
                for grad in grads:
                    if everything or profile == "vulkan" or number % 3 == list(LIMITS).index(profile):
                        dtype = "f32" if profile == "vulkan" else "bf16"
                        yield Case("module", profile, name, form, dtype, grad=grad)
        for driver in drivers:
            what = "check"
            if everything:
                for form in FORMS:
                    for steps in (FEW_STEPS, STEPS)[:1 if form == "recurrent" else 2]:
                        for wide in (False, True):
                            yield Case(what, driver, name, form, steps=steps, wide=wide)
                    for dtype in ("bf16", "f16"):
                        yield Case(what, driver, name, form, dtype)
                yield Case(what, driver, name, "recurrent", profile=FEW_BUFFERS)
                yield Case(what, driver, name, "chunked", wide=True, profile=SUBGROUPS)
                continue
            few = "run" if driver == "lavapipe" else what
            if number % 6 == 4 and name not in DENSE:
                yield Case(few, driver, name, "recurrent", profile=FEW_BUFFERS)
            if name in SEGMENTED and driver == "lavapipe":
                yield Case("run", driver, name, "chunked", segments=True)
            if name in STRETCHED and driver == "lavapipe":
                yield Case("run", driver, name, "chunked", stretches=True)
            if name in SUMMED and driver == "lavapipe":
                for form in ("chunked", "recurrent"):
                    yield Case("run", driver, name, form, steps=STEPS, grad=True, segments=True)
            if name in EXCHANGING:
                yield Case(few, driver, name, "chunked", wide=True, profile=SUBGROUPS)
            form = FORMS[(number + (driver == "lavapipe")) % 3]
            if driver == "lavapipe":
                what = "check" if name in FEW_GRADIENTS else "run"
                form = "recurrent" if name in DENSE else form
            yield Case(what, driver, name, "recurrent" if two_axes(name) else form, wide=number % 2 == 1)
            if number % 6 == 1 and not two_axes(name) and name not in DENSE:
                yield Case("run" if driver == "lavapipe" else what, driver, name, "chunked",
                           ("bf16", "f16")[number // 6 % 2])


def capabilities_in(words):
    """Their numbers, of a module."""
    found, at = [], 5
    while at < len(words):
        if words[at] == 0x20011:  # OpCapability
            found.append(int(words[at + 1]))
        at += int(words[at]) >> 16
    return sorted(found)


def two_axes(name):
    return re.search(r"^\s*time\s+\w+\s*,", (ZOO / f"{name}.ssm").read_text(), re.MULTILINE) is not None


def declared(name, word):
    """The first names of declarations with that word, as in `dim K, V, J = 2`; those with a default are left out."""
    lines = re.findall(rf"^\s*{word} ([^/\n]*)", (ZOO / f"{name}.ssm").read_text(), re.MULTILINE)
    return [one.strip() for line in lines for one in line.split(",") if "=" not in one]


def dims(case):
    """Odd sizes to run with: 3, 5, 7, 33. Modules have even ones."""
    wanted = declared(case.recurrence, "dim")
    if case.what == "module":
        return ",".join(f"{dim}={8 if dim == 'N' else 16}" for dim in wanted)
    columns = 33 if case.wide else 7
    sizes = {"K": 5, "V": columns, "P": columns, "D": columns, "N": 5 if len(wanted) < 3 else 3}
    return ",".join(f"{dim}={sizes[dim]}" for dim in wanted)


def outputs(name):
    return re.findall(r"^\s*out (\w+)", (ZOO / f"{name}.ssm").read_text(), re.MULTILINE)


class Sweep:
    def __init__(self, ssmc, validator):
        self.ssmc, self.validator = ssmc, validator
        said = validator and subprocess.run([validator, "--version"], capture_output=True, text=True).stdout
        version = re.search(r"v(\d{4})\.", said or "")
        self.knows_matrices = bool(version) and int(version[1]) >= KNOWS_MATRICES
        self.unknown = 0

    def environment(self, driver):
        files = str(DRIVERS.get(driver, driver))
        return os.environ | {"VK_ICD_FILENAMES": files, "VK_DRIVER_FILES": files, "OMP_NUM_THREADS": "1",
                             "LP_NUM_THREADS": "1", "SSMC_VULKAN_VALIDATION": str(int(LAYER.exists()))}

    def start(self, arguments, driver=os.devnull, folder=None):
        return subprocess.run([self.ssmc, *map(str, arguments)], cwd=folder, env=self.environment(driver),
                              capture_output=True, text=True, errors="replace", timeout=SECONDS)

    def __call__(self, case):
        """Pairs (seconds, problems); problems are None where there is no such form."""
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ssmc-test-") as folder:
            for name, text in PROFILES.items():
                (Path(folder) / name).write_text(text)
            try:
                problems = getattr(self, case.what)(case, Path(folder))
            except subprocess.TimeoutExpired:
                problems = [f"not done after {SECONDS} s"]
        return time.monotonic() - start, problems

    def arguments(self, case):
        spec = [ZOO / f"{case.recurrence}.ssm", "--dims", dims(case), "--form", case.form, "--dtype", case.dtype]
        return spec + (["--chunk", case.steps] if case.form != "recurrent" else [])

    def module(self, case, folder):
        folder /= "modules"
        arguments = [*self.arguments(case), "--target", case.on, "--emit", "spirv", "-o", folder]
        done = self.start(arguments + (["--grad"] if case.grad else []))
        if done.returncode:
            return problems_of(done)
        shared, threads, bindings, environment = LIMITS[case.on]
        images = json.loads((folder / "manifest.json").read_text())["images"]
        kernels = [kernel for image in images for kernel in image["kernels"]]
        files = {kernel["module"] for kernel in kernels}
        problems = []
        if not kernels or files != {path.name for path in folder.glob("*.spv")}:
            problems.append(f"modules {sorted(files)}, files {sorted(path.name for path in folder.iterdir())}")
        for kernel in kernels:
            has = kernel["shared_bytes"], kernel["threads"], max(kernel["bindings"]) + 1
            if any(mine > most for mine, most in zip(has, (shared, threads, bindings))):
                problems.append(f"{kernel['name']}: {has} of shared memory, threads, arrays: {case.on} has "
                                f"{shared, threads, bindings}")
            words = np.fromfile(folder / kernel["module"], np.uint32)
            if kernel["entry_point"].encode() + b"\0" not in words.tobytes():
                problems.append(f"{kernel['name']} has no entry point")
            named = [CAPABILITIES[name] for name in kernel["capabilities"]]
            if sorted(named) != capabilities_in(words):
                problems.append(f"{kernel['name']}: capabilities {kernel['capabilities']}, in the module "
                                f"{capabilities_in(words)}")
            wanted = {FEATURES[name] for name in kernel["capabilities"] if name in FEATURES}
            if set(kernel["features"]) != wanted:
                problems.append(f"{kernel['name']}: {kernel['features']} for {kernel['capabilities']}")
            needs_subgroups = {"GroupNonUniformShuffle", "CooperativeMatrixKHR"} & set(kernel["capabilities"])
            if kernel["subgroup_size"] != bool(needs_subgroups) * 32:
                problems.append(f"{kernel['name']}: subgroups of {kernel['subgroup_size']}")
            versions = {image["spirv"] for image in images}
            if versions != {f"1.{words[1] >> 8 & 0xff}"}:
                problems.append(f"{kernel['name']} is of SPIR-V {words[1]:#x}, not {versions}")
        unknown = {kernel["module"] for kernel in kernels if "BFloat16TypeKHR" in kernel["capabilities"]}
        for path in sorted(folder.glob("*.spv")) if self.validator else ():
            if path.name in unknown and not self.knows_matrices:
                self.unknown += 1
                continue
            valid = subprocess.run([self.validator, "--target-env", environment, path], capture_output=True, text=True)
            if valid.returncode:
                problems.append(f"spirv-val of {path.name}: {(valid.stdout + valid.stderr).strip()[:500]}")
        return problems

    def check(self, case, folder):
        done = self.start(["check", *self.arguments(case), "--target", case.profile, "--verbose"], case.on, folder)
        return problems_of(done)

    def run(self, case, folder):
        """Packed sequences, where there is one time axis; in segments or stretches, sequences side by side."""
        if case.segments and case.grad:
            return [problem for steps in SUMMED_STEPS for problem in self.compare_gradients(case, steps, folder)]
        if case.segments:
            return [problem for steps in SEGMENTED_STEPS
                    for problem in self.compare(case, ["--time", steps, "--batch", 2], folder)]
        if case.stretches:
            return [problem for steps in STRETCHED_STEPS
                    for problem in self.compare(case, ["--time", steps, "--batch", 2, "--groups", 1], folder)]
        arguments = ["--time", "5,7", "--batch", 2]
        if not two_axes(case.recurrence):
            np.save(folder / "offsets.npy", np.array(SEQUENCES))
            arguments = ["--time", SEQUENCES[-1], "--cu-seqlens", "offsets.npy"]
        return self.compare(case, arguments, folder)

    def compare_gradients(self, case, steps, folder):
        """Of segments, with those of a CPU; the cotangent of an output is the output."""
        sizes = [*self.arguments(case), "--heads", 2, "--batch", 2, "--time", steps]
        [output] = outputs(case.recurrence)
        done = self.start(["run", *sizes, "--out", f"{output}=output.npy"], case.on, folder)
        results = {}
        for target in (["cpu"], [case.profile, "--segments", SEGMENTS]):
            wanted = [part for name in SUMMED[case.recurrence] for part in ("--grad-out", f"{name}={target[0]}-{name}.npy")]
            done = done if done.returncode else self.start(
                ["run", *sizes, "--random-in", "--cotangent", f"{output}=output.npy", *wanted, "--target", *target],
                case.on, folder)
            if done.returncode or problems_of(done):
                return problems_of(done) or [f"exit code {done.returncode}"]
            results[target[0]] = {name: numbers(folder / f"{target[0]}-{name}.npy") for name in SUMMED[case.recurrence]}
        errors = {name: np.sqrt(np.mean((results[case.profile][name] - expected) ** 2) / np.mean(expected ** 2))
                  for name, expected in results["cpu"].items()}
        return [f"{steps} steps: the gradient of {name} is off by {error:.1e}" for name, error in errors.items()
                if not error <= BOUNDS[case.dtype]]

    def compare(self, case, sizes, folder):
        arguments = ["run", *self.arguments(case), "--heads", 2, *sizes]
        results = {}
        for target in ("reference", "vulkan"):
            files = {name: f"{target}-{name}.npy" for name in outputs(case.recurrence)}
            wanted = [part for name, path in files.items() for part in ("--out", f"{name}={path}")]
            form = arguments if target == "vulkan" else without(arguments, "--form", "--chunk")
            if target == "vulkan" and case.segments:
                form = [*form, "--segments", SEGMENTS]
            if target == "vulkan" and case.stretches:
                form = [*form, "--stretches", STRETCHES]
            named = case.profile if target == "vulkan" else target
            done = self.start([*form, *wanted, "--target", named], case.on, folder)
            if problems := problems_of(done):
                return problems
            if done.returncode:
                return None
            results[target] = {name: numbers(folder / path) for name, path in files.items()}
        problems = []
        for name, expected in results["reference"].items():
            error = np.sqrt(np.mean((results["vulkan"][name] - expected) ** 2) / max(np.mean(expected ** 2), 1e-30))
            if not error <= BOUNDS[case.dtype]:
                problems.append(f"'{name}' is off by {error:.1e}, more than {BOUNDS[case.dtype]}")
        return problems


def without(arguments, *options):
    """Arguments less some options and their values."""
    kept, values = [], iter(arguments)
    for one in values:
        if one in options:
            next(values)
        else:
            kept.append(one)
    return kept


def numbers(path):
    """An array in f64; one of bfloat16 is two bytes without a meaning to NumPy."""
    array = np.load(path)
    if array.dtype.itemsize == 2 and array.dtype.kind in "Vu":
        array = (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def problems_of(done):
    """None where there is no such form."""
    if done.returncode == 2 and any(reason in done.stderr for reason in ABSENT):
        return None
    said = [line for line in (done.stdout + done.stderr).splitlines() if "vulkan validation:" in line]
    if done.returncode:
        failed = [line.strip() for line in done.stdout.splitlines() if "FAIL" in line or " over " in line]
        said += [f"ssmc: exit code {done.returncode}: {done.stderr.strip()[-1500:]}", *failed[:10]]
    return [*said, *([] if not said else ["$ " + " ".join(map(str, done.args))])]


#===-- what must be refused ---------------------------------------------------------------------===#

PROFILES = {"no-json.json": "nonsense", "small.json": '{"maxComputeSharedMemorySize": 1024}',
            "narrow.json": '{"limits": {"maxComputeWorkGroupInvocations": 64}}',
            "none.json": '{"maxPerStageDescriptorStorageBuffers": 2}',
            "few.json": '{"maxPerStageDescriptorStorageBuffers": 4}',
            "subgroups.json": json.dumps({"VkPhysicalDeviceSubgroupProperties": {
                "subgroupSize": 4, "supportedOperations": ["VK_SUBGROUP_FEATURE_SHUFFLE_BIT"]}}),
            "large-subgroups.json": json.dumps({"VkPhysicalDeviceVulkan11Properties": {
                "subgroupSize": 32, "subgroupSupportedOperations": ["VK_SUBGROUP_FEATURE_SHUFFLE_BIT"]}}),
            "halves.json": '{"storageBuffer16BitAccess": true, "shaderInt16": true}',
            "kinds.json": '{"maxPerStageDescriptorStorageBuffers": 4, "storageBuffer16BitAccess": true, "shaderInt16": '
                          'true}'}


def refusals(drivers):
    """(name, driver, arguments, what the message must name)."""
    spec = [ZOO / "gla.ssm", "--dims", "K=4,V=4"]
    run = ["run", *spec, "--time", "3", "--batch", "1", "--heads", "1", "--target"]
    emit = [*spec, "-o", "modules", "--emit"]
    none = "/dev/null"
    yield "no driver", none, [*run, "vulkan"], ["no Vulkan driver"]
    yield "an empty list of drivers", "", [*run, "vulkan"], ["no Vulkan driver"]
    yield "a driver that does not exist", "/nowhere.json", [*run, "vulkan"], ["no Vulkan driver"]
    yield "check without a driver", none, ["check", *spec, "--target", "vulkan"], ["no Vulkan driver"]
    yield "bench without a driver", none, ["bench", *spec, "--target", "vulkan"], ["no Vulkan driver"]
    yield "a profile that is no file", none, [*emit, "spirv", "--target", "vulkan:missing.json"], ["missing.json"]
    yield "an unknown profile", none, [*emit, "spirv", "--target", "vulkan:abacus"], ["abacus", "nvidia-hopper"]
    yield "no JSON", none, [*emit, "spirv", "--target", "vulkan:no-json.json"], ["no-json.json", "JSON"]
    yield ("little shared memory", none, [*emit, "spirv", "--target", "vulkan:small.json"],
           ["small.json", "maxComputeSharedMemorySize", "1024"])
    yield ("small work groups", none, [*emit, "spirv", "--target", "vulkan:narrow.json"],
           ["narrow.json", "maxComputeWorkGroupInvocations", "64"])
    yield ("hardly any storage buffer", none, [*emit, "spirv", "--target", "vulkan:none.json"],
           ["none.json", "maxPerStageDescriptorStorageBuffers", "2"])
    yield ("arrays of more kinds than storage buffers", none,
           [ZOO / "gla.ssm", "--dims", "K=128,V=128", "--dtype", "bf16", "--form", "recurrent", "-o", "modules",
            "--emit", "spirv", "--target", "vulkan:kinds.json"], ["gla", "4"])
    yield "an unknown version", none, [*emit, "spirv", "--target", "vulkan,spirv1.7"], ["spirv1.7", "spirv1.6"]
    yield "an unknown target", none, [*emit, "spirv", "--target", "vulkanx"], ["vulkanx"]
    yield "modules without a target", none, [*emit, "spirv"], ["--target vulkan"]
    yield "modules for CUDA", none, [*emit, "spirv", "--target", "cuda"], ["--target vulkan"]
    yield "PTX for Vulkan", none, [*emit, "ptx", "--target", "vulkan"], ["vulkan", "spirv"]
    yield ("modules without sizes", none, [ZOO / "gla.ssm", "-o", "modules", "--emit", "spirv", "--target", "vulkan"],
           ["dim"])
    for driver in drivers:
        yield f"a profile beyond the device, {driver}", driver, [*run, "vulkan:nvidia-hopper"], ["nvidia-hopper"]
        yield (f"subgroups that are too large, {driver}", driver, [*run, "vulkan:large-subgroups.json"],
               ["subgroups of 32", "large-subgroups.json"])
        if driver == "swiftshader":  # (Lavapipe has such arrays.)
            yield (f"arrays of 16-bit elements, {driver}", driver, [*run, "vulkan:halves.json"],
                   ["halves.json", "storageBuffer16BitAccess", "SwiftShader"])
        yield (f"a grid that is too large, {driver}", driver, ["run", ZOO / "hgrn.ssm", "--dims", "D=1", "--time", "1",
               "--batch", "1", "--heads", "70000", "--target", "vulkan"], ["70000", "65535"])
        if driver == "lavapipe":  # (SwiftShader has arrays of a GiB.)
            yield (f"an array that is too large, {driver}", driver, ["run", ZOO / "hgrn.ssm", "--dims", "D=1",
                   "--form", "recurrent", "--time", "33600000", "--batch", "1", "--heads", "1", "--target", "vulkan"],
                   ["134400000", "maxStorageBufferRange"])
            yield (f"arrays that are too large together, {driver}", driver, ["run", ZOO / "hgrn.ssm", "--dims", "D=1",
                   "--form", "recurrent", "--time", "20000000", "--batch", "1", "--heads", "1", "--target",
                   "vulkan:few.json"], ["more arrays", "maxStorageBufferRange"])


def is_refused(sweep, driver, arguments, culprits):
    with tempfile.TemporaryDirectory(prefix="ssmc-test-") as folder:
        for name, text in PROFILES.items():
            (Path(folder) / name).write_text(text)
        done = sweep.start(arguments, driver, folder)
        left = {path.name for path in Path(folder).iterdir()} - set(PROFILES)
    problems = []
    if done.returncode != 2:
        problems.append(f"exit code {done.returncode}, expected 2")
    problems += [f"the message does not name {one!r}" for one in culprits if one not in done.stderr]
    if any(one in done.stderr for one in ("Stack dump", "PLEASE submit", "internal error")):
        problems.append("no message for a person")
    problems += [f"left behind: {name}" for name in sorted(left)]
    return [*problems, done.stderr.strip()[-1000:], "$ " + " ".join(map(str, done.args))] if problems else []


#===-- the sweep --------------------------------------------------------------------------------===#


class Table:
    def __init__(self, timings):
        self.timings = timings
        self.rows = defaultdict(list)  # (case, seconds, whether it failed)
        self.absent = 0

    def enter(self, key, case, seconds, problems):
        if problems is None:
            self.absent += 1
            return
        self.rows[key].append((case, seconds, bool(problems)))
        if self.timings:
            print(f"{seconds:8.2f} s  {case}", flush=True)
        if problems:
            print(f"{case} ... FAILED", *problems, sep="\n  ", flush=True)

    def print(self):
        print(f"\n{'what':8} {'on':22} {'form':14} {'type':5} {'cases':>5} {'failed':>6} {'seconds':>8}  slowest")
        for (what, on, form, dtype), row in sorted(self.rows.items()):
            slowest, longest, _ = max(row, key=lambda one: one[1])
            failed, seconds = sum(one[2] for one in row), sum(one[1] for one in row)
            name = getattr(slowest, "recurrence", slowest)
            print(f"{what:8} {on:22} {form:14} {dtype:5} {len(row):5} {failed:6} {seconds:8.1f}  {name} {longest:.1f}")

    def counts(self):
        entries = [one for row in self.rows.values() for one in row]
        failed = sum(one[2] for one in entries)
        return len(entries) - failed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=Path, required=True, help="the binary")
    parser.add_argument("--all", action="store_true", help="all of it, which takes hours")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--timings", action="store_true", help="print what each case takes")
    parser.add_argument("--on", choices=DRIVERS, help="this implementation alone")
    parser.add_argument("names", nargs="*", metavar="NAME", help="recurrences (default: the zoo)")
    options = parser.parse_args()
    validator = shutil.which("spirv-val")
    if not validator:
        print("there is no spirv-val on PATH: modules are not validated")
    if not LAYER.exists():
        print(f"there is no {LAYER}: what runs is not validated")
    drivers = []
    for name, path in DRIVERS.items():
        if options.on in (None, name):
            if path.exists():
                drivers.append(name)
            else:
                print(f"{name} is missing: there is no {path}")
    names = options.names or sorted(path.stem for path in ZOO.glob("*.ssm"))
    sweep = Sweep(options.ssmc.resolve(), validator)
    table = Table(options.timings)
    selected = list(cases(names, drivers, options.all))
    with ThreadPoolExecutor(options.jobs) as pool:
        for case, (seconds, problems) in zip(selected, pool.map(sweep, selected)):
            key = (case.what, case.on, case.form + " grad" * case.grad, case.dtype)
            table.enter(key, case, seconds, problems)
    for name, driver, arguments, culprits in () if options.names else refusals(drivers):
        start = time.monotonic()
        problems = is_refused(sweep, driver, arguments, culprits)
        table.enter(("refused", driver if driver in DRIVERS else "", "", ""), name, time.monotonic() - start, problems)
    table.print()
    passed, failed = table.counts()
    print(f"{passed} passed, {failed} failed, {table.absent} forms that do not exist"
          + ("" if options.all else "; a sample, see --help"))
    if sweep.unknown:
        print(f"{sweep.unknown} modules with matrices are not validated: {validator} is older than these")
    if not drivers:
        print("FAILED: there is no implementation of Vulkan, so nothing ran; Debian's packages mesa-vulkan-drivers and "
              "chromium-common have one each")
    return 1 if failed or not passed or not drivers else 0


if __name__ == "__main__":
    sys.exit(main())
