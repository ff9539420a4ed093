"""`dl doctor --near-duplicates`: a table, JSON in full, and a sheet of the images."""

from __future__ import annotations

import json
import shutil
from typing import Any

import cv2
import numpy as np
from bad_inputs.arrange import RUN, prepare_csv

LONG = "we stayed for a week and everything was as it should be in room"


def scene(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).random((8, 8, 3)).astype(np.float32)
    return (cv2.resize(noise, (32, 32)) * 255).astype(np.uint8)


def write_scenes(bench: Any) -> None:
    """Write photos of two classes, of which one is darker in the test split and one is in both classes."""
    for number in range(8):
        bench.write(f"我的 图/train/{'猫狗'[number % 2]}/{number}.png", encoded(scene(number)))
    bench.write("我的 图/test/猫/dark.png", encoded(scene(2) // 2))
    bench.write("我的 图/test/狗/other.png", encoded(scene(4)))


def encoded(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def test_near_duplicates_are_counted_named_and_drawn(bench: Any, dl: Any) -> None:
    write_scenes(bench)
    answer = dl("doctor", "我的 图", "--near-duplicates", "--out", "sheets/图.png")
    assert answer.code == 0
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert "train, test 2 1 2 of test (100.0%)" in lines
    assert "within train 0 0 0 of train (0.0%)" in lines
    first, second = [line for line in lines if ".png" in line]
    assert first == "1.0000 train/猫/4.png 猫 test/狗/other.png 狗"  # the labels differ, so it is the first
    assert second.endswith("train/猫/2.png 猫 test/猫/dark.png 猫")
    sheet = cv2.imdecode(np.fromfile(bench.home / "sheets" / "图.png", np.uint8), 1)
    assert sheet.shape[0] > 100 and sheet.shape[1] > 300


def test_json_has_every_pair_in_full(bench: Any, dl: Any) -> None:
    write_scenes(bench)
    answer = json.loads(dl("doctor", "我的 图", "--near-duplicates", "--json").out)
    assert (answer["schema"], answer["items"]) == ("dl.doctor/1", 10)
    assert [pair["second"]["name"] for pair in answer["near_duplicates"]] == ["test/狗/other.png", "test/猫/dark.png"]
    assert [entry["pairs"] for entry in answer["splits"]] == [0, 2, 0]


def test_texts_and_rows_are_named_with_what_they_say(bench: Any, dl: Any) -> None:
    prepare_csv(bench)
    assert json.loads(dl("doctor", "data/t", "--near-duplicates", "--json").out)["near_duplicates"] == []
    bench.write("x.csv", "label,review\n" + "\n".join(f"{n % 2},{LONG} {n * 7919}" for n in range(60)))
    assert dl("prepare", "text-csv", "x.csv", "--out", "data/x", "--tokenizer", "whitespace").code == 0
    answer = dl("doctor", "data/x", "--near-duplicates")
    assert (answer.code, LONG[:20] in answer.out) == (0, True)
    assert dl("doctor", "data/x", "--near-duplicates", "--out", "x.png").code == 2


def test_an_unreadable_image_is_noted_and_the_others_are_compared(bench: Any, dl: Any) -> None:
    write_scenes(bench)
    bench.write("我的 图/train/猫/broken.png", b"no image")
    answer = dl("doctor", "我的 图", "--near-duplicates", "--json")
    assert (answer.code, len(json.loads(answer.out)["near_duplicates"])) == (0, 2)
    assert "images that cannot be read: 1" in answer.err


def cross_validated(bench: Any, dl: Any) -> None:
    """Train two folds on rows of two classes, of which one row has the wrong label, as runs/rows."""
    rows = [f"{n % 2 + 0.01 * (n % 7)},{n % 5},{'ab'[n % 2] if n != 13 else 'a'}" for n in range(60)]
    bench.write("t.csv", "\n".join(["size,other,kind", *rows]))
    assert dl("prepare", "table", "t.csv", "--target", "kind", "--out", "data/t").code == 0
    line = ("train", "table-classification", "--data", "data/t", "--folds", "2", "--threads", "1", "--name", "rows")
    assert dl(*line, "--epochs", "60", "--lr", "0.02", "--model", "mlp", "--quiet").code == 0


def test_a_wrong_label_is_suspected_by_the_folds_that_have_not_seen_it(bench: Any, dl: Any) -> None:
    cross_validated(bench, dl)
    answer = json.loads(dl("doctor", "rows", "--json").out)
    assert [finding["state"] for finding in answer["findings"]] == ["ok", "ok"]
    [first, *_] = answer["suspects"]
    assert (first["name"].split()[1:], first["label"], first["suggested"]) == (["row", "14"], "a", "b")
    assert first["probability"] > 0.8 > 0.2 > first["label_probability"]
    assert first["fields"]["size"] == 1.06
    assert "row 14" in dl("doctor", "rows").out
    assert dl("doctor", "rows", "--out", "x.png").code == 2
    shutil.move("data/t", "data/elsewhere")
    moved = dl("doctor", "rows", "--json")
    assert (moved.code, "suspects" in json.loads(moved.out)) == (0, False)
    assert "suspects are not looked for" in moved.err


def test_the_items_of_a_runs_data_are_compared_as_the_run_sees_them(bench: Any, dl: Any) -> None:
    bench.run()
    bench.digits()
    answer = dl("doctor", RUN, "--outliers", "--json", "--out", "far.png")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["items"] == 1797
    assert all(entry["distance"] > found["least_distance"] for entry in found["outliers"])
    assert (bench.home / "far.png").exists() == bool(found["outliers"])
    near = json.loads(dl("doctor", "digits", "--near-duplicates", "--run", RUN, "--json").out)
    assert (near["items"], near["least_similarity"] >= 0.9) == (1797, True)
    for pair in near["near_duplicates"]:
        assert pair["first"]["name"].split("/")[:2] == [pair["first"]["split"], pair["first"]["label"]]
