"""Shards of the inputs: each input in one, in an order that can be put together again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dlcli.answering.shards import MAX_SHARDS, Share, share_of
from dlcli.core.errors import UsageError


@pytest.mark.parametrize(("count", "inputs"), [(1, 5), (2, 0), (3, 2), (3, 10), (7, 7), (8, 100)])
def test_every_input_is_in_one_shard_and_taking_one_of_each_in_turn_gives_their_order(count: int, inputs: int) -> None:
    shards = [list(Share(number, count).of(range(inputs))) for number in range(count)]
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    together = [item for row in itertools.zip_longest(*shards) for item in row if item is not None]
    assert together == list(range(inputs))


def test_inputs_that_come_in_several_parts_are_counted_through() -> None:
    whole, parts = Share(1, 3), Share(1, 3)
    found = [item for part in (range(4), range(4, 5), range(0), range(5, 11)) for item in parts.of(part)]
    assert found == list(whole.of(range(11))) == [1, 4, 7, 10]


def test_the_input_is_read_no_further_than_asked() -> None:
    seen = iter(range(10))
    assert next(Share(2, 4).of(seen)) == 2
    assert next(seen) == 3


def test_several_shards_have_numbered_files_and_one_has_the_name_itself() -> None:
    path = Path("into/an.swers.jsonl")
    assert Share().file_of(path) == path
    assert Share(3, 8).file_of(path) == Path("into/an.swers-00003-of-00008.jsonl")
    last = Share(MAX_SHARDS - 1, MAX_SHARDS).file_of(path)
    assert last.name == "an.swers-99999-of-100000.jsonl"
    names = [Share(number, 12).file_of(path).name for number in range(12)]
    assert sorted(names) == names, "a listing has them in their order"


def test_a_launched_process_has_its_rank_s_shard_and_what_is_typed_comes_first() -> None:
    launched = {"RANK": "2", "WORLD_SIZE": "4"}
    assert share_of(None, launched) == Share(2, 4, is_launched=True)
    assert share_of("0/2", launched) == Share(0, 2)
    assert share_of(None, {}) == share_of(None, {"RANK": "0"}) == Share()
    assert not share_of(None, {"RANK": "0", "WORLD_SIZE": "1"}).is_launched


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("8/8", "counted from 0, so the last one is 7/8"),
        ("1/0", "there can be 1 to 100,000 shards"),
        ("1/100001", "there can be 1 to 100,000 shards"),
        ("-1/2", "is no shard"),
        ("1", "is no shard"),
        ("1/2/3", "is no shard"),
        ("a/b", "is no shard"),
        ("", "is no shard"),
        ("\u0661/2", "is no shard"),
        ("1/9999999999999999999999", "is no shard"),
    ],
)
def test_what_is_no_shard_is_refused_with_an_example(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        share_of(text)
    assert "--shard 0/8" in str(caught.value.hint)
    rank, _, size = text.partition("/")
    with pytest.raises(UsageError, match="RANK/WORLD_SIZE"):
        share_of(None, {"RANK": rank, "WORLD_SIZE": size})
