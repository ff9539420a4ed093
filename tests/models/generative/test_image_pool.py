from __future__ import annotations

import torch

from dlcli.models.generative.image_pool import ImagePool


def numbered(first: int, count: int) -> torch.Tensor:
    """Images (N, 1, 1, 1) whose only pixel is their number."""
    return torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1, 1)


def test_images_pass_through_until_the_pool_is_full():
    pool = ImagePool(5)
    assert torch.equal(pool.exchange(numbered(0, 3)), numbered(0, 3))
    assert torch.equal(pool.exchange(numbered(3, 2)), numbered(3, 2))
    assert len(pool) == 5


def test_half_of_the_time_an_earlier_image_is_exchanged_for_the_new_one():
    torch.manual_seed(0)
    pool, count = ImagePool(50), 4000
    pool.exchange(numbered(0, 50))
    returned = pool.exchange(numbered(50, count)).flatten()
    is_new = returned == numbered(50, count).flatten()
    assert abs(float(is_new.float().mean()) - 0.5) < 3 * (0.25 / count) ** 0.5
    # Each image is returned once, or still in the pool: none is lost, none is copied.
    kept = torch.stack(pool.state()).flatten()
    assert sorted(torch.cat([returned, kept]).tolist()) == list(range(50 + count))
    # An exchanged image has waited for 50 / 0.5 others on average.
    waited = (numbered(50, count).flatten() - returned)[~is_new]
    assert 85 < float(waited[-1000:].mean()) < 115


def test_the_state_of_pool_and_generator_gives_the_same_exchanges():
    torch.manual_seed(0)
    pool = ImagePool(4)
    pool.exchange(numbered(0, 6))
    other = ImagePool(4)
    other.load_state(pool.state())
    drawn = torch.get_rng_state()
    expected = pool.exchange(numbered(6, 20))
    torch.set_rng_state(drawn)
    assert torch.equal(other.exchange(numbered(6, 20)), expected)


def test_images_carry_no_gradient_and_are_copies():
    pool, images = ImagePool(2), numbered(0, 2).requires_grad_()
    assert not pool.exchange(images).requires_grad
    with torch.no_grad():
        images.zero_()
    assert [float(image) for image in pool.state()] == [0.0, 1.0]


def test_without_a_pool_all_images_pass():
    pool = ImagePool(0)
    assert torch.equal(pool.exchange(numbered(0, 9)), numbered(0, 9))
    assert len(pool) == 0
