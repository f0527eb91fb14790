"""Runs every recurrence through ssmc and compares with an independent NumPy step.

    python3 end_to_end.py --ssmc PATH [--filter PATTERN] [--keep FOLDER] [NAME...]

NAMEs are recurrences, all of them if none is given. A test is called NAME.CHECK; --filter takes a shell pattern
for that. --keep leaves the arrays of each test in FOLDER/TEST. Exit code 1 if a test failed.
"""

import argparse
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import checks
from cases import registry
from comparison import Mismatch
from ssmc_process import in_new_folder


def tests(names):
    """Pairs (test name, function of an Ssmc)."""
    table = registry.load()
    for name in names or table:
        for check, function in checks.of(table[name]).items():
            yield f"{name}.{check}", lambda ssmc, case=table[name], function=function: function(case, ssmc)


def run_tests(selected, binary, keep=None):
    failed = passed = 0
    for name, function in selected:
        try:
            with in_new_folder(binary, keep and keep / name) as ssmc:
                function(ssmc)
        except (Mismatch, OSError, ValueError, subprocess.TimeoutExpired) as problem:
            failed += 1
            print(f"{name} ... FAILED", *f"{problem}".splitlines(), sep="\n  ", flush=True)
        else:
            passed += 1
            print(f"{name} ... ok", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", type=Path, required=True, help="the binary")
    parser.add_argument("--filter", default="*", help="only tests whose name matches this shell pattern")
    parser.add_argument("--keep", type=Path, help="leave the arrays of each test in this folder")
    return parser


def main():
    parser = arguments(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="recurrences")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in registry.load()]
    if unknown:
        parser.error(f"no test case for {', '.join(unknown)}")
    selected = [test for test in tests(options.names) if fnmatchcase(test[0], options.filter)]
    return run_tests(selected, options.ssmc.resolve(), options.keep)


if __name__ == "__main__":
    sys.exit(main())
