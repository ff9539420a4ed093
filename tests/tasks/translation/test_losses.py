"""The losses: means over tokens, by hand and by accumulation."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from dlcli.tasks.translation.losses import sentence_losses, training_losses


def batch_of(task, number=0):
    return list(task.loader("train", training=True).batches())[number]


def test_the_loss_is_a_mean_over_the_tokens_to_be_said(make_task):
    task = make_task(label_smoothing=0.1)
    batch = batch_of(task)
    [update] = task.training_step(batch)
    total, count = 0.0, 0
    size = task.tokenizers[1].size
    for row, length in enumerate(batch["target_lengths"].tolist()):
        source = batch["source"][row : row + 1, : batch["source_lengths"][row]]
        lengths = batch["source_lengths"][row : row + 1]
        logits = task.model.decode(
            task.model.encode(source, lengths), lengths, batch["target"][row : row + 1, : length - 1]
        )
        log_probs = logits[0].log_softmax(1).detach()
        for place, token in enumerate(batch["target"][row, 1:length].tolist()):
            total -= 0.9 * float(log_probs[place, token]) + 0.1 * float(log_probs[place].sum()) / size
            count += 1
    assert update.count == count == int((batch["target_lengths"] - 1).sum())
    assert update.losses["cross_entropy"].item() == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize("r_drop", [0.0, 1.0])
@pytest.mark.parametrize("model", ["seq2seq", "transformer"])
def test_micro_batches_by_tokens_equal_one_batch(make_task, model, r_drop):
    task = make_task(model=model, r_drop=r_drop)
    whole = batch_of(task)
    parts = [slice(0, 2), slice(2, 9), slice(9, None)]
    assert len(whole["source"]) > 10

    def gradients(batches):
        for parameter in task.model.parameters():
            parameter.grad = None
        total = 0
        for batch in batches:
            [update] = task.training_step(batch)
            (sum(update.losses.values()) * update.count).backward()
            total += update.count
        return [parameter.grad / total for parameter in task.model.parameters()]

    expected = gradients([whole])
    found = gradients([{name: tensor[part] for name, tensor in whole.items()} for part in parts])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_longer_padding_changes_no_loss(make_task):
    task = make_task()
    batch = batch_of(task)
    wide = {**batch, "source": F.pad(batch["source"], (0, 7)), "target": F.pad(batch["target"], (0, 5))}
    losses = [next(task.training_step(each)).losses["cross_entropy"] for each in (batch, wide)]
    torch.testing.assert_close(*losses, rtol=1e-6, atol=1e-6)


def test_r_drop_is_the_divergence_of_two_passes(make_task):
    task = make_task(dropout=0.4)
    batch = batch_of(task)
    options = {"label_smoothing": 0.0, "r_drop": 3.0}
    torch.manual_seed(3)
    found, count = training_losses(task.model, batch, **options)
    torch.manual_seed(3)
    twice = {name: torch.cat([tensor, tensor]) for name, tensor in batch.items()}
    is_said = torch.arange(1, twice["target"].shape[1]) < twice["target_lengths"][:, None]
    memory = task.model.encode(twice["source"], twice["source_lengths"])
    logits = task.model.decode(memory, twice["source_lengths"], twice["target"][:, :-1], is_said)
    first, second = logits.log_softmax(1).chunk(2)
    one = F.kl_div(first, second, reduction="sum", log_target=True)
    other = F.kl_div(second, first, reduction="sum", log_target=True)
    assert one > 0
    torch.testing.assert_close(found["r_drop"], 3 / 4 * (one + other) / count)
    torch.testing.assert_close(found["cross_entropy"], F.cross_entropy(logits, twice["target"][:, 1:][is_said]))
    task.model.eval()
    assert float(training_losses(task.model, batch, **options)[0]["r_drop"]) == pytest.approx(0, abs=1e-6)


def test_the_loss_of_validation_is_the_plain_cross_entropy_of_each_sentence(make_task):
    task = make_task(label_smoothing=0.3)
    task.model.eval()
    batch = next(iter(task.loader("valid").batches()))
    losses, counts = sentence_losses(task.model, batch)
    assert counts.tolist() == (batch["target_lengths"] - 1).tolist()
    plain = copy.copy(batch) | {"target_lengths": batch["target_lengths"]}
    mean, count = training_losses(task.model, plain, label_smoothing=0.0, r_drop=0.0)
    assert float(losses.sum()) == pytest.approx(float(mean["cross_entropy"]) * count, rel=1e-5)
    assert 1 < math.exp(float(losses.sum() / counts.sum())) < 100
