from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import pytest
import torch

import dlcli
from dlcli.core.errors import DivergedError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.limits import EarlyStopping

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=3, batch_size=8, learning_rate=0.05, optimizer="sgd", schedule="constant")


def run(task, config, callbacks=(), valid=True):
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    torch.manual_seed(config.seed)
    reason = train(state, loader, task.loader("valid") if valid else None, config, callbacks)
    return state, reason


def weights(task):
    return torch.cat([value.flatten() for value in task.model.state_dict().values()])


class Recorder(Callback):
    def __init__(self):
        self.moments, self.records = [], []

    def on_train_start(self, state):
        self.moments.append("start")

    def on_step_end(self, state):
        self.moments.append(f"step {state.step}")

    def on_steps_end(self, state):
        self.moments.append(f"steps of {state.epoch + 1}")

    def on_epoch_end(self, state):
        self.moments.append(f"epoch {state.record['epoch']}")
        self.records.append(state.record)

    def on_train_end(self, state):
        self.moments.append("end")


def test_the_word_backward_stands_once_in_the_package():
    sources = Path(dlcli.__file__).parent.rglob("*.py")
    calls = [str(path) for path in sources for _ in re.finditer(r"\.backward\(", path.read_text(encoding="utf-8"))]
    assert [Path(path).name for path in calls] == ["backward.py"]


def test_the_loop_equals_one_written_by_hand(toy_task):
    task, by_hand = toy_task(BASE), toy_task(BASE)
    run(task, BASE)
    optimizer = by_hand.optimizers()["network"]
    torch.manual_seed(BASE.seed)
    for epoch in range(BASE.epochs):
        by_hand.model.train()
        for batch in by_hand.loader("train").batches(epoch):
            optimizer.zero_grad()
            [update] = by_hand.training_step(batch)
            update.losses["squared"].backward()
            optimizer.step()
    assert torch.equal(weights(task), weights(by_hand))


def test_moments_come_in_their_order(toy_task):
    recorder = Recorder()
    config = dataclasses.replace(BASE, epochs=2, batch_size=20)
    run(toy_task(config), config, [recorder])
    first, second = (["step 1", "step 2", "steps of 1", "epoch 1"], ["step 3", "step 4", "steps of 2", "epoch 2"])
    assert recorder.moments == ["start", *first, *second, "end"]


@pytest.mark.parametrize(("micro", "count"), [(10, 4), (5, 8), (16, 3)])
def test_accumulation_equals_one_large_batch(toy_task, micro, count):
    large = dataclasses.replace(BASE, batch_size=40)
    small = dataclasses.replace(BASE, batch_size=micro, accumulate=count)
    one, many = toy_task(large, dropout=0.0), toy_task(small, dropout=0.0)
    state, _ = run(one, large)
    other, _ = run(many, small)
    assert state.step == other.step == 3
    torch.testing.assert_close(weights(many), weights(one), rtol=1e-5, atol=1e-6)
    assert other.record["loss"] == pytest.approx(state.record["loss"], rel=1e-5)


@pytest.mark.parametrize(("micro", "count"), [(10, 4), (5, 8), (16, 3)])
def test_accumulation_weighs_micro_batches_by_their_tokens(toy_tokens, micro, count):
    large = dataclasses.replace(BASE, batch_size=40)
    small = dataclasses.replace(BASE, batch_size=micro, accumulate=count)
    one, many = toy_tokens(large, dropout=0.0), toy_tokens(small, dropout=0.0)
    counts = {update.count for batch in many.loader("train").batches() for update in many.training_step(batch)}
    assert len(counts) > 1, "micro-batches of as many items have unequal numbers of tokens"
    state, _ = run(one, large)
    other, _ = run(many, small)
    torch.testing.assert_close(weights(many), weights(one), rtol=1e-6, atol=1e-6)
    assert other.record["loss"] == pytest.approx(state.record["loss"], rel=1e-6)


def test_an_optimizer_that_steps_twice_in_a_batch_is_not_accumulated(toy_wgan):
    config = dataclasses.replace(BASE, accumulate=2)
    task = toy_wgan(config)
    before = weights(task)
    with pytest.raises(UsageError, match="--accumulate 2: the optimizer 'critic' steps more than once") as caught:
        run(task, config)
    assert "second step" in caught.value.details[0]
    assert "--accumulate 1" in str(caught.value.hint)
    assert torch.equal(weights(task), before), "nothing has been trained"


