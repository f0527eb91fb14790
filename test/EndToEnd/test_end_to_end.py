"""The same tests as end_to_end.py and bad_input.py, for pytest."""

import bad_input
import end_to_end
from bad.attempt import TESTS
from ssmc_process import Ssmc

assert bad_input  # fills TESTS


def pytest_generate_tests(metafunc):
    tests = [*end_to_end.tests([]), *TESTS.items()]
    metafunc.parametrize("run", [run for _, run in tests], ids=[name for name, _ in tests])


def test(run, request, tmp_path):
    binary = request.config.getoption("--ssmc")
    assert binary, "say --ssmc PATH"
    run(Ssmc(binary.resolve(), tmp_path))
