"""Ready weights as they are: their classes, their pixels, and nothing left to chance."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from dlcli.core.builtin import TASKS
from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.registry import load_object
from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.published import IMAGENET_PIXELS, PACKAGES, imagenet_classes
from dlcli.models.images.zoo import build_torchvision
from dlcli.tasks.classification.ready import describe_weights
from dlcli.tasks.classification.task import ClassificationTask


@pytest.fixture
def weights(tmp_path):
    """Return a function that saves a network's weights, less some, and returns the file and the network."""

    def save(num_classes=4, without=(), network=None):
        network = network or SmallCNN(num_classes=num_classes, in_channels=3)
        state = {name: value for name, value in network.state_dict().items() if name not in without}
        torch.save(state, tmp_path / "w.pth")
        return str(tmp_path / "w.pth"), network.eval()

    return save


def test_a_file_answers_as_its_network_does_with_numbered_classes(weights):
    path, network = weights()
    task = ClassificationTask.from_network("cnn", {}, path)
    assert task.labels == ("0", "1", "2", "3")
    assert [note.startswith(f"{path} names no classes: they are numbered from 0 to 3") for note in task.notes()] == [
        True
    ]
    pixels = torch.randint(0, 256, (2, 3, 28, 28), dtype=torch.uint8)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET_PIXELS)
    task.model.eval()
    with torch.no_grad():
        torch.testing.assert_close(task.infer({"images": pixels})["logits"], network((pixels / 255 - mean) / std))


def test_a_file_of_a_thousand_classes_is_taken_for_imagenets(weights):
    ready = describe_weights("cnn", weights(1000)[0])
    assert ready.labels == imagenet_classes()
    assert "taken for ImageNet's" in ready.notes[0]


def test_a_size_can_be_chosen(weights):
    task = ClassificationTask.from_network("cnn", {"image_size": 40}, weights()[0])
    assert (task.preprocess.height, task.preprocess.width) == (40, 40)
    with pytest.raises(UsageError, match="--num-classes"):
        ClassificationTask.from_network("cnn", {"num_classes": 4}, weights()[0])


@pytest.mark.parametrize(
    ("name", "side", "mean"),
    [
        ("resnet18", 224, 0.485),
        ("efficientnet_v2_l", 480, 0.5),
        ("inception_v3", 299, 0.5),
        ("efficientnet_lite1", 240, 127 / 255),
    ],
)
def test_published_weights_have_their_own_size_pixels_and_classes(name, side, mean):
    ready = describe_weights(name, "default")
    assert (ready.preprocess.height, ready.preprocess.width, ready.preprocess.mean[0]) == (side, side, mean)
    assert (len(set(ready.labels)), ready.labels[282], ready.labels[506], ready.notes) == (
        1000,
        "tiger cat",
        "coil",
        (),
    )


@pytest.mark.parametrize(
    ("num_classes", "without", "says"),
    [(4, ("head.weight",), "no head.weight"), (4, ("head.bias",), "no head.bias"), (1, (), "one output")],
)
def test_weights_without_a_whole_head_cannot_answer(num_classes, without, says, weights):
    path, _ = weights(num_classes, without)
    with pytest.raises(RunError, match=says):
        ClassificationTask.from_network("cnn", {}, path)


def test_a_stem_for_small_images_does_not_become_a_fresh_one(weights):
    path, _ = weights(network=build_torchvision("resnet18", num_classes=3, image_size=32))
    with pytest.raises(RunError, match=r"does not fit resnet18: .*conv1\.weight"):
        ClassificationTask.from_network("resnet18", {}, path)


def test_a_checkpoint_of_a_run_is_named_in_place_of_the_network(tmp_path):
    state = SmallCNN(num_classes=4, in_channels=3).state_dict()
    torch.save({"schema": 1, "model": state, "description": "{}"}, tmp_path / "best.pt")
    with pytest.raises(UsageError, match="weights of a run") as caught:
        describe_weights("cnn", str(tmp_path / "best.pt"))
    assert caught.value.hint.startswith(f"name {tmp_path / 'best.pt'} in the place of cnn")


def test_the_package_of_published_weights_must_be_installed(monkeypatch):
    found = importlib.util.find_spec
    module = PACKAGES["efficientnet_lite0"].module
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == module else found(name, *rest))
    with pytest.raises(DataError, match="not installed"):
        ClassificationTask.from_network("efficientnet_lite0", {}, "default")


@pytest.mark.parametrize("spec", TASKS.values(), ids=TASKS)
def test_a_network_without_published_weights_is_refused_by_every_task(spec):
    name = next(name for name, network in load_object(spec.networks).items() if not network.weights)
    with pytest.raises(UsageError, match=f"--pretrained: {name} "):
        load_object(spec.task).from_network(name, {}, "default")
