"""How many processor cores this process may use: its affinity, and the quota of its control group."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def usable_cores(groups: Path = GROUPS, own_groups: Path = OWN_GROUPS) -> int:
    """Return the number of cores that this process may keep busy, at least 1.

    A container may see all cores of its machine and have a quota of CPU time worth two of them: more threads than that
    are stopped in turns, and wait for each other.

    Args:
        groups: where the file system of control groups is mounted.
        own_groups: the file that lists the groups of this process.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(math.ceil, _quotas(groups, own_groups))]))


def _quotas(groups: Path, own_groups: Path) -> Iterator[float]:
    """Yield the quotas, in cores, of the control groups of this process and of those above them."""
    for line in _text(own_groups).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2: "0::/path"
            for folder in _upwards(groups, path):
                quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
                yield from _ratio(quota, period)
        elif "cpu" in controllers.split(","):  # version 1: "4:cpu,cpuacct:/path"
            for mount in (groups / controllers, groups / "cpu"):
                for folder in _upwards(mount, path):
                    yield from _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Yield the folder of a group and those above it; in a container only the last of them may be there."""
    folder = mount / path.strip("/")
    while folder != mount and mount in folder.parents:
        yield folder
        folder = folder.parent
    yield mount


def _ratio(quota: str, period: str) -> Iterator[float]:
    """Yield a quota of microseconds in a period; nothing for none ("max" or -1)."""
    if quota.strip().isdecimal() and period.strip().isdecimal() and int(period) > 0:
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
