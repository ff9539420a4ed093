"""Every translator: padding changes nothing, a step continues what teacher forcing would say, gradients reach all."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dlcli.models.seq2seq.translator import Attends, StepGraph, Translator, as_candidates

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def forced(translator, source, lengths, target, keep=None):
    return translator.decode(translator.encode(source, lengths), lengths, target, keep)


def stepped(translator, source, lengths, targets):
    """Return (N, K, T, V) log-probabilities by single steps over (N, K, T) targets."""
    memory = translator.encode(source, lengths)
    state = memory.state[:, None].expand(-1, targets.shape[1], *memory.state.shape[1:])
    found = []
    for last in targets.unbind(2):
        log_probs, state = translator.step(last, memory.context, lengths, state)
        found.append(log_probs)
    return torch.stack(found, 2)


def test_it_is_a_translator(translator):
    assert isinstance(translator, Translator)
    assert isinstance(translator, Attends)


@pytest.mark.parametrize("is_training", [False, True])
def test_longer_padding_and_rubbish_in_it_change_no_output(translator, pairs, is_training):
    source, lengths, target = pairs
    translator.train(is_training)
    with torch.no_grad():
        expected = forced(translator, source, lengths, target)
        wide = F.pad(source, (0, 9))
        for padded in (wide, torch.where(torch.arange(16) < lengths[:, None], wide, 5)):
            torch.testing.assert_close(forced(translator, padded, lengths, target), expected, **CLOSE)
        longer = F.pad(target, (0, 4), value=3)
        torch.testing.assert_close(forced(translator, source, lengths, longer)[:, :6], expected, **CLOSE)
        for row, length in enumerate(lengths.tolist()):
            one = slice(row, row + 1)
            alone = forced(translator, source[one, :length], lengths[one], target[one])
            torch.testing.assert_close(alone, expected[one], **CLOSE)


def test_longer_padding_changes_no_loss(translator, pairs):
    source, lengths, target = pairs
    keep = torch.arange(6) < torch.tensor([6, 2, 4, 3, 5])[:, None]

    def loss(source, target, keep):
        logits = forced(translator, source, lengths, target[:, :-1], keep[:, 1:])
        return F.cross_entropy(logits, target[:, 1:][keep[:, 1:]], label_smoothing=0.1)

    wide = loss(F.pad(source, (0, 11)), F.pad(target, (0, 8)), F.pad(keep, (0, 8)))
    torch.testing.assert_close(wide, loss(source, target, keep), rtol=1e-6, atol=1e-6)


def test_a_step_continues_as_teacher_forcing_does_for_every_hypothesis(translator, pairs):
    source, lengths, target = pairs
    others = torch.stack([target, target.flip(1), target.roll(1, 0)], dim=1)
    with torch.no_grad():
        found = stepped(translator, source, lengths, others)
        for place in range(3):
            expected = forced(translator, source, lengths, others[:, place]).log_softmax(2)
            torch.testing.assert_close(found[:, place], expected, **CLOSE)


def test_no_token_sees_those_after_it(translator, pairs):
    source, lengths, target = pairs
    with torch.no_grad():
        before = forced(translator, source, lengths, target)
        for place in range(6):
            other = target.clone()
            other[:, place] = target[:, place] % 18 + 4
            changed = (forced(translator, source, lengths, other) - before).abs().amax(dim=(0, 2))
            assert not changed[:place].any()
            assert changed[place] > 1e-5


def test_every_source_token_counts(translator, pairs):
    source, lengths, target = pairs
    with torch.no_grad():
        before = forced(translator, source, lengths, target)
        for place in range(7):
            other = source.clone()
            other[0, place] = source[0, place] % 25 + 4
            assert (forced(translator, other, lengths, target)[0] - before[0]).abs().max() > 1e-6


def test_kept_logits_are_those_of_their_places(translator, pairs):
    source, lengths, target = pairs
    keep = target % 2 == 0
    with torch.no_grad():
        everything = forced(translator, source, lengths, target)
        torch.testing.assert_close(forced(translator, source, lengths, target, keep), everything[keep], **CLOSE)


def test_gradients_reach_every_parameter(translator, pairs):
    translator.train()
    source, lengths, target = pairs
    forced(translator, source, lengths, target).logsumexp(2).sum().backward()
    for name, parameter in translator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_attention_sums_to_one_and_padding_has_none(translator, pairs):
    source, lengths, target = pairs
    if getattr(translator, "attend", True) is None:
        pytest.skip("it has no attention")
    weights = translator.attention(translator.encode(source, lengths), lengths, target)
    assert weights.shape[0] == 5
    assert weights.shape[3:] == (6, 7)
    torch.testing.assert_close(weights.sum(4), torch.ones(weights.shape[:4]))
    assert not weights[(torch.arange(7) >= lengths[:, None])[:, None, None, None].expand_as(weights)].any()


def test_the_candidates_of_a_step_are_the_best_that_are_not_banned(translator, pairs):
    source, lengths, target = pairs
    memory = translator.encode(source, lengths)
    state = memory.state[:, None]
    with torch.no_grad():
        log_probs, expected_state = translator.step(target[:, :1], memory.context, lengths, state)
        banned = torch.stack([log_probs.argmax(2), torch.zeros(5, 1, dtype=torch.int64)], dim=2)
        graph = StepGraph(translator, num_candidates=7)
        scores, ids, state = graph(target[:, :1], memory.context, lengths, state, banned)
    for row in range(5):
        allowed = [token for token in range(23) if token not in banned[row, 0].tolist()]
        order = sorted(allowed, key=lambda token: -log_probs[row, 0, token].item())
        assert ids[row, 0].tolist() == order[:7]
        torch.testing.assert_close(scores[row, 0], log_probs[row, 0, ids[row, 0]])
    torch.testing.assert_close(state, expected_state)


def test_a_small_vocabulary_has_fewer_candidates():
    assert (as_candidates(23), as_candidates(8000)) == (23, 32)
