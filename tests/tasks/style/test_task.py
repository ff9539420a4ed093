from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tasks.style.conftest import CPU, PAIRS, SMALL, loop_options, opened
from toys.domains import write_own

from dlcli.core.errors import DataError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.data.codec import Source
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.evaluate import RunPredictor, draw_samples, evaluate
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.averaging import Averaging
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.runs.checkpoint import read_checkpoint, restore_training
from dlcli.tasks.style.codec import TRANSLATED, StyleCodec
from dlcli.tasks.style.config import StyleInference
from dlcli.tasks.style.task import StyleTask


@pytest.fixture(autouse=True)
def _cheap_features(monkeypatch):
    """Mean colours in place of a network's features."""
    monkeypatch.setattr(
        "dlcli.tasks.style.task.extractors_of", lambda file: {"kid_x": lambda images: images.mean((2, 3))}
    )


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, state):
        if state.step == self.step:
            raise StopTraining("cut")


def run(task, folder, *callbacks, resume=False, **options):
    loop, run_dir = loop_options(epochs=2, ema=0.9, **options), RunDir(folder)
    folder.mkdir(exist_ok=True)
    loader = task.loader("train", training=True)
    torch.manual_seed(loop.seed)
    state = start_state(task, loader, loop, CPU)
    if resume:
        restore_training(state, read_checkpoint(run_dir.last_checkpoint), run_dir.last_checkpoint)
    train(state, loader, None, loop, [Averaging(), Checkpoints(run_dir, {}), *callbacks])
    return state


