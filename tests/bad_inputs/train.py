"""Bad command lines of `dl train`."""

from __future__ import annotations

from bad_inputs.arrange import (
    DATA,
    QUICK,
    RUN,
    RUN_CODE,
    USAGE,
    Row,
    change_info,
    cut_checkpoints,
    damage,
    fill_disk,
    prepare_csv,
    prepare_photos,
    prepare_texts,
    without_cuda,
)
from dlcli.core.errors import ExitCode

TRAIN = {
    "no target": Row("train", USAGE, "which target?"),
    "target misspelt": Row("train digts", USAGE, "'digits'"),
    "not prepared": Row("train cifar10", DATA, "`dl prepare cifar10 SOURCE`"),
    "--data missing": Row("train digits --data nowhere", DATA, "nowhere: no prepared data"),
    "model misspelt": Row(f"train digits {QUICK} --model lenett", USAGE, "'lenet'", lambda b: b.digits()),
    "norm of a network without": Row(
        f"train digits {QUICK} --norm group", USAGE, "lenet has a fixed norm", lambda b: b.digits()
    ),
    "activation of a library's network": Row(
        "train digits --model resnet18 --activation silu", USAGE, "choose vgg or resnet", lambda b: b.digits()
    ),
    "callback of no package": Row(
        f"train digits {QUICK} --callback nothing", USAGE, "no callback 'nothing'", lambda b: b.digits()
    ),
    "callback without a name": Row("train digits --callback a,,b", USAGE, "empty name"),
    "norm misspelt": Row("train digits --norm bach", USAGE, "'batch'"),
    "option misspelt": Row("train digits --epoch 3", USAGE, "--epochs"),
    "value of another type": Row("train digits --epochs many", USAGE, "--epochs"),
    "value out of range": Row("train digits --epochs 0", USAGE, "--epochs must be at least 1"),
    "value not finite": Row("train digits --lr nan", USAGE, "--lr must be a finite number"),
    "loss misspelt": Row("train digits --loss focall", USAGE, "no 'focall'"),
    "margin of no angle": Row("train digits --loss arcface:9", USAGE, "margin must be at least 0 and at most 1.5"),
    "distillation without a teacher": Row(
        f"train digits {QUICK} --distill 4,0.9", USAGE, "--distill needs --teacher", lambda b: b.digits()
    ),
    "weight of a teacher": Row("train digits --distill 4,2", USAGE, "weight must be at least 0 and at most 1"),
    "teacher that is none": Row(
        f"train digits {QUICK} --teacher none", RUN_CODE, "no run 'none'", lambda b: b.digits()
    ),
    "choice misspelt": Row("train digits --optimizer adamm", USAGE, "'adam'"),
    "config missing": Row("train digits --config none.toml", USAGE, "none.toml"),
    "config broken": Row(
        "train digits --config c.toml", USAGE, "not a TOML file", lambda b: b.write("c.toml", "a = [")
    ),
    "config not text": Row(
        "train digits --config c.toml", USAGE, "not a TOML", lambda b: b.write("c.toml", b"\xff\xfe")
    ),
    "config with an unknown key": Row(
        "train digits --config c.toml", USAGE, "'epochs'", lambda b: b.write("c.toml", "epoch = 3")
    ),
    "config with another type": Row(
        "train digits --config c.toml", USAGE, "c.toml: epochs must be", lambda b: b.write("c.toml", 'epochs = "3"')
    ),
    "config with a table": Row(
        "train digits --config c.toml", USAGE, "[train] is a table", lambda b: b.write("c.toml", "[train]\nepochs = 3")
    ),
    "one class": Row(f"train src {QUICK}", DATA, "needs two", lambda b: b.photos("src", ("cat",))),
    "empty folder": Row(f"train src {QUICK}", DATA, "src", lambda b: (b.home / "src").mkdir()),
    "card that is no JSON": Row("train photos", DATA, "not JSON", lambda b: b.write("data/photos/dataset.json", "{")),
    "card without classes": Row(
        "train photos", DATA, "not a dataset card", lambda b: b.write("data/photos/dataset.json", "{}")
    ),
    "card with too few classes": Row(
        f"train photos {QUICK}",
        DATA,
        "the card has no class of this name",
        lambda b: prepare_photos(b, classes=["cat"], counts={"train": {"cat": 8}}),
    ),
    "card with too many classes": Row(
        f"train photos {QUICK}",
        DATA,
        "photos",
        lambda b: prepare_photos(b, classes=["ant", "cat", "dog"], counts={"train": {"ant": 4, "cat": 8, "dog": 8}}),
    ),
    "card with impossible details": Row(
        f"train photos {QUICK}", DATA, "dataset.json", lambda b: prepare_photos(b, details={"channels": "x"})
    ),
    "card of a form unknown": Row("train photos", DATA, "'sounds'", lambda b: prepare_photos(b, form="sounds")),
    "prepared image emptied": Row(
        f"train photos {QUICK}",
        DATA,
        "3.png",
        lambda b: (prepare_photos(b), b.write("data/photos/train/cat/3.png")),
        leaves=("data/photos/packed", "data/photos/packed/*"),
    ),
    "every image damaged": Row(
        f"train src {QUICK}",
        DATA,
        "src",
        lambda b: [b.write(f"src/{label}/{n}.png", "no picture") for label in ("cat", "dog") for n in range(4)],
    ),
    "network too deep for the images": Row(
        f"train src {QUICK} --model vgg11 --image-size 8", USAGE, "--image-size", lambda b: b.photos("src")
    ),
    "name taken": Row(f"train digits {QUICK} --name {RUN}", USAGE, "exists", lambda b: b.run()),
    "name with a slash": Row(f"train digits {QUICK} --name a/b", USAGE, "not a folder name", lambda b: b.digits()),
    "name that climbs": Row(f"train digits {QUICK} --name ..", USAGE, "not a folder name", lambda b: b.digits()),
    "no such device": Row("train digits --device cuda", ExitCode.DEVICE, "0 CUDA devices", without_cuda),
    "no such device number": Row("train digits --device cuda:99", ExitCode.DEVICE, "CUDA device", lambda b: b.digits()),
    "device that is none": Row("train digits --device gpu", USAGE, "'gpu'", lambda b: b.digits()),
    "weights for an own network": Row(
        f"train digits {QUICK} --pretrained default", USAGE, "no published weights", lambda b: b.digits()
    ),
    "weights missing": Row(
        f"train digits {QUICK} --model resnet18 --pretrained none.pth", RUN_CODE, "none.pth", lambda b: b.digits()
    ),
    "runs is a file": Row(f"train digits {QUICK}", DATA, "runs", lambda b: (b.digits(), b.write("runs", "x"))),
    "diverged": Row(
        f"train digits {QUICK} --optimizer sgd --lr 1e30 --epochs 4",
        ExitCode.DIVERGED,
        "not finite",
        lambda b: b.digits(),
        leaves=("runs", "runs/*"),
    ),
    "disk full at the start": Row(
        f"train digits {QUICK}", DATA, "the disk is full", lambda b: (b.digits(), fill_disk(b)), leaves=("runs",)
    ),
    "disk full at the checkpoint": Row(
        f"train digits {QUICK}",
        DATA,
        "the disk is full",
        lambda b: (b.digits(), fill_disk(b, "*.pt.*")),
        leaves=("runs", f"runs/{RUN}", f"runs/{RUN}/*", "runs/latest"),
    ),
    "finished already": Row(f"train --resume {RUN}", USAGE, "--from", lambda b: b.run()),
    "resumed with other options": Row(f"train --resume {RUN} --epochs 9", USAGE, "--epochs", lambda b: b.run()),
    "resumed with as many threads as are fastest": Row(
        f"train --resume {RUN} --threads auto", USAGE, "is finished", lambda b: b.run()
    ),
    "resumed where there is no run": Row("train --resume digits-lenet-2", RUN_CODE, RUN, lambda b: b.run()),
    "resumed from half a checkpoint": Row(
        f"train --resume {RUN}",
        RUN_CODE,
        "last.pt: damaged",
        damage(change_info(status="interrupted"), cut_checkpoints),
    ),
    "from where there is no run": Row("train --from nothing", RUN_CODE, "'nothing'"),
    "from a run with a broken config": Row(
        f"train --from {RUN}", RUN_CODE, "config.toml", damage(lambda run: run.config_file.write_text("epochs = "))
    ),
    "from a run of a task that is gone": Row(
        f"train --from {RUN}", RUN_CODE, "'juggling'", damage(change_info(task="juggling"))
    ),
    "sentiment without data": Row("train sentiment --model lstm --epochs 5", DATA, "dl prepare weibo SOURCE"),
    "network of texts misspelt": Row("train ./data/t --model lstn", USAGE, "lstm", prepare_texts),
    "option that the network of texts has not": Row(
        "train ./data/t --model textcnn --bidirectional", USAGE, "--bidirectional: textcnn", prepare_texts
    ),
    "word vectors that are no file": Row("train ./data/t --embedding v.txt", DATA, "v.txt", prepare_texts),
    "word vectors in binary": Row(
        "train ./data/t --embedding v.bin",
        DATA,
        "save_word2vec_format",
        lambda b: (prepare_texts(b), b.write("v.bin", b"2 2\n\xe5\xa5\xbd \0\0\x80?\0\0\0@\n")),
    ),
    "word vectors of another size": Row(
        "train ./data/t --embedding v.txt",
        USAGE,
        "--embedding-dim 2",
        lambda b: (prepare_texts(b), b.write("v.txt", "好 1 2\n")),
    ),
    "word vectors of words that are all too rare": Row(
        "train embedding --data ./data/t --min-count 100000",
        DATA,
        "fewer than two words occur 100000 times",
        prepare_texts,
    ),
    "weight decay that the optimizer has not": Row(
        "train ./data/t --weight-decay 0.1", USAGE, "--weight-decay 0:", prepare_texts
    ),
    "folds that are one": Row("train digits --folds 1", USAGE, "'1'"),
    "folds that hold out everything": Row("train digits --folds 1.0", USAGE, "a fraction such as 0.3"),
    "hold-out of another fold": Row("train digits --folds 0.3 --fold 2", USAGE, "there are 1", lambda b: b.digits()),
    "folds in time of images": Row("train digits --folds time:3", USAGE, "only the rows", lambda b: b.digits()),
    "fold of nothing": Row("train digits --fold 2", USAGE, "--folds K"),
    "group of images": Row("train digits --folds 3 --group a", USAGE, "--group", lambda b: b.digits()),
    "splits that are no file": Row("train digits --splits s.json", DATA, "s.json", lambda b: b.digits()),
    "splits of rows that are not there": Row(
        "train digits --splits s.json",
        DATA,
        "row 99999",
        lambda b: (b.digits(), b.write("s.json", '[{"test": [99999]}]')),
    ),
    "table of the other task": Row(
        "train table-classification --data data/t", DATA, "dl train regression", lambda b: prepare_csv(b)
    ),
    "table with a changed cell": Row(
        "train regression --data data/t",
        DATA,
        "size is 'tall', not a number",
        lambda b: prepare_csv(b, ("0,10", "tall,10")),
    ),
    "table whose card is damaged": Row(
        "train regression --data data/t", DATA, "columns are damaged", lambda b: prepare_csv(b, card={"columns": 3})
    ),
    "quantiles as percentages": Row(
        "train regression --data data/t --quantiles 10,50,90", USAGE, "10 is not between 0 and 1", prepare_csv
    ),
    "quantiles out of order": Row(
        "train regression --data data/t --quantiles 0.9,0.1", USAGE, "write 0.1,0.9", prepare_csv
    ),
    "hidden layers that are none": Row(
        "train regression --data data/t --hidden 64,x", USAGE, "--hidden", lambda b: prepare_csv(b)
    ),
    "network of tables misspelt": Row(
        "train regression --data data/t --model mpl", USAGE, "'mlp'", lambda b: prepare_csv(b)
    ),
}
