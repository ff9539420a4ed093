"""Bad command lines about augmentation: of training, and of pictures of it."""

from __future__ import annotations

from bad_inputs.arrange import DATA, QUICK, RUN, USAGE, Row, prepare_csv, prepare_photos

AUGMENT = {
    "operation misspelt": Row(f"train digits {QUICK} --augment rotat=10", USAGE, "did you mean 'rotate'?"),
    "operation that there is not": Row("train digits --augment 'flip mixup'", USAGE, "known: flip, vflip, quarter"),
    "strength that is no number": Row("train digits --augment rotate=ten", USAGE, "rotate=ten: not a number (degrees"),
    "strength left out after the equals sign": Row("train digits --augment rotate=", USAGE, "rotate=: not a number"),
    "strength out of range": Row("train digits --augment colour=20", USAGE, "colour=20: from 0 to 1 (share by which"),
    "operation named twice": Row("train digits --augment 'grey=0.1 gray=0.2'", USAGE, "'grey' is named twice"),
    "operations with none": Row("train digits --augment 'none flip'", USAGE, "'none' stands alone"),
    "option of the default beside operations": Row(
        "train digits --augment 'rotate=10' --crop-pad 2", USAGE, "--crop-pad shapes the default augmentation"
    ),
    "option of small images for photos": Row(
        "train ./photos --model resnet18 --cutout 8",
        USAGE,
        "--cutout acts on small images",
        lambda b: b.photos("photos", size=80),
    ),
    "flips in turn beside operations": Row(
        "train cifar10 --augment trivial --flip-mode alternating", USAGE, "--flip-mode shapes the default augmentation"
    ),
    "option of the default in a file, operations on the line": Row(
        "train digits --config c.toml --augment=flip",
        USAGE,
        "--cutout shapes the default augmentation",
        lambda b: b.write("c.toml", "cutout = 4"),
    ),
    "operations in a file that are a number": Row(
        "train digits --config c.toml",
        USAGE,
        "c.toml: augment must be of type str",
        lambda b: b.write("c.toml", "augment = 3"),
    ),
    "operations of texts": Row("train sentiment --augment flip", USAGE, "--augment"),
    "picture of an operation misspelt": Row(
        "visualize grid ./data/photos --augment flop", USAGE, "did you mean 'flip'?", prepare_photos
    ),
    "picture of operations for a table": Row(
        "visualize grid ./data/t --augmented --augment flip", USAGE, "--augment", prepare_csv
    ),
    "picture of what a run saw without its data": Row(
        f"visualize grid {RUN} --augment rotate",
        DATA,
        "no prepared data",
        lambda b: (b.run(), (b.home / "data" / "digits").unlink(), b.write("runs/latest", RUN)),
        leaves=("runs/latest",),
    ),
}
