#!/usr/bin/env bash
# Forward and backward together beside the forward pass alone, as a table: bench/cpu/gradients.sh [SSMC] [DTYPE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ssmc=${1:-build/bin/ssmc} dtype=${2:-f32}
echo "| recurrence | form | forward ms | forward and backward ms (quartiles) | ratio |"
echo "|---|---|---|---|---|"
row() {
  local name=$1 dims=$2 heads=$3
  "$ssmc" bench "zoo/$name.ssm" --dims "$dims" --batch 1 --heads "$heads" --time 1024 --threads 1 --repeat 9 \
    --dtype "$dtype" --form chunked --chunk 32 --grad 2>/dev/null |
    awk -v name="$name" '/^with grad/ { grad = 1; next }
      /^chunked/ && !grad { forward = $3 }
      /^chunked/ && grad { printf "| %s | chunked 32 | %s | %s (%s–%s) | %s |\n", name, forward, $3, $5, $6, $8 }'
}
for name in gated_delta_rule kda gla rwkv6 rwkv7 deltanet retnet; do row "$name" K=128,V=128 16; done
row mamba2 P=64,N=128 24
