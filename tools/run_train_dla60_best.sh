#!/usr/bin/env bash
# Trains DLA60_best as configs/DLA/DLA60_best.yaml says, on four GPUs; further arguments go to tools/train.py:
#   tools/run_train_dla60_best.sh -o Global.output_dir=output
# GPUS=0,1 takes others; without a GPU, GPUS= runs one process on the CPU.
set -euo pipefail
cd "$(dirname "$0")/.."

gpus=${GPUS-0,1,2,3}
if [ -z "$gpus" ]; then
    exec "${PYTHON:-python}" tools/train.py -c configs/DLA/DLA60_best.yaml "$@"
fi
exec "${PYTHON:-python}" -m paddle.distributed.launch --gpus "$gpus" tools/train.py -c configs/DLA/DLA60_best.yaml "$@"
