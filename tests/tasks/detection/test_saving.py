"""Answers saved as annotations come back as they were, and as COCO's results have the AP that `eval` reports."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from contract.originals import CLASSES, ORIGINALS
from toys.blobs import write_film
from toys.shallow import add_shallow

from dlcli.cli.app import run
from dlcli.core.errors import ExitCode
from dlcli.data.annotated.form import open_annotated
from dlcli.data.codec import Answer, Source
from dlcli.tasks.detection.saving import FORMATS, DetectionSaver

MODELS = ("boxes", "model.onnx")
PRE_LABELS = tuple(name for name in FORMATS if name != "coco-results")


@dataclass(frozen=True)
class Said:
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def dl(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """A function that runs one command line in this process."""

    def call(*args: str) -> Said:
        capfd.readouterr()
        code = run(list(args))
        return Said(code, *capfd.readouterr())

    return call


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with prepared VOC data and a small run on it, `runs/boxes`; it is the current one."""
    folder = tmp_path_factory.mktemp("boxes")
    [original] = ORIGINALS["detection"]
    assert original.make is not None
    original.make(folder / "voc")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        add_shallow(patch)
        assert run(["prepare", "voc", "voc", "--quiet"]) == 0
        quick = ("--threads", "1", "--precision", "fp32", "--quiet", "--name", "boxes")
        assert run(["train", "voc", *original.train, *quick]) == 0
        yield folder


