"""Bundles for GPUs, on a machine without one: their launchers are compiled and run with a driver that is none.

    python3 bundle_launcher.py --ssmc PATH [--filter PATTERN] [--keep FOLDER]

The fake driver (bundles/fake_cuda.c) notes what is called. What stands for the GPU looks at every parameter of every launch,
and writes what is expected of the kernel (bundles/emulator.py), so that tools/bundle/run_bundle.py runs from end to end.
"""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "bundle"))

import cuda_driver
import run_bundle
from bundles import emulator, fake, memory, refusals
from bundles.emulator import require
from end_to_end import arguments, run_tests

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
COMPILERS = {Path(found).resolve(): found for name in ("clang", "clang-22", "gcc", "cc") if (found := shutil.which(name))}
# Name, dims, options: what there is of passes, kernels, temporaries, workspace, slices, types and axes.
CASES = {
    "gated_delta_rule": ("K=32,V=32", "--form chunked --chunk 16 --dtype bf16"),
    "gated_delta_rule.recurrent": ("K=16,V=16", "--form recurrent"),
    "gated_delta_rule.grad": ("K=16,V=16", "--form chunked --chunk 16 --grad --dtype bf16"),
    "mamba2.grad": ("P=16,N=16", "--form chunked --chunk 16 --grad --groups 2 --heads 4"),
    "mamba1": ("P=16,N=8", "--form scan --chunk 16 --groups 1 --heads 2"),
    "mamba1.grad": ("P=16,N=8", "--form recurrent --grad"),
    "rwkv7": ("K=16,V=16", "--form recurrent"),
    "rwkv7.grad": ("K=16,V=16", "--form chunked --chunk 16 --grad"),
    "kda": ("K=16,V=16", "--form chunked --chunk 16 --dtype bf16"),
    "mlstm": ("K=16,V=16", "--form chunked --chunk 16"),
    "gla": ("K=16,V=64", "--form chunked --chunk 16 --heads 2"),
    "gla.workspace": ("K=64,V=64", "--form chunked --chunk 64 --grad --precision exact"),
    "lru.grad": ("P=8,N=4", "--form scan --chunk 16 --grad"),
    "bidirectional_decay": ("K=8,V=8", "--form recurrent"),
    "reset_attention": ("K=8,V=8", "--form recurrent"),
    "gated_sum": ("K=16", "--time 70 --form recurrent"),
    "gated_sum.run": ("K=16", "--form recurrent"),
    "mamba2d": ("P=8,N=4", "--form recurrent"),
}
the_fake = None  # one a process
scratch = tempfile.TemporaryDirectory(prefix="ssmc-test-")


def source_of(name):
    """The declaration: of the zoo, or of the tests."""
    folders = (ROOT / "zoo", Path(__file__).parent / "declarations", Path(__file__).parent / "bundles")
    return next(path for folder in folders if (path := folder / f"{name.split('.')[0]}.ssm").exists())


def make_bundle(ssmc, name):
    dims, options = CASES[name]
    target = "cuda:sm_80,sm_90a" if name == "gated_delta_rule" else "cuda:sm_90a"
    done = ssmc(source_of(name), "--dims", dims, "--target", target, *options.split(),
                "--emit", "bundle", "--check-data", "-o", "bundle")
    require(done.code == 0, f"ssmc: exit code {done.code}: {done.err}")
    return ssmc.folder / "bundle"


def compile_strictly(bundle, manifest):
    """The launcher as C11, its header as C++ too, twice in one program."""
    library = bundle.parent / "launcher.so"
    subprocess.run(["cc", *STRICT, "-fPIC", "-shared", "-o", str(library),
                    *(str(bundle / name) for name in manifest["sources"]), "-ldl"], check=True)
    program = bundle.parent / "header.cpp"
    program.write_text(f'#include "bundle/{manifest["header"]}"\n' * 2)
    subprocess.run(["c++", "-std=c++11", *STRICT[1:], "-fsyntax-only", str(program)], check=True)
    needed = subprocess.run(["readelf", "-d", str(library)], capture_output=True, text=True).stdout
    require("libcuda" not in needed, "the launcher is linked with the driver")
    return library


