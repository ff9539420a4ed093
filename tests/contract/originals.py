"""For each task small original data in its real format, and what suits it.

A new task adds its entry to `ORIGINALS`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from contract.comparing import Compare, Item, aligned, assert_close, assert_same_shares, row_of
from torch import Tensor
from toys.domains import picture, write_image, write_own
from toys.shapes import coco_shapes

CLASSES = ("airplane", "cat", "dog")


@dataclass(frozen=True, kw_only=True)
class Original:
    """How a task's data comes to be, and the shape of its answers.

    Attributes:
        dataset: what `dl prepare` and `dl train` are given.
        target: what `dl train` is given instead, where the dataset's own task is another one.
        make: writes the original files into a new folder; None where the dataset is embedded.
        prepare: what `dl prepare` gets beside the source.
        train: options of a training of a few small epochs.
        interrupt_at: the training step in which a signal arrives: in the middle of an epoch.
        count: the number of items in a batch.
        weight: the count of the updates of a batch, where their losses are no means over its items (tokens).
        goal: the metric that picks the best epoch; None for a task that cannot judge.
        has_loss: whether a loss is among the metrics of an evaluation, and better lower.
        inputs: (folder, prepared data) -> what `dl predict` gets, relative to the folder; None for a task that draws
            from nothing.
        options: inference options, other than their defaults.
        num_records: records that an input gives, a folder several; without inputs those of the whole line.
        compare: fails where the records of two forms of the model are not alike.
        share: the share of the values of a picture that may differ between two forms of the model.
        item: (outputs, index) -> the answer to one item of a batch, without what fills it up.
        pictures: name -> options after the run; `INPUT` stands for the first input.
        has_samples: whether training writes samples.
        is_slow: takes more than some seconds.
        refused: formats in which it cannot be exported.
        only_in_run: figures of a run that an exported file lacks, all of them where it cannot be measured.
        figures_within: the share by which a figure of an exported file may differ from that of its run.
    """

    dataset: str
    train: tuple[str, ...]
    interrupt_at: int
    count: Callable[[Mapping[str, Any]], int]
    goal: str | None
    make: Callable[[Path], None] | None = None
    prepare: tuple[str, ...] = ()
    weight: Callable[[Mapping[str, Any]], int] | None = None
    has_loss: bool = True
    inputs: Callable[[Path, str], list[str]] | None = None
    options: tuple[str, ...] = ()
    num_records: int = 1
    compare: Compare = assert_close
    share: float = 0.0
    item: Item = row_of
    pictures: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"curves": ()})
    has_samples: bool = False
    is_slow: bool = False
    target: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    only_in_run: tuple[str, ...] = ()
    figures_within: float = 1e-4

    @property
    def trained(self) -> tuple[str, ...]:
        """What `dl train` is given."""
        return self.target or (self.dataset,)


def pattern(label: int, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Return an (H, W, 3) image whose colour and stripes tell its class, under noise."""
    height, width = size
    image = random.integers(0, 60, (height, width, 3)).astype(np.int64)
    image[:, :, label] += 120
    image[:: label + 2] += 60
    return np.clip(image, 0, 255).astype(np.uint8)


def make_cifar10(folder: Path) -> None:
    """Write the six batches and batches.meta, 15 images each."""
    folder.mkdir()
    for seed, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        random = np.random.default_rng(seed)
        labels = [row % len(CLASSES) for row in range(15)]
        images = np.stack([pattern(label, (32, 32), random) for label in labels])
        batch = {
            "batch_label": name,
            "labels": labels,
            "data": images.transpose(0, 3, 1, 2).reshape(15, -1),
            "filenames": [f"{CLASSES[label]}_{seed}_{row:03d}.png" for row, label in enumerate(labels)],
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    meta = {"label_names": list(CLASSES), "num_cases_per_batch": 15, "num_vis": 3072}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))


