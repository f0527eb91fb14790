"""Lets pytest collect the end-to-end tests: pytest test/EndToEnd --ssmc PATH."""

from pathlib import Path


def pytest_addoption(parser):
    parser.addoption("--ssmc", type=Path, help="the ssmc binary under test")
