"""What a launcher refuses: each with its code and a message that names the culprit, and without a launch."""

import ctypes
from contextlib import contextmanager

import run_bundle
from bundles.emulator import require

(NO_DRIVER, NO_GPU, NO_CONTEXT, WRONG_ARCHITECTURE, DRIVER_ERROR, NOT_LOADED, BAD_SIZES, MISSING, BAD_ARRAY, BAD_STRIDES,
 MISALIGNED, OVERLAP, BAD_WORKSPACE, BAD_OFFSETS) = range(1, 15)


def refused(code, words, function):
    try:
        function()
    except run_bundle.LaunchError as error:
        require(error.code == code and words in str(error), f"returns {error.code}: '{error}', expected {code}: '{words}'")
    else:
        require(False, f"is not refused, expected {code}: '{words}'")


def strides(*numbers):
    return run_bundle.int64s(numbers)


def set_sizes(**sizes):
    def change(args):
        for name, value in sizes.items():
            setattr(args.sizes, name, value)
    return change


def set_tensor(field, **values):
    def change(args):
        for name, value in values.items():
            setattr(getattr(args, field), name, value)
    return change


def set_args(**values):
    def change(args):
        for name, value in values.items():
            setattr(args, name, value)
    return change


def moved(field, by):
    def change(args):
        tensor = getattr(args, field)
        tensor.data = tensor.data + by
    return change


def lies_in(field, other, by=0):
    def change(args):
        getattr(args, field).data = getattr(args, other).data + by
    return change


def set_data(fields, address):
    def change(args):
        for field in fields:
            getattr(args, field).data = address
    return change


# Of the gated delta rule in bf16, B = 2, H = 2, K = V = 32, T steps. (q, k and v are read 16 bytes at a time.)
def of_batch(steps):
    shape = strides(2, steps, 2, 16)
    return [
        (BAD_SIZES, "sizes.batch is -1", set_sizes(batch=-1)),
        (BAD_SIZES, "sizes.time is 2199023255552", set_sizes(time=1 << 41)),
        (BAD_SIZES, "sizes.heads is 4294967296", set_sizes(heads=1 << 32)),
        (BAD_SIZES, "sizes.columns is 2", set_sizes(columns=2)),
        (BAD_SIZES, "sizes.groups, 3, does not divide sizes.heads, 2", set_sizes(groups=3)),
        (BAD_SIZES, "a batch of 1, sizes.batch is 2", set_sizes(sequences=3)),
        (BAD_ARRAY, f"'q' has {steps} elements along axis 1 (T), expected {steps + 1}", set_sizes(time=steps + 1)),
        (MISSING, "'q' is missing", set_tensor("q", data=None)),
        (MISSING, "'o' is missing", set_tensor("o", data=None)),
        (BAD_ARRAY, "'k' has 3 axes, expected 4", set_tensor("k", ndim=3)),
        (BAD_ARRAY, "'k' has 4 axes, expected 4", set_tensor("k", shape=None)),
        (BAD_ARRAY, "'v' has 16 elements along axis 3 (V), expected 32", set_tensor("v", shape=shape)),
        (BAD_ARRAY, "'g' is of type float32 x 1, expected bfloat16", set_tensor("g", code=2, bits=32)),
        (BAD_ARRAY, "'g' is of type unknown16 x 1", set_tensor("g", code=77)),
        (BAD_ARRAY, "'q' is of type bfloat16 x 2", set_tensor("q", lanes=2)),
        (BAD_ARRAY, "'S_in' is not in the memory of a GPU (device type 1)", set_tensor("S_in", device_type=1)),
        (BAD_ARRAY, "'o' is on GPU 1, the kernels are on GPU 0", set_tensor("o", device_id=1)),
        (BAD_STRIDES, "'q' has stride 2 along axis 3 (K), which must be contiguous: 1",
         set_tensor("q", strides=strides(steps * 128, 128, 64, 2))),
        (BAD_STRIDES, "'S_in' has stride 64 along axis 2 (K), which must be contiguous: 32",
         set_tensor("S_in", strides=strides(4096, 2048, 64, 1))),
        (BAD_STRIDES, "'q' has the negative stride -64 along axis 1 (T)",
         set_tensor("q", strides=strides(steps * 64, -64, 32, 1))),
        (BAD_STRIDES, "'o' is written, and some of its elements are one", set_tensor("o", strides=strides(0, 64, 32, 1))),
        (BAD_STRIDES, "'o' is written, and some of its elements are one",
         set_tensor("o", strides=strides(64, 64, 32, 1))),
        (BAD_ARRAY, "'v' is larger than any memory", set_tensor("v", strides=strides(1 << 60, 64, 32, 1))),
        (MISALIGNED, "'q' must begin at a multiple of 16 bytes", moved("q", 2)),
        (MISALIGNED, "'q' must begin at a multiple of 16 bytes", set_tensor("q", byte_offset=8)),
        (MISALIGNED, "'g' must begin at a multiple of 2 bytes", moved("g", 1)),
        (MISALIGNED, "'S_out' must begin at a multiple of 4 bytes", moved("S_out", 2)),
        (MISALIGNED, "'k' has stride 36 along axis 2 (H): rows must begin at multiples of 16 bytes",
         set_tensor("k", strides=strides(steps * 72, 72, 36, 1))),
        (OVERLAP, "'S_out' is written and lies in the memory of 'S_in'", lies_in("S_out", "S_in")),
        (OVERLAP, "'S_out' is written and lies in the memory of 'S_in'", lies_in("S_out", "S_in", 64)),
        (OVERLAP, "'o' is written and lies in the memory of 'v'", lies_in("o", "v")),
        (BAD_SIZES, "'cu_seqlens' is given, but sizes.sequences is 0", set_tensor("cu_seqlens", data=4096)),
    ]


