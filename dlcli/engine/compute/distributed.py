"""Several processes as one training: `torchrun -m dlcli train ...` starts them, torch.distributed connects them.

Each process computes its share of each batch; gradients (see `backward.py`), counts and stop requests are reduced over
all of them, so a step equals that of one process with the whole batch, even if the shares are unequal.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from dlcli.core.errors import UsageError
from dlcli.data.order import Shard
from dlcli.engine.compute.device import Device

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class World:
    """The processes of one training.

    Attributes:
        rank: this process's number; 0 writes files and output.
        size: the number of processes.
        local_rank: this process's number on its machine, and the index of its accelerator.
        launch: an id shared by all processes of a launch and its restarts, and by no other launch once they have
            joined; "" for a single process.
        restarts: how often torchrun has restarted the processes after one died.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    launch: str = ""
    restarts: int = 0

    @property
    def is_writer(self) -> bool:
        """Whether this process writes files and output."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    @property
    def shard(self) -> Shard:
        """The share of each batch that this process computes."""
        return Shard(self.rank, self.size)

    def mean(self, count: int) -> float:
        """Return the mean of `count` over all processes."""
        total = torch.tensor(count)
        if not self.is_alone:
            dist.all_reduce(total)
        return int(total) / self.size

    def average_sparse(self, parameters: Sequence[Tensor]) -> None:
        """Replace each sparse gradient by its mean over all processes; a missing one counts as zeros."""
        for parameter in parameters:
            whole = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.to_dense()
            dist.all_reduce(whole)
            parameter.grad = (whole / self.size).to_sparse(1)

    def wait(self) -> None:
        """Wait until all processes have reached this call."""
        self.any(False)

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process, so that all of them stop at the same step."""
        if self.is_alone:
            return flag
        seen = torch.tensor(int(flag))
        dist.all_reduce(seen, op=dist.ReduceOp.MAX)
        return bool(seen)

    def gather(self, value: ValueT) -> list[ValueT]:
        """Return the values of all processes in rank order."""
        if self.is_alone:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def share(self, value: ValueT) -> ValueT:
        """Return the writer's value in every process."""
        if self.is_alone:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def share_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Copy the writer's values of these tensors to every process, in place."""
        if self.is_alone:
            return
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


LONE = World()

LAUNCH_HINT = "use --devices N or torchrun for several processes; for one, unset RANK and WORLD_SIZE"


def world_of_environment() -> World:
    """Return the processes from torchrun's environment variables; a single process without them.

    Raises:
        UsageError: the variables are not numbers.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return LONE
    try:
        world = World(
            rank=int(os.environ["RANK"]),
            size=int(os.environ["WORLD_SIZE"]),
            local_rank=int(os.environ.get("LOCAL_RANK", "0")),
            launch=os.environ.get("TORCHELASTIC_RUN_ID", ""),
            restarts=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
        )
    except ValueError as error:
        raise UsageError(f"RANK, WORLD_SIZE: {error}", hint=LAUNCH_HINT) from None
    if not 0 <= world.rank < world.size:
        raise UsageError(f"RANK={world.rank} does not fit WORLD_SIZE={world.size}", hint=LAUNCH_HINT)
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing and not world.is_alone:
        raise UsageError(f"WORLD_SIZE={world.size}, but there is no {missing[0]}", hint=LAUNCH_HINT)
    return world


def _has_lasting_store(world: World) -> bool:
    """Return whether torchrun itself serves the store in which its processes meet, so that it outlives them."""
    return bool(world.launch) and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _named(world: World, store: Store) -> World:
    """Return the processes with an id of their launch that no other launch has.

    torchrun's own may be that of others: "none" without --rdzv-id, or one that a script gives each time. The first
    process of a launch therefore leaves a unique one in the store, which is there as long as the launch.
    """
    own = store.compare_set("dl-launch", "", uuid.uuid4().hex).decode()
    return replace(world, launch=f"{world.launch}-{own}")


@contextlib.contextmanager
def joined(world: World, device: Device) -> Iterator[World]:
    """Connect the processes for the duration of the block: NCCL between GPUs, gloo between CPUs.

    Counts, flags and objects are on the CPU and always use gloo, so that they do not wait for a GPU.
    """
    is_lasting = _has_lasting_store(world)
    if world.is_alone and not is_lasting:
        yield world
        return
    store: Store = next(rendezvous("env://"))[0]
    world = _named(world, store) if is_lasting else world
    if world.is_alone:
        yield world
        return
    if device.torch_device.type == "cuda":
        torch.cuda.set_device(device.torch_device)
    # A store that outlives the processes needs a prefix, or a restart would read stale addresses from it.
    store = PrefixStore(f"restart-{world.restarts}", store)
    backend = "gloo" if device.is_cpu else "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size)
    try:
        yield world
        world.wait()  # no process leaves while another is still communicating
    finally:
        dist.destroy_process_group()
