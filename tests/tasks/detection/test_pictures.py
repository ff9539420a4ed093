"""What the pictures of detection draw from data and from stored reports, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys.annotated import voc_folder, voc_object

from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table
from dlcli.data.annotated.augmenting import augment, recipe_of
from dlcli.data.annotated.form import open_annotated
from dlcli.tasks.detection.pictures import (
    LESSON_AUGMENT,
    PICTURES,
    VERSIONS,
    AnnotationOptions,
    AugmentOptions,
    ReportOptions,
)


@dataclass
class Fake:
    """A subject: a run's folder, or data."""

    path: Path
    words: Sequence[str] = ()
    is_run: bool = False
    name: str = "x"
    tables: list[Table] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def data(self) -> Path:
        return self.path

    def run(self) -> RunDir:
        return RunDir(self.path)

    def shows(self, texts: Iterable[str]) -> None:
        del texts

    def adds(self, table: Table) -> None:
        self.tables.append(table)

    def warns(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    objects = {
        name: [voc_object("cat", (2, 2, 20, 20)), voc_object("dog", (10, 5, 30, 25))][:count]
        for name, count in (("a", 1), ("b", 2), ("c", 0))
    }
    folder: Path = voc_folder(tmp_path / "voc", objects)
    return folder


def draw(name: str, subject: Any, options: Any) -> list[tuple[str, np.ndarray]]:
    return list(PICTURES[name].draw(subject, options))


def test_boxes_of_a_class_show_one_image_where_one_has_it(data: Path) -> None:
    [(stem, every)] = draw("boxes", Fake(data), AnnotationOptions())
    [(_, with_dog)] = draw("boxes", Fake(data), AnnotationOptions(label="dog"))
    [(_, named)] = draw("boxes", Fake(data, words=["b"]), AnnotationOptions())
    assert stem == "boxes"
    assert every.shape[1] == pytest.approx(2 * with_dog.shape[1], rel=0.02)
    assert named.shape[1] == with_dog.shape[1]


def test_the_table_of_an_augmented_image_holds_the_boxes_of_training(data: Path) -> None:
    subject = Fake(data)
    options = AugmentOptions(image="b", image_size=64, seed=3)
    [(stem, picture)] = draw("augment", subject, options)
    assert stem == "augment-b"
    assert picture.dtype == np.uint8
    [table] = subject.tables
    form = open_annotated(data)
    record = next(each for each in form.of_split("train") if each.file.endswith("b.jpg"))
    recipe = recipe_of(LESSON_AUGMENT, form.card.classes)
    versions = [augment(form.read(record), record, (64, 64), recipe, 3 + number) for number in range(VERSIONS)]
    expected = [np.round(box, 1).tolist() for version in versions for box in version.boxes.astype(float)]
    np.testing.assert_allclose([entry["box"] for entry in table.entries], expected, atol=0.05)
    assert [entry["version"] for entry in table.entries] == [n for n in range(1, VERSIONS + 1) for _ in range(2)]
    assert [entry["label"] for entry in table.entries][:2] == ["cat", "dog"]
    assert subject.warnings == []


def test_a_rotation_by_30_degrees_warns_of_boxes_that_grow(data: Path) -> None:
    for augment_by, expected in (("rotate=29", 0), ("flip rotate=30", 1)):
        subject = Fake(data)
        draw("augment", subject, AugmentOptions(augment=augment_by, image_size=64))
        assert len(subject.warnings) == expected


@pytest.mark.parametrize("name", ["pr", "errors"])
def test_a_report_is_drawn_where_it_is_stored_and_else_a_command_makes_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "labels.json").write_text('["cat"]')
    subject = Fake(tmp_path, is_run=True)
    with pytest.raises(RunError, match="not evaluated on test yet") as found:
        draw(name, subject, ReportOptions())
    assert "dl eval" in str(found.value.hint)
    (tmp_path / "eval").mkdir()
    report = {"pr": [[1.0, 0.5, 0.0]], "errors": [{"kind": "missed", "count": 3, "delta_ap50": 0.25}]}
    (tmp_path / "eval" / "test.json").write_text(json.dumps(report))
    [(stem, picture)] = draw(name, subject, ReportOptions())
    assert stem == name
    assert (picture != 255).any()
    (tmp_path / "eval" / "test.json").write_text(json.dumps({"pr": 3, "errors": [3]}))
    with pytest.raises(RunError, match="damaged"):
        draw(name, subject, ReportOptions())


def test_inputs_of_a_run_leave_nothing_to_choose(data: Path) -> None:
    subject = Fake(data, words=["b"], is_run=True)
    with pytest.raises(UsageError, match="--split and --class choose among"):
        draw("boxes", subject, AnnotationOptions(split="train"))