def of_packed(steps):
    def known(*numbers):
        return set_args(cu_seqlens_on_host=strides(*numbers))
    return [
        (MISSING, "'cu_seqlens' is missing: sizes.sequences is 4", set_tensor("cu_seqlens", data=None)),
        (BAD_ARRAY, "'cu_seqlens' is of type int32 x 1, expected int64", set_tensor("cu_seqlens", bits=32)),
        (BAD_ARRAY, "one axis of sizes.sequences + 1 = 5 elements", set_tensor("cu_seqlens", shape=strides(4))),
        (BAD_ARRAY, "one axis of sizes.sequences + 1 = 5 elements", set_tensor("cu_seqlens", ndim=2)),
        (BAD_STRIDES, "'cu_seqlens' must be contiguous", set_tensor("cu_seqlens", strides=strides(2))),
        (MISALIGNED, "'cu_seqlens' must begin at a multiple of 8 bytes", moved("cu_seqlens", 4)),
        (BAD_ARRAY, "'cu_seqlens' is not in the memory of a GPU", set_tensor("cu_seqlens", device_type=1)),
        (BAD_ARRAY, "'S_in' has 4 elements along axis 0 (N), expected 3",
         lambda args: (set_sizes(sequences=3)(args), setattr(args, "cu_seqlens_on_host", None),
                       setattr(args.cu_seqlens, "shape", strides(4)))),
        (BAD_OFFSETS, "cu_seqlens[0] is 1: they go from 0 up", known(1, 2, 3, 4, steps)),
        (BAD_OFFSETS, "cu_seqlens[2] is 3: they go from 0 up", known(0, 4, 3, 4, steps)),
        (BAD_OFFSETS, f"'cu_seqlens' ends at {steps - 1}, sizes.time is {steps}", known(0, 1, 1, 2, steps - 1)),
    ]


@contextmanager
def changed(args, change):
    """The arguments with a change, which is undone."""
    before = bytes(args)
    change(args)
    yield args
    ctypes.memmove(ctypes.byref(args), before, len(before))


def try_all(fake, call, table, passes=("forward",)):
    for code, words, change in table:
        for name in passes:
            with changed(call.args, change) as args:
                fake.reset()
                refused(code, words, lambda: call.launcher.launch(name, args))
                require(not fake.calls(), f"'{words}': calls {fake.calls()}")


