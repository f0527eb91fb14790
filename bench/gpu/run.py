#!/usr/bin/env python3
"""Recurrences on a GPU: ssmc beside the limit of the machine's memory and, where they are installed, its peers.

    bench/gpu/run.py [--ssmc build/bin/ssmc] [--grad] [--json gpu.json] [--filter TEXT] [--repeat N] > gpu.md

Measures the copy bandwidth (through the driver, libcuda) and, where PyTorch is installed, the rate of bf16 products; then
`ssmc bench` for each row and size of blocks, of which the best counts. A peer (flash-linear-attention, mamba-ssm) that is not
installed, or that fails, is left out with a message. Inputs and outputs are bf16, states f32. With --grad rows are forward
plus backward. An attempt that takes longer than --limit seconds, most of them the driver's to assemble kernels, is given up;
after --budget seconds only one size of blocks is tried of each further row; the table says which were left out. Python 3.9 or
later, nothing else. --bandwidth GB/S says what is not to be measured.
"""

import argparse
import ctypes
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


# ---------------------------------------------------------------------------------------------
# What is measured
# ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Row:
    """A recurrence and its sizes. `token` and `shared` are the bf16 inputs and outputs of one step, for each head and for
    all heads; `state` the f32 numbers of a head's state."""

    title: str
    spec: str
    batch: int
    time: int
    heads: int
    dims: dict
    token: int
    state: int
    shared: int = 0
    form: str = "chunked"
    chunks: tuple = (32, 16, 64)  # in the order in which they are tried

    @property
    def shape(self):
        return f"{self.batch}×{self.time}×{self.heads}"

    @property
    def bytes(self):
        """What must move: each input and output once, each state in and out."""
        steps = self.batch * self.time
        return 2 * steps * (self.token * self.heads + self.shared) + 8 * self.batch * self.heads * self.state

    @property
    def gradient_bytes(self):
        """What must move forward and backward. A backward pass of its own reads inputs again and the cotangents of outputs,
        and writes gradients of inputs; the same of a state."""
        steps, output = self.batch * self.time, self.dims.get("V") or self.dims["P"]
        return (2 * steps * ((3 * self.token - output) * self.heads + 3 * self.shared)
                + 20 * self.batch * self.heads * self.state)


def square(title, spec, batch, time, heads, vectors, numbers=0, d=128, **more):
    """A state of d x d, with so many vectors of d in and out of a step and so many single numbers."""
    return Row(title, spec, batch, time, heads, {"K": d, "V": d}, vectors * d + numbers, d * d, **more)


ROWS = [
    square("gated delta rule", "gated_delta_rule", 2, 16384, 16, 4, 2),
    square("gated delta rule", "gated_delta_rule", 4, 4096, 64, 4, 2),
    square("gated delta rule", "gated_delta_rule", 4, 8192, 32, 4, 2),
    square("gated delta rule", "gated_delta_rule", 1, 32768, 64, 4, 2),
    square("delta rule", "deltanet", 2, 16384, 16, 4, 1),
    square("KDA", "kda", 2, 16384, 16, 5, 1),
    square("GLA", "gla", 2, 16384, 16, 5),
    square("RetNet", "retnet", 2, 16384, 16, 4),
    square("RetNet", "retnet", 4, 8192, 32, 4),
    square("RWKV-7", "rwkv7", 2, 16384, 16, 7),
    Row("Mamba-2", "mamba2", 8, 4096, 64, {"P": 64, "N": 128}, 2 * 64 + 1, 64 * 128, 2 * 128),
    Row("Mamba-2", "mamba2", 1, 65536, 64, {"P": 64, "N": 128}, 2 * 64 + 1, 64 * 128, 2 * 128),
    Row("Mamba-1", "mamba1", 1, 8192, 1, {"P": 4096, "N": 16}, 3 * 4096, 4096 * 16, 2 * 16, form="scan"),
    square("gated delta rule, decode", "gated_delta_rule", 256, 1, 16, 4, 2, form="recurrent", chunks=(None,)),
]


# ---------------------------------------------------------------------------------------------
# The machine
# ---------------------------------------------------------------------------------------------


