"""Gives ssmc what it must refuse, and what looks bad but must be computed.

    python3 bad_input.py --ssmc PATH [--filter PATTERN] [--keep FOLDER]
"""

import sys
from fnmatch import fnmatchcase

import bad.command  # these four fill the table
import bad.data
import bad.declaration
import bad.packed
from bad.attempt import TESTS
from end_to_end import arguments, run_tests


def main():
    options = arguments(__doc__).parse_args()
    selected = [(name, function) for name, function in TESTS.items() if fnmatchcase(name, options.filter)]
    return run_tests(selected, options.ssmc.resolve(), options.keep)


if __name__ == "__main__":
    sys.exit(main())
