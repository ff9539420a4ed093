from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.options import Common
from dlcli.cli.words import check_words, flag_value, pick_target, with_bare_values
from dlcli.core.config import fields_of, option
from dlcli.core.errors import UsageError
from dlcli.engine.targets import resolve_target


@dataclass(frozen=True)
class Example:
    epochs: int = option(3, "epochs", short="e")
    out: str | None = option(None, "where to")
    name: str | None = option(None, "name")
    flip: bool = option(True, "flips")
    freeze: str | None = option(None, "what is frozen", bare="head")
    augment: str = option("plain", "operations", bare="plain", off="none")


KNOWN = {"cifar10", "digits"}


@pytest.mark.parametrize(
    "line",
    [
        "cifar10",
        "cifar10 --epochs 3",
        "--epochs 3 cifar10",
        "--epochs=3 cifar10",
        "-e 3 cifar10",
        "-e3 cifar10",
        "-qe 3 cifar10",
        "-q cifar10",
        "-qv cifar10",
        "--no-flip cifar10",
        "--out digits cifar10",
        "cifar10 --out digits",
        "--out digits -- cifar10",
        "-- cifar10 --out",
        "--quiet --epochs 3 cifar10 --name digits",
        "--of-a-plugin 3 cifar10",
        "--of-a-plugin cifar10",
        "--freeze cifar10",
        "--freeze -2 cifar10",
        "--freeze=layer4 cifar10",
        "--freeze layer4 cifar10",
        "--freeze layer4 --epochs 3 cifar10",
        "cifar10 --freeze layer4",
        "--no-augment --freeze cifar10 --augment=digits",
    ],
)
def test_the_target_is_found_wherever_it_stands(line: str) -> None:
    assert pick_target(line.split(), KNOWN.__contains__, [Example, Common]) == "cifar10"


@pytest.mark.parametrize("line", ["./photos --name digits", "--name digits ./photos", "-q ./photos --out=digits"])
def test_an_options_value_is_not_the_target_though_it_is_known(line: str) -> None:
    assert pick_target(line.split(), KNOWN.__contains__, [Example, Common]) == "./photos"


@pytest.mark.parametrize("line", ["", "--epochs 3", "--of-a-plugin 3", "--epochs", "--name digits"])
def test_a_line_may_have_no_target(line: str) -> None:
    assert pick_target(line.split(), KNOWN.__contains__, [Example, Common]) is None


def test_standard_input_may_be_a_word() -> None:
    assert pick_target(["-"], KNOWN.__contains__) == "-"


def test_a_flags_value_is_found_in_both_spellings() -> None:
    assert flag_value(["x", "--data", "a b"], "--data") == "a b"
    assert flag_value(["--data=a=b"], "--data") == "a=b"
    assert flag_value(["--data"], "--data") is None
    assert flag_value(["--database", "x"], "--data") is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([""], "the first argument"),
        (["  "], "the first argument"),
        (["x", "\t"], "the argument after x"),
        (["x", "--data", ""], "the argument after --data"),
        (["x", "--data="], "the value of --data"),
        (["x", "--data= \t"], "the value of --data"),
    ],
)
def test_an_empty_word_is_refused_with_its_place(words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=f"dl train: {says} is empty"):
        check_words("train", words)


@pytest.mark.parametrize("words", [[], ["x"], ["--data", "x"], ["--quiet"], ["-"], ["a= "], ["="]])
def test_words_that_are_not_empty_pass(words: list[str]) -> None:
    check_words("train", words)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("prepare --out mnist --force digits", "mnist"),
        ("visualize --out cam --quiet curves digits-lenet-1", "cam"),
        ("export --out eval.ts -qf torchscript digits-lenet-1", "eval.ts"),
        ("train --name table -q ./data/digits --model lenet --epochs 1 --batch-size 512", "runs/table"),
        ("train -q ./data/digits --name weibo --model lenet --epochs 1 --batch-size 512", "runs/weibo"),
    ],
)
def test_an_options_value_may_be_the_name_of_a_target(line: str, answer: str, bench: Any, dl: Any) -> None:
    bench.run()
    done = dl(*line.split())
    assert (done.code, done.out) == (0, f"{answer}\n"), done.err


@pytest.mark.parametrize("target", ["./photos", "photos", "../home/photos", "image-folder", "classification"])
def test_data_elsewhere_is_named_by_its_folder_its_name_its_dataset_or_its_task(target: str, bench: Any) -> None:
    bench.photos("photos")
    assert resolve_target(target, "photos").data == Path("photos")


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("photos --freeze", "photos --freeze=head"),
        ("photos --freeze --epochs 3", "photos --freeze=head --epochs 3"),
        ("photos --freeze layer4", "photos --freeze=layer4"),
        ("photos --freeze=layer4", "photos --freeze=layer4"),
        ("photos --freeze -2", "photos --freeze=-2"),
        ("photos --freeze -q", "photos --freeze=head -q"),
        ("--freeze photos", "--freeze=head photos"),
        ("--freeze -2 photos", "--freeze=-2 photos"),
        ("--freeze layer4 photos", "--freeze=layer4 photos"),
        ("--freeze layer4 --epochs 3 -- photos", "--freeze=layer4 --epochs 3 -- photos"),
        ("--freeze photos --epochs 3", "--freeze=head photos --epochs 3"),
        ("--epochs 3 --freeze photos", "--epochs 3 --freeze=head photos"),
        ("-e 3 photos --freeze layer4", "-e 3 photos --freeze=layer4"),
        ("--out --freeze photos", "--out --freeze photos"),  # the value of --out
        ("photos --no-augment", "photos --augment=none"),
        ("photos --augment", "photos --augment=plain"),
        ("photos --augment rotate=10", "photos --augment=rotate=10"),
        ("photos --freeze -- x", "photos --freeze=head -- x"),
        ("photos -- --freeze", "photos -- --freeze"),
        ("", ""),
    ],
)
def test_a_value_that_is_left_out_is_added(line: str, completed: str) -> None:
    assert with_bare_values(line.split(), fields_of(Example), [Example, Common]) == completed.split()
