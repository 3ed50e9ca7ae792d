#!/usr/bin/env bash
# Evaluates the best weights of tools/run_train_dla60_best.sh; further arguments go to tools/eval.py.
set -euo pipefail
cd "$(dirname "$0")/.."

exec "${PYTHON:-python}" tools/eval.py -c configs/DLA/DLA60_best.yaml \
    -o Global.pretrained_model=output/DLA60/best_model "$@"