def test_an_optimizer_without_an_update_in_the_last_of_accumulated_batches_is_refused(toy_gan, monkeypatch):
    config = dataclasses.replace(BASE, accumulate=2)
    task = toy_gan(config)
    original, batches = task.training_step, itertools.count()

    def every_other(batch):  # the generator steps in every other batch, as with n critic steps
        is_even = next(batches) % 2 == 0
        return (update for update in original(batch) if is_even or update.optimizer != "generator")

    monkeypatch.setattr(task, "training_step", every_other)
    with pytest.raises(UsageError, match="--accumulate 2: the optimizer 'generator' has no update in the last"):
        run(task, config)
    batches = itertools.count()
    alone = toy_gan(BASE)
    original = alone.training_step
    monkeypatch.setattr(alone, "training_step", every_other)
    state, _ = run(alone, BASE)
    assert state.epoch == BASE.epochs, "without --accumulate each batch steps what it updates"


def test_an_optimizer_may_step_twice_in_a_batch(toy_wgan):
    task, by_hand = toy_wgan(BASE), toy_wgan(BASE)
    run(task, BASE)
    optimizers = by_hand.optimizers()
    for epoch in range(BASE.epochs):
        for batch in by_hand.loader("train").batches(epoch):
            for update in by_hand.training_step(batch):
                by_hand.model.zero_grad()
                sum(update.losses.values()).backward()
                optimizers[update.optimizer].step()
    torch.testing.assert_close(weights(task), weights(by_hand), rtol=1e-6, atol=1e-6)


def test_the_logged_loss_is_the_mean_over_items_not_over_batches(toy_task):
    config = dataclasses.replace(BASE, epochs=1, batch_size=16, learning_rate=0.0)  # batches of 16, 16 and 8
    task = toy_task(config, dropout=0.0)
    state, _ = run(task, config)
    expected = float(((task.model(task.x) - task.y) ** 2).mean().detach())
    assert state.record["loss"] == pytest.approx(expected, rel=1e-5)


def test_one_loss_stays_out_of_the_other_networks_gradient(toy_gan):
    config = dataclasses.replace(BASE, epochs=1, batch_size=40)
    task = toy_gan(config)
    generator, critic = task.model["generator"], task.model["critic"]
    w, b = generator.weight.detach().clone(), critic.weight.detach().clone()
    mean_input, rate = task.x.mean(0), config.learning_rate
    run(task, config)
    # d(-mean critic(fake))/dw = -critic.weight * mean(x): the critic's own loss has no part in it.
    torch.testing.assert_close(generator.weight.detach(), w + rate * b * mean_input)
    assert task.seen == [True], "the critic's update is asked for after the generator has stepped"


def test_two_optimizers_log_each_loss(toy_gan):
    recorder = Recorder()
    run(toy_gan(BASE), BASE, [recorder])
    record = recorder.records[-1]
    assert record["loss"] == pytest.approx(record["loss_fool"] + record["loss_judge"] + record["loss_decay"])


def test_clipping_bounds_the_step(toy_task):
    config = dataclasses.replace(BASE, epochs=1, batch_size=40, clip_norm=1e-3)
    task = toy_task(config)
    before = weights(task)
    run(task, config)
    assert (weights(task) - before).norm() == pytest.approx(config.learning_rate * 1e-3, rel=1e-3)


def test_a_clip_norm_of_zero_clips_nothing(toy_task):
    free, unclipped = toy_task(BASE), toy_task(BASE)
    for task, clip_norm in ((free, None), (unclipped, 0.0)):
        run(task, dataclasses.replace(BASE, clip_norm=clip_norm))
    assert torch.equal(weights(free), weights(unclipped))


@pytest.mark.parametrize("poison", ["inputs", "learning_rate"])
def test_a_loss_that_is_not_finite_stops_the_training_and_names_step_and_rate(toy_task, poison):
    config = dataclasses.replace(BASE, learning_rate=1e18 if poison == "learning_rate" else 0.05)
    task = toy_task(config)
    if poison == "inputs":
        task.x[3] = float("nan")
    recorder = Recorder()
    with pytest.raises(DivergedError, match=r"step \d+ .*learning rate") as caught:
        run(task, config, [recorder])
    assert caught.value.exit_code == 9
    assert recorder.moments[-1] == "end"


def test_stop_training_ends_after_the_step(toy_task):
    class StopAtThree(Recorder):
        def on_step_end(self, state):
            super().on_step_end(state)
            if state.step == 3:
                raise StopTraining("enough")

    recorder = StopAtThree()
    state, reason = run(toy_task(BASE), BASE, [recorder])
    assert reason == "enough"
    assert (state.epoch, state.batch, state.step) == (0, 3, 3)
    assert recorder.moments[-2:] == ["step 3", "end"]


def test_early_stopping_waits_for_its_patience(toy_task):
    config = dataclasses.replace(BASE, epochs=50, learning_rate=0.0)
    state, reason = run(toy_task(config), config, [EarlyStopping(3)])
    assert "no better epoch" in str(reason)
    assert (state.best_epoch, state.epoch) == (1, 4)


def test_the_best_epoch_is_the_goals_best_on_the_validation_part(toy_task):
    recorder = Recorder()
    state, _ = run(toy_task(BASE), BASE, [recorder])
    scores = [record["score"] for record in recorder.records]
    assert state.best == max(scores)
    assert state.best_epoch == scores.index(max(scores)) + 1


