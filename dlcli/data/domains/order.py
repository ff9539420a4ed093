"""The order of two domains: which images of each meet in an epoch, as a function of (seed, epoch). Torch-free."""

from __future__ import annotations

import numpy as np

from dlcli.data.order import WHOLE, Order, Shard

_PARTNER_SALT = 0xD0B


class DomainOrder(Order):
    """The items of an epoch: as many as the larger domain has images, in random order.

    Item i shows image i of the first domain, modulo their number. Of unpaired data, the partners are the images of the
    second domain in one random order after another, so that each comes once before any comes twice. Of pairs, the
    partner is the other half.

    Source: Zhu et al. 2017, arXiv:1703.10593, whose script draws each partner by itself, so that
    an epoch misses over a third of the second domain.

    Args:
        counts: number of images of the first domain and of the second.
        batch_size: items per process.
        seed: of the order and of the partners.
        paired: whether image i of both belongs together; the counts are then equal.
        shard: the share of this process.
    """

    def __init__(
        self, counts: tuple[int, int], batch_size: int, *, seed: int, paired: bool, shard: Shard = WHOLE
    ) -> None:
        super().__init__(np.arange(max(counts)), batch_size, seed=seed, shard=shard)
        self._counts = counts
        self._paired = paired
        self._latest: tuple[int, np.ndarray] | None = None

    def rows(self, epoch: int) -> np.ndarray:
        """Return the rows of both domains that each item shows, (N, 2) int64, by item."""
        if self._latest is None or self._latest[0] != epoch:
            self._latest = epoch, self._draw_rows(epoch)
        return self._latest[1]

    def _draw_rows(self, epoch: int) -> np.ndarray:
        first, second = self._counts
        if self._paired:
            return np.stack([self.indices, self.indices], axis=1)
        random = np.random.default_rng([self.seed or 0, epoch, _PARTNER_SALT])
        rounds = -(-self.num_items // second)
        partners = np.empty(self.num_items, np.int64)
        drawn = np.concatenate([random.permutation(second) for _ in range(rounds)])
        partners[self.epoch(epoch)] = drawn[: self.num_items]
        return np.stack([self.indices % first, partners], axis=1)
