"""Packed sequences whose offsets do not fit the arrays or each other, and none at all."""

import numpy as np

from comparison import Mismatch, agree

from .attempt import HEADS, TOKENS, K, V, gated_delta_rule, refused, test


def with_offsets(ssmc, offsets, batch=None):
    """The gated delta rule on packed sequences, or on a batch of them."""
    attempt = gated_delta_rule()
    attempt.extra = ["--cu-seqlens", ssmc.save("cu", offsets) if isinstance(offsets, np.ndarray) else offsets]
    if batch:
        attempt.inputs = {name: np.concatenate([array] * batch) for name, array in attempt.inputs.items()}
    return attempt


def spoilt(name, offsets, *culprits, **options):
    def run(ssmc):
        with_offsets(ssmc, offsets, **options).is_refused(ssmc, "--cu-seqlens", *culprits)

    run.__name__ = f"offsets_{name}"
    test(run)


def integers(*values, dtype=np.int32):
    return np.array(values, dtype)


spoilt("not_rising", integers(0, 2, 1, TOKENS), "goes down from 2 to 1", "index 2")
spoilt("negative", integers(0, -1, TOKENS, dtype=np.int64), "goes down from 0 to -1")
spoilt("not_from_zero", integers(1, TOKENS), "starts at 1")
spoilt("ending_early", integers(0, TOKENS - 1), f"ends at {TOKENS - 1}", f"{TOKENS} steps")
spoilt("ending_late", integers(0, 2, TOKENS + 1, dtype=np.int64), f"ends at {TOKENS + 1}", f"{TOKENS} steps")
spoilt("ending_beyond_memory", integers(0, 1 << 62, dtype=np.int64), f"ends at {1 << 62}")
spoilt("of_rank_zero", np.array(0, np.int32), "shape []")
spoilt("of_rank_two", integers(0, TOKENS).reshape(1, 2), "shape [1, 2]")
spoilt("empty", integers(), "empty")
spoilt("of_floats", integers(0, TOKENS, dtype=np.float32), "float32")
spoilt("of_short_integers", integers(0, TOKENS, dtype=np.int16), "int16")
spoilt("of_unsigned_integers", integers(0, TOKENS, dtype=np.uint32), "uint32")
spoilt("missing", "nowhere.npy", "nowhere.npy")
spoilt("of_a_batch", integers(0, TOKENS), "batch of 1", "not of 2", batch=2)


def spoilt_by_options(name, *options, culprits):
    def run(ssmc):
        path = ssmc.save("cu", integers(0, TOKENS))
        spec = gated_delta_rule().arguments(ssmc)[1]
        refused(ssmc, ["run", spec, "--dims", f"K={K},V={V}", "--cu-seqlens", path, *options, "--out", "o=o.npy"],
                "--cu-seqlens", *culprits)

    run.__name__ = f"offsets_{name}"
    test(run)


spoilt_by_options("with_another_batch", "--batch", "4", culprits=("not of 4",))
spoilt_by_options("with_another_time", "--time", "7", culprits=(f"ends at {TOKENS}", "7 steps"))
spoilt_by_options("twice", "--cu-seqlens", "cu.npy", culprits=("twice",))


@test
def offsets_with_two_time_axes(ssmc):
    path = ssmc.save("cu", integers(0, TOKENS))
    spec = gated_delta_rule().arguments(ssmc)[1].with_name("mamba2d.ssm")
    for target in ("cpu", "reference"):
        refused(ssmc, ["run", spec, "--dims", f"P={V},N={K}", "--cu-seqlens", path, "--target", target, "--out",
                       "o=o.npy"], "--cu-seqlens", "two time axes", "mamba2d")


@test
def offsets_beyond_memory(ssmc):
    """Refused before anything is allocated, though no array contradicts them."""
    path = ssmc.save("cu", integers(0, 1 << 50, dtype=np.int64))
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, ["run", spec, "--dims", f"K={K},V={V}", "--cu-seqlens", path, "--out", "o=o.npy"])


@test
def states_of_too_few_sequences(ssmc):
    attempt = with_offsets(ssmc, integers(0, 1, TOKENS))
    attempt.states["S"] = np.zeros((1, HEADS, K, V), np.float32)
    attempt.is_refused(ssmc, "S", "--cu-seqlens", "1 for the 2 sequences")


@test
def no_sequences(ssmc):
    """Nothing to do, done."""
    for target in ("cpu", "reference"):
        attempt = with_offsets(ssmc, integers(0))
        attempt.inputs = {n: a[:, :0] for n, a in attempt.inputs.items()}
        attempt.extra += ["--state-out", "S=state-out.npy", "--target", target]
        o = attempt.is_accepted(ssmc)["o"]
        S = ssmc.load("state-out.npy")
        if o.shape != (1, 0, HEADS, V) or S.shape != (0, HEADS, K, V):
            raise Mismatch(f"o has shape {o.shape}, S {S.shape}")


@test
def only_empty_sequences(ssmc):
    """The states as they came."""
    for target in ("cpu", "reference"):
        attempt = with_offsets(ssmc, integers(0, 0, 0, 0))
        attempt.inputs = {n: a[:, :0] for n, a in attempt.inputs.items()}
        state = np.random.default_rng(3).standard_normal((3, HEADS, K, V)).astype(np.float32)
        attempt.states["S"] = state
        attempt.extra += ["--state-out", "S=state-out.npy", "--target", target]
        o = attempt.is_accepted(ssmc)["o"]
        if o.shape != (1, 0, HEADS, V):
            raise Mismatch(f"o has shape {o.shape}")
        agree("S", ssmc.load("state-out.npy"), state.astype(ssmc.load("state-out.npy").dtype), 0)
