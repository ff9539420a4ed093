from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import RunError, UsageError
from dlcli.data.codec import Source
from dlcli.tasks.generation.codec import NoiseCodec
from dlcli.tasks.generation.config import GenerationInference
from dlcli.tasks.generation.sampling import Sampling, draw_noise

SAMPLING = {"latent": 5, "channels": 1, "size": 8}
PLAIN, CLASSES = {"sampling": SAMPLING}, {"sampling": SAMPLING, "labels": ["cat", "dog", "猫"]}


def draws(assets, **options):
    codec = NoiseCodec(assets, GenerationInference(**options))
    return codec, [codec.encode(source) for source in codec.expand(())]


def test_the_noise_of_a_draw_is_a_function_of_seed_and_number_alone():
    _, few = draws(PLAIN, count=3, seed=7)
    codec, many = draws(PLAIN, count=20, seed=7)
    for one, other in zip(few, many, strict=False):
        assert np.array_equal(one.arrays["noise"], other.arrays["noise"])
    noise = np.stack([item.arrays["noise"] for item in many])
    assert noise.dtype == np.float32 and len({row.tobytes() for row in noise}) == 20
    assert not np.array_equal(noise, np.stack([item.arrays["noise"] for item in draws(PLAIN, count=20, seed=8)[1]]))
    [(indices, batch)] = codec.batches(many)
    assert list(indices) == list(range(20)) and np.array_equal(batch["noise"], noise)


def test_noise_is_normal():
    noise = draw_noise(1, range(400), 50)
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    assert draw_noise(0, [], 3).shape == (0, 3)


def test_names_sort_by_number_and_records_say_what_made_the_image():
    codec, items = draws(PLAIN, count=11, seed=2)
    names = [item.source.name for item in items]
    assert names[0] == "2-00" and names == sorted(names)
    made = np.arange(11 * 64, dtype=np.uint8).reshape(11, 1, 8, 8)
    answers = codec.decode({"generated": made}, items)
    assert answers[3].record == {"seed": 2, "number": 3}
    assert answers[3].picture.shape == (8, 8, 3)
    assert np.array_equal(answers[3].picture[:, :, 2], made[3, 0])
    assert codec.draw(items[3].source, answers[3]) is answers[3].picture


def test_classes_come_in_turn_or_as_requested():
    codec, items = draws(CLASSES, count=4)
    assert codec.fields == ("seed", "number", "class")
    assert [int(item.arrays["classes"]) for item in items] == [0, 1, 2, 0]
    codec, items = draws(CLASSES, count=2, label="猫")
    assert [item.arrays["classes"].dtype for item in items] == [np.int64] * 2
    answers = codec.decode({"generated": np.zeros((2, 1, 8, 8), np.uint8)}, items)
    assert [answer.record["class"] for answer in answers] == ["猫", "猫"]
    assert NoiseCodec(PLAIN).fields == ("seed", "number")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(UsageError, match=r"a\.png: this run makes images from noise"):
        list(NoiseCodec(PLAIN).expand(["a.png"]))
    with pytest.raises(UsageError, match="no particular class"):
        NoiseCodec(PLAIN, GenerationInference(label="cat"))
    with pytest.raises(UsageError, match="no class 'cta'") as caught:
        NoiseCodec(CLASSES, GenerationInference(label="cta"))
    assert "'cat'" in caught.value.hint


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"latent": 5, "channels": 1},
        {**SAMPLING, "latent": 0},
        {**SAMPLING, "latent": 10**9},
        {**SAMPLING, "channels": 2},
        {**SAMPLING, "size": 1000},
        {**SAMPLING, "size": 8.5},
        {**SAMPLING, "size": True},
    ],
)
def test_damaged_shapes_are_refused(value):
    with pytest.raises(RunError, match="damaged"):
        NoiseCodec({"sampling": value})


def test_shapes_survive_being_stored():
    assert Sampling.from_json(Sampling(5, 3, 28).to_json()) == Sampling(5, 3, 28)
    assert isinstance(next(iter(NoiseCodec(PLAIN).expand(()))), Source)


def test_a_program_gets_the_draws_of_the_command_line():
    codec, items = draws(CLASSES, count=4, seed=3)
    for number, item in enumerate(items):
        value = {"seed": 3, "number": number, "class": CLASSES["labels"][number % 3]}
        source = codec.values.source("x", value)
        assert source.value == item.source.value
        assert np.array_equal(codec.encode(source).arrays["noise"], item.arrays["noise"])
    assert codec.values.schema()["properties"]["class"]["enum"] == ["cat", "dog", "猫"]
    assert codec.values.source("x", {}).value == items[0].source.value.__class__(0, 0, 0)


@pytest.mark.parametrize(
    "value",
    [None, 3, [], {"else": 1}, {"seed": -1}, {"seed": 2**32}, {"seed": 1.5}, {"number": True}, {"class": "cat"}],
)
def test_what_is_no_draw_is_a_fault(value):
    codec, _ = draws(PLAIN, count=1)
    assert codec.encode(codec.values.source("x", value)).error
    known, _ = draws(CLASSES, count=1)
    assert known.encode(known.values.source("x", {"class": "bird"})).error == "no such class"
    [source] = codec.values.sources_of_file("a.png", b"x")
    assert "not from files" in codec.encode(source).error
