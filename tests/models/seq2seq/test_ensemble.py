"""Translators that answer together: next tokens by mean probabilities, step by step as in one pass."""

from __future__ import annotations

import copy

import pytest
import torch
from models.seq2seq.conftest import CASES, make

from dlcli.models.seq2seq.ensemble import TranslatorEnsemble
from dlcli.models.seq2seq.translator import Translator


@pytest.fixture(params=["luong, lstm, fed", "no attention", "transformer"])
def several(request):
    assert request.param in CASES
    torch.manual_seed(0)
    return TranslatorEnsemble([make(request.param) for _ in range(3)]).eval()


def test_the_next_token_has_the_mean_probability_of_the_members(several, pairs):
    source, lengths, target = pairs
    with torch.no_grad():
        together = several.decode(several.encode(source, lengths), lengths, target)
        alone = [one.decode(one.encode(source, lengths), lengths, target).softmax(2) for one in several.networks]
    assert isinstance(several, Translator)
    torch.testing.assert_close(together.exp(), torch.stack(alone).mean(0))


def test_a_token_at_a_time_gives_what_one_pass_gives(several, pairs):
    source, lengths, target = pairs
    with torch.no_grad():
        memory = several.encode(source, lengths)
        whole = several.decode(memory, lengths, target)
        state = memory.state[:, None]
        for place in range(target.shape[1]):
            log_probs, state = several.step(target[:, place : place + 1], memory.context, lengths, state)
            torch.testing.assert_close(log_probs[:, 0], whole[:, place], rtol=1e-4, atol=1e-4)


def test_equal_members_answer_as_one_of_them(several, pairs):
    source, lengths, target = pairs
    one = several.networks[0]
    twins = TranslatorEnsemble([one, copy.deepcopy(one)])
    with torch.no_grad():
        found = twins.decode(twins.encode(source, lengths), lengths, target)
        expected = one.decode(one.encode(source, lengths), lengths, target).log_softmax(2)
    torch.testing.assert_close(found, expected)
