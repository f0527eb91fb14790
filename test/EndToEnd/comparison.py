"""How arrays are compared: RMS(x - reference) / RMS(reference). A NaN fails; infinities must be the same ones."""

import numpy as np


class Mismatch(Exception):
    pass


def agree(name, x, reference, bound):
    """The error of `x`, or a Mismatch that says what is wrong with it."""
    if x.shape != reference.shape:
        raise Mismatch(f"{name}: shape {x.shape}, expected {reference.shape}")
    if x.dtype.kind != reference.dtype.kind:
        raise Mismatch(f"{name}: dtype {x.dtype}, expected one like {reference.dtype}")
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    x, reference = x.astype(wide), reference.astype(wide)

    for what, array in ((name, x), (f"reference of {name}", reference)):
        nan = np.isnan(array)
        if nan.any():
            raise Mismatch(f"{what}: {nan.sum()} of {array.size} are NaN, first at {_first(nan)}")
    finite = np.isfinite(reference)
    strange = (np.isfinite(x) != finite) | (~finite & (x != reference))
    if strange.any():
        raise Mismatch(f"{name}: infinities differ, first at {_first(strange)}")

    off = np.abs(np.where(finite, x, 0) - np.where(finite, reference, 0))
    size = _rms(np.abs(reference[finite]))
    error = _rms(off[finite]) / size if size else float(off.any() and np.inf)
    if not error <= bound:
        at = _first(off == off.max())
        raise Mismatch(f"{name}: error {error:.2e} over {bound:.0e}, "
                       f"worst at {at}: {x[at]:.9g}, expected {reference[at]:.9g}")
    return error


def _rms(x):
    return np.sqrt(np.mean(x * x)) if x.size else 0.0


def _first(where):
    return tuple(int(i) for i in np.argwhere(where)[0])
