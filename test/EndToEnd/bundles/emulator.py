"""Stands for a GPU: where a kernel is launched, looks at all its parameters and writes what the bundle's check data expect."""

import ctypes
import re

import numpy as np

import run_bundle
from comparison import Mismatch

HEAD = ["N", "H", "G", "T", "X", "cu_seqlens", "workspace"]


def require(condition, message):
    if not condition:
        raise Mismatch(message)


def evaluate(formula, known):
    """A formula of the manifest: `4096 * H * chunks(64)`."""
    packed, steps, sequences = known["packed"], known["T"], known["N"]
    rows = lambda c, each: min(max(-(-steps // c), 1), max(1024 // max(sequences * known[each], 1), 1))
    functions = {"chunks": lambda c: steps // c + sequences if packed else -(-steps // c),
                 "rows": lambda c: rows(c, "H"), "group_rows": lambda c: rows(c, "G")}
    require(re.fullmatch(r"[\w ()*]+", formula), f"formula '{formula}'")
    return eval(formula, functions | known)


def strides_of(shape):
    """In C order; 0 where there is one element along an axis, as the launcher has them."""
    strides, inner = [], 1
    for size in reversed(shape):
        strides.insert(0, inner if size > 1 else 0)
        inner *= size
    return strides


class Emulator:
    def __init__(self, bundle, manifest, driver, arch):
        self.bundle, self.manifest, self.driver = bundle, manifest, driver
        image = next(image for image in manifest["images"] if image["architecture"] == arch)
        self.kernels = {kernel["name"]: kernel for kernel in image["kernels"]}
        self.operands = {operand["field"]: operand for operand in manifest["operands"]}
        self.temporaries = {temporary["name"]: temporary for temporary in manifest["temporaries"]}
        self.launched = []  # names, in order
        self.writes = True  # whether results appear

    def __call__(self, launch):
        kernel, values = self.kernels[launch.kernel], launch.parameters
        names = kernel["parameters"]
        require(names[:7] == HEAD and len(names) == len(values), f"parameters {names}, {len(values)} values")
        known = dict(zip(HEAD[:5], values[:5]))
        offsets = values[5]
        known |= {"packed": offsets != 0, "B": 1 if offsets else known["N"]}
        self.launched.append(launch.kernel)
        grid = tuple(evaluate(text, known) for text in kernel["grid"])
        require(launch.grid == grid + (1,), f"grid {launch.grid}, expected {grid}")
        require(launch.block == (kernel["threads"], 1, 1), f"block {launch.block}")
        require(launch.shared == kernel["shared_bytes"], f"shared memory {launch.shared}")
        case = self.case_of(known)
        if offsets:
            self.check_offsets(offsets, case)
        own = sum(evaluate(text, known) for text in kernel["workspace_bytes"])
        self.in_memory("workspace", values[6], own)
        ranges = [(values[6], own, "workspace")]
        for at in range(7, len(values), 5):
            require(names[at + 1:at + 5] == [f"stride {axis}" for axis in range(4)], f"strides {names[at:at + 5]}")
            self.check_array(names[at], values[at:at + 5], known, case)
            if names[at] in self.temporaries:
                ranges.append((values[at], evaluate(self.temporaries[names[at]]["bytes"], known), names[at]))
        ranges = sorted(entry for entry in ranges if entry[1])
        for (start, count, name), (following, _, other) in zip(ranges, ranges[1:]):
            require(start + count <= following, f"{name} and {other} overlap")

    def case_of(self, known):
        """The case of the check data that a launch is of, by its sizes."""
        for case in self.manifest["check"]:
            sizes = case["sizes"]
            if (known["T"], known["H"], known["N"], known["packed"]) == (
                    sizes["time"], sizes["heads"], sizes["sequences"] or sizes["batch"], sizes["sequences"] > 0):
                require(known["X"] == sizes["columns"] and known["G"] == sizes["groups"], f"sizes {known}")
                return case
        raise Mismatch(f"no case of such sizes: {known}")

    def check_offsets(self, address, case):
        found = np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_int64)), (len(case["cu_seqlens"]),))
        require(found.tolist() == case["cu_seqlens"], f"cu_seqlens {found}")

    def in_memory(self, what, address, count):
        require(not count or self.driver.holds(address, count), f"{what}: {count} bytes at {address:#x} are nobody's")

    def check_array(self, name, numbers, known, case):
        address, *strides = numbers
        if name == "null":
            require(address == 0, "a pointer that is never given")
            return
        entry = self.operands.get(name) or self.temporaries[name]
        shape = [evaluate(axis["axis"], known) if "axis" in axis else axis["extent"] for axis in entry["axes"]]
        width = run_bundle.TYPES[entry["dtype"]][1] // 8
        if name not in self.temporaries and not entry["written"] and name not in case["given"]:
            require(address == 0 and entry["optional"], f"{name} is at {address:#x}, and nowhere given")
            return
        require(address % 16 == 0, f"{name} at {address:#x}")
        self.in_memory(name, address, int(np.prod(shape)) * width)
        if name in self.temporaries:
            dense = [int(np.prod(shape[axis + 1:])) for axis in range(len(shape))]
        else:
            dense = strides_of(shape)
        by_axis = {}
        for axis, stride in zip(entry["axes"], dense):
            kind = axis.get("axis", "").split("(")[0]
            by_axis[{"N": "B", "chunks": "T", "G": "H"}.get(kind, kind)] = stride
        expected = [by_axis.get(axis, 0) for axis in "BTXH"]
        require(strides == expected, f"{name} has strides {strides}, expected {expected}")
        if self.writes and name in self.operands and entry["written"]:
            self.write(name, entry, address, shape, case)

    def write(self, field, operand, address, shape, case):
        stored = np.zeros(shape, run_bundle.NUMPY[operand["dtype"]])
        for entry in case["expected"]:
            if field == entry["fields"][0]:
                stored = run_bundle.to_stored(self.spread(entry, operand, shape, case), operand["dtype"])
        ctypes.memmove(address, stored.ctypes.data, stored.nbytes)

    def spread(self, entry, operand, shape, case):
        """An array of which adding up what is to be added up gives what is expected: all of it with the first."""
        expected = np.load(self.bundle / entry["file"])
        over = entry["add_up_over"]
        if not over:
            return expected.reshape(shape)
        whole = np.zeros(shape, expected.dtype)
        labels = [axis.get("axis") for axis in operand["axes"]]
        index = [slice(None)] * len(shape)
        if "sequences" in over:
            index[0] = 0
        if len(over) > ("sequences" in over):
            sharers = case["sizes"]["groups"] if "heads of a group" in over else 1
            index[labels.index("H")] = slice(None, None, max(shape[labels.index("H")] // sharers, 1))
        whole[tuple(index)] = expected.reshape(whole[tuple(index)].shape)
        return whole
