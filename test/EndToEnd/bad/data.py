"""Arrays that do not fit the declaration or each other, and damaged files."""

import io

import numpy as np

from comparison import Mismatch, agree

from .attempt import BATCH, HEADS, TOKENS, K, V, gated_delta_rule, mamba2, refused, test, zeros


def spoilt(name, value, *culprits):
    """A test that the gated delta rule with this operand is refused."""

    def run(ssmc):
        attempt = gated_delta_rule()
        attempt.inputs[name] = value
        attempt.is_refused(ssmc, name, *culprits)

    return run


def spoilt_file(content, *culprits):
    """A test that the gated delta rule with these bytes for k is refused."""

    def run(ssmc):
        (ssmc.folder / "broken.npy").write_bytes(content)
        spoilt("k", "broken.npy", "broken.npy", *culprits)(ssmc)

    return run


def named(name, function):
    function.__name__ = name
    test(function)


def npy(array):
    """The bytes of an array's file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def with_header(text):
    """A file of format 1.0 with this header and no data."""
    padded = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


named("rank_too_low", spoilt("k", np.zeros((BATCH, TOKENS, K), np.float32)))
named("rank_too_high", spoilt("k", zeros(K, 1)))
named("rank_zero", spoilt("k", np.zeros((), np.float32)))
named("size_of_a_dim", spoilt("k", zeros(K + 1), str(K + 1)))
named("size_of_time", spoilt("k", np.zeros((BATCH, TOKENS + 1, HEADS, K), np.float32), str(TOKENS + 1)))
named("size_of_batch", spoilt("k", np.zeros((BATCH + 1, TOKENS, HEADS, K), np.float32), str(BATCH + 1)))
named("size_of_heads", spoilt("k", zeros(K, heads=HEADS + 1), str(HEADS + 1)))
named("dtype_integer", spoilt("k", zeros(K, dtype=np.int64), "int64"))
named("dtype_bool", spoilt("k", zeros(K, dtype=np.bool_), "bool"))
named("dtype_complex_for_real", spoilt("k", zeros(K, dtype=np.complex64), "complex"))
named("dtype_text", spoilt("k", np.full((BATCH, TOKENS, HEADS, K), "a")))
named("dtype_record", spoilt("k", zeros(K, dtype=np.dtype([("a", np.float32), ("b", np.float32)]))))
named("dtype_object", spoilt_file(npy(np.full((BATCH, TOKENS, HEADS, K), None, object))))

good = npy(np.zeros((BATCH, TOKENS, HEADS, K), np.float32))
named("file_truncated_in_data", spoilt_file(good[:-1]))
named("file_without_data", spoilt_file(good[:128]))
named("file_truncated_in_header", spoilt_file(good[:40]))
named("file_truncated_in_magic", spoilt_file(good[:4]))
named("file_empty", spoilt_file(b""))
named("file_of_another_kind", spoilt_file(b"PK\x03\x04 a zip archive, perhaps an .npz"))
named("file_of_future_version", spoilt_file(good[:6] + b"\x09\x00" + good[8:]))
named("header_length_beyond_file", spoilt_file(good[:8] + b"\xff\xff" + good[10:]))
named("header_without_shape", spoilt_file(with_header("{'descr': '<f4', 'fortran_order': False, }")))
named("header_of_rubbish", spoilt_file(with_header("{" * 60)))
named("header_binary", spoilt_file(good[:10] + bytes(range(128, 228)) + good[110:]))
for name, shape in (("negative", f"(1, -3, 2, {K})"), ("huge", f"(1, 4000000000000, 2, {K})"),
                    ("whose_product_overflows", "(4294967296, 4294967296, 4294967296, 4294967296)"),
                    ("beyond_64_bits", "(99999999999999999999999, 3, 2, 4)")):
    named(f"shape_{name}", spoilt_file(with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")))


@test
def file_missing(ssmc):
    spoilt("k", "nowhere.npy", "nowhere.npy")(ssmc)


@test
def file_is_a_folder(ssmc):
    (ssmc.folder / "folder.npy").mkdir()
    spoilt("k", "folder.npy", "folder.npy")(ssmc)


@test
def file_with_surplus_data(ssmc):
    """Bytes after the last element: whoever wrote them meant another shape."""
    spoilt_file(good + b"\0\0\0\0")(ssmc)


@test
def groups_that_do_not_divide_heads(ssmc):
    attempt = mamba2()
    attempt.inputs |= {"x": zeros(V, heads=3), "dt": zeros(heads=3), "B": zeros(K, heads=2), "C": zeros(K, heads=2),
                       "A": np.zeros(3, np.float32), "D": np.zeros(3, np.float32)}
    attempt.is_refused(ssmc, "B", "2", "3")


@test
def groups_that_differ(ssmc):
    attempt = mamba2()
    attempt.inputs["C"] = zeros(K, heads=2)
    attempt.is_refused(ssmc, "C")


@test
def parameter_with_time(ssmc):
    attempt = mamba2()
    attempt.inputs["A"] = zeros()
    attempt.is_refused(ssmc, "A")


@test
def parameter_of_too_few_heads(ssmc):
    attempt = mamba2()
    attempt.inputs["A"] = np.zeros(1, np.float32)
    attempt.is_refused(ssmc, "A")


@test
def real_for_complex(ssmc):
    """A real array for a complex operand may be widened or refused."""
    one = np.full((HEADS, V, K), -1, np.float32)
    attempt = gated_delta_rule()
    attempt.recurrence, attempt.dims, attempt.outputs = "s4d", {"P": V, "N": K}, ["y"]
    attempt.inputs = {"u": zeros(V), "A": one, "B": one, "C": one, "dt": np.ones((HEADS, V), np.float32),
                      "D": np.ones((HEADS, V), np.float32)}
    attempt.is_either(ssmc, "A", "complex")


@test
def state_of_wrong_rank(ssmc):
    attempt = gated_delta_rule()
    attempt.states["S"] = np.zeros((BATCH, TOKENS, HEADS, K, V), np.float32)
    attempt.is_refused(ssmc, "S")


@test
def state_of_wrong_size(ssmc):
    attempt = gated_delta_rule()
    attempt.states["S"] = np.zeros((BATCH, HEADS, V, K), np.float32)
    attempt.is_refused(ssmc, "S")


@test
def state_of_integers(ssmc):
    attempt = gated_delta_rule()
    attempt.states["S"] = np.zeros((BATCH, HEADS, K, V), np.int32)
    attempt.is_refused(ssmc, "S", "int32")


@test
def state_truncated(ssmc):
    (ssmc.folder / "broken.npy").write_bytes(npy(np.zeros((BATCH, HEADS, K, V), np.float32))[:-3])
    attempt = gated_delta_rule()
    attempt.states["S"] = "broken.npy"
    attempt.is_refused(ssmc, "S", "broken.npy")


def spoilt_cotangent(name, value, *culprits):
    """A test that the gated delta rule with this cotangent is refused."""

    def run(ssmc):
        attempt = gated_delta_rule()
        path = ssmc.save("cotangent", value) if isinstance(value, np.ndarray) else value
        attempt.extra = ["--target", "reference", "--cotangent", f"{name}={path}", "--grad-out", "q=dq.npy"]
        attempt.is_refused(ssmc, name, "cotangent", *culprits)

    return run


named("cotangent_of_wrong_rank", spoilt_cotangent("o", np.zeros((BATCH, TOKENS, V))))
named("cotangent_of_wrong_size", spoilt_cotangent("o", zeros(V + 1), str(V + 1)))
named("cotangent_of_another_time", spoilt_cotangent("o", np.zeros((BATCH, TOKENS + 1, HEADS, V)), str(TOKENS + 1)))
named("cotangent_of_integers", spoilt_cotangent("o", zeros(V, dtype=np.int64), "int64"))
named("cotangent_complex_for_real", spoilt_cotangent("o", zeros(V, dtype=np.complex64), "complex"))
named("cotangent_of_a_state_of_wrong_size", spoilt_cotangent("S", np.zeros((BATCH, HEADS, V, K))))
named("cotangent_of_a_state_with_time", spoilt_cotangent("S", np.zeros((BATCH, TOKENS, HEADS, K, V))))
named("cotangent_missing", spoilt_cotangent("o", "nowhere.npy", "nowhere.npy"))


def random_attempt():
    rng = np.random.default_rng(1)
    attempt = gated_delta_rule()
    attempt.inputs = {n: (0.3 * rng.standard_normal(a.shape)).astype(np.float32) for n, a in attempt.inputs.items()}
    return attempt


@test
def fortran_order(ssmc):
    """Accepted with the same result, or refused."""
    attempt = random_attempt()
    right = attempt.is_accepted(ssmc)["o"]
    attempt.inputs["k"] = np.asfortranarray(attempt.inputs["k"])
    outputs = attempt.is_either(ssmc, "k", "Fortran")
    if outputs:
        agree("o", outputs["o"], right, 0)


@test
def big_endian(ssmc):
    """Accepted with the same result, or refused."""
    attempt = random_attempt()
    right = attempt.is_accepted(ssmc)["o"]
    attempt.inputs["k"] = attempt.inputs["k"].astype(">f4")
    outputs = attempt.is_either(ssmc, "k", "endian")
    if outputs:
        agree("o", outputs["o"], right, 0)


def poisoned(value, target):
    """The value in one token is computed with, reaches that token's output and leaves earlier tokens alone."""

    def run(ssmc):
        attempt = random_attempt()
        attempt.extra = ["--target", target]
        right = attempt.is_accepted(ssmc)["o"]
        attempt.inputs["v"][0, 1, 0, 2] = value
        o = attempt.is_accepted(ssmc)["o"]
        if np.isfinite(o[0, 1, 0, 2]) or not np.array_equal(o[0, 0], right[0, 0]):
            raise Mismatch(f"o with {value} in v at token 1: {o[0, :, 0, 2]}, without: {right[0, :, 0, 2]}")
        if not np.array_equal(o[:, :, 1], right[:, :, 1]):
            raise Mismatch(f"{value} in head 0 reached head 1")

    return run