class Driver:
    """The first GPU, through the driver's C interface."""

    def __init__(self):
        self.cuda = ctypes.CDLL("libcuda.so.1")
        self("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self("cuDeviceGet", ctypes.byref(device), 0)
        name = ctypes.create_string_buffer(256)
        self("cuDeviceGetName", name, len(name), device)
        self.name = name.value.decode()
        self("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self("cuCtxSetCurrent", context)

    def __call__(self, function, *arguments):
        if code := getattr(self.cuda, function)(*arguments):
            raise RuntimeError(f"{function}: error {code}")

    def bandwidth(self, size=1 << 30, repeat=20):
        """GB/s of a copy within the device, what is read and what is written."""
        source, target = ctypes.c_uint64(), ctypes.c_uint64()
        for memory in (source, target):
            self("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(size))
            self("cuMemsetD8_v2", memory, ctypes.c_ubyte(1), ctypes.c_size_t(size))
        events = [ctypes.c_void_p(), ctypes.c_void_p()]
        for event in events:
            self("cuEventCreate", ctypes.byref(event), 0)
        rates = []
        for run in range(repeat + 3):
            self("cuEventRecord", events[0], None)
            self("cuMemcpyDtoDAsync_v2", target, source, ctypes.c_size_t(size), None)
            self("cuEventRecord", events[1], None)
            self("cuEventSynchronize", events[1])
            milliseconds = ctypes.c_float()
            self("cuEventElapsedTime", ctypes.byref(milliseconds), *events)
            if run >= 3:
                rates.append(2 * size / milliseconds.value * 1e-6)
        for memory in (source, target):
            self("cuMemFree_v2", memory)
        return statistics.median(rates)


def say(text):
    print(text, file=sys.stderr, flush=True)


def time_torch(torch, run, repeat):
    """Sorted milliseconds of `run` on the device, after three runs that do not count."""
    for _ in range(3):
        run()
    times = []
    for _ in range(repeat):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times)


def product_rate(torch, size=8192):
    """TFLOP/s of a product of square bf16 matrices."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / statistics.median(time_torch(torch, lambda: a @ b, 20)) * 1e-9


# ---------------------------------------------------------------------------------------------
# Peers
# ---------------------------------------------------------------------------------------------


def peer_call(torch, row, leaves):
    """A function that runs the peer's kernel on random inputs of the row's shape. Those that a gradient is for are added to
    `leaves`, unless it is None."""
    batch, time, heads = row.batch, row.time, row.heads

    def leaf(tensor):
        if leaves is not None:
            leaves.append(tensor.detach().requires_grad_())
            return leaves[-1]
        return tensor

    def random(*shape, dtype=torch.bfloat16):
        return torch.randn(*shape, device="cuda", dtype=dtype)

    def normal(*shape):
        return leaf(random(*shape))

    def sizes_of_steps(*shape):
        return leaf(torch.nn.functional.softplus(random(*shape)))

    def gates_of(*shape, dtype=torch.bfloat16):
        return leaf(torch.nn.functional.logsigmoid(random(*shape, dtype=dtype)))

    if row.spec in ("mamba1", "mamba2"):
        p, n = row.dims["P"], row.dims["N"]
        if row.spec == "mamba2":
            from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

            x, dt = normal(batch, time, heads, p), sizes_of_steps(batch, time, heads)
            b, c = normal(batch, time, 1, n), normal(batch, time, 1, n)
            a, d = -torch.rand(heads, device="cuda") - 0.5, torch.ones(heads, device="cuda")
            return lambda: mamba_chunk_scan_combined(x, dt, a, b, c, 256, D=d)
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

        u, dt = normal(batch, p, time), sizes_of_steps(batch, p, time)
        a, d = -torch.rand(p, n, device="cuda") - 0.5, torch.ones(p, device="cuda")
        b, c = normal(batch, 1, n, time), normal(batch, 1, n, time)
        return lambda: selective_scan_fn(u, dt, a, b, c, d)
    d = row.dims["K"]
    q, v = (normal(batch, time, heads, d) for _ in range(2))
    k = leaf(torch.nn.functional.normalize(random(batch, time, heads, d), dim=-1))
    beta = leaf(torch.sigmoid(random(batch, time, heads)))
    gate = gates_of(batch, time, heads, dtype=torch.float32)
    gates = gates_of(batch, time, heads, d)
    if row.form == "recurrent":
        from fla.ops.gated_delta_rule import fused_recurrent_gated_delta_rule

        state = random(batch, heads, d, d, dtype=torch.float32)
        return lambda: fused_recurrent_gated_delta_rule(
            q, k, v, gate, beta, initial_state=state, output_final_state=True
        )
    if row.spec == "gated_delta_rule":
        from fla.ops.gated_delta_rule import chunk_gated_delta_rule

        return lambda: chunk_gated_delta_rule(q, k, v, gate, beta)
    if row.spec == "deltanet":
        from fla.ops.delta_rule import chunk_delta_rule

        return lambda: chunk_delta_rule(q, k, v, beta)
    if row.spec == "kda":
        from fla.ops.kda import chunk_kda

        return lambda: chunk_kda(q, k, v, gates, beta)
    if row.spec == "gla":
        from fla.ops.gla import chunk_gla

        return lambda: chunk_gla(q, k, v, gates)
    if row.spec == "retnet":
        from fla.ops.retention import chunk_retention

        return lambda: chunk_retention(q, k, v)
    from fla.ops.rwkv7 import chunk_rwkv7

    return lambda: chunk_rwkv7(q, gates, k, v, -k, k * 0.5)


def forward_and_backward(torch, row):
    """The peer's kernel and its gradient of all inputs that it has, as a function."""
    leaves = []
    forward = peer_call(torch, row, leaves)
    first = lambda result: result[0] if isinstance(result, (tuple, list)) else result
    cotangent = torch.randn_like(first(forward()))
    return lambda: torch.autograd.grad(first(forward()), leaves, cotangent, allow_unused=True)


def measure_peer(torch, row, repeat, grad):
    """The peer's median; None, with a message, where there is none."""
    if torch is None:
        return None
    try:
        if grad:
            return statistics.median(time_torch(torch, forward_and_backward(torch, row), repeat))
        with torch.no_grad():
            return statistics.median(time_torch(torch, peer_call(torch, row, None), repeat))
    except Exception as problem:  # Not installed, another version, out of memory: the table goes on without it.
        say(f"{row.title} {row.shape}: no peer: {type(problem).__name__}: {str(problem).splitlines()[:1]}")
        return None
    finally:
        torch.cuda.empty_cache()


# ---------------------------------------------------------------------------------------------
# ssmc
# ---------------------------------------------------------------------------------------------


def attempt(command, limit):
    """What `ssmc bench --json -` prints, or why there is nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return [], f"over {limit:.0f} s"
    if done.returncode:
        return [], (done.stderr.strip() or f"exit code {done.returncode}")
    return json.loads(done.stdout), None


def measure(options, row, deadline):
    """The best of all sizes of blocks, as `ssmc bench --json` gives it, or None; and which were left out, as (blocks, why)."""
    best, left_out = None, []
    names = {"median_ms": "median_ms", "p25_ms": "p25_ms", "p75_ms": "p75_ms"}
    if options.grad:
        names = {"median_ms": "forward_and_backward_ms", "p25_ms": "forward_and_backward_p25_ms",
                 "p75_ms": "forward_and_backward_p75_ms"}
    for chunk in row.chunks:
        if best and time.monotonic() > deadline:
            left_out.append((chunk, "no time"))
            continue
        command = [str(options.ssmc), "bench", str(ROOT / "zoo" / f"{row.spec}.ssm"), "--target", "cuda", "--dtype", "bf16",
                   "--dims", ",".join(f"{name}={size}" for name, size in row.dims.items()), "--batch", str(row.batch),
                   "--time", str(row.time), "--heads", str(row.heads), "--form", row.form,
                   "--repeat", str(options.repeat), "--json", "-"]
        if row.shared:
            command += ["--groups", "1"]
        if chunk:
            command += ["--chunk", str(chunk)]
        if options.grad:
            command += ["--grad"]
        results, problem = attempt(command, options.limit)
        if problem:
            say(f"{row.title} {row.shape}, blocks of {chunk}: {problem}")
            left_out.append((chunk, problem if problem.startswith("over ") else "failed"))
        for result in results:
            figures = {name: result[theirs] for name, theirs in names.items()}
            if result["form"] == row.form and (best is None or figures["median_ms"] < best["median_ms"]):
                best = {**result, **figures}
    return best, left_out


def table(results, machine):
    """Lines of Markdown."""
    yield f"{machine['name']}: copies {machine['gbytes_per_s']:.0f} GB/s" + (
        f", bf16 products {machine['tflops']:.0f} TFLOP/s" if machine["tflops"] else "")
    yield ""
    yield ("| op | B×T×H | dims | form | median ms | 25 % | 75 % | limit ms | share of limit | peer ms | times as fast "
           "| left out |")
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for one in results:
        head = f"| {one['op']} | {one['shape']} | {one['dims']} "
        peer = f"{one['peer_ms']:.3g}" if one["peer_ms"] else ""
        left_out = ", ".join(f"{blocks or 'all'}: {why}" for blocks, why in one["left_out"])
        if one["median_ms"] is None:
            yield head + f"| | failed | | | {one['limit_ms']:.3g} | | {peer} | | {left_out} |"
            continue
        times = f"{one['peer_ms'] / one['median_ms']:.2f}" if one["peer_ms"] else ""
        yield head + (f"| {one['form']} | {one['median_ms']:.3g} | {one['p25_ms']:.3g} | {one['p75_ms']:.3g} "
                      f"| {one['limit_ms']:.3g} | {100 * one['share_of_limit']:.0f} % | {peer} | {times} "
                      f"| {left_out} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=pathlib.Path, default=ROOT / "build/bin/ssmc")
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures there")
    parser.add_argument("--filter", default="", help="only rows whose op or recurrence contains this")
    parser.add_argument("--repeat", type=int, default=20, help="runs that are timed (default 20)")
    parser.add_argument("--grad", action="store_true", help="time forward plus backward, of all rows but decoding")
    parser.add_argument("--limit", type=float, default=15, help="seconds that one attempt may take (default 15)")
    parser.add_argument("--budget", type=float, default=80, help="seconds after which fewer are tried (default 80)")
    parser.add_argument("--bandwidth", type=float, help="GB/s of copying, in place of measuring it")
    options = parser.parse_args()
    machine = {"name": "a GPU", "gbytes_per_s": options.bandwidth, "tflops": None}
    torch = None
    if not options.bandwidth:
        try:
            driver = Driver()
        except OSError as problem:
            sys.exit(f"no CUDA driver: {problem}")
        except RuntimeError as problem:
            sys.exit(f"no GPU: {problem}")
        machine["name"], machine["gbytes_per_s"] = driver.name, driver.bandwidth()
        try:
            import torch
            machine["tflops"] = product_rate(torch)
        except (ImportError, RuntimeError) as problem:
            torch = None
            say(f"no PyTorch, so no product rate and no peers: {problem}")
    results, deadline = [], time.monotonic() + options.budget
    for row in ROWS:
        if options.grad and row.form == "recurrent":
            continue
        if options.filter not in row.title and options.filter not in row.spec:
            continue
        best, left_out = measure(options, row, deadline)
        moved = row.gradient_bytes if options.grad else row.bytes
        limit = moved / machine["gbytes_per_s"] * 1e-6
        results.append({
            "op": row.title + (", forward and backward" if options.grad else ""), "shape": row.shape,
            "dims": " ".join(f"{n}={s}" for n, s in row.dims.items()),
            "form": best and best["form"] + (f" {best['chunk']}" if best.get("chunk") else ""),
            "median_ms": best and best["median_ms"], "p25_ms": best and best["p25_ms"], "p75_ms": best and best["p75_ms"],
            "bytes": moved, "limit_ms": limit, "share_of_limit": best and limit / best["median_ms"],
            "peer_ms": measure_peer(torch, row, options.repeat, options.grad), "left_out": left_out, "ssmc": best})
        say(f"{row.title} {row.shape}: " + (f"{best['median_ms']:.3g} ms" if best else "failed"))
    print("\n".join(table(results, machine)))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": results}, indent=2) + "\n")
    return 0 if results and all(one["median_ms"] for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