def answered(folder: Path, objects: list[dict[str, Any]], name: str = "a.png") -> tuple[Source, Answer]:
    """Return a written image of 64 x 48 pixels as a source, with these objects as its answer."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    (folder / name).write_bytes(cv2.imencode(Path(name).suffix, pixels)[1].tobytes())
    return Source(str(folder / name), folder / name), Answer({"width": 64, "height": 48, "objects": objects})


def thing(label: str, *box: float) -> dict[str, Any]:
    return {"label": label, "score": 0.75, "box": list(box)}


def nothing_is_an_input(_path: Path) -> bool:
    return False


@pytest.mark.parametrize("format", PRE_LABELS)
def test_pre_labels_come_back_as_they_were_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    saver = DetectionSaver(format, tmp_path / "out", CLASSES, nothing_is_an_input)
    answers = {
        "a.png": [thing("dog", 3, 4, 20, 30), thing("airplane", 0, 0, 64, 48)],
        "b b.jpg": [thing("cat", 10, 11, 12, 13)],
        "c.png": [],
    }
    for name, objects in answers.items():
        saver.save(*answered(tmp_path, objects, name))
    saver.close()
    assert run(["prepare", format, "out", "--out", "again", "--quiet"]) == 0
    form = open_annotated(tmp_path / "again")
    found = {
        Path(image.file).name: [(form.card.classes[each.label], each.box) for each in image.objects]
        for split in form.splits()
        for image in form.of_split(split)
    }
    expected = {
        name.replace(" ", "_"): [(each["label"], tuple(each["box"])) for each in objects]
        for name, objects in answers.items()
    }
    assert {name: sorted(of) for name, of in found.items()} == {name: sorted(of) for name, of in expected.items()}


@pytest.mark.parametrize("format", PRE_LABELS)
def test_a_second_prediction_replaces_the_first_and_no_input(tmp_path: Path, format: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    source, answer = answered(tmp_path, [thing("dog", 3, 4, 20, 30)])
    for given in (answer, Answer({**answer.record, "objects": [thing("cat", 1, 2, 9, 10)]})):
        saver = DetectionSaver(format, folder, CLASSES, nothing_is_an_input)
        saver.save(source, given)
        saver.close()
    form = open_annotated(folder)
    assert [[form.card.classes[each.label] for each in image.objects] for image in form.of_split("train")] == [["cat"]]
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    saver = DetectionSaver(format, folder, CLASSES, lambda path: path in before)
    saver.save(*answered(tmp_path, [], "a.png"))
    saver.close()
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(folder.rglob("*.png"))) == 2


def test_masks_become_polygons_and_run_lengths(tmp_path: Path) -> None:
    from dlcli.data.annotated.form import masks_of
    from dlcli.data.annotated.masks import from_pixels

    pixels = np.zeros((48, 64), np.uint8)
    pixels[10:30, 5:25] = 1
    pixels[20:30, 5:15] = 0
    objects = [{**thing("cat", 5, 10, 25, 30), "mask": from_pixels(pixels)}]
    for format in ("coco", "yolo", "labelme"):
        folder = tmp_path / format
        folder.mkdir()
        saver = DetectionSaver(format, folder, CLASSES, nothing_is_an_input)
        saver.save(*answered(tmp_path, objects))
        saver.close()
        form = open_annotated(folder)
        [image] = form.of_split("train")
        assert (masks_of(image)[0] == pixels).all(), format
    results = DetectionSaver("coco-results", tmp_path, CLASSES, nothing_is_an_input)
    results.save(*answered(tmp_path, objects))
    results.close()
    [row] = json.loads((tmp_path / "results.json").read_text())
    assert row["segmentation"] == objects[0]["mask"]


def official_ap(truth: Path, results: Path) -> list[float]:
    """Return AP, AP50 and AP75 of the official script."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(str(truth))
        evaluation = COCOeval(known, known.loadRes(str(results)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats[:3]]


@pytest.mark.slow
def test_the_ap_of_saved_results_is_that_of_eval(house: Path, dl: Callable[..., Said]) -> None:
    report = json.loads(dl("eval", "boxes", "--split", "test", "--json").out)
    line = ("predict", "boxes", "data/voc/images/test", "--threshold", "0", "--quiet")
    assert dl(*line, "--save-dir", "results", "--save-as", "coco-results").code == 0
    truth = house / "data/voc/annotations/instances_test.json"
    found = official_ap(truth, house / "results" / "results.json")
    expected = [report["metrics"][name] for name in ("ap", "ap50", "ap75")]
    assert max(expected) > 0
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_images_of_no_prepared_split_are_counted(house: Path, dl: Callable[..., Said], tmp_path: Path) -> None:
    files = sorted((house / "data/voc/images/test").iterdir())[:2]
    for file in files:
        shutil.copy(file, tmp_path)
    line = ("predict", "boxes", str(tmp_path / files[1].name), str(files[0]), "--threshold", "0", "--quiet")
    assert dl(*line, "--save-dir", str(tmp_path / "out"), "--save-as", "coco-results").code == 0
    images = json.loads((tmp_path / "out" / "images.json").read_text())["images"]
    assert [(image["id"], Path(image["file_name"]).name) for image in images] == [
        (1, files[1].name),
        (2, files[0].name),
    ]
    rows = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {row["image_id"] for row in rows} == {1, 2}


@pytest.mark.slow
def test_a_format_that_is_unknown_or_has_no_folder_is_one_error(house: Path, dl: Callable[..., Said]) -> None:
    image = str(next((house / "data/voc/images/test").iterdir()))
    given = dl("predict", "boxes", image, "--save-dir", "none", "--save-as", "yol")
    assert (given.code, given.out) == (ExitCode.USAGE, "")
    assert "did you mean 'yolo'?" in given.err
    assert not Path("none").exists()
    assert "--save-dir" in dl("predict", "boxes", image, "--save-as", "yolo").err


@pytest.mark.slow
def test_a_run_and_its_export_answer_a_film_and_tiles_alike(house: Path, dl: Callable[..., Said]) -> None:
    write_film(house / "way.mp4", count=6)
    assert dl("export", "boxes", "--quiet", "--out", "model.onnx").code == 0
    line = ("way.mp4", "--threshold", "0", "--tile", "80", "--frame-step", "2", "--jsonl")
    by_run, by_file = ([json.loads(row) for row in dl("predict", model, *line).out.splitlines()] for model in MODELS)
    assert [record["time_s"] for record in by_run] == [0, 0.2, 0.4]
    for one, other in zip(by_run, by_file, strict=True):
        assert one["input"] == other["input"]
        best, again = ([each["score"] for each in record["objects"][:5]] for record in (one, other))
        assert best == pytest.approx(again, abs=1e-3)
        assert len(best) == 5
