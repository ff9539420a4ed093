from __future__ import annotations

import os
import signal
import time

import pytest
import torch
from torch.utils.data import Dataset

from dlcli.core.errors import DeviceError
from dlcli.data import workers
from dlcli.data.workers import WorkersError, worker_batches


class Items(Dataset):
    """Item n is the number n; reading number `at` first calls `does`."""

    def __init__(self, at=-1, does=None):
        self.at, self.does = at, does

    def __getitem__(self, index):
        if index == self.at:
            self.does()
        return torch.tensor([index])


KEYS = [[0, 1], [2, 3], [4, 5], [6, 7]]


def read(items):
    return [batch.flatten().tolist() for batch in worker_batches(items, KEYS, torch.stack, 2)]


def test_workers_leave_torchs_generator_as_it_is():
    before = torch.get_rng_state()
    assert read(Items()) == KEYS
    assert torch.equal(torch.get_rng_state(), before)


def kill(number, pid=None):
    os.kill(pid or os.getpid(), number)
    time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_workers_go_on_when_a_signal_reaches_them_as_well(number):
    assert read(Items(2, lambda: kill(number))) == KEYS


def test_a_killed_worker_is_a_clear_error():
    with pytest.raises(DeviceError, match="has ended"):
        read(Items(2, lambda: kill(signal.SIGKILL)))


def test_a_full_shared_memory_ends_the_workers_with_the_batches_before_it(monkeypatch):
    def fill():
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    found = []
    with pytest.raises(WorkersError, match="shared memory"):
        for batch in worker_batches(Items(4, fill), KEYS, torch.stack, 2):
            found.append(batch.flatten().tolist())
    assert found == KEYS[:2]


def test_without_semaphores_no_worker_is_started(monkeypatch):
    def refuse():
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(workers.multiprocessing, "Lock", refuse)
    with pytest.raises(WorkersError, match="not implemented"):
        read(Items())


def test_a_loader_that_is_given_up_does_not_wait_for_its_workers():
    batches = worker_batches(Items(3, lambda: time.sleep(4)), KEYS, torch.stack, 2)
    assert next(batches).flatten().tolist() == KEYS[0]
    started = time.monotonic()
    batches.close()
    assert time.monotonic() - started < 3
