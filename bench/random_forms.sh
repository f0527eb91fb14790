#!/bin/sh
# Compares all forms and gradients of recurrences drawn at random with the reference, for as long as one likes:
#
#     bench/random_forms.sh SSMC [SEED [COUNT [FOLDER]]]
#
# The seed of each failure is printed with the declaration made small, which is also left in FOLDER/SEED.ssm.
set -e
root=$(dirname "$0")/..
exec python3 "$root/test/EndToEnd/random_forms.py" --ssmc "$1" --seed "${2:-1000000}" --count "${3:-1000}" \
  --keep "${4:-random-failures}" --shrink
