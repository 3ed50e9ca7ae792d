#!/usr/bin/env bash
# Trains DLA60 as configs/DLA/DLA60.yaml says, on four GPUs; further arguments go to tools/train.py:
#   tools/run_train_dla60.sh -o Global.output_dir=output
# GPUS=0,1 takes others, GPUS= the CPU; see tools/run_train.sh.
exec "$(dirname "$0")/run_train.sh" configs/DLA/DLA60.yaml "$@"
