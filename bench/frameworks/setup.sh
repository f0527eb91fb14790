#!/usr/bin/env bash
# The frameworks that run.py measures, in a virtual environment outside the repository:
#
#   bench/frameworks/setup.sh [DIR [PIP OPTIONS …]]
#
# DIR is ${XDG_CACHE_HOME:-~/.cache}/ssmc-bench-frameworks by default. Prints the environment's Python. torch.compile
# needs a C++ compiler when it runs. Where the package of torch brings a GPU's libraries, an option such as
# --index-url can name an index with builds for the CPU alone.
set -euo pipefail
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/ssmc-bench-frameworks}
shift || true
command -v "${CXX:-c++}" >/dev/null || echo "setup.sh: no C++ compiler: torch.compile will fail, and PyTorch is measured eager" >&2
[[ -x $dir/bin/python ]] || python3 -m venv "$dir"
"$dir/bin/python" -m pip install --quiet "$@" torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 numpy >&2
echo "$dir/bin/python"
