#!/usr/bin/env bash
# Hugging Face's accelerate starts the processes, here as on the first of two machines; the second has --machine_rank 1.
set -euo pipefail

accelerate launch --multi_gpu --mixed_precision no --num_machines "${NODES:-2}" --num_processes "${PROCESSES:-8}" \
    --machine_rank "${MACHINE:-0}" --main_process_ip "$1" --main_process_port 29500 \
    --module dlcli train cifar10 --model resnet18 --epochs 30 --name accelerated
