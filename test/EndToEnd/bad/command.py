"""Command lines that are wrong, and outputs that cannot be written."""

import os

import numpy as np

from comparison import Mismatch

from .attempt import HEADS, BATCH, K, V, gated_delta_rule, refused, test, zeros


def spoilt(change, *culprits):
    """A test that the gated delta rule, changed, is refused."""

    def run(ssmc):
        attempt = gated_delta_rule()
        change(attempt)
        attempt.is_refused(ssmc, *culprits)

    return run


def named(name, change, *culprits):
    function = spoilt(change, *culprits)
    function.__name__ = name
    test(function)


def flags(*extra):
    return lambda attempt: attempt.extra.extend(extra)


def dims(text):
    def change(attempt):
        attempt.dims = {}
        attempt.extra += ["--dims", text]

    return change


def scan_of_large_matrices(*extra):
    """The scan form takes a matrix of K rows each step, up to 256."""

    def change(attempt):
        attempt.dims["K"] = 300
        attempt.inputs.update(q=zeros(300), k=zeros(300))
        attempt.extra += ["--form", "scan", *extra]

    return change


named("input_missing", lambda a: a.inputs.pop("k"), "k")
named("input_unknown", lambda a: a.inputs.update(kk=zeros(K)), "kk")
named("input_twice", flags("--in", "k=in-k.npy"), "k")
named("input_is_an_output", lambda a: a.inputs.update(o=zeros(V)), "o")
named("input_is_a_state", lambda a: a.inputs.update(S=np.zeros((BATCH, HEADS, K, V), np.float32)), "S")
named("input_without_path", flags("--in", "k"), "k")
named("input_with_empty_path", flags("--in", "k="), "k")
named("input_with_empty_name", flags("--in", "=in-k.npy"), "=in-k.npy")
named("output_unknown", lambda a: a.outputs.append("p"), "p")
named("output_twice", flags("--out", "o=other.npy"), "o")
named("outputs_on_one_path", flags("--state-out", "S=out-o.npy"), "out-o.npy")
named("state_unknown", lambda a: a.states.update(R=np.zeros((BATCH, HEADS, K, V), np.float32)), "R")
named("state_out_unknown", flags("--state-out", "R=R.npy"), "R")

REFERENCE = ("--target", "reference", "--cotangent", "o=in-v.npy")
named("cotangent_unknown", flags(*REFERENCE, "--cotangent", "p=in-v.npy"), "p")
named("cotangent_of_an_input", flags(*REFERENCE, "--cotangent", "q=in-q.npy"), "q")
named("cotangent_twice", flags(*REFERENCE, "--cotangent", "o=in-v.npy"), "o")
named("cotangent_without_path", flags("--target", "reference", "--cotangent", "o"), "o")
named("gradient_unknown", flags(*REFERENCE, "--grad-out", "p=p.npy"), "p")
named("gradient_of_an_output", flags(*REFERENCE, "--grad-out", "o=o.npy"), "o")
named("gradient_of_a_state_not_given", flags(*REFERENCE, "--grad-out", "S=dS.npy"), "S", "--state-in")
named("gradient_twice", flags(*REFERENCE, "--grad-out", "q=dq.npy", "--grad-out", "q=dq2.npy"), "q")
named("gradients_on_one_path", flags(*REFERENCE, "--grad-out", "q=d.npy", "--grad-out", "k=d.npy"), "d.npy")
named("gradient_on_the_path_of_an_output", flags(*REFERENCE, "--grad-out", "q=out-o.npy"), "out-o.npy")
named("gradient_in_no_folder", flags(*REFERENCE, "--grad-out", "q=nowhere/q.npy"), "nowhere/q.npy")
named("gradient_without_cotangent", flags("--target", "reference", "--grad-out", "q=dq.npy"), "--cotangent")
named("gradient_without_cotangent_on_cpu", flags("--grad-out", "q=dq.npy"), "--cotangent")
named("gradient_of_a_form_that_does_not_exist",
      scan_of_large_matrices("--cotangent", "o=in-v.npy", "--grad-out", "q=dq.npy"), "scan", "300")


