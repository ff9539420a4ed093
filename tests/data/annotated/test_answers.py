"""Detections in the image's own pixels."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.annotated.answers import detections_in_image, paste_mask
from dlcli.data.annotated.fitting import fit_size
from dlcli.data.annotated.masks import to_pixels


def outputs_of(boxes: list[list[float]], scores: list[float]) -> dict[str, np.ndarray]:
    """Return one image's outputs, behind another's, with padding that must not be read."""
    count = len(boxes)
    outputs = {
        "boxes": np.full((2, count + 1, 4), 33, np.float32),
        "scores": np.ones((2, count + 1), np.float32),
        "labels": np.tile(np.arange(count + 1), (2, 1)),
        "counts": np.array([0, count]),
    }
    outputs["boxes"][1, :count] = boxes
    outputs["scores"][1, :count] = scores
    return outputs


def test_boxes_are_scaled_cut_and_rounded_and_those_outside_left_out() -> None:
    fit = fit_size((300, 600), 200)  # the image covers 200 x 100 of a canvas of 224 x 128
    boxes = [[-5, 10, 100.0012, 50], [10, 101, 90, 120], [20, 20, 20, 40], [150, 50, 220, 110]]
    found = detections_in_image(outputs_of(boxes, [0.123456, 0.9, 0.8, 0.7]), 1, fit)
    assert found.boxes.tolist() == [[0, 30, 300, 150], [450, 150, 600, 300]]
    assert found.scores.tolist() == [0.12346, 0.7]
    assert found.labels.tolist() == [0, 3]
    assert found.masks is None


def test_answers_that_are_not_finite_are_left_out() -> None:
    boxes = [[0, 0, 9, 9], [0, 0, np.nan, 9], [0, 0, 9, np.inf]]
    found = detections_in_image(outputs_of(boxes, [np.nan, 0.9, 0.9]), 1, fit_size((64, 64), 64))
    assert found.boxes.shape == (0, 4)


def test_an_image_without_detections() -> None:
    found = detections_in_image(outputs_of([[0, 0, 9, 9]], [0.5]), 0, fit_size((64, 64), 64))
    assert (found.boxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))


def test_masks_go_with_their_boxes_and_are_of_the_image() -> None:
    outputs = outputs_of([[200, 200, 220, 220], [10, 10, 30, 20]], [0.9, 0.8])
    outputs["masks"] = np.ones((2, 3, 8, 8), np.float32)
    outputs["masks"][1, 0] = 0
    found = detections_in_image(outputs, 1, fit_size((60, 120), 60))
    assert found.masks is not None
    (mask,) = found.masks
    pixels = to_pixels(mask, 60, 120)
    assert pixels[20:40, 20:60].all()
    assert pixels.sum() == 20 * 40


def test_a_mask_of_whole_pixels_is_pasted_exactly() -> None:
    mask = (np.indices((8, 8)).sum(axis=0) % 2).astype(np.float32)
    assert (paste_mask(mask, np.array([3.0, 5.0, 11.0, 13.0]), (20, 20))[5:13, 3:11] == mask).all()
    doubled = paste_mask(mask, np.array([0.0, 0.0, 16.0, 16.0]), (16, 16))
    assert (doubled[::2, ::2][1:7, 1:7] == mask[1:7, 1:7]).mean() > 0.99


@pytest.mark.parametrize(("box", "shown"), [((-8, 0, 8, 16), 8), ((8, 0, 24, 16), 0)])
def test_a_mask_over_the_edge_is_cut_and_not_squeezed(box: tuple[float, ...], shown: int) -> None:
    mask = np.zeros((4, 4), np.float32)
    mask[:, 2:] = 1  # the right half
    pixels = paste_mask(mask, np.array(box, np.float64), (16, 16))
    assert pixels.sum() == 16 * shown
    assert not pixels[:, 8:].any()


def test_pixels_belong_to_a_box_by_their_centres() -> None:
    pixels = paste_mask(np.ones((2, 2), np.float32), np.array([2.4, 3.6, 5.6, 5.5]), (10, 10))
    assert (np.flatnonzero(pixels.any(axis=0)).tolist(), np.flatnonzero(pixels.any(axis=1)).tolist()) == (
        [2, 3, 4, 5],
        [4],
    )
    assert not paste_mask(np.ones((2, 2), np.float32), np.array([2.6, 3.0, 3.4, 9.0]), (10, 10)).any()


@pytest.mark.slow
def test_it_agrees_with_torchvision() -> None:
    import torch
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    rng = np.random.default_rng(0)
    coarse = rng.random((4, 4))
    mask = np.kron(coarse, np.ones((7, 7))).astype(np.float32)
    box = np.array([10.0, 20.0, 94.0, 76.0])
    peer = paste_masks_in_image(torch.from_numpy(mask)[None, None], torch.from_numpy(box)[None], (100, 120), padding=1)
    ours = paste_mask(mask, box, (100, 120))
    # They spread the mask over whole pixels, a box of 85 x 57 here; only the outlines differ by that.
    assert (ours == (peer[0, 0].numpy() >= 0.5)).mean() > 0.97
