"""Devices: where tensors live and at which precision they are computed; the only place that names a device."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DeviceError, DlError, UsageError
from dlcli.engine.compute.allocator import give_back_freed_memory, keep_freed_memory

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@dataclass(frozen=True)
class Device:
    """Where and how tensors are computed.

    Attributes:
        torch_device: the device.
        precision: "fp32" or "bf16" (autocast: weights stay fp32).
        is_channels_last: whether 4-D weights and images use the channels-last memory format.
        reason: why this device was chosen, for `dl doctor` and the run.
    """

    torch_device: torch.device
    precision: str = "fp32"
    is_channels_last: bool = True
    reason: str = ""

    @property
    def name(self) -> str:
        """The name as given to `--device`."""
        return str(self.torch_device)

    @property
    def is_cpu(self) -> bool:
        """Whether this is the CPU, where reading a tensor's value needs no synchronisation."""
        return self.torch_device.type == "cpu"

    def with_precision(self, precision: str) -> Device:
        """Return the device at another precision."""
        return replace(self, precision=precision)

    def place(self, module: ModuleT) -> ModuleT:
        """Return the module, moved to this device in its preferred memory format."""
        if self.is_channels_last:
            return module.to(self.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module.to(self.torch_device)

    def move(self, value: Any) -> Any:
        """Return tensors, or containers of them, on this device; other values unchanged."""
        return map_tensors(value, lambda tensor: tensor.to(self.torch_device, non_blocking=True))

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Run the block at this device's precision; faults that the user can fix become a `DlError`.

        Raises:
            DeviceError: the device ran out of memory, or there is no compiler for it.
            UsageError: an operation has no deterministic implementation on this device.
        """
        is_bf16 = self.precision == "bf16"
        mixed = torch.autocast(self.torch_device.type, dtype=torch.bfloat16) if is_bf16 else contextlib.nullcontext()
        try:
            with mixed:
                yield
        except RuntimeError as error:
            fault = self._fault_of(error)
            if fault is None:
                raise
            raise fault from error

    def _fault_of(self, error: RuntimeError) -> DlError | None:
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text:
            hint = "use a smaller --batch-size, with --accumulate to compensate"
            return DeviceError(f"{self.name}: out of memory", hint=hint)
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            hint = "train without --compile; it needs a C++ compiler on a CPU, and Triton on a GPU"
            return DeviceError(f"--compile: {(text.strip().splitlines() or ['failed'])[0][:160]}", hint=hint)
        if "does not have a deterministic implementation" in text:
            hint = "train without --deterministic, or on another --device"
            what = f"{text.split()[0]} has no deterministic implementation on {self.name}"
            return UsageError(f"--deterministic: {what}", hint=hint)
        return None

    @contextlib.contextmanager
    def keeping_random(self) -> Iterator[None]:
        """Restore the state of torch's random generators after the block."""
        with torch.random.fork_rng([self.torch_device] if self.torch_device.type == "cuda" else []):
            yield

    def free_memory(self) -> None:
        """Release unused memory to the system, as after running out of it."""
        gc.collect()
        if self.is_cpu:
            give_back_freed_memory()
        elif self.torch_device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.torch_device.type == "mps":
            torch.mps.empty_cache()

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work, as a timing must."""
        if self.torch_device.type == "cuda":
            torch.cuda.synchronize(self.torch_device)
        elif self.torch_device.type == "mps":
            torch.mps.synchronize()

    def describe(self) -> str:
        """Return the device's name with its model or number of threads."""
        if self.torch_device.type == "cuda":
            return f"{self.name} ({torch.cuda.get_device_name(self.torch_device)})"
        if self.is_cpu:
            return f"cpu ({torch.get_num_threads()} threads)"
        return self.name


def map_tensors(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """Return the value with `change` applied to every tensor in it.

    Mappings become dictionaries; lists, tuples and named tuples keep their types; other values are returned unchanged.
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: map_tensors(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [map_tensors(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def to_numpy(value: Any) -> Any:
    """Return tensors, or containers of them, as numpy arrays; numpy has no bfloat16, so half precision becomes float32.

    The arrays share the memory of CPU tensors.
    """
    return map_tensors(value, _to_array)


def _to_array(tensor: Tensor) -> np.ndarray:
    is_half = tensor.is_floating_point() and tensor.element_size() < 4
    return (tensor.float() if is_half else tensor).detach().cpu().numpy()


def open_device(name: str = "auto", *, threads: int | None = None, local_rank: int = 0) -> Device:
    """Return the requested device; "auto" prefers cuda, then mps, then the cpu.

    With several processes on a machine, each uses the GPU of its `local_rank` and its share of the CPU cores.

    Args:
        name: auto, cpu, cuda, cuda:N or mps.
        threads: CPU threads; None for all usable cores.
        local_rank: this process's number on its machine.

    Raises:
        DeviceError: there is no such device on this machine.
        UsageError: the name is not a device.
    """
    torch.set_num_threads(threads or all_threads())
    keep_freed_memory()
    if name == "auto":
        if torch.cuda.is_available():
            return Device(torch.device("cuda", local_rank), reason="CUDA is available")
        if torch.backends.mps.is_available():
            return Device(torch.device("mps"), reason="Metal is available")
        return Device(torch.device("cpu"), reason="no accelerator was found")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not index.isdigit()) or (index and kind != "cuda"):
        raise UsageError(f"--device cannot be {name!r}", hint="known: auto, cpu, cuda, cuda:1, mps")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        number = int(index) if index else local_rank
        if number >= count:
            raise DeviceError(
                f"--device {name}: this machine has {count} CUDA device{'' if count == 1 else 's'}",
                hint="`dl doctor` lists the devices; --device auto uses what is available",
            )
        return Device(torch.device("cuda", number), reason="requested")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("--device mps: this machine has no Metal device", hint="--device auto uses what is available")
    return Device(torch.device(kind), reason="requested")


def all_threads() -> int:
    """Return the number of threads with which this process uses its share of the CPU cores."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun sets it
    return max(1, usable_cores() // processes)


def set_determinism(is_wanted: bool) -> None:
    """Set whether equal seeds give equal results on an accelerator, where the fastest kernels add in any order.

    This applies to the whole process. Operations without a deterministic implementation then fail (see
    `Device.computing`).
    """
    if is_wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it is first used
    if is_wanted != torch.are_deterministic_algorithms_enabled():  # the call itself imports a compiler: two seconds
        torch.use_deterministic_algorithms(is_wanted)
    torch.backends.cudnn.benchmark = False  # its choice of a kernel depends on timing


def seed_everything(seed: int) -> None:
    """Seed torch's random generators (initialisation, dropout); loaders have generators of their own."""
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