def run_quietly(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_bundle.main([str(word) for word in words])
    return code, out.getvalue() + err.getvalue()


class Session:
    """A bundle whose launcher is loaded, with the fake driver below it."""

    def __init__(self, ssmc, name):
        global the_fake
        if not the_fake:
            the_fake = fake.Fake(fake.build(scratch.name))
        self.bundle = make_bundle(ssmc, name)
        self.manifest = json.loads((self.bundle / "manifest.json").read_text())
        self.library = compile_strictly(self.bundle, self.manifest)
        the_fake.reset()
        the_fake.parameters = {kernel["name"]: len(kernel["parameters"])
                               for kernel in self.manifest["images"][0]["kernels"]}
        self.driver = memory.Driver()
        # The runner makes a driver of its own; both must know what is allocated.
        cuda_driver.Driver, self.real = (lambda: self.driver), cuda_driver.Driver
        self.gpu = the_fake.on_launch = emulator.Emulator(self.bundle, self.manifest, self.driver, "sm_90a")
        self.launcher = run_bundle.Launcher(self.library, self.manifest)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        cuda_driver.Driver, the_fake.on_launch = self.real, None
        problems, the_fake.problems = the_fake.problems, []
        require(not problems, "\n".join(problems[:5]))

    def call(self, case):
        case = next(one for one in self.manifest["check"] if one["name"] == case)
        given = {field: np.load(self.bundle / file) for field, file in case["given"].items()}
        return run_bundle.Call(self.driver, self.launcher, case["sizes"], given, case.get("cu_seqlens"))


def test_runner(ssmc, name):
    """The runner's verdict of results that are right, and of none."""
    with Session(ssmc, name) as session:
        words = [session.bundle, "--library", session.library, "--repeat", 3]
        code, text = run_quietly(*words, "--json", session.bundle / "found.json")
        require(code == 0 and "FAILED" not in text, f"exit code {code}\n{text}")
        found = json.loads((session.bundle / "found.json").read_text())
        expected = sum(len(case["expected"]) for case in session.manifest["check"])
        require(len(found["check"]) == expected and expected, f"{len(found['check'])} of {expected} results compared")
        require(not session.driver.blocks, "memory is left")
        order = [kernel["name"] for kernel in session.manifest["images"][0]["kernels"]]
        require(session.gpu.launched[:len(order)] == order, f"order {session.gpu.launched[:len(order)]}")
        session.gpu.writes = False
        code, text = run_quietly(*words, "--no-time")
        require(code == 1 and "FAILED" in text, f"exit code {code} where nothing is computed\n{text}")


def test_launch(ssmc, name):
    """A launch makes launches alone, in the caller's stream; kernels come one after the other."""
    with Session(ssmc, name) as session:
        # What optimisers warn of, and other compilers.
        for compiler in COMPILERS.values():
            subprocess.run([compiler, *STRICT, "-O2", "-c", "-o", str(ssmc.folder / "launcher.o"),
                            str(session.bundle / session.manifest["sources"][0])], check=True)
        session.launcher.load()
        for case in session.manifest["check"]:
            call = session.call(case["name"])
            kernels = {kernel["name"]: kernel for kernel in session.manifest["images"][0]["kernels"]}
            for which in session.launcher.passes:
                the_fake.reset()
                session.launcher.launch(which, call.args, stream=0x5EED0)
                wanted = [kernel for kernel, entry in kernels.items() if entry["pass"] == which]
                require(the_fake.calls() == ["cuLaunchKernel"] * len(wanted), f"calls {the_fake.calls()}")
                require([launch.kernel for launch in the_fake.launches] == wanted, f"launches {the_fake.launches}")
                require(all(launch.stream == 0x5EED0 for launch in the_fake.launches), "another stream")
            call.free()
        session.launcher.unload()


def test_order(ssmc, name):
    """Parameters are the kernels': their operands in the tile dialect's order, and as many as PTX has."""
    bundle = make_bundle(ssmc, name)
    manifest = json.loads((bundle / "manifest.json").read_text())
    dims, options = CASES[name]
    tile = ssmc(source_of(name), "--dims", dims, "--target", "cuda:sm_90a", *options.split(),
                "--emit", "tile").out
    fields = {operand["field"]: operand["name"] for operand in manifest["operands"]}
    for image in manifest["images"]:
        ptx = (bundle / image["ptx"]).read_text()
        for kernel in image["kernels"]:
            listed = re.search(rf"tile\.kernel @{kernel['name']} operands \[(.*?)>\]", tile).group(1)
            wanted = re.findall(r'#tile\.operand<"([^"]+)" (?!row)', listed)
            found = kernel["parameters"][7::5]
            for parameter, operand in zip(found, wanted, strict=True):
                require(parameter == "null" or fields.get(parameter, parameter) == operand,
                        f"{kernel['name']}: {parameter} stands for {operand}")
            entry = re.search(rf"\.entry {kernel['name']}\((.*?)\)", ptx, re.S).group(1)
            require(entry.count(".param .") == len(kernel["parameters"]), f"{kernel['name']}: {entry.count('.param .')}")


def test_views(ssmc):
    """Strides are the caller's: q, k and v side by side in one array, and heads before steps."""
    with Session(ssmc, "gated_delta_rule") as session:
        session.launcher.load()
        call = session.call("batch")
        steps = call.sizes["time"]
        base = session.driver.allocate(2 * steps * 3 * 64 * 2)
        the_fake.on_launch = None
        for number, field in enumerate("qkv"):
            tensor = getattr(call.args, field)
            tensor.data, tensor.byte_offset = base, number * 128
            tensor.strides = refusals.strides(steps * 192, 192, 32, 1)
        call.args.o.strides = refusals.strides(2 * steps * 32, 32, steps * 32, 1)
        the_fake.reset()
        session.launcher.launch("forward", call.args)
        # Each by some kernel of the form, with its strides.
        passed = [launch.parameters[first:first + 5]
                  for launch in the_fake.launches for first in range(7, len(launch.parameters), 5)]
        for number in range(3):
            require((base + number * 128, steps * 192, 192, 0, 32) in passed, f"{'qkv'[number]}: {passed}")
        require((2 * steps * 32, 32, 0, steps * 32) in [strides[1:] for strides in passed], f"o: {passed}")
        # An axis of one element may have any stride.
        call.args.sizes.heads = 1
        for operand in session.manifest["operands"]:
            tensor = getattr(call.args, operand["field"])
            heads = [axis.get("axis") for axis in operand["axes"]].index("H")
            shape = [tensor.shape[axis] for axis in range(tensor.ndim)]
            shape[heads] = 1
            inner = np.cumprod([1, *shape[:0:-1]])[::-1].tolist()
            inner[heads] = 12345
            call.alive += [refusals.strides(*shape), refusals.strides(*inner)]
            tensor.shape, tensor.strides, tensor.byte_offset = *call.alive[-2:], 0
        the_fake.reset()
        session.launcher.launch("forward", call.args)
        require(the_fake.launches[0].parameters[11] == 0, f"heads of q: {the_fake.launches[0].parameters[7:12]}")


def test_refusals(ssmc):
    with Session(ssmc, "gated_delta_rule") as session:
        refusals.try_loading(the_fake, session.launcher)
        the_fake.reset()
        session.launcher.load()
        steps = session.manifest["check"][0]["sizes"]["time"]
        refusals.try_all(the_fake, session.call("batch"), refusals.of_batch(steps))
        refusals.try_all(the_fake, session.call("packed"), refusals.of_packed(steps))
        refusals.try_running(the_fake, session.call("batch"))


def test_workspace(ssmc):
    with Session(ssmc, "gla.workspace") as session:
        session.launcher.load()
        refusals.try_workspace(the_fake, session.call("packed"))


def run_with(folder, *command, **environment):
    return subprocess.run([str(word) for word in command], env=os.environ | {"LD_LIBRARY_PATH": str(folder)} | environment,
                          capture_output=True, text=True)


def test_run(ssmc, name):
    """`ssmc run` launches as a bundle does: the same kernels, grids and sizes."""
    manifest = json.loads((make_bundle(ssmc, name) / "manifest.json").read_text())
    fake.build(ssmc.folder)
    dims, options = CASES[name]
    log = ssmc.folder / "launches"
    done = run_with(ssmc.folder, ssmc.binary, "run", source_of(name), "--dims", dims, *options.split(), "--target", "cuda:sm_90a",
                    "--batch", 2, "--heads", 2, "--time", 70, FAKE_CUDA_LOG=str(log))
    require(done.returncode == 0, done.stderr)
    sizes = {"N": 2, "B": 2, "H": 2, "G": 1, "T": 70, "X": 1, "packed": False}
    expected = []
    for kernel in manifest["images"][0]["kernels"]:
        grid = [emulator.evaluate(text, sizes) for text in kernel["grid"]]
        numbers = [*grid, kernel["threads"], kernel["shared_bytes"], 2, 2, 1, 70, 1]
        expected.append(" ".join(map(str, [kernel["name"], *numbers])))
    require(log.read_text().splitlines() == expected, f"{log.read_text()}, expected {expected}")


def test_no_driver(ssmc):
    """A driver that cannot be loaded, and one that lacks a function; processes of their own, which load no other."""
    bundle = make_bundle(ssmc, "gated_delta_rule.recurrent")
    broken, lacking = ssmc.folder / "broken", ssmc.folder / "lacking"
    for folder in (broken, lacking):
        folder.mkdir()
    (broken / "libcuda.so.1").write_text("no library")
    fake.build(lacking, "-DFAKE_LACKS")
    program = ssmc.folder / "program.c"
    program.write_text('#include "bundle/gated_delta_rule.h"\n#include <stdio.h>\nint main(void) {\n'
                       "  char message[200] = \"\";\n  gated_delta_rule_module module;\n"
                       "  int code = gated_delta_rule_load(&module, message, sizeof(message));\n"
                       '  printf("%d %s", code, message);\n  return 0;\n}\n')
    subprocess.run(["cc", *STRICT, "-o", str(ssmc.folder / "program"), str(program), *map(str, sorted(bundle.glob("*.c"))),
                    "-ldl"], check=True)
    for folder, expected in ((broken, "1 there is no CUDA driver on this machine (libcuda.so.1)"),
                             (lacking, "1 the CUDA driver lacks cuDeviceGetAttribute")):
        found = run_with(folder, ssmc.folder / "program").stdout
        require(found == expected, f"'{found}', expected '{expected}'")
    done = run_with(broken, sys.executable, ROOT / "tools" / "bundle" / "run_bundle.py", bundle)
    require(done.returncode == 2 and "there is no CUDA driver" in done.stderr, f"{done.returncode}: {done.stderr}")


def test_example(ssmc):
    """The C program of docs/bundles.md."""
    page = (ROOT / "docs" / "bundles.md").read_text()
    text = re.search(r"<!-- file: prefill\.c -->\s*```c\n(.*?)```", page, re.S).group(1)
    bundle = make_bundle(ssmc, "gated_delta_rule")
    (ssmc.folder / "prefill.c").write_text(text)
    main = ('#include "prefill.c"\nint main(void) {\n  static _Alignas(256) unsigned short q[1 << 16], k[1 << 16], v[1 << 16];\n'
            "  static _Alignas(256) unsigned short g[1 << 10], beta[1 << 10], o[1 << 16];\n"
            "  static _Alignas(256) float S[1 << 14];\n"
            "  static _Alignas(256) char space[1 << 20];\n"
            "  struct inputs inputs = {q, k, v, g, beta};\n"
            "  return prefill(&inputs, o, S, 2, 37, 2, NULL, space, sizeof(space)) ||\n"
            "         prefill(&inputs, o, NULL, 2, 5, 2, NULL, space, sizeof(space));\n}\n")
    (ssmc.folder / "main.c").write_text(main)
    subprocess.run(["cc", *STRICT, f"-I{bundle}", "-o", str(ssmc.folder / "program"), str(ssmc.folder / "main.c"),
                    *map(str, sorted(bundle.glob("*.c"))), "-ldl"], check=True)
    fake.build(ssmc.folder)
    done = run_with(ssmc.folder, ssmc.folder / "program")
    require(done.returncode == 0 and not done.stderr, f"exit code {done.returncode}\n{done.stdout}{done.stderr}")


def test_runner_input(ssmc):
    """What the runner is given and cannot use: exit code 2."""
    code, text = run_quietly(ssmc.folder)
    require(code == 2 and "is no bundle" in text, f"{code}: {text}")
    (ssmc.folder / "manifest.json").write_text('{"format": 99}')
    code, text = run_quietly(ssmc.folder)
    require(code == 2 and "a bundle of format 99" in text, f"{code}: {text}")
    (ssmc.folder / "manifest.json").write_text('{"format": 1}')
    code, text = run_quietly(ssmc.folder)
    require(code == 2 and "no check data" in text, f"{code}: {text}")
    (ssmc.folder / "manifest.json").write_text('{"format": 1, "check": [1], "sources": []}')
    code, text = run_quietly(ssmc.folder, "--cc", "/nowhere/cc")
    require(code == 2 and "cannot run the C compiler '/nowhere/cc'" in text, f"{code}: {text}")


def tests():
    for name in CASES:
        yield f"runner.{name}", lambda ssmc, name=name: test_runner(ssmc, name)
    for name in ("gated_delta_rule", "mamba2.grad"):
        yield f"launch.{name}", lambda ssmc, name=name: test_launch(ssmc, name)
    for name in ("kda", "mamba1.grad", "mamba2d"):
        yield f"order.{name}", lambda ssmc, name=name: test_order(ssmc, name)
    for name in ("kda", "bidirectional_decay", "gated_sum.run"):
        yield f"run.{name}", lambda ssmc, name=name: test_run(ssmc, name)
    for function in (test_views, test_refusals, test_workspace, test_no_driver, test_example, test_runner_input):
        yield function.__name__.removeprefix("test_"), function


def main():
    options = arguments(__doc__).parse_args()
    selected = [test for test in tests() if fnmatchcase(test[0], options.filter)]
    return run_tests(selected, options.ssmc.resolve(), options.keep)


if __name__ == "__main__":
    sys.exit(main())