def make_class_folders(folder: Path) -> None:
    """Write photos of unequal sizes, too large to be packed, in one folder a class, with a test part."""
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for label, name in enumerate(CLASSES):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                image = pattern(label, (70 + 3 * number, 90), random)
                (place / f"{name} {number}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())


def make_digits(folder: Path) -> None:
    """Write small grey images of one size, in one folder a class, with a test part."""
    random = np.random.default_rng(0)
    for split, count in (("train", 14), ("test", 3)):
        for label, name in enumerate(CLASSES):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                image = pattern(label, (8, 8), random)[:, :, label]
                (place / f"{number}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())


def test_images(folder: Path, data: str) -> list[str]:
    """Return two images of each class of the test part."""
    root = folder / data / "test"
    return [str(path.relative_to(folder)) for place in sorted(root.iterdir()) for path in sorted(place.iterdir())[:2]]


IMAGE_PICTURES: Mapping[str, tuple[str, ...]] = {
    "features": ("INPUT", "--max-channels", "4"),
    "kernels": (),
    "cam": ("INPUT",),
    "grid": ("--per-class", "2"),
    "curves": (),
    "confusion": (),
}


def make_housing(folder: Path) -> None:
    """Write 90 rows in the format of housing.data: 14 columns set apart by blanks, an empty line at the end."""
    folder.mkdir()
    random = np.random.default_rng(0)
    values = random.uniform(0.5, 9.5, (90, 14))
    values[:, 3] = random.integers(0, 2, 90)
    values[:, 13] = 20 + 2 * values[:, 5] - values[:, 12] + random.normal(0, 0.3, 90)
    lines = [" " + "  ".join(f"{value:.4f}" for value in row) for row in values]
    (folder / "housing.data").write_text("\n".join([*lines, "", ""]), encoding="ascii")


def make_table(folder: Path) -> None:
    """Write a CSV with numbers, categories, gaps and a class, its split in a column."""
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["高度,城市,价格,split,结果"]
    for row in range(90):
        height, city = random.uniform(1, 9), ("北京", "上海", "广州")[row % 3]
        price = "" if row % 11 == 0 else f"{random.uniform(0, 5):.2f}"
        label = "贵" if height + 3 * (city == "上海") > 6 else "便宜"
        lines.append(f"{height:.3f},{city},{price},{'test' if row % 5 == 0 else 'train'},{label}")
    (folder / "房价.csv").write_text("\n".join(lines) + "\n", encoding="gb18030")


def rows_of_table(folder: Path, data: str) -> list[str]:
    """Return some rows of the prepared table, by their lines."""
    return [f"{data}/table.csv:{line}" for line in (2, 3, 5, 8, 13, 21)]


GOOD = ("真开心", "太好了", "喜欢", "不错", "漂亮", "好吃")
BAD = ("真难过", "太差了", "讨厌", "糟糕", "难看", "难吃")
ANY = ("今天", "我们", "天气", "电影", "这家店", "的", "觉得", "北京", "http://t.cn/abc", "@小明 ", "[哈哈]", "2018.4")


def make_weibo(folder: Path) -> None:
    """Write posts in the format of weibo_senti_100k.csv, sorted by label, some longer than others."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = ["label,review"]
    for number in range(120):
        words = [*random.choice(ANY, random.integers(1, 30)), (BAD, GOOD)[number < 60][number % 6], f"{number}"]
        rows.append(f"{int(number < 60)},{''.join(random.permutation(words))}")
    (folder / "weibo_senti_100k.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def some_texts(folder: Path, data: str) -> list[str]:
    """Return texts of one word and of many."""
    return ["今天真开心", "难吃", "我们觉得这家店的电影太差了 [哈哈]", "好" * 60]


CHINESE = ("我", "你", "他", "猫", "狗", "看", "爱", "吃", "鱼", "书", "家", "水")
ENGLISH = ("I", "you", "he", "cat", "dog", "see", "love", "eat", "fish", "book", "home", "water")


def make_anki(folder: Path) -> None:
    """Write sentence pairs in the format of Anki's cmn.txt: English, Chinese, attribution, a byte order mark."""
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = []
    for number in range(150):
        words = random.integers(0, len(CHINESE), random.integers(1, 7)).tolist()
        english, chinese = (side.join(table[word] for word in words) for side, table in ((" ", ENGLISH), ("", CHINESE)))
        lines.append(f"{english}.\t{chinese}。\tCC-BY 2.0 (France) Attribution: tatoeba.org #{number} (CK)")
    (folder / "cmn.txt").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


def sentence_of(outputs: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    """Return the translations of one sentence, without the padding of the longest ones of its batch."""
    sentences = outputs["sentences"][index]
    longest = int((sentences != 0).sum(1).max())
    return {"sentences": sentences[:, :longest], "scores": outputs["scores"][index]}


def objects_of(outputs: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    """Return the objects of one item of dense outputs, without what fills them up."""
    count = int(outputs["counts"][index])
    return {name: outputs[name][index][:count] for name in ("boxes", "scores", "labels")}


def make_voc(folder: Path) -> None:
    """Write photos of unequal shapes with coloured rectangles, annotated in Pascal VOC's XML, with lists of parts."""
    random = np.random.default_rng(0)
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    lists: dict[str, list[str]] = {"trainval": [], "test": []}
    for number in range(30):
        height, width = ((64, 64), (48, 64))[number % 2]
        image = random.integers(0, 60, (height, width, 3)).astype(np.uint8)
        objects = []
        for label in range(1 + number % 2):
            left, top = (int(random.integers(0, side - 24)) for side in (width, height))
            right, bottom = left + int(random.integers(12, 24)), top + int(random.integers(12, 24))
            image[top:bottom, left:right, label] = 220
            corners = (("xmin", left + 1), ("ymin", top + 1), ("xmax", right), ("ymax", bottom))  # from 1, inclusive
            box = "".join(f"<{corner}>{value}</{corner}>" for corner, value in corners)
            objects.append(f"<object><name>{CLASSES[label]}</name><bndbox>{box}</bndbox></object>")
        stem = f"photo {number:02}"
        (folder / "JPEGImages" / f"{stem}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
        size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{stem}.jpg</filename>{size}{''.join(objects)}</annotation>"
        (folder / "Annotations" / f"{stem}.xml").write_text(text, encoding="utf-8")
        lists["test" if number >= 24 else "trainval"].append(stem)
    for name, stems in lists.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("\n".join(stems) + "\n", encoding="utf-8")


WEIBO = Original(
    dataset="weibo",
    make=make_weibo,
    train=("--model", "wide-deep", "--epochs", "3", "--batch-size", "16", "--embedding-dim", "16"),
    interrupt_at=8,  # six steps an epoch
    inputs=some_texts,
    options=("--top-k", "2"),
    count=lambda batch: len(batch["labels"]),
    goal="accuracy",
    pictures={
        "attention": ("INPUT",),
        "embeddings": ("--words", "20"),
        "lengths": (),
        "curves": (),
        "confusion": (),
    },
)


def write_pairs(folder: Path, counts: Mapping[str, int]) -> None:
    """Write images of which the left half shows the first domain and the right half the second."""
    for split, count in counts.items():
        for number in range(count):
            halves = [picture(domain, number) for domain in (0, 1)]
            write_image(folder / split / f"{number}.png", np.concatenate(halves, axis=1))


def num_images(batch: Mapping[str, Any]) -> int:
    """Return the number of images of one domain, or of both in training."""
    return len(batch["images"] if "images" in batch else batch["images_a"])


ANKI = Original(
    dataset="anki",
    make=make_anki,
    prepare=("--tokenizer", "char", "--target-tokenizer", "word", "--valid", "20", "--test", "20"),
    train=(
        *("--layers", "1", "--width", "16", "--heads", "2", "--epochs", "3", "--batch-size", "150"),
        *("--lr", "0.02", "--schedule", "constant"),
    ),
    interrupt_at=8,  # seven steps an epoch
    inputs=lambda folder, data: ["我爱猫。", "他看书", "你吃鱼吃鱼。"],
    options=("--nbest", "2", "--beam", "3", "--no-repeat", "1"),
    count=lambda batch: len(batch["source"]),
    weight=lambda batch: int((batch["target_lengths"] - 1).sum()),
    goal="perplexity",
    only_in_run=("loss", "perplexity"),
    item=sentence_of,
    pictures={"attention": ("INPUT", "--head", "2"), "lengths": (), "curves": ()},
    has_samples=True,
)


def make_lines(folder: Path) -> None:
    """Write sentences of a small language, one a line, some of them twice."""
    folder.mkdir()
    random = np.random.default_rng(0)
    subjects, verbs, objects = ENGLISH[:3], ("see", "love", "eat"), (*ENGLISH[3:5], *ENGLISH[8:])
    lines = []
    for _ in range(160):
        clauses = [
            f"{random.choice(subjects)} {random.choice(verbs)} the {random.choice(objects)}"
            for _ in range(random.integers(1, 4))
        ]
        lines.append(" and ".join(clauses) + ".")
    (folder / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def scored_of(outputs: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    """Return the log-probabilities of one text, without the padding of the longest ones of its batch."""
    found = outputs["log_probs"][index]
    return {"log_probs": found[: int((found != 0).nonzero().max()) + 1]}


LINES = Original(
    dataset="text-lines",
    make=make_lines,
    prepare=("--tokenizer", "word-punct", "--min-count", "1"),
    train=(
        *("--embedding-dim", "16", "--hidden", "16", "--epochs", "3", "--batch-size", "16"),
        *("--lr", "0.02", "--schedule", "constant"),
    ),
    interrupt_at=8,
    inputs=lambda folder, data: ["I see the cat.", "he love the fish and you eat the dog.", "you", "cat cat zebra"],
    options=("--next", "2", "--generate", "6", "--temperature", "0.8", "--top-k-tokens", "5"),
    count=lambda batch: len(batch["tokens"]),
    weight=lambda batch: int((batch["lengths"] + batch["ends"]).sum()),
    goal="perplexity",
    item=scored_of,
    pictures={"curves": ()},
    has_samples=True,
)

ORIGINALS: Mapping[str, Sequence[Original]] = {
    "language-model": (
        LINES,
        replace(  # slow: two formats of attention layers are exported
            LINES,
            train=("--model", "transformer", "--layers", "1", "--heads", "2", *LINES.train),
            pictures={"attention": ("INPUT", "--head", "2"), "curves": ()},
            is_slow=True,
        ),
    ),
    "sentiment": (
        WEIBO,
        replace(  # slow: the exporter takes ten seconds over its layers
            WEIBO,
            train=("--model", "lstm-attention", *WEIBO.train[2:]),
            refused=("pt2",),  # its mask ties the length to that of the LSTM's loop, which has a length of its own
            is_slow=True,
        ),
    ),
    "embedding": (
        Original(
            dataset="weibo",
            target=("embedding", "--data", "data/weibo"),
            make=make_weibo,
            train=("--epochs", "3", "--batch-size", "300", "--embedding-dim", "16", "--min-count", "3"),
            interrupt_at=8,  # five steps an epoch or more
            inputs=lambda folder, data: ["今天", "我们 - 电影 + 天气"],
            options=("--top-k", "2"),
            count=lambda batch: len(batch["rows"]),
            weight=lambda batch: len(batch["targets"]),
            goal="auc",
            only_in_run=("loss", "auc"),
            share=0.01,
            pictures={"curves": (), "embeddings": ("--words", "20")},
        ),
    ),
    "classification": (
        Original(
            dataset="cifar10",
            make=make_cifar10,
            train=("--model", "lenet", "--epochs", "3", "--batch-size", "16", "--optimizer", "adamw", "--lr", "0.01"),
            interrupt_at=6,  # four steps an epoch
            inputs=test_images,
            options=("--top-k", "2"),
            count=lambda batch: len(batch["labels"]),
            goal="accuracy",
            pictures=IMAGE_PICTURES,
            has_samples=True,
        ),
        Original(
            dataset="image-folder",
            make=make_class_folders,
            train=(
                *("--model", "lenet", "--image-size", "32", "--ensemble", "2"),
                *("--epochs", "2", "--batch-size", "8", "--lr", "0.01"),
            ),
            only_in_run=("accuracy_member",),
            interrupt_at=6,
            inputs=test_images,
            options=("--top-k", "2"),
            count=lambda batch: len(batch["labels"]),
            goal="accuracy",
            pictures=IMAGE_PICTURES,
            has_samples=True,
            is_slow=True,
        ),
    ),
    "detection": (
        Original(
            dataset="voc",
            make=make_voc,
            train=(
                *("--pretrained", "none", "--backbone", "shallow", "--width", "16", "--image-size", "64"),
                *("--epochs", "6"),
                *("--lr", "0.004", "--warmup", "0", "--ema", "0.9", "--val-fraction", "0.2", "--augment", "flip"),
            ),
            interrupt_at=6,  # four steps an epoch
            inputs=lambda folder, data: [f"{data}/images/test"],
            num_records=6,
            options=("--threshold", "0.1", "--max-detections", "3"),
            count=lambda batch: len(batch["images"]),
            goal="ap",
            has_loss=False,
            compare=aligned("objects", within=0.02),  # boxes have two decimals
            share=0.01,
            item=objects_of,
            pictures={
                "curves": (),
                "grid": (),
                "boxes": ("--count", "1"),
                "augment": (),
                "pr": (),
                "errors": (),
                "matches": (),
                "pyramid": ("INPUT",),
            },
            has_samples=True,
            is_slow=True,  # the exporter takes 20 seconds over its neck and head; a toy detector goes the same way
        ),
    ),
    "multilabel": (
        Original(
            dataset="coco",
            target=("multilabel", "--data", "data/coco"),
            make=coco_shapes,
            train=(
                *("--model", "cnn", "--image-size", "32", "--epochs", "3", "--batch-size", "6", "--lr", "0.01"),
                *("--val-fraction", "0.2", "--pretrained", "none"),
            ),
            interrupt_at=4,  # three steps an epoch
            inputs=lambda folder, data: [f"{data}/images/test"],
            num_records=5,
            options=("--threshold", "0.3", "--top-k", "2"),
            count=lambda batch: len(batch["images"]),
            goal="map",
            pictures={
                "curves": (),
                "grid": (),
                "cam": ("INPUT", "--class", "red"),
                "embeddings": (),
                "neighbours": ("INPUT", "-k", "2"),
            },
            has_samples=True,
        ),
    ),
    "segmentation": (
        Original(
            dataset="coco",
            target=("segmentation", "--data", "data/coco"),
            make=coco_shapes,
            train=(
                *("--backbone", "shallow", "--width", "4", "--image-size", "64", "--epochs", "5", "--batch-size", "5"),
                *("--val-fraction", "0.2", "--lr", "0.02", "--class-weights", "balanced"),
            ),
            interrupt_at=4,  # three steps an epoch
            inputs=lambda folder, data: [f"{data}/images/test"],
            num_records=5,
            count=lambda batch: len(batch["images"]),
            weight=lambda batch: int((batch["label_maps"] != 255).sum()),
            goal="miou",
            has_loss=False,
            compare=assert_same_shares,
            share=0.01,
            pictures={"curves": (), "grid": (), "confusion": ()},
            has_samples=True,
        ),
    ),
    "generation": (
        Original(
            dataset="image-folder",
            target=("generation", "--data", "data/image-folder"),
            make=make_digits,
            train=(
                *("--model", "wgan-gp", "--conditional", "--n-critic", "2", "--width", "8", "--latent", "8"),
                *("--epochs", "3", "--batch-size", "8", "--lr", "0.002", "--ema", "0.9"),
            ),
            interrupt_at=8,  # five steps of the critic an epoch: in the middle of the generator's turn
            num_records=16,
            options=("--count", "5", "--seed", "3", "--class", "dog"),
            count=lambda batch: len(batch["rows"]),
            goal=None,
            has_loss=False,
            share=0.01,
            pictures={"curves": (), "interpolate": ("--walks", "2", "--steps", "3")},
            has_samples=True,
        ),
    ),
    "translation": (
        ANKI,
        replace(  # slow: its state and its graphs are other ones, and every command answers alike
            ANKI,
            train=("--model", "seq2seq", "--attention", "luong", "--cell", "lstm", "--width", "16", *ANKI.train[6:]),
            pictures={"attention": ("INPUT",)},
            is_slow=True,
        ),
    ),
    "regression": (
        Original(
            dataset="housing",
            make=make_housing,
            train=(
                *("--epochs", "3", "--batch-size", "16", "--lr", "0.01"),
                *("--ensemble", "2", "--val-fraction", "0.3"),
            ),
            interrupt_at=6,  # four steps an epoch
            inputs=rows_of_table,
            options=("--coverage", "0.5"),
            count=lambda batch: len(batch["targets"]),
            goal="rmse",
        ),
    ),
    "table-classification": (
        Original(
            dataset="table",
            make=make_table,
            prepare=("--target", "结果"),
            train=("--epochs", "3", "--batch-size", "16", "--lr", "0.01"),
            interrupt_at=6,
            inputs=rows_of_table,
            options=("--top-k", "2"),
            count=lambda batch: len(batch["labels"]),
            goal="accuracy",
            pictures={"curves": (), "confusion": ()},
        ),
    ),
    "style": (
        Original(
            dataset="domains",
            make=lambda folder: write_own(folder, {"trainA": 5, "trainB": 6, "testA": 4, "testB": 3}),
            train=(
                *("--image-size", "32", "--width", "2", "--critic-width", "2", "--pool", "3", "--ema", "0.9"),
                *("--epochs", "2", "--batch-size", "2", "--lr", "0.002"),
            ),
            interrupt_at=6,  # four steps an epoch
            inputs=lambda folder, data: [f"{data}/test/A"],
            num_records=4,
            options=("--size", "36"),
            count=num_images,
            goal=None,
            only_in_run=("cycle_l1", "identity_l1"),
            has_loss=False,
            share=0.02,
            pictures={"curves": (), "translate": ("INPUT",)},
            has_samples=True,
        ),
        Original(
            dataset="pairs",
            make=lambda folder: write_pairs(folder, {"train": 6, "test": 4}),
            train=(
                *("--model", "pix2pix", "--learn", "BtoA", "--image-size", "64", "--width", "2", "--critic-width", "2"),
                *("--epochs", "2", "--batch-size", "2", "--lr", "0.002"),
            ),
            interrupt_at=6,  # four steps an epoch
            inputs=lambda folder, data: [f"{data}/test/B"],
            num_records=4,
            options=("--size", "36"),
            count=num_images,
            goal=None,
            has_loss=False,
            share=0.02,
            pictures={"curves": (), "translate": ()},
            has_samples=True,
            is_slow=True,
        ),
    ),
    "toy-gan": (
        Original(
            dataset="toy-dots",
            train=("--epochs", "3", "--batch-size", "8"),
            interrupt_at=8,  # five steps an epoch
            num_records=3,
            options=("--count", "2", "--seed", "5"),
            count=lambda batch: len(batch["pictures"]),
            goal=None,
            has_loss=False,
            share=0.01,
            has_samples=True,
            pictures={"curves": (), "grid": ()},
        ),
    ),
    "toy-detection": (
        Original(
            dataset="toy-boxes",
            train=("--epochs", "4", "--batch-size", "8", "--val-fraction", "0.2"),
            interrupt_at=6,  # four steps an epoch
            inputs=lambda folder, data: [f"{data}/test"],
            num_records=6,
            options=("--score", "0.4"),
            count=lambda batch: len(batch["images"]),
            goal="f1",
            has_loss=False,
            compare=aligned("objects"),
            share=0.01,
            item=objects_of,
            pictures={"curves": (), "grid": ()},
        ),
    ),
    "toy-translation": (
        Original(
            dataset="toy-pairs",
            train=("--epochs", "3", "--batch-size", "8", "--val-fraction", "0.2"),
            interrupt_at=7,  # five steps an epoch
            inputs=lambda folder, data: ["w3", "w9 w3 w22 w5", "w7 w7"],
            options=("--num-best", "3", "--beam", "5"),
            count=lambda batch: len(batch["tokens"]),
            weight=lambda batch: int((batch["targets"] != 0).sum()),
            goal="val_loss",
            has_loss=False,
            has_samples=True,
        ),
    ),
}