@test
def gradient_when_checking(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, ["check", spec, "--cotangent", "o=in-v.npy"], "--cotangent")


@test
def gradient_of_a_truth_value(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1].parents[1] / "test/EndToEnd/declarations/reset_attention.ssm"
    refused(ssmc, ["run", spec, "--dims", f"K={K},V={V}", "--time", "3", "--target", "reference",
                   "--cotangent", f"o={ssmc.save('do', zeros(V))}", "--grad-out", "reset=dr.npy"], "reset")


@test
def gradient_of_the_border_of_a_plane(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1].parents[1] / "zoo/mamba2d.ssm"
    for option in ("--cotangent", "--grad-out"):
        refused(ssmc, ["run", spec, "--dims", f"P={V},N={K}", "--target", "reference",
                       "--cotangent", f"o={ssmc.save('do', zeros(V))}", option, "h=h.npy"], "h")


@test
def gradient_that_is_too_large(ssmc):
    """The states of all steps do not fit what the reference keeps."""
    spec = gated_delta_rule().arguments(ssmc)[1]
    state = np.zeros((1, 1, 1024, 1024), np.float32)
    refused(ssmc, ["run", spec, "--dims", "K=1024,V=1024", "--batch", "1", "--heads", "1", "--time", "1025",
                   "--target", "reference", "--cotangent", f"S={ssmc.save('dS', state)}"], "gradient", "GiB")


named("dims_missing", lambda a: a.dims.clear(), "K")
named("dims_missing_one", lambda a: a.dims.pop("V"), "V")
named("dims_unknown", lambda a: a.dims.update(W=3), "W")
named("dims_twice", dims("K=4,V=5,K=6"), "K")
named("dims_zero", lambda a: a.dims.update(K=0), "K", "0")
named("dims_negative", lambda a: a.dims.update(K=-4), "K", "-4")
named("dims_fraction", lambda a: a.dims.update(K="4.5"), "K", "4.5")
named("dims_no_number", lambda a: a.dims.update(K="four"), "K", "four")
named("dims_without_value", dims("K,V=5"), "K")
named("dims_empty_value", dims("K=,V=5"), "K")
named("dims_huge", lambda a: a.dims.update(K=1 << 40), "K")
named("dims_whose_product_overflows", lambda a: a.dims.update(K=1 << 32, V=1 << 32), "K")
named("dims_beyond_64_bits", lambda a: a.dims.update(K=10**30), "K")

named("target_unknown", flags("--target", "abacus"), "abacus")
named("dtype_unknown", flags("--dtype", "f33"), "f33")
named("form_unknown", flags("--form", "circular"), "circular")
named("option_unknown", flags("--frobnicate"), "--frobnicate")
named("option_without_value", flags("--dtype"), "--dtype")
named("chunk_of_zero", flags("--chunk", "0"), "--chunk", "0")
named("chunk_too_large", flags("--chunk", "5000"), "--chunk", "5000")
named("chunk_no_number", flags("--chunk", "x"), "--chunk", "x")
named("scan_of_large_matrices", scan_of_large_matrices(), "scan", "300", "256")


@test
def dims_huge_with_reference(ssmc):
    attempt = gated_delta_rule()
    attempt.dims = {"K": 1 << 40, "V": 1 << 40}
    attempt.extra = ["--target", "reference"]
    attempt.is_refused(ssmc, "K")


@test
def dims_huge_when_compiling(ssmc):
    """Sizes whose state cannot exist are refused before anything is allocated or unrolled."""
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, [spec, "--dims", f"K={1 << 40},V={1 << 40}", "--emit", "obj", "-o", "out.o"], "K")


@test
def dims_unbound_when_compiling(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, [spec, "--emit", "obj", "-o", "out.o"], "K", "V")


