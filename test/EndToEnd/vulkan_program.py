"""The C program of docs/vulkan.md, which calls a kernel with nothing but Vulkan, on implementations that run on CPUs.

    python3 vulkan_program.py --ssmc PATH

The page is the only place where the program is. It must be short, compile without a warning, agree with its own loop,
and say so where it does not or where there is no device. An implementation that is not installed is told of; one must
be.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "vulkan.md"
LINES = 150  # that the program must stay below
COMPILER = next((name for name in ("cc", "clang-22", "gcc") if shutil.which(name)), "cc")
STRICT = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
DRIVERS = {
    "lavapipe": Path("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"),
    "swiftshader": Path("/usr/lib/chromium/vk_swiftshader_icd.json"),
}
ERROR = re.compile(r"relative error (\S+)\n")


class Failure(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Failure(message)


def block(mark, language):
    """What the page shows below a comment."""
    found = re.findall(rf"<!-- {re.escape(mark)} -->\n```{language}\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    require(len(found) == 1, f"{PAGE.name} has {len(found)} blocks '{mark}'")
    return found[0]


def make_module(ssmc, folder, profile=None):
    """By the page's own command, or for another profile; gives the folder that it writes."""
    spec, *options = re.search(r"^ssmc (zoo/gla\.ssm .*)$", PAGE.read_text(), re.M).group(1).split()
    if profile:
        (folder / "profile.json").write_text(json.dumps(profile))
        options = ["vulkan:profile.json" if one == "vulkan" else one for one in options[:-1]] + ["shared"]
    done = subprocess.run([ssmc, ROOT / spec, *options], cwd=folder, capture_output=True, text=True)
    require(done.returncode == 0, f"ssmc: exit code {done.returncode}: {done.stderr}")
    return folder / options[-1]


def make_program(folder, change=lambda text: text):
    (folder / "run_module.c").write_text(change(block("file: run_module.c", "c")))
    done = subprocess.run([COMPILER, *STRICT, "run_module.c", "-lvulkan", "-lm", "-o", "run_module"],
                          cwd=folder, capture_output=True, text=True)
    require(done.returncode == 0, f"{COMPILER}: exit code {done.returncode}\n{done.stderr}")


def run_program(folder, driver, module="gla/gla.spv"):
    environment = {name: value for name, value in os.environ.items() if name != "VK_DRIVER_FILES"}
    environment["VK_ICD_FILENAMES"] = str(driver)
    return subprocess.run(["./run_module", module], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=120)


def check_length():
    lines = block("file: run_module.c", "c").splitlines()
    require(len(lines) < LINES, f"the program has {len(lines)} lines, and may have {LINES - 1}")
    long = [line for line in lines if len(line) > 120]
    require(not long, "\n".join(["longer than 120 characters:", *long]))


def missing(shown, found, path):
    """Where what is shown, which may leave out members of objects, is not what was found."""
    if isinstance(shown, dict) and isinstance(found, dict):
        for key, value in shown.items():
            yield from missing(value, found.get(key), f"{path}.{key}")
    elif isinstance(shown, list) and isinstance(found, list) and len(shown) == len(found):
        for number, (one, other) in enumerate(zip(shown, found)):
            yield from missing(one, other, f"{path}[{number}]")
    elif shown != found:
        yield f"{path}: the page has {shown}, ssmc wrote {found}"


def check_module(made):
    """What the page says of the module is so, and the validator accepts it."""
    manifest = json.loads((made / "manifest.json").read_text())
    differences = list(missing(json.loads(block("manifest of gla", "json")), manifest, "manifest"))
    require(not differences, "\n".join(differences))
    if not shutil.which("spirv-val"):
        print("there is no spirv-val on PATH: the module is not validated")
        return
    done = subprocess.run(["spirv-val", "--target-env", "vulkan1.1", made / "gla.spv"], capture_output=True, text=True)
    require(done.returncode == 0, f"spirv-val: {done.stdout}{done.stderr}")


def check_agrees(folder, driver):
    make_program(folder)
    done = run_program(folder, driver)
    require(done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
    error = ERROR.search(done.stdout)
    require(error and float(error.group(1)) < 1e-6, f"not the error of f32: {done.stdout}")
    print(f"  {done.stdout.strip()}")


def check_disagrees(folder, driver):
    """Another recurrence, states that are not handed on, and a bound below any error are told of."""
    text = block("file: run_module.c", "c")
    for old, new in (("exp(arrays", "exp(1e-3 + arrays"), ("call ? S_MIDDLE : null", "null"), ("< 1e-5", "< 1e-30")):
        require(text.count(old) == 1, f"the program has '{old}' {text.count(old)} times")
        make_program(folder, lambda text, old=old, new=new: text.replace(old, new))
        done = run_program(folder, driver)
        require(done.returncode == 1 and ERROR.search(done.stdout),
                f"'{new}': exit code {done.returncode}\n{done.stdout}{done.stderr}")


def check_shares_bindings(ssmc, folder, driver):
    """Its arrays lie in one buffer, and so may share bindings: four are enough, of which the workspace is one."""
    made = make_module(ssmc, folder, {"maxPerStageDescriptorStorageBuffers": 4})
    manifest = json.loads((made / "manifest.json").read_text())
    bindings = max(manifest["images"][0]["kernels"][0]["bindings"]) + 1
    require(bindings <= 4, f"the module has {bindings} bindings")
    require(manifest["images"][0]["together"], "no arrays share a binding")
    make_program(folder, lambda text: text.replace("BINDINGS = 9", f"BINDINGS = {bindings}"))
    done = run_program(folder, driver, module="shared/gla.spv")
    require(done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}")


def check_no_device(folder):
    make_program(folder)
    done = run_program(folder, folder / "none.json")
    require(done.returncode == 2 and done.stderr, f"without a driver: exit code {done.returncode}\n{done.stderr}")
    done = run_program(folder, folder / "none.json", module="none.spv")
    require(done.returncode == 1 and done.stderr, f"without a module: exit code {done.returncode}\n{done.stderr}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=Path, required=True, help="the binary")
    ssmc = parser.parse_args().ssmc.resolve()
    there = {name: driver for name, driver in DRIVERS.items() if driver.exists()}
    for name in DRIVERS.keys() - there.keys():
        print(f"{name} is not installed ({DRIVERS[name]} is missing): the program does not run on it")
    if not there:
        print("FAILED: no implementation of Vulkan is installed; Debian has mesa-vulkan-drivers and chromium-common")
        return 1
    with tempfile.TemporaryDirectory(prefix="ssmc-test-") as name:
        folder = Path(name)
        checks = [("length", check_length), ("module", lambda: check_module(make_module(ssmc, folder)))]
        for name, driver in there.items():
            checks.append((f"agrees.{name}", lambda driver=driver: check_agrees(folder, driver)))
            checks.append((f"shares.{name}", lambda driver=driver: check_shares_bindings(ssmc, folder, driver)))
            checks.append((f"disagrees.{name}", lambda driver=driver: check_disagrees(folder, driver)))
        checks.append(("no_device", lambda: check_no_device(folder)))
        failed = 0
        for name, check in checks:
            try:
                check()
                print(f"{name} ... ok", flush=True)
            except (Failure, OSError, ValueError, subprocess.TimeoutExpired) as problem:
                failed += 1
                print(f"{name} ... FAILED", *f"{problem}".splitlines(), sep="\n  ", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
