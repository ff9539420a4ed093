from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import nn

from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.optim.muon import (
    ADAM_BETAS,
    ADAM_EPS,
    ADAM_RATE,
    BIAS_RATE,
    HEAD_RATE,
    REST_MOMENTUM,
    Muon,
    direction,
    muon_groups,
    orthogonalised,
)
from dlcli.engine.runs.checkpoint import read_checkpoint, restore_training

CPU = Device(torch.device("cpu"))


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(24, 5), nn.Linear(5, 4),
    )  # fmt: skip


class Tagger(nn.Module):
    """A table of vectors that is the output layer, too, and a layer between them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.norm = nn.Embedding(7, 4), nn.LayerNorm(4)
        self.wide, self.narrow = nn.Linear(4, 16), nn.Linear(16, 4)

    def forward(self, tokens):
        return self.narrow(self.wide(self.norm(self.table(tokens))).relu()) @ self.table.weight.T


def with_gradients(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return module


@pytest.mark.parametrize("shape", [(16, 144), (64, 576), (144, 16), (32, 32)])
def test_an_orthogonalised_matrix_keeps_its_vectors_and_has_singular_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    answer = orthogonalised(matrix, iterations=5 if shape == (32, 32) else 3)
    values = torch.diag(u.T @ answer @ v.T)
    assert values[s > 0.1 * s.max()].min() > 0.65
    assert values.max() < 1.25
    torch.testing.assert_close(u @ torch.diag(values) @ v, answer, rtol=0, atol=1e-4)


def test_an_orthogonalised_matrix_does_not_know_its_scale_and_zero_stays_zero():
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalised(matrix * 1e-4), orthogonalised(matrix), rtol=1e-4, atol=1e-5)
    assert not orthogonalised(torch.zeros(3, 4)).any()


def test_the_last_layer_and_what_is_no_matrix_take_only_the_direction():
    module = network()
    groups = muon_groups(module, lr=0.1, weight_decay=0.2)
    filters, matrices, others, vectors = groups
    assert [group["rule"] for group in groups] == ["orthogonal", "orthogonal", "direction", "direction"]
    assert filters["params"] == [module[0].weight]
    assert filters["is_rescaled"]
    assert filters["weight_decay"] == vectors["weight_decay"] == 0
    assert list(map(id, matrices["params"])) == [id(module[3].weight), id(module[5].weight)]
    assert list(map(id, others["params"])) == [id(module[2].weight), id(module[6].weight)]
    assert (others["lr"], vectors["lr"]) == (0.1 * HEAD_RATE, 0.1 * BIAS_RATE)
    assert sum(len(group["params"]) for group in groups) == len(list(module.parameters()))


def test_beside_a_table_of_vectors_what_is_not_orthogonal_takes_the_steps_of_adam():
    module, expected = with_gradients(Tagger()), with_gradients(Tagger())
    optimizer = build_optimizer(module, TrainConfig(optimizer="muon", learning_rate=0.02, weight_decay=0.1))
    matrix, *others = optimizer.param_groups
    assert list(map(id, matrix["params"])) == [id(module.wide.weight)], "the last layer counts as the head"
    peer = torch.optim.AdamW(
        [
            {"params": [p for p in expected.parameters() if p.ndim >= 2], "weight_decay": 0.1},
            {"params": [p for p in expected.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=0.02 * ADAM_RATE,
        betas=ADAM_BETAS,
        eps=ADAM_EPS,
    )
    for seed in range(3):
        with_gradients(module, seed)
        with_gradients(expected, seed)
        optimizer.step()
        peer.step()
    assert {group["rule"] for group in others} == {"adam"}
    for (name, parameter), wanted in zip(module.named_parameters(), expected.parameters(), strict=True):
        if name != "wide.weight":
            torch.testing.assert_close(parameter, wanted, rtol=1e-5, atol=1e-7, msg=name)


def test_beside_a_table_a_matrix_with_more_outputs_than_inputs_takes_longer_steps():
    module = Tagger()
    before = module.wide.weight.detach().clone()
    with_gradients(module)
    build_optimizer(module, TrainConfig(optimizer="muon", learning_rate=0.02)).step()
    values = torch.linalg.svdvals(module.wide.weight.detach() - before) / (0.02 * 2)  # sqrt(16 / 4)
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_frozen_parameters_are_in_no_group():
    module = network()
    module.requires_grad_(False)
    module[6].weight.requires_grad_(True)
    [group] = muon_groups(module, lr=0.1, weight_decay=0.0)
    assert group["params"] == [module[6].weight]
    assert group["rule"] == "direction"


def test_filters_change_by_the_learning_rate_and_keep_their_norm():
    module = with_gradients(network())
    optimizer = build_optimizer(module, TrainConfig(optimizer="muon", learning_rate=0.05))
    before = module[0].weight.detach().clone()
    before *= 8**0.5 / before.norm()
    optimizer.step()
    change = (module[0].weight.detach() - before).flatten(1)
    values = torch.linalg.svdvals(change) / 0.05
    assert values.min() > 0.6
    assert values.max() < 1.25


@pytest.mark.parametrize(("shape", "norm"), [((9,), 3.0), ((4, 16), 0.5), ((8, 2, 1, 1), 2.0)])
def test_a_direction_has_a_norm_that_leaves_the_outputs_size_alone(shape, norm):
    step = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    answer = direction(step)
    assert answer.norm().item() == pytest.approx(norm)
    torch.testing.assert_close(answer / answer.norm(), step / step.norm())
    assert not direction(torch.zeros(shape)).any()


def test_a_vector_is_a_matrix_of_one_column():
    vector = torch.randn(16, generator=torch.Generator().manual_seed(1))
    column = orthogonalised(vector[:, None], iterations=12).flatten() * 4  # sqrt(out / in)
    cosine = torch.nn.functional.cosine_similarity(direction(vector), column, dim=0)
    assert cosine.item() == pytest.approx(1.0, abs=1e-5)
    assert 0.65 < column.norm() / direction(vector).norm() < 1.25


def test_momentum_is_nesterovs():
    weight = nn.Parameter(torch.zeros(4))
    optimizer = Muon([{"rule": "direction", "params": [weight], "lr": 1.0, "weight_decay": 0.0}])
    gradients = [torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 1.0, 0, 0])]
    for gradient in gradients:
        weight.grad = gradient
        optimizer.step()
    m = REST_MOMENTUM
    second = torch.tensor([m * m, 1 + m, 0, 0])
    torch.testing.assert_close(weight.detach(), -direction(gradients[0]) - direction(second))


def test_what_has_no_gradient_does_not_move():
    module = network()
    before = copy.deepcopy(module.state_dict())
    build_optimizer(module, TrainConfig(optimizer="muon")).step()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("network", [network, Tagger])
def test_its_state_goes_through_a_file_and_the_next_step_is_the_same(tmp_path, network):
    config = TrainConfig(optimizer="muon", learning_rate=0.05, weight_decay=0.1)
    module = network().to(memory_format=torch.channels_last)
    optimizer = build_optimizer(with_gradients(module), config)
    optimizer.step()
    torch.save({"model": module.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "x.pt")
    content = torch.load(tmp_path / "x.pt", weights_only=True)
    other = network().to(memory_format=torch.channels_last)
    other.load_state_dict(content["model"])
    restored = build_optimizer(other, config)
    restored.load_state_dict(content["optimizer"])
    for one, mine in ((module, optimizer), (other, restored)):
        with_gradients(one, seed=1)
        mine.step()
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in module.state_dict().items())


def test_a_step_under_bf16_autocast_is_near_that_in_fp32():
    module, other = with_gradients(network()), with_gradients(network())
    config = TrainConfig(optimizer="muon", learning_rate=0.05)
    build_optimizer(module, config).step()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        build_optimizer(other, config).step()
    for mine, yours in zip(module.parameters(), other.parameters(), strict=True):
        assert yours.dtype == torch.float32
        torch.testing.assert_close(mine, yours, rtol=0, atol=2e-3)


class StopAt(Callback):
    def on_step_end(self, state):
        if state.step == 12:
            raise StopTraining("cut")


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, toy_task):
    config = TrainConfig(epochs=4, batch_size=8, optimizer="muon", learning_rate=0.05, schedule="linear")

    def start(run, callbacks=(), *, resume=False):
        task = toy_task(config)
        task.optimizers = lambda: {"network": build_optimizer(task.model, config)}
        loader = task.loader("train")
        state = start_state(task, loader, config, CPU)
        torch.manual_seed(config.seed)
        if resume:
            restore_training(state, read_checkpoint(run.last_checkpoint), run.last_checkpoint)
        train(state, loader, None, config, [Checkpoints(run, {}), *callbacks])
        return task.model.state_dict()

    whole, cut = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cut")
    expected = start(whole)
    start(cut, [StopAt()])
    resumed = start(cut, resume=True)
    assert all(torch.equal(value, resumed[name]) for name, value in expected.items())
    assert dataclasses.asdict(config)["optimizer"] == "muon"
