"""Declarations that are not well-formed. Each is refused with file, line, column, the source line and a caret."""

import re

from comparison import Mismatch

from .attempt import refused, test

FRAME = """recurrence r {{
  dim K, V
  in q[K], k[K], v[V], g
  state S[K, V]
{body}
}}
"""
UPDATE = "  S[i,j] = prev(S[i,j]) + k[i] * v[j]\n"
OUTPUT = "  out o[j] = sum[i](q[i] * S[i,j])"


def malformed(source, *culprits, line=None):
    """A test that the source is refused; `line` is that of the first error, if it has one."""

    def run(ssmc):
        (ssmc.folder / "spec.ssm").write_bytes(source if isinstance(source, bytes) else source.encode())
        result = refused(ssmc, ["spec.ssm", "--dims", "K=4,V=5", "--emit", "ssm"], "spec.ssm", *culprits)
        places = re.findall(r"spec\.ssm:(\d+):(\d+)", result.err)
        if line and not places:
            raise Mismatch(f"no spec.ssm:line:column in\n{result.err}")
        if line and int(places[0][0]) != line:
            raise Mismatch(f"first error on line {places[0][0]}, expected {line}, in\n{result.err}")
        if line and "^" not in result.err:
            raise Mismatch(f"no caret in\n{result.err}")

    return run


def named(name, source, *culprits, line=None):
    function = malformed(source, *culprits, line=line)
    function.__name__ = f"declaration_{name}"
    test(function)


def body(name, text, *culprits, line=5):
    named(name, FRAME.format(body=text), *culprits, line=line)


body("undefined_name", "  S[i,j] = prev(S[i,j]) + kk[i] * v[j]\n" + OUTPUT, "kk")
body("undefined_function", "  S[i,j] = frob(prev(S[i,j])) + k[i] * v[j]\n" + OUTPUT, "frob")
body("arity_of_function", "  S[i,j] = exp(g, g) * prev(S[i,j]) + k[i] * v[j]\n" + OUTPUT, "exp")
body("undefined_state", "  S[i,j] = prev(T[i,j]) + k[i] * v[j]\n" + OUTPUT, "T")
body("state_defined_twice", UPDATE + UPDATE + OUTPUT, "S", line=6)
body("let_defined_twice", "  let a = exp(g)\n  let a = g\n" + UPDATE + OUTPUT, "a", line=6)
body("name_of_an_input_defined", "  let k[i] = q[i]\n" + UPDATE + OUTPUT, "k")
body("state_never_defined", OUTPUT, "S", line=4)
body("assignment_to_no_state", UPDATE + "  T[i,j] = S[i,j]\n" + OUTPUT, "T", line=6)
body("index_over_two_dims", "  S[i,j] = prev(S[i,j]) + k[i] * v[i]\n" + OUTPUT, "i")
body("index_twice_on_the_left", "  S[i,i] = prev(S[i,i]) + g\n" + OUTPUT, "i")
body("index_not_bound", "  S[i,j] = prev(S[i,j]) + k[l] * v[j]\n" + OUTPUT, "l")
body("output_index_without_a_dim", UPDATE + "  out o[l] = g", "l", line=6)
body("sum_over_unused_index", "  S[i,j] = prev(S[i,j]) + sum[l](g)\n" + OUTPUT, "l")
body("rank_too_low", "  S[i,j] = prev(S[i]) + k[i] * v[j]\n" + OUTPUT, "S")
body("rank_too_high", "  S[i,j] = prev(S[i,j]) + k[i,j] * v[j]\n" + OUTPUT, "k")
body("rank_on_the_left", "  S[i] = k[i]\n" + OUTPUT, "S")
body("cyclic_let", "  let a = b + g\n  let b = a + g\n" + UPDATE + OUTPUT, "a", "b")
body("state_of_the_same_step", "  S[i,j] = S[i,j] + k[i] * v[j]\n" + OUTPUT, "S")
body("next_and_prev_of_one_state", "  S[i,j] = prev(S[i,j]) + next(S[i,j]) + k[i] * v[j]\n" + OUTPUT, "S", "next")
body("lag_of_zero", "  S[i,j] = prev(S[i,j], 0) + k[i] * v[j]\n" + OUTPUT, "0")
body("lag_huge", "  S[i,j] = prev(S[i,j], 99999999999999999999) + k[i] * v[j]\n" + OUTPUT, "99999999999999999999")
body("unknown_time_axis", "  S[i,j] = prev(S[i,j], x) + k[i] * v[j]\n" + OUTPUT, "x")
body("complex_into_real", "  S[i,j] = cis(g) * prev(S[i,j]) + k[i] * v[j]\n" + OUTPUT, "S")
body("order_of_complex", "  S[i,j] = max(cis(g), prev(S[i,j])) + k[i] * v[j]\n" + OUTPUT, "max")
body("missing_operand", "  S[i,j] = prev(S[i,j]) +\n" + OUTPUT)
body("missing_parenthesis", "  S[i,j] = exp(g * prev(S[i,j]) + k[i] * v[j]\n" + OUTPUT)
body("missing_bracket", "  S[i,j = prev(S[i,j]) + k[i] * v[j]\n" + OUTPUT)
body("unknown_character", "  S[i,j] = prev(S[i,j]) + k[i] $ v[j]\n" + OUTPUT, "$")
body("number_with_two_points", "  S[i,j] = 1.2.3 * prev(S[i,j]) + k[i] * v[j]\n" + OUTPUT)
body("number_beyond_double", "  S[i,j] = 1e999 * prev(S[i,j]) + k[i] * v[j]\n" + OUTPUT, "1e999")
body("fold_without_body", "  S[i,j] = fold[s](M = S)\n" + OUTPUT, line=5)

