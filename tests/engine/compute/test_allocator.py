"""What the C library does with freed memory, asked in processes of their own, since the setting is the process's."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
from dlcli.engine.compute.allocator import keep_freed_memory
print(keep_freed_memory() if sys.argv[1] == "keep" else None)
def step():
    return len(b"x" * (32 << 20))  # bytes, above every threshold of glibc's for blocks of the heap
for _ in range(20):
    step()  # until the heap has its holes
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

is_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such option")


def ask(script, *words, **environment):
    """Return the words that a script says, run in an environment that says nothing of allocators but what is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_", "LD_PRE"))}
    command = [sys.executable, "-c", script, *words]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env={**clean, **environment}).stdout
    return answer.split()


@is_glibc
def test_a_block_that_was_freed_is_used_again_without_a_page_fault():
    usual, (is_kept, kept) = ask(COUNT_FAULTS, "leave")[1], ask(COUNT_FAULTS, "keep")
    assert is_kept == "True"
    assert int(kept) < 200
    assert int(usual) > 10 * int(kept), "without it every step maps its 32 MB anew"


@is_glibc
def test_who_has_chosen_the_allocators_ways_keeps_them():
    assert ask(COUNT_FAULTS, "keep", MALLOC_TRIM_THRESHOLD_="1000000")[0] == "False"


GIVE_BACK = """
import torch
from dlcli.engine.compute.device import open_device
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
device = open_device("cpu", threads=1)
large = torch.ones(64 << 20)  # 256 MB
del large
kept = resident()
device.free_memory()
print(kept - resident())
"""


@is_glibc
def test_what_trials_took_can_be_given_back():
    [given] = ask(GIVE_BACK)
    assert int(given) > 200 << 20