for value in ("nan", "inf", "-inf"):
    for target in ("reference", "cpu"):
        named(f"data_{value.replace('-', 'minus_')}_on_{target}", poisoned(float(value), target))


@test
def no_tokens(ssmc):
    """Nothing to do, done: empty outputs, and the state as it came."""
    attempt = gated_delta_rule()
    attempt.inputs = {n: a[:, :0] for n, a in attempt.inputs.items()}
    state = np.random.default_rng(2).standard_normal((BATCH, HEADS, K, V)).astype(np.float32)
    attempt.states["S"] = state
    attempt.extra = ["--state-out", "S=state-out.npy"]
    o = attempt.is_accepted(ssmc)["o"]
    if o.shape != (BATCH, 0, HEADS, V):
        raise Mismatch(f"o has shape {o.shape}")
    agree("S", ssmc.load("state-out.npy"), state, 0)


@test
def no_batch(ssmc):
    """An empty batch may be computed or refused."""
    attempt = gated_delta_rule()
    attempt.inputs = {n: a[:0] for n, a in attempt.inputs.items()}
    outputs = attempt.is_either(ssmc)
    if outputs and outputs["o"].shape != (0, TOKENS, HEADS, V):
        raise Mismatch(f"o has shape {outputs['o'].shape}")


@test
def no_heads(ssmc):
    """An empty set of heads may be computed or refused."""
    attempt = gated_delta_rule()
    attempt.inputs = {n: a[:, :, :0] for n, a in attempt.inputs.items()}
    outputs = attempt.is_either(ssmc)
    if outputs and outputs["o"].shape != (BATCH, TOKENS, 0, V):
        raise Mismatch(f"o has shape {outputs['o'].shape}")


@test
def two_axes_for_one(ssmc):
    """An array with a second time axis, for a recurrence with one."""
    attempt = gated_delta_rule()
    attempt.inputs["g"] = np.zeros((BATCH, TOKENS, TOKENS, HEADS), np.float32)
    refused(ssmc, attempt.arguments(ssmc), "g")
