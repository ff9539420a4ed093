#!/usr/bin/env bash
# From a folder of images by class to a served int8 model; as a job of CI it fails where the model is worse than asked.
set -euo pipefail
dl prepare image-folder "${1:?a folder with one folder of images for each class}" --out data/own --quiet
RUN=$(dl train ./data/own --model "${2:-efficientnet_lite0}" --budget "${BUDGET:-10m}" --quiet)
dl eval "$RUN" --fail-under accuracy="${LEAST:-0.8}" --quiet
MODEL=$(dl export "$RUN" --quantize int8 --max-drop 0.02 --quiet)
dl benchmark "$RUN" "$MODEL" --batch-sizes 1 --rounds 3
dl serve own="$MODEL" --port "${PORT:-8000}" & trap 'kill $!' EXIT
until curl -sf "localhost:${PORT:-8000}/ready"; do sleep 0.2; done
curl -sf -F file=@"$(find "$1" -type f | head -n 1)" "localhost:${PORT:-8000}/predict"