class Judged(Callback):
    """Notes after each epoch what is known of the best one."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, state):
        self.seen.append((state.is_best, state.best_epoch, state.best))


@pytest.mark.parametrize(("has_goal", "is_validated"), [(True, False), (False, True), (False, False)])
def test_where_nothing_judges_the_epochs_the_newest_is_the_best(toy_task, has_goal, is_validated):
    # This rate makes the loss grow, so the last epoch is neither the one of the lowest loss nor of the best score.
    config = dataclasses.replace(BASE, learning_rate=0.6)
    recorder, judged, task = Recorder(), Judged(), toy_task(config)
    if not has_goal:
        task.goal = None
    run(task, config, [recorder, judged], valid=is_validated)
    losses = [record["loss"] for record in recorder.records]
    assert min(losses) < losses[-1]
    assert judged.seen == [(True, 1, None), (True, 2, None), (True, 3, None)]
    assert all(("val_loss" in record) is is_validated for record in recorder.records)


@pytest.mark.parametrize(("every", "recorded"), [(1, [1, 2, 3, 4, 5, 6, 7]), (3, [3, 6, 7]), (7, [7]), (100, [7])])
def test_an_epoch_that_is_not_recorded_trains_all_the_same(toy_task, every, recorded):
    config = dataclasses.replace(BASE, epochs=7, eval_every=every, schedule="cosine")
    recorder, (whole, _) = Recorder(), run(toy_task(config), dataclasses.replace(config, eval_every=1))
    state, _ = run(toy_task(config), config, [recorder])
    assert [record["epoch"] for record in recorder.records] == recorded
    assert torch.equal(weights(state.task), weights(whole.task))
    assert recorder.records[-1]["loss"] == whole.record["loss"]
    assert recorder.records[-1]["score"] == whole.record["score"]


def test_a_training_that_is_stopped_records_the_epoch_in_which_it_is(toy_task):
    class Stop(Callback):
        def on_step_end(self, state):
            if state.epoch == 1:
                raise StopTraining("enough", finishes_epoch=True)

    config, recorder = dataclasses.replace(BASE, epochs=7, eval_every=5), Recorder()
    run(toy_task(config), config, [recorder, Stop()])
    assert [record["epoch"] for record in recorder.records] == [2]


def test_the_l1_penalty_is_in_the_gradient_and_not_in_the_logged_loss(toy_task):
    config = dataclasses.replace(BASE, epochs=1, batch_size=1000, l1=0.1, weight_decay=0.0, optimizer="sgd:momentum=0")
    task, by_hand, recorder = toy_task(config, dropout=0.0), toy_task(config, dropout=0.0), Recorder()
    run(task, config, [recorder])
    by_hand.model.train()
    [batch] = by_hand.loader("train").batches(0)
    [update] = by_hand.training_step(batch)
    loss = update.losses["squared"]
    (loss + 0.1 * sum(p.abs().sum() for p in by_hand.model.parameters() if p.ndim >= 2)).backward()
    with torch.no_grad():
        for parameter in by_hand.model.parameters():
            parameter -= config.learning_rate * parameter.grad
    assert torch.allclose(weights(task), weights(by_hand), atol=1e-6)
    assert recorder.records[0]["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)


def test_a_figure_of_the_steps_is_recorded_as_the_mean_over_all_items(toy_task):
    config, recorder = dataclasses.replace(BASE, epochs=2), Recorder()
    task, seen = toy_task(config), []
    step = task.training_step

    def with_figure(batch):
        for update in step(batch):
            seen.append((float(len(seen)), update.count))
            yield dataclasses.replace(update, figures={"number": torch.tensor(seen[-1][0])})

    task.training_step = with_figure
    run(task, config, [recorder])
    half = len(seen) // 2
    for part, record in ((seen[:half], recorder.records[0]), (seen[half:], recorder.records[1])):
        mean = sum(value * count for value, count in part) / sum(count for _, count in part)
        assert record["train_number"] == pytest.approx(mean)


def test_of_equal_epochs_the_one_of_the_lowest_loss_is_the_best(toy_task):
    figures = [(0.5, 2.0), (0.75, 1.0), (0.75, 1.5), (0.75, 0.5), (0.5, 0.1), (0.75, 0.5)]
    config, task = dataclasses.replace(BASE, epochs=len(figures)), toy_task(BASE)
    left = iter(figures)

    class Fixed:
        def update(self, batch, outputs):
            pass

        def compute(self):
            return dict(zip(("score", "loss"), next(left), strict=True))

    task.metric = Fixed
    best = []

    class Watch(Callback):
        def on_epoch_end(self, state):
            best.append((state.best_epoch, state.is_best))

    run(task, config, [Watch()])
    assert best == [(1, True), (2, True), (2, False), (4, True), (4, False), (4, False)]
