#!/usr/bin/env bash
# Two machines, four GPUs each, by torchrun alone. Run this on both; they need no shared disk, but the same prepared data
# and the same version of dl. The name of the first machine is the argument: bash two-machines.sh first-machine
set -euo pipefail

torchrun --nnodes "${NODES:-2}" --nproc-per-node "${GPUS:-4}" --max-restarts 3 \
    --rdzv-backend c10d --rdzv-endpoint "$1:29500" --rdzv-id dl \
    -m dlcli train cifar10 --model resnet18 --epochs 30 --name two-machines