named("unknown_dim", "recurrence r {\n  dim K\n  in q[K], v[W]\n  out o = sum[i](q[i])\n}\n", "W", line=3)
named("dim_twice", "recurrence r {\n  dim K, K\n  in q[K]\n  out o = sum[i](q[i])\n}\n", "K", line=2)
named("dim_default_zero", "recurrence r {\n  dim K = 0\n  in q[K]\n  out o = sum[i](q[i])\n}\n", "K", line=2)
named("unknown_scope", "recurrence r {\n  dim K\n  in(team) q[K]\n  out o = sum[i](q[i])\n}\n", "team", line=3)
named("unknown_type", "recurrence r {\n  in g : quaternion\n  out o = g\n}\n", "quaternion", line=2)
named("missing_name", "recurrence {\n  dim K\n}\n", line=1)
named("not_closed", "recurrence r {\n  dim K\n  in q[K]\n  out o = sum[i](q[i])\n", "}", line=4)
named("closed_twice", "recurrence r {\n  dim K\n  in q[K]\n  out o = sum[i](q[i])\n}\n}\n", "}", line=6)
named("two_of_one_name", 2 * "recurrence r {\n  dim K\n  in q[K]\n  out o = sum[i](q[i])\n}\n", "r", line=6)
named("recursive_def", "def f(x) = f(x) + 1\nrecurrence r {\n  in g\n  out o = f(g)\n}\n", "f", line=1)
named("text_of_another_language", "import numpy as np\nprint(np.zeros(3))\n", line=1)
named("empty", "")
named("only_a_comment", "// nothing here\n")
named("binary", bytes(range(256)) * 8, line=1)
named("not_utf8", b"recurrence r {\n  in g\n  out \xff\xfe = g\n}\n", line=3)
named("nul_byte", b"recurrence r {\n  in g\n  out o = g\0 + 1\n}\n", line=3)
for name, before, after in (("nested", "(", ")"), ("negated", "-", "")):
    deep = before * 200_000 + "g" + after * 200_000
    named(f"{name}_beyond_reason", f"recurrence r {{\n  in g\n  out o = {deep}\n}}\n", line=3)


@test
def declaration_several_errors(ssmc):
    """All errors of a file in one run, in the order of the lines."""
    text = "  let a = foo(g)\n  S[i,j] = prev(S[i,j]) + k[l] * v[j]\n  out o[j] = sum[i](bar[i] * S[i,j])"
    (ssmc.folder / "spec.ssm").write_text(FRAME.format(body=text))
    result = refused(ssmc, ["spec.ssm", "--dims", "K=4,V=5", "--emit", "ssm"], "foo", "l", "bar")
    lines = [int(line) for line in re.findall(r"spec\.ssm:(\d+):\d+: error", result.err)]
    if lines != [5, 6, 7]:
        raise Mismatch(f"errors on lines {lines}, expected [5, 6, 7], in\n{result.err}")


@test
def declaration_missing(ssmc):
    refused(ssmc, ["nowhere.ssm", "--dims", "K=4", "--emit", "ssm"], "nowhere.ssm")


@test
def declaration_is_a_folder(ssmc):
    (ssmc.folder / "folder.ssm").mkdir()
    refused(ssmc, ["folder.ssm", "--dims", "K=4", "--emit", "ssm"], "folder.ssm")


@test
def declaration_with_crlf(ssmc):
    """Line ends of another system are no error."""
    (ssmc.folder / "spec.ssm").write_bytes(FRAME.format(body=UPDATE + OUTPUT).replace("\n", "\r\n").encode())
    result = ssmc("spec.ssm", "--dims", "K=4,V=5", "--emit", "ssm", "-o", "out.mlir")
    if result.code != 0:
        raise Mismatch(f"exit code {result.code}\n{result.err}")
