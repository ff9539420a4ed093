from __future__ import annotations

import pytest
import torch
from torchvision.ops import box_convert
from toys.rectangles import assert_same_alone, sum_of, target

from dlcli.core.errors import UsageError
from dlcli.models.detection.detector import Limits
from dlcli.models.detection.detr import Detr
from dlcli.models.detection.detr_layers import Attention, logit, sine_codes
from dlcli.models.detection.detr_losses import Goal, add_noise, assign, goals_of, pair_losses

PLAIN = {"groups": 1, "has_noise": False, "is_dense": False}


def _network(**options) -> Detr:
    small = {"num_classes": 3, "backbone": "shufflenet_v2_x0_5", "width": 64, "heads": 4, "decoder_layers": 2}
    return Detr(**{**small, "queries": 16, **options})


def _goal(*boxes: list[float], labels: list[int]) -> Goal:
    return Goal(torch.tensor(boxes).reshape(-1, 4), torch.tensor(labels, dtype=torch.int64), torch.zeros(0, 4))


def test_attention_equals_torch() -> None:
    ours, peer = Attention(16, 4), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        parts = (ours.query, ours.key, ours.value)
        peer.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        peer.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        peer.out_proj.load_state_dict(ours.merge.state_dict())
    queries, keys, values = torch.randn(2, 3, 16), torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    may_attend = torch.rand(3, 5) > 0.4
    may_attend[:, 0] = True
    expected = peer(queries, keys, values, attn_mask=~may_attend, need_weights=False)[0]
    torch.testing.assert_close(ours(queries, keys, values, may_attend), expected)


def test_sine_codes_tell_positions_apart_and_logit_inverts_the_sigmoid() -> None:
    codes = sine_codes(torch.linspace(0, 1, 40)[:, None], 32)
    assert codes.shape == (40, 32)
    distances = torch.cdist(codes, codes) + 9 * torch.eye(40)
    assert float(distances.min()) > 0.1
    assert sine_codes(torch.rand(2, 5, 4), 32).shape == (2, 5, 128)
    values = torch.tensor([0.001, 0.4, 0.999])
    torch.testing.assert_close(logit(values).sigmoid(), values)
    assert logit(torch.tensor([0.0, 1.0])).isfinite().all()


def test_assignment_and_losses_of_exact_predictions() -> None:
    goal = _goal([0.1, 0.1, 0.4, 0.5], [0.5, 0.5, 0.9, 0.9], labels=[1, 0])
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.9, 0.9], [0.1, 0.1, 0.4, 0.5]]])
    logits = torch.full((1, 3, 2), -20.0)
    logits[0, 1, 0] = logits[0, 2, 1] = 20.0
    pairs = assign(logits, boxes, [goal])
    assert dict(zip(*(each.tolist() for each in pairs[0]), strict=True)) == {1: 1, 2: 0}
    assert all(float(each) < 1e-4 for each in pair_losses(logits, boxes, [goal], pairs).values())


def test_losses_by_hand() -> None:
    goal = _goal([0.0, 0.0, 0.5, 0.5], labels=[0])
    boxes = torch.tensor([[[0.0, 0.0, 0.5, 0.25], [0.5, 0.5, 1.0, 1.0]]])
    pairs = [(torch.tensor([0]), torch.tensor([0]))]
    losses = pair_losses(torch.zeros(1, 2, 1), boxes, [goal], pairs)
    # Of cx cy w h, cy differs by 0.125 and h by 0.25; weight 5.
    assert float(losses["box"]) == pytest.approx(5 * 0.375)
    # The overlap is a half and the enclosing box is the union; weight 2.
    assert float(losses["overlap"]) == pytest.approx(2 * 0.5, rel=1e-4)
    # The focal loss at probability 1 / 2: log 2 / 4 times 0.25 for the object and 0.75 for the background; weight 2.
    assert float(losses["class"]) == pytest.approx(2 * 0.25 * torch.log(torch.tensor(2.0)).item(), rel=1e-5)
    alone = pair_losses(torch.zeros(1, 2, 1), boxes, [goal], pairs, has_background=False)
    assert float(alone["class"]) == pytest.approx(2 * 0.25 * 0.25 * torch.log(torch.tensor(2.0)).item(), rel=1e-5)
    ignoring = goal._replace(ignored=torch.tensor([[0.4, 0.4, 1.0, 1.0]]))
    assert torch.equal(pair_losses(torch.zeros(1, 2, 1), boxes, [ignoring], pairs)["class"], alone["class"])


