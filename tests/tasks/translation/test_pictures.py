"""Attention by layer and head, and the lengths of both sides."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.tasks.translation.codec import TranslationCodec
from dlcli.tasks.translation.pictures import (
    AttentionOptions,
    LengthOptions,
    attended,
    choose,
    draw_attention,
    draw_lengths,
)
from dlcli.visualize.subject import Input


@dataclass
class Seen:
    """A subject that remembers what is shown."""

    task: object
    folder: object = None
    shown: list = field(default_factory=list)

    def network(self):
        return self.task.model.eval()

    def codec(self):
        return TranslationCodec(self.task.assets())

    def inputs(self):
        [source] = self.codec().expand(["天地人"])
        arrays = {
            name: torch.from_numpy(np.array(value))[None] for name, value in self.codec().encode(source).arrays.items()
        }
        return [Input("one", source, arrays)]

    def data(self):
        return self.folder

    def shows(self, texts):
        self.shown += texts


@pytest.mark.parametrize("options", [{"model": "seq2seq"}, {"layers": 2, "heads": 2}])
def test_attention_is_drawn_for_the_words_that_are_said(make_task, options):
    subject = Seen(make_task(**options))
    [(name, picture)] = draw_attention(subject, AttentionOptions())
    assert name == "attention-one"
    assert picture.ndim == 3
    assert subject.shown[:3] == ["天", "地", "人"]
    assert subject.shown[-1] == "</s>"
    [item] = subject.inputs()
    said, weights = attended(subject.network(), subject.codec(), item.arrays)
    assert weights.shape[2:] == (len(said) + 1, 3)
    assert len(subject.shown) == 3 + len(said) + 1


def test_a_layer_and_a_head_are_chosen_or_averaged():
    weights = np.random.default_rng(0).random((2, 3, 4, 5))
    for layer, head, expected, label in (
        (None, None, weights.mean((0, 1)), "mean of 2 layers, mean of 3 heads"),
        (2, None, weights[1].mean(0), "layer 2, mean of 3 heads"),
        (None, 3, weights[:, 2].mean(0), "mean of 2 layers, head 3"),
        (1, 1, weights[0, 0], "layer 1, head 1"),
    ):
        chosen, found = choose(weights, AttentionOptions(layer, head))
        np.testing.assert_allclose(chosen, expected)
        assert found == label
    assert choose(weights[:1, :1], AttentionOptions())[1] == "attention"
    with pytest.raises(UsageError, match="--head 4: the network has 3"):
        choose(weights, AttentionOptions(head=4))
    with pytest.raises(UsageError, match="--layer 3: the network has 2"):
        choose(weights, AttentionOptions(layer=3))


def test_a_network_without_attention_says_so(make_task):
    subject = Seen(make_task(model="seq2seq", attention="none"))
    with pytest.raises(UsageError, match="without attention"):
        next(draw_attention(subject, AttentionOptions()))


def test_lengths_of_both_sides_are_drawn(make_task, pairs_folder):
    subject = Seen(make_task(), pairs_folder)
    [(name, picture)] = draw_lengths(subject, LengthOptions())
    assert name == "lengths"
    assert picture.std() > 5
    with pytest.raises(UsageError, match="no split 'tset'"):
        next(draw_lengths(subject, LengthOptions("tset")))
