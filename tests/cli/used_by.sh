dl prepare cifar10 ./cifar-10-batches-py
dl export resnet18 --format onnx
RUN=$(dl train cifar10 --model resnet18 --epochs 3 --quiet)      # stdout of train: the run's path, one line
dl eval "$RUN" --json | jq .metrics.accuracy
dl predict "$RUN" photos/*.jpg --jsonl > labels.jsonl
dl visualize features "$RUN" cat.png --layer layer2 --out features.png
dl eval "$RUN" --fail-under accuracy=0.9 || exit 1