def test_noise_has_the_pairs_of_its_copies() -> None:
    goals = goals_of([target([[0, 0, 32, 64], [8, 8, 24, 40]], [2, 1]), target([[0, 0, 64, 32]], [0])], (64, 64))
    noise = add_noise(goals, 3, copies=3)
    assert noise.boxes.shape == (2, 6, 4)
    assert noise.pairs[0][0].tolist() == [0, 1, 2, 3, 4, 5]
    assert noise.pairs[0][1].tolist() == [0, 1, 0, 1, 0, 1]
    assert noise.pairs[1][0].tolist() == [0, 2, 4]
    for goal, boxes, (queries, objects) in zip(goals, noise.boxes, noise.pairs, strict=True):
        true = box_convert(goal.boxes[objects], "xyxy", "cxcywh")
        difference = (boxes[queries] - true).abs()
        assert (difference <= 0.4 * true[:, 2:].repeat(1, 2) + 1e-6).all()


@pytest.mark.parametrize("options", [{}, PLAIN])
def test_images_without_objects_and_every_parameter_learns(options) -> None:
    network = _network(**options).train()
    images = torch.randn(2, 3, 64, 96)
    for targets in ([target(), target()], [target([[4, 4, 30, 40]], [2]), target()]):
        network.zero_grad()
        losses = network.losses(images, targets)
        assert all(each.isfinite() for each in losses.values())
        sum_of(losses).backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in network.parameters())


def test_groups_and_noise_see_nothing_of_each_other() -> None:
    network = _network(has_noise=False).eval()
    memory = network.encode(torch.randn(1, 3, 64, 64))
    queries, references = network.queries(memory, 3, network.dense(memory))
    block = torch.arange(48) // 16
    mask = block[:, None] == block[None, :]
    together = network.decoder(queries, references, *memory, mask)[-1]
    alone = network.decoder(*network.queries(memory, 1, network.dense(memory)), *memory)[-1]
    for ours, expected in zip(together, alone, strict=True):
        torch.testing.assert_close(ours[:, :16], expected)


@pytest.mark.parametrize(
    ("less", "gone", "equal"),
    [
        ({"groups": 1}, set(), {"class", "box", "overlap", "noise", "dense"}),
        ({"has_noise": False}, {"noise"}, {"class", "box", "overlap", "dense"}),
        ({"is_dense": False}, {"dense"}, {"noise"}),  # the queries start elsewhere
        (PLAIN, {"noise", "dense"}, set()),
    ],
)
def test_what_is_switched_off_takes_its_loss_with_it_and_changes_no_other(
    less, gone: set[str], equal: set[str]
) -> None:
    full, other = _network().eval(), _network(**less).eval()
    with torch.no_grad():
        full.content.weight[:] = full.content.weight[:16].repeat(3, 1)  # equal groups have equal losses: their mean
        for layer in (full.dense_boxes[2], full.decoder.boxes[2]):
            layer.weight.normal_(std=0.1)  # fresh heads move no box, and so hide where queries start
    known = other.state_dict()
    fitting = {
        name: value[: len(known[name])] if value.ndim else value
        for name, value in full.state_dict().items()
        if name in known
    }
    other.load_state_dict(fitting, strict=False)
    images, targets = torch.randn(2, 3, 64, 96), [target([[4, 4, 30, 40], [40, 20, 90, 60]], [2, 0]), target()]
    losses = []
    for network in (full, other):
        torch.manual_seed(1)
        with torch.no_grad():
            losses.append(network.losses(images, targets))
    assert set(losses[0]) - set(losses[1]) == gone
    assert set(losses[1]) <= set(losses[0])
    for name in equal:
        torch.testing.assert_close(losses[1][name], losses[0][name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", [{"queries": 40}, PLAIN])  # 24 cells, so 16 queries have none
def test_same_answer_alone_and_in_a_batch(options) -> None:
    network = _network(**options).eval()
    found = assert_same_alone(network, torch.randn(3, 3, 64, 96), Limits(score=0.0, most=20))
    assert found.boxes.shape == (3, 20, 4)
    assert ((found.boxes >= 0) & (found.boxes <= torch.tensor([96.0, 64.0, 96.0, 64.0]))).all()


def test_a_width_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="4 heads cannot have states of 72"):
        _network(width=72)
