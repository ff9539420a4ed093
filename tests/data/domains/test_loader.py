"""Batches of two domains: what they hold, and of what they are a function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toys.domains import picture, write_image, write_own, write_prepared

from dlcli.core.errors import DataError
from dlcli.data.domains.form import DomainsForm, open_domains
from dlcli.data.domains.loader import evaluation_loader, kept_size, scale, training_loader
from dlcli.data.images.decoding import resize_image
from dlcli.data.loading import Batch
from dlcli.data.order import Shard


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory: pytest.TempPathFactory) -> DomainsForm:
    return open_domains(write_prepared(tmp_path_factory.mktemp("unpaired"), {"train": (5, 8), "test": (3, 2)}))


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> DomainsForm:
    return open_domains(
        write_prepared(tmp_path_factory.mktemp("paired"), {"train": (6, 6), "test": (3, 3)}, paired=True)
    )


def assert_equal(first: Batch, second: Batch) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name])


def test_a_batch_holds_crops_of_both_domains(unpaired: DomainsForm) -> None:
    loader = training_loader(unpaired, size=32, batch_size=3, seed=1)
    batches = list(loader.batches(0))
    assert len(batches) == len(loader) == 3 and loader.num_items == 8
    assert set(batches[0]) == {"images_a", "images_b"}
    for batch in batches:
        assert batch["images_a"].dtype == torch.uint8
        assert batch["images_a"].shape == batch["images_b"].shape == (len(batch["images_a"]), 3, 32, 32)
        assert batch["images_a"][:, 0].max() < 100 < batch["images_b"][:, 0].min()  # dark, light


def test_a_crop_is_a_part_of_the_scaled_image(unpaired: DomainsForm) -> None:
    wholes = [scale(picture(0, number), (36, 45)) for number in range(5)]
    parts = {
        square[:, ::step].tobytes()
        for whole in wholes
        for top in range(5)
        for left in range(14)
        for square in [whole[top : top + 32, left : left + 32]]
        for step in (1, -1)
    }
    crops = [
        np.ascontiguousarray(image.permute(1, 2, 0).numpy()).tobytes()
        for batch in training_loader(unpaired, size=32, batch_size=4, seed=1, load_size=36).batches(0)
        for image in batch["images_a"]
    ]
    assert set(crops) <= parts
    assert len(set(crops)) > 5  # not the same crop for all items of an image


@pytest.mark.parametrize("start", [1, 2])
def test_resuming_in_an_epoch_gives_the_same_batches(unpaired: DomainsForm, start: int) -> None:
    all_batches = list(training_loader(unpaired, size=32, batch_size=3, seed=1).batches(4))
    resumed = list(training_loader(unpaired, size=32, batch_size=3, seed=1).batches(4, start))
    assert len(resumed) == 3 - start
    for first, second in zip(all_batches[start:], resumed, strict=True):
        assert_equal(first, second)


@pytest.mark.parametrize("cache", ["ram", "disk", "none"])
def test_the_cache_decides_where_images_are_and_never_what_they_are(
    unpaired: DomainsForm, cache: str, tmp_path: Path
) -> None:
    expected = list(training_loader(unpaired, size=32, batch_size=3, seed=1).batches(1))
    loader = training_loader(unpaired, size=32, batch_size=3, seed=1, cache=cache, folder=tmp_path)  # type: ignore[arg-type]
    for epoch in (0, 1):
        found = list(loader.batches(epoch))
    for first, second in zip(expected, found, strict=True):
        assert_equal(first, second)


def test_workers_read_the_same_batches(unpaired: DomainsForm) -> None:
    expected = list(training_loader(unpaired, size=32, batch_size=3, seed=1).batches(1))
    found = list(training_loader(unpaired, size=32, batch_size=3, seed=1, workers=1).batches(1))
    for first, second in zip(expected, found, strict=True):
        assert_equal(first, second)


def test_two_processes_share_one_batch(unpaired: DomainsForm) -> None:
    whole = training_loader(unpaired, size=32, batch_size=4, seed=1)
    halves = [training_loader(unpaired, size=32, batch_size=2, seed=1, shard=Shard(rank, 2)) for rank in range(2)]
    for batch, *parts in zip(whole.batches(2), *(half.batches(2) for half in halves), strict=True):
        for name, images in batch.items():
            assert torch.equal(images[0::2], parts[0][name]) and torch.equal(images[1::2], parts[1][name])


def test_epochs_differ(unpaired: DomainsForm) -> None:
    loader = training_loader(unpaired, size=32, batch_size=8, seed=1)
    [first], [second] = list(loader.batches(0)), list(loader.batches(1))
    assert not torch.equal(first["images_a"], second["images_a"])


def test_pairs_are_cropped_and_mirrored_alike(paired: DomainsForm) -> None:
    for epoch in range(3):
        for batch in training_loader(paired, size=32, batch_size=3, seed=0, load_size=40, paired=True).batches(epoch):
            # The domains differ by 128 in every pixel and channel, so equal places differ by exactly that.
            assert (batch["images_b"].int() - batch["images_a"].int() == 128).all()


def test_pairs_of_unequal_sizes_are_brought_to_that_of_the_first(tmp_path: Path) -> None:
    root = write_prepared(tmp_path, {"train": (2, 2)}, paired=True)
    for number in range(2):
        doubled = picture(1, number).repeat(2, axis=0).repeat(2, axis=1)
        write_image(root / "train" / "day" / f"{number:03d}.png", doubled)
    loader = training_loader(open_domains(root), size=32, batch_size=2, seed=0, load_size=40, paired=True)
    [batch] = list(loader.batches(0))
    assert (batch["images_b"].int() - batch["images_a"].int() == 128).all()


def test_pairs_are_refused_where_there_are_none(unpaired: DomainsForm) -> None:
    with pytest.raises(DataError, match="not in pairs"):
        training_loader(unpaired, size=32, batch_size=1, seed=0, paired=True)


def test_paired_data_may_be_read_as_unpaired(paired: DomainsForm) -> None:
    loader = training_loader(paired, size=32, batch_size=6, seed=0, load_size=32, flip=False)
    [batch] = list(loader.batches(0))
    assert not (batch["images_b"].int() - batch["images_a"].int() == 128).all()


def test_a_bad_image_is_replaced_in_training_and_left_out_in_evaluation(tmp_path: Path) -> None:
    root = write_own(tmp_path, {"trainA": 4, "trainB": 3})
    (root / "trainA" / "001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    form, bad = open_domains(root), list[str]()
    loader = training_loader(form, size=32, batch_size=2, seed=0, max_bad=1, on_bad=bad.append)
    assert [len(batch["images_a"]) for batch in loader.batches(0)] == [2, 2]
    assert len(bad) == 1 and "001.png" in bad[0]
    rows = [batch["rows"] for batch in evaluation_loader(form, "train", 0, size=16, batch_size=2, max_bad=1).batches()]
    assert torch.cat(rows).tolist() == [0, 2, 3]
    with pytest.raises(DataError, match="more than --max-bad 0"):
        list(training_loader(form, size=32, batch_size=2, seed=0).batches(0))


def test_evaluation_shows_the_middle_of_each_image_once(unpaired: DomainsForm) -> None:
    batches = list(evaluation_loader(unpaired, "test", 0, size=24, batch_size=2).batches())
    assert [len(batch["images"]) for batch in batches] == [2, 1]
    assert set(batches[0]) == {"images", "rows"}
    images = torch.cat([batch["images"] for batch in batches]).permute(0, 2, 3, 1).numpy()
    for number, image in enumerate(images):
        np.testing.assert_array_equal(image, resize_image(picture(0, number), 24))


def test_evaluation_of_pairs_has_targets(paired: DomainsForm) -> None:
    for domain, sign in ((0, 1), (1, -1)):
        for batch in evaluation_loader(paired, "test", domain, size=40, batch_size=2).batches():
            assert (batch["targets"].int() - batch["images"].int() == sign * 128).all()


def test_processes_evaluate_disjoint_images(unpaired: DomainsForm) -> None:
    rows = [
        torch.cat([batch["rows"] for batch in loader.batches()]).tolist()
        for rank in range(2)
        for loader in [evaluation_loader(unpaired, "test", 0, size=16, batch_size=1, shard=Shard(rank, 2))]
    ]
    assert sorted(rows[0] + rows[1]) == [0, 1, 2] and not set(rows[0]) & set(rows[1])


@pytest.mark.parametrize(
    ("size", "side", "kept"),
    [((256, 256), 143, (143, 143)), ((40, 50), 36, (36, 45)), ((1, 1), 20, (20, 20)), ((1, 90_000), 20, (20, 160))],
)
def test_the_shorter_side_is_scaled(size: tuple[int, int], side: int, kept: tuple[int, int]) -> None:
    assert kept_size(size, side) == kept
    assert scale(np.full((*size, 3), 7, np.uint8), kept).shape == (*kept, 3)


def test_a_strip_is_cut_to_its_middle() -> None:
    image = np.zeros((2, 64, 3), np.uint8)
    image[:, 24:40] = 255
    assert (scale(image, kept_size((2, 64), 2)) == 255).all()