@pytest.mark.parametrize(
    "cut", [pytest.param(3, id="half full"), pytest.param(9, id="exchanging", marks=pytest.mark.slow)]
)
def test_a_training_resumed_within_an_epoch_equals_the_whole_one(unpaired, tmp_path, cut):
    """Six steps an epoch, a pool of 6: half full after the third step, and exchanging from the seventh on."""
    config = dataclasses.replace(SMALL, pool=6)
    whole = run(opened(unpaired, config), tmp_path / "whole")
    run(opened(unpaired, config), tmp_path / "cut", StopAt(cut))
    task = opened(unpaired, config)
    torch.manual_seed(99)
    resumed = run(task, tmp_path / "cut", resume=True)
    assert resumed.step == whole.step == 12
    for (name, one), other in zip(whole.task.model.state_dict().items(), task.model.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    for domain, pool in whole.task.pools.items():
        pairs = zip(pool.state(), task.pools[domain].state(), strict=True)
        assert len(pool) == 6 and all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.slow
def test_a_small_generator_learns_to_swap_brightness(tmp_path):
    """Dark and light stripes: after some epochs the translated ones have the brightness of the other domain."""
    data = write_own(tmp_path / "night2day", {"trainA": 8, "trainB": 8, "testA": 4, "testB": 4})
    config = dataclasses.replace(SMALL, width=8, critic_width=8, flip=False)
    task = opened(data, config, batch_size=2, learning_rate=2e-3, epochs=20)
    loop = loop_options(batch_size=2, learning_rate=2e-3, epochs=20)
    loader = task.loader("train", training=True)
    train(start_state(task, loader, loop, CPU), loader, None, loop, [])
    task.model.eval()
    means = {}
    with torch.inference_mode():
        for batch in task.loader("test").batches():
            domain = int(batch["domains"][0])
            direction = ("AtoB", "BtoA")[domain]
            means[domain] = [
                float(x.mean()) for x in (batch["images"].float(), task.translator(direction)(batch["images"]).float())
            ]
    (dark, from_dark), (light, from_light) = means[0], means[1]
    assert abs(from_dark - light) < 0.3 * (light - dark)
    assert abs(from_light - dark) < 0.3 * (light - dark)


def test_predictions_equal_what_evaluation_translates(unpaired):
    task = opened(unpaired)
    codec, predictor = StyleCodec(task.assets()), RunPredictor(task, CPU)
    [batch, *_] = task.loader("test").batches()
    pixels = np.ascontiguousarray(batch["images"].numpy().transpose(0, 2, 3, 1))
    items = [codec.encode(Source(str(row), image)) for row, image in enumerate(pixels)]
    [(_, arrays)] = codec.batches(items)
    outputs = predictor.run(arrays)
    with torch.inference_mode():
        expected = task.infer(batch)[TRANSLATED].numpy()
    for answer, image in zip(codec.decode(outputs, items), expected, strict=True):
        assert np.array_equal(answer.picture, image.transpose(1, 2, 0))


def test_both_directions_of_a_run_and_only_one_of_pix2pix(unpaired, paired):
    task = opened(unpaired)
    task.model.eval()
    [batch, *_] = task.loader("test").batches()
    with torch.inference_mode():
        forth = task.infer(batch)[TRANSLATED]
        task.set_inference(StyleInference(direction="BtoA"))
        assert not torch.equal(task.infer(batch)[TRANSLATED], forth)
        assert torch.equal(task.infer(batch)[TRANSLATED], task.translator("BtoA")(batch["images"]))
    one_way = opened(paired, dataclasses.replace(PAIRS, learn="BtoA"))
    assert one_way.direction == "BtoA"
    with pytest.raises(UsageError, match="translates BtoA only"):
        one_way.set_inference(StyleInference(direction="AtoB"))


def test_any_batch_of_an_evaluation_is_reached_without_those_before_it(unpaired, monkeypatch):
    monkeypatch.setattr("dlcli.tasks.style.source.EVAL_PIXELS", 2 * 32 * 32)
    loader = opened(unpaired).loader("test")
    whole = list(loader.batches())
    assert [batch["domains"].tolist() for batch in whole] == [[0, 0], [0, 0], [0], [1, 1], [1, 1]]
    assert len(loader) == 5 and loader.num_items == 9
    for start in range(6):
        rest = list(loader.batches(start=start))
        assert [batch["rows"].tolist() for batch in rest] == [batch["rows"].tolist() for batch in whole[start:]]


def test_kept_dropout_is_a_function_of_seed_and_image(paired):
    task = opened(paired, PAIRS)
    task.model.eval()
    [batch, *_] = task.loader("test").batches()
    answers = {}
    with torch.inference_mode():
        for seed in (None, 1, 2):
            task.set_inference(StyleInference(dropout=seed))
            answers[seed] = task.infer(batch)[TRANSLATED]
        task.set_inference(StyleInference(dropout=1))
        before = torch.get_rng_state()
        alone = task.infer({"images": batch["images"][2:3]})[TRANSLATED]
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(alone, answers[1][2:3])
    assert not torch.equal(answers[1], answers[2]) and not torch.equal(answers[1], answers[None])
    assert not any(module.training for module in task.model.modules())


def test_dropout_is_refused_where_there_is_none(unpaired):
    with pytest.raises(UsageError, match="--dropout: cyclegan has none"):
        opened(unpaired).set_inference(StyleInference(dropout=1))


def test_figures_of_pairs_and_of_both_ways(unpaired, paired):
    two_way = evaluate(opened(unpaired), opened(unpaired).loader("test"), CPU).report()
    assert {"cycle_l1", "identity_l1"} <= set(two_way["metrics"])
    assert two_way["compared"] == {"translated": 5, "real": 4}
    task = opened(paired, PAIRS)
    assert {"l1", "psnr", "ssim"} <= set(evaluate(task, task.loader("test"), CPU).compute())


def test_baselines_are_the_untranslated_images_and_real_ones(paired):
    task = opened(paired, PAIRS)
    found = task.baseline("test")
    assert set(found) == {"untranslated", "real"}
    assert set(found["real"]) == {"kid_x", "kid_x_error"}
    [batch, *_] = task.loader("test").batches()
    expected = np.abs(batch["images"].numpy().astype(float) - batch["targets"].numpy()).mean()
    assert found["untranslated"]["l1"] == pytest.approx(expected)
    assert set(task.baseline("train")) == {"untranslated"}


def test_a_run_is_restored_from_its_assets(unpaired):
    task = opened(unpaired)
    other = StyleTask.from_assets(SMALL, loop_options(), task.assets(), unpaired)
    other.model.load_state_dict(task.model.state_dict())
    figures = [evaluate(each, each.loader("test"), CPU).compute() for each in (task, other)]
    assert figures[0] == figures[1]


def test_samples_do_not_change_from_look_to_look(unpaired, paired):
    for task in (opened(unpaired), opened(paired, PAIRS)):
        first, second = (draw_samples(task, CPU).picture for _ in range(2))
        assert np.array_equal(first, second)
    assert StyleTask.from_assets(SMALL, loop_options(), opened(unpaired).assets(), None).samples() is None


def test_exports_are_proven_on_real_images_of_unequal_sizes(unpaired):
    [graph] = opened(unpaired).export_plan().graphs
    shapes = [sample["images"].shape for sample in graph.samples]
    assert len({shape[2:] for shape in shapes}) == 3 and len({shape[0] for shape in shapes}) == 3
    assert graph.samples[0]["images"].std() > 10


def test_what_cannot_be_trained_is_refused(unpaired):
    with pytest.raises(DataError, match="not in pairs"):
        opened(unpaired, PAIRS)
    with pytest.raises(UsageError, match="needs a multiple of 4"):
        task = opened(unpaired)
        task.set_inference(StyleInference(size=50))
        task.loader("test")


def test_one_image_in_a_domain_is_enough_to_train(tmp_path):
    data = write_own(tmp_path / "a2b", {"trainA": 1, "trainB": 3})
    task = opened(data)
    loader = task.loader("train", training=True)
    assert len(loader) == 3
    state = start_state(task, loader, loop_options(epochs=1), CPU)
    train(state, loader, None, loop_options(epochs=1), [])
    assert state.step == 3
    assert draw_samples(task, CPU).picture is not None
