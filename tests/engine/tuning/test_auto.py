from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dlcli.core.errors import DeviceError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.tuning.auto import MIN_STEPS, SMALLEST_FIRST, choose_batch_size, tune
from dlcli.engine.tuning.lr_range import HIGHEST, LOWEST, NUM_STEPS, find_rate

CPU = Device(torch.device("cpu"))
CONFIG = TrainConfig(batch_size=7, optimizer="sgd", learning_rate=0.123)


class Machine:
    """A clock, and tasks that take time and memory by a script.

    Args:
        memory: items of a batch that fit.
        seconds: of a step, by the number of its items.
    """

    def __init__(self, task_class, *, memory=10**9, seconds=lambda count: 1.0, num_items=6400):
        self.now = 0.0
        self.sizes = []
        machine = self

        class Scripted(task_class):
            def __init__(self, config):
                super().__init__(config, num_items=num_items)

            def training_step(self, batch):
                count = len(batch["targets"])
                if count > memory:
                    raise torch.OutOfMemoryError
                machine.now += seconds(count)
                machine.sizes.append(count)
                yield from super().training_step(batch)

        self.make = Scripted

    def clock(self):
        return self.now


def tuned(machine, config=CONFIG, auto=("batch_size",)):
    return tune(config, frozenset(auto), machine.make, CPU, machine.clock)


def test_the_batch_grows_until_a_larger_one_is_hardly_faster(toy_task):
    machine = Machine(toy_task, seconds=lambda count: 1.0 + count / 100)  # 14, 24, 39, 56, 72 and 84 items/s
    found = tuned(machine)
    assert found.config == dataclasses.replace(CONFIG, batch_size=largest_that_pays(lambda n: n / (1 + n / 100), 400))
    assert found.reasons[0].startswith(f"batch size {found.config.batch_size}: ")


def largest_that_pays(speed, largest):
    size = SMALLEST_FIRST
    while size < largest and speed(min(2 * size, largest)) >= 1.05 * speed(size):
        size = min(2 * size, largest)
    return size


@pytest.mark.parametrize(("memory", "bounds"), [(100, (96, 100)), (17, (16, 17)), (5, (5, 5)), (1, (1, 1))])
def test_where_memory_runs_out_the_largest_that_fits_is_found_to_an_eighth(toy_task, memory, bounds):
    found = tuned(Machine(toy_task, memory=memory))
    assert bounds[0] <= found.config.batch_size <= bounds[1]
    assert found.config.batch_size > memory * 8 / 9 - 1
    assert "memory runs out with" in found.reasons[0]


def test_where_nothing_fits_that_is_said(toy_task):
    with pytest.raises(DeviceError, match="a batch of one item"):
        tuned(Machine(toy_task, memory=0))


def test_an_epoch_keeps_its_steps_however_fast_large_batches_are(toy_task):
    found = tuned(Machine(toy_task, num_items=10 * MIN_STEPS))
    assert found.config.batch_size == 10
    accumulated = tuned(Machine(toy_task, num_items=10 * MIN_STEPS), dataclasses.replace(CONFIG, accumulate=2))
    assert accumulated.config.batch_size == 5


class TokenLoader:
    """A loader whose batch size counts ten tokens in each item."""

    def __init__(self, loader):
        self._loader = loader
        self.num_items, self.epoch_size = loader.num_items, 10 * loader.num_items
        self.batches = loader.batches

    def __len__(self):
        return len(self._loader)