@test
def form_that_does_not_exist(ssmc):
    """A nonlinear step has no chunked form."""
    attempt = gated_delta_rule()
    spec = attempt.arguments(ssmc)[1].parents[1] / "test/EndToEnd/declarations/dense_gru.ssm"
    inputs = [a for n in ("xz", "xr", "xh") for a in ("--in", f"{n}={ssmc.save(n, zeros(K))}")]
    matrix = np.zeros((HEADS, K, K), np.float32)
    params = [a for n in ("Uz", "Ur", "Uh") for a in ("--in", f"{n}={ssmc.save(n, matrix)}")]
    refused(ssmc, ["run", spec, "--dims", f"D={K}", "--form", "chunked", *inputs, *params, "--out", "o=out.npy"],
            "chunked")


@test
def no_arguments(ssmc):
    refused(ssmc, [])


@test
def command_without_declaration(ssmc):
    refused(ssmc, ["run"])


@test
def emit_unknown(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, [spec, "--dims", "K=4,V=5", "--emit", "fortran"], "fortran")


named("segments_none", flags("--segments", "0"), "--segments", "0")
named("segments_many", flags("--segments", "70000"), "--segments", "70000")
named("segments_word", flags("--segments", "two"), "--segments", "two")
named("segments_of_the_reference", flags("--segments", "2", "--target", "reference"), "--segments", "reference")
named("segments_of_a_form_that_does_not_exist", scan_of_large_matrices("--segments", "2"), "scan", "300")


@test
def segments_when_compiling(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, [spec, "--dims", "K=4,V=5", "--emit", "form", "--segments", "2"], "--segments")


@test
def summaries_of_a_declaration(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, [spec, "--dims", "K=4,V=5", "--emit", "normal", "--summaries"], "--summaries", "form")


@test
def segments_of_a_plane(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1].with_name("mamba2d.ssm")
    for command in ("run", "check", "bench"):
        refused(ssmc, [command, spec, "--dims", "P=4,N=5", "--segments", "2"], "mamba2d", "segments", "two time axes")
    refused(ssmc, [spec, "--dims", "P=4,N=5", "--emit", "form", "--summaries"], "mamba2d", "two time axes")


@test
def segments_of_a_nonlinear_state(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1].parents[1] / "test/EndToEnd/declarations/dense_gru.ssm"
    for command in ("run", "check", "bench"):
        refused(ssmc, [command, spec, "--dims", "D=4", "--segments", "2"], "dense_gru", "segments", "'h'")


def _unwritable(path, *culprits):
    def change(attempt):
        attempt.paths["o"] = path

    return spoilt(change, *culprits)


@test
def output_in_no_folder(ssmc):
    _unwritable("nowhere/o.npy", "nowhere/o.npy")(ssmc)


@test
def output_is_a_folder(ssmc):
    (ssmc.folder / "folder").mkdir()
    _unwritable("folder", "folder")(ssmc)
    if any((ssmc.folder / "folder").iterdir()):
        raise Mismatch("left something in the folder")


@test
def output_below_a_file(ssmc):
    (ssmc.folder / "file").write_text("mine")
    _unwritable("file/o.npy", "file/o.npy")(ssmc)


@test
def output_on_a_full_disk(ssmc):
    """The header still fits, the data no longer does."""
    gated_delta_rule().is_refused(ssmc, "out-o.npy", file_size=130)


@test
def output_in_folder_without_permission(ssmc):
    if os.geteuid() == 0:
        return  # everything is permitted
    (ssmc.folder / "locked").mkdir(mode=0o500)
    _unwritable("locked/o.npy", "locked/o.npy")(ssmc)


@test
def second_output_cannot_be_written(ssmc):
    """Either of two outputs fails: nothing is left of the other, and a file that was there is as it was."""
    (ssmc.folder / "old.npy").write_bytes(b"as it was")
    attempt = gated_delta_rule()
    attempt.paths["o"] = "old.npy"
    attempt.extra = ["--state-out", "S=nowhere/S.npy"]
    attempt.is_refused(ssmc, "nowhere/S.npy")
    if (ssmc.folder / "old.npy").read_bytes() != b"as it was":
        raise Mismatch("old.npy was overwritten though the run failed")


@test
def object_cannot_be_written(ssmc):
    spec = gated_delta_rule().arguments(ssmc)[1]
    refused(ssmc, [spec, "--dims", "K=4,V=5", "--emit", "obj", "-o", "nowhere/out.o"], "nowhere/out.o")
