"""Bad command lines of `dl train` for style and generation, and of predictions by a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toys.domains import write_own

from bad_inputs.arrange import DATA, USAGE, Row
from dlcli.cli.app import run

STYLE, GENERATION = "train style --data src", "train generation --data photos"
CYCLEGAN, PIX2PIX = f"{STYLE} --model cyclegan", f"{STYLE} --model pix2pix"


def unpaired(bench: Any) -> None:
    write_own(bench.home / "src", {"trainA": 2, "trainB": 2})


def photos(bench: Any) -> None:
    bench.photos("photos", size=8)


def generator(bench: Any) -> None:
    """Train an unconditional generator of images of 8 pixels as the run g."""
    photos(bench)
    small = "--model gan --size 8 --latent 2 --width 4 --epochs 1 --batch-size 4 --threads 1 --precision fp32 --quiet"
    assert run([*f"{GENERATION} {small} --name g".split()]) == 0
    assert Path("runs/g").is_dir()


GENERATIVE = {
    "pix2pix on images without partners": Row(PIX2PIX, DATA, "these images are not in pairs", unpaired),
    "style at a size that the network cannot halve": Row(
        f"{CYCLEGAN} --image-size 33", USAGE, "--image-size 33: ", unpaired
    ),
    "style by crops larger than the images": Row(
        f"{CYCLEGAN} --image-size 64 --load-size 32", USAGE, "smaller than the crops", unpaired
    ),
    "style with an option of the other model": Row(
        f"{CYCLEGAN} --l1-weight 9", USAGE, "--l1-weight: cyclegan has no such option", unpaired
    ),
    "style of a direction that is always learned": Row(
        f"{CYCLEGAN} --learn BtoA", USAGE, "choose one by --direction when predicting", unpaired
    ),
    "style with upsampling of a unet": Row(
        f"{CYCLEGAN} --generator unet --upsampling resize", USAGE, "--upsampling: unet enlarges", unpaired
    ),
    "style with a frozen body": Row(f"{CYCLEGAN} --freeze body", USAGE, "--freeze: generators", unpaired),
    "generation at a size that is not doubled": Row(f"{GENERATION} --size 9", USAGE, "--size 9: ", photos),
    "generation at a size beyond all doubling": Row(f"{GENERATION} --size 3", USAGE, "--size 3: ", photos),
    "generation with two penalties": Row(
        f"{GENERATION} --model wgan-gp --size 8 --r1 1", USAGE, "--r1: wgan-gp's critic has", photos
    ),
    "generation of one image": Row(
        f"{GENERATION} --size 8", DATA, "a critic needs two or more",
        lambda bench: bench.photos("photos", classes=("cat",), count=1),
    ),
    "generation of a class by a run without": Row(
        "predict g --class cat --save-dir out", USAGE, "--class: this run makes images of no particular class",
        generator,
    ),
}  # fmt: skip
