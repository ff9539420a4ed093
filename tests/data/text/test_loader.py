"""Batches of texts: like lengths together, every text once, the same again for the same seed."""

from __future__ import annotations

import numpy as np
import torch

from dlcli.data.order import WHOLE, Shard
from dlcli.data.text.characters import character_reader, pack_characters
from dlcli.data.text.loader import BucketedOrder, pad, text_loader
from dlcli.data.text.tokenizing.tokenizer import make_spec

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(0, 40, 203)
OFFSETS = np.concatenate([[0], np.cumsum(LENGTHS)])
IDS = RANDOM.integers(2, 900, OFFSETS[-1]).astype(np.int32)
LABELS = RANDOM.integers(0, 2, 203)


def loader(*, seed=0, batch_size=16, shard=WHOLE, max_length=100, rows=None):
    rows = np.arange(203) if rows is None else rows
    order = BucketedOrder(rows, LENGTHS, batch_size, seed=seed, shard=shard)
    return text_loader(IDS, OFFSETS, LABELS, order, max_length=max_length, empty=1)


def test_every_text_comes_once_an_epoch_as_it_is():
    for seed in (None, 3):
        rows = []
        for batch in loader(seed=seed).batches(1):
            for tokens, length, label, row in zip(
                *(batch[n] for n in ("tokens", "lengths", "labels", "rows")), strict=True
            ):
                rows.append(int(row))
                expected = IDS[OFFSETS[row] : OFFSETS[row + 1]].tolist() or [1]
                assert tokens[:length].tolist() == expected
                assert not tokens[length:].any()
                assert label == LABELS[row]
        assert sorted(rows) == list(range(203))


def test_texts_of_a_batch_are_of_like_length():
    plain = np.random.default_rng(0).permutation(203)[:192].reshape(12, 16)
    padded = np.mean([LENGTHS[rows].max() for rows in plain])
    bucketed = np.mean([batch["tokens"].shape[1] for batch in loader().batches(0)])
    assert bucketed < 0.7 * padded


def test_epochs_and_seeds_differ_in_which_texts_meet_and_in_the_order_of_batches():
    def groups(seed, epoch):
        return [tuple(sorted(batch["rows"].tolist())) for batch in loader(seed=seed).batches(epoch)]

    assert groups(0, 0) == groups(0, 0)
    assert len(set(groups(0, 0)) & set(groups(0, 1))) <= 3  # the shortest and the longest find no others
    assert len(set(groups(0, 0)) & set(groups(1, 0))) <= 3
    widths = [batch["tokens"].shape[1] for batch in loader().batches(0)][:-1]
    assert widths != sorted(widths)


def test_an_epoch_is_entered_in_its_middle():
    whole = list(loader().batches(2))
    assert len(whole) == len(loader())
    for first, second in zip(whole[5:], loader().batches(2, start=5), strict=True):
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_shards_take_each_batch_apart():
    whole = [set(batch["rows"].tolist()) for batch in loader(batch_size=32).batches(0)]
    parts = [[set(b["rows"].tolist()) for b in loader(shard=Shard(rank, 2)).batches(0)] for rank in (0, 1)]
    assert [one | other for one, other in zip(*parts, strict=True)] == whole
    assert not any(one & other for one, other in zip(*parts, strict=True))


def test_a_long_text_is_cut_at_its_end_and_an_empty_one_gets_a_token():
    rows = np.array([int(LENGTHS.argmax()), int(LENGTHS.argmin())])
    tokens, lengths = pad(IDS, OFFSETS, rows, max_length=7, empty=1)
    assert lengths.tolist() == [7, 1]
    assert tokens[0].tolist() == IDS[OFFSETS[rows[0]] :][:7].tolist()
    assert tokens[1].tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_one_batch_holds_all_where_there_are_few():
    assert len(loader(rows=np.arange(5))) == 1
    assert sum(len(batch["rows"]) for batch in loader(rows=np.arange(5)).batches(0)) == 5


def test_characters_come_beside_the_tokens_of_their_text():
    characters = pack_characters([f"text {row}" for row in range(203)], character_reader(make_spec("char"), 7))
    order = BucketedOrder(np.arange(203), LENGTHS, 16, seed=0)
    loader_ = text_loader(IDS, OFFSETS, LABELS, order, max_length=9, empty=1, characters=characters)
    for batch in loader_.batches(0):
        for row, codes, length in zip(batch["rows"], batch["characters"], batch["character_lengths"], strict=True):
            assert "".join(map(chr, codes[:length])) == f"text {row}"[:7]
            assert not codes[length:].any()