def try_loading(fake, launcher):
    """What loading refuses, and what it falls back to."""
    def check(code, words, **settings):
        fake.reset(**settings)
        refused(code, words, launcher.load)
        require(not any(launcher.module), f"'{words}': something is left in the module")
        loads, unloads = (fake.calls().count(name) for name in ("cuModuleLoadDataEx", "cuModuleUnload"))
        require(code == DRIVER_ERROR or loads == unloads, f"'{words}': {loads} modules loaded, {unloads} unloaded")

    check(NO_GPU, "there is no GPU", init=100)
    check(DRIVER_ERROR, "starting the CUDA driver: an error of the fake driver (CUDA error 3)", init=3)
    check(NO_CONTEXT, "no CUDA context is current", context=0)
    check(WRONG_ARCHITECTURE, "this GPU is sm_75 with 65536 bytes of shared memory a block; there is code for sm_80, sm_90a",
          major=7, minor=5, shared=65536)
    check(WRONG_ARCHITECTURE, "this GPU is sm_90 with 1024 bytes of shared memory", shared=1024)
    check(DRIVER_ERROR, "loading the kernels: an error of the fake driver (CUDA error 209)", load_cubin=209, load_ptx=209)
    check(DRIVER_ERROR, "gated_delta_rule: an error of the fake driver (CUDA error 500)", find=500)
    for settings, is_ptx in ((dict(), False), (dict(load_cubin=209), True), (dict(major=8, minor=0), False),
                             (dict(major=8, minor=6), False), (dict(major=10), True), (dict(major=12), True)):
        fake.reset(**settings)
        launcher.load()
        # Without a ptxas there is PTX alone.
        is_ptx |= "cubin" not in launcher.manifest["images"][0]
        require(fake.loaded_ptx() == is_ptx, f"{settings}: PTX {fake.loaded_ptx()}")
        launcher.unload()
        require("cuModuleUnload" in fake.calls() and not any(launcher.module), "unloading")


def try_running(fake, call):
    """What else a launch may meet."""
    launcher, args = call.launcher, call.args
    fake.reset(launch=719)
    refused(DRIVER_ERROR, "gated_delta_rule: an error of the fake driver (CUDA error 719)",
            lambda: launcher.launch("forward", args))
    fake.reset()
    module = bytes(launcher.module)
    ctypes.memset(launcher.module, 0, len(module))
    refused(NOT_LOADED, "the module is not loaded", lambda: launcher.launch("forward", args))
    refused(-1, "refuses", lambda: launcher.bytes_of("workspace", args.sizes))
    ctypes.memmove(launcher.module, module, len(module))
    # Without anywhere to write a message to, the code alone.
    with changed(args, set_sizes(batch=-1)):
        require(launcher._function("forward")(launcher.module, ctypes.byref(args), None, None, ctypes.c_size_t(0)) == BAD_SIZES,
                "a message to nowhere")
        refused(-1, "refuses", lambda: launcher.bytes_of("workspace", args.sizes))
    # No sequence, and no head: nothing to do.
    for sizes in (dict(batch=0), dict(heads=0)):
        fake.reset()
        with changed(args, set_sizes(**sizes)):
            shapes = {"N": args.sizes.batch, "B": args.sizes.batch, "H": args.sizes.heads, "T": args.sizes.time}
            for operand in launcher.manifest["operands"]:
                extents = [shapes[axis["axis"]] if "axis" in axis else axis["extent"] for axis in operand["axes"]]
                call.alive.append(strides(*extents))
                getattr(args, operand["field"]).shape = call.alive[-1]
                getattr(args, operand["field"]).data = None
            launcher.launch("forward", args)
        require(not fake.calls(), f"{sizes}: calls {fake.calls()}")


def try_workspace(fake, call):
    """Of a call that needs one."""
    try_all(fake, call, [
        (BAD_WORKSPACE, f"'kept' has {call.args.kept_bytes - 1} bytes, expected at least {call.args.kept_bytes}",
         set_args(kept_bytes=call.args.kept_bytes - 1)),
        (OVERLAP, "is written and lies in the memory of 'kept'",
         set_data(("o", "d_q"), call.args.kept)),
        (BAD_WORKSPACE, "'kept' has 0 bytes", set_args(kept=None)),
        (BAD_WORKSPACE, "'kept' must begin at a multiple of 16 bytes", set_args(kept=call.args.kept + 8)),
    ], ("forward", "backward"))
    needed = call.args.workspace_bytes
    require(needed > 0, "no workspace is needed")
    try_all(fake, call, [
        (BAD_WORKSPACE, f"'workspace' has {needed - 1} bytes, expected at least {needed}", set_args(workspace_bytes=needed - 1)),
        (BAD_WORKSPACE, "'workspace' has 0 bytes", set_args(workspace=None)),
        (BAD_WORKSPACE, "'workspace' must begin at a multiple of 16 bytes", set_args(workspace=call.args.workspace + 8)),
        (OVERLAP, "'d_S_in' is written and lies in the memory of 'workspace'", set_data(["d_S_in"], call.args.workspace)),
    ], ("backward",))