def test_a_batch_size_in_tokens_is_tried_from_as_many_items_on(toy_task):
    class Tokens(toy_task):
        def __init__(self, config, *, num_items):
            super().__init__(
                dataclasses.replace(config, batch_size=max(1, config.batch_size // 10)), num_items=num_items
            )

        def loader(self, split, **options):
            return TokenLoader(super().loader(split, **options))

    machine = Machine(Tokens, num_items=640)
    assert tuned(machine).config.batch_size == 640 * 10 // MIN_STEPS
    assert list(dict.fromkeys(machine.sizes)) == [SMALLEST_FIRST, 2 * SMALLEST_FIRST, 640 // MIN_STEPS]


def test_the_fastest_step_of_a_trial_counts_and_the_first_does_not():
    machine_speeds = {16: 10.0, 32: 20.0, 64: 20.5}
    assert choose_batch_size(machine_speeds.get, 1000) == (32, "20 items/s, and 20 with 64")


def test_the_fastest_step_counts_but_for_the_warm_up(toy_task):
    steps = iter([0.001, 5.0, 1.0, 9.0] * 99)  # the first, impossibly fast, is warm-up
    machine = Machine(toy_task, seconds=lambda count: next(steps))
    found = tuned(machine, dataclasses.replace(CONFIG, accumulate=1))
    assert found.config.batch_size == 400  # each size takes one second at its best, so the largest is the fastest


def test_neither_generators_nor_the_options_that_are_not_asked_for_change(toy_task):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    task = toy_task(CONFIG)
    torch.manual_seed(3)
    weights = {name: value.clone() for name, value in task.model.state_dict().items()}
    found = tuned(Machine(toy_task, num_items=640), auto=("batch_size", "learning_rate"))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, weights[name]) for name, value in task.model.state_dict().items())
    same = dataclasses.replace(found.config, batch_size=CONFIG.batch_size, learning_rate=CONFIG.learning_rate)
    assert same == CONFIG
    nothing = tune(CONFIG, frozenset(), pytest.fail, CPU)
    assert (nothing.config, nothing.reasons, nothing.lr_range) == (CONFIG, (), None)


def test_a_timing_decides_nothing_where_determinism_is_asked_for(toy_task):
    with pytest.raises(UsageError, match="--deterministic"):
        tuned(Machine(toy_task), dataclasses.replace(CONFIG, deterministic=True))


def test_the_range_test_sweeps_the_rates_of_every_optimizer_in_their_ratio(toy_gan):
    rates = []

    class Two(toy_gan):
        def optimizers(self):
            both = super().optimizers()
            both["critic"].param_groups[0]["lr"] *= 10
            self.both = both
            return both

        def training_step(self, batch):
            rates.append([optimizer.param_groups[0]["lr"] for optimizer in self.both.values()])
            loss = (self.model["generator"](batch["inputs"]) - batch["targets"]).square().mean()
            from dlcli.engine.task import Update

            yield Update("generator", {"squared": loss}, len(batch["targets"]))

    found = tune(dataclasses.replace(CONFIG, warmup=5.0), frozenset({"learning_rate"}), Two, CPU)
    generator, critic = np.array(rates).T
    assert generator[0] == pytest.approx(LOWEST)
    assert np.allclose(critic, 10 * generator)
    assert np.allclose(np.diff(np.log(generator)), np.log(HIGHEST / LOWEST) / (NUM_STEPS - 1))
    assert len(rates) <= NUM_STEPS
    assert found.config.learning_rate == found.lr_range.chosen


def test_the_chosen_rate_trains_the_toy_better_than_a_hundredth_and_a_hundredfold(toy_task):
    from dlcli.engine.loop import start_state, train

    def loss_at(rate):
        config = dataclasses.replace(CONFIG, learning_rate=rate, epochs=2, schedule="constant")
        task = toy_task(config, dropout=0.0)
        state = start_state(task, task.loader("train"), config, CPU)
        try:
            train(state, task.loader("train"), None, config, [])
        except Exception:
            return float("inf")
        return state.record["loss"]

    found = tune(CONFIG, frozenset({"learning_rate"}), lambda config: toy_task(config, dropout=0.0), CPU)
    rate = found.config.learning_rate
    assert loss_at(rate) < min(loss_at(rate / 100), loss_at(rate * 100))


@pytest.mark.parametrize("num_items", [7, 21], ids=["one step an epoch", "three"])
def test_the_range_test_sees_the_same_losses_however_seldom_epochs_are_validated(toy_task, num_items):
    def make(config):
        return toy_task(config, num_items=num_items, dropout=0.0)

    every, seldom = (
        tune(dataclasses.replace(CONFIG, eval_every=count), frozenset({"learning_rate"}), make, CPU).lr_range
        for count in (1, 50)
    )
    assert every.losses == seldom.losses
    assert min(every.losses) > 0


RATES = np.geomspace(LOWEST, HIGHEST, NUM_STEPS)


def valley(start, steepest, lost):
    """Return losses that fall around `steepest`, in log-rate, and explode at `lost`."""
    x = np.log10(RATES)
    return start - 2 / (1 + np.exp(-6 * (x - np.log10(steepest)))) + np.exp(np.clip(8 * (x - np.log10(lost)), -99, 20))


def test_the_rate_is_where_the_loss_falls_steepest():
    found = find_rate(RATES, valley(2.3, 1e-2, 5.0))
    assert found.chosen == pytest.approx(1e-2, rel=0.2)
    assert found.lost is None or found.lost > 1.0


def test_the_rate_stays_a_tenth_below_the_one_at_which_the_loss_is_lost():
    losses = valley(2.3, 1e-2, 1e5)
    end = int(np.searchsorted(RATES, 0.03))
    losses[end:] = np.nan
    found = find_rate(RATES, losses)
    assert found.lost == RATES[end]
    assert found.chosen == pytest.approx(RATES[end] / 10, rel=0.05)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == end
    assert np.isfinite(found.losses).all()


@pytest.mark.parametrize("kind", ["flat", "rising", "noise", "at once"])
def test_a_loss_that_falls_nowhere_is_said_and_no_rate_made_up(kind):
    losses = {
        "flat": np.full(NUM_STEPS, 2.3),
        "rising": np.linspace(2.3, 3.0, NUM_STEPS),
        "noise": 2.3 + 0.1 * np.random.default_rng(0).standard_normal(NUM_STEPS),
        "at once": np.full(NUM_STEPS, np.nan),
    }[kind]
    with pytest.raises(UsageError, match="--lr auto") as caught:
        find_rate(RATES, losses)
    assert caught.value.hint == "give --lr a number"


def test_what_was_found_is_kept_in_the_run(tmp_path, toy_task):
    run = RunDir(tmp_path)
    run.info_file.write_text('{"schema": 1}')
    found = tune(CONFIG, frozenset({"learning_rate"}), toy_task, CPU)
    found.keep(run)
    assert run.info()["tuned"] == list(found.reasons)
    assert (tmp_path / "plots" / "lr-range.png").read_bytes().startswith(b"\x89PNG")
