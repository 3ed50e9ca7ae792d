#!/usr/bin/env bash
# Trains as a configuration says, a process a GPU, on four GPUs or the fewer that there are; further arguments go to
# tools/train.py:
#   tools/run_train.sh configs/DLA/DLA60.yaml -o Global.output_dir=output
# GPUS=0,1 takes others; GPUS= runs one process on the CPU, and so does a machine without a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

config=$1
shift
python=${PYTHON:-python}
if [ -z "${GPUS+given}" ]; then
    GPUS=0,1,2,3
    count=$({ nvidia-smi --list-gpus 2>/dev/null || true; } | grep -c '^GPU ' || true)
    if [ "$count" -eq 0 ]; then
        GPUS=
        echo "nvidia-smi finds no GPU, so one process trains on the CPU; GPUS=0,1 would take two all the same" >&2
    elif [ "$count" -lt 4 ]; then
        GPUS=${GPUS:0:2*count-1}
        echo "nvidia-smi finds $count of four GPUs, so there are as many processes, on $GPUS" >&2
    fi
fi
if [ -z "$GPUS" ]; then
    exec "$python" tools/train.py -c "$config" -o Global.device=cpu "$@"
fi
exec "$python" -m paddle.distributed.launch --gpus "$GPUS" tools/train.py -c "$config" "$@"
