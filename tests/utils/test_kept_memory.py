"""Freed memory that the process keeps or returns: what the next allocation costs."""

import os
import subprocess
import sys

import pytest

from ppcls.utils import child

PROGRAM = """
import resource
import numpy as np
from ppcls.utils import cpu

kept = {call}
for _ in range({times}):
    np.ones({size}, "uint8").sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones({size}, "uint8").sum()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def next_allocation(call, size=50_000_000, times=1, **variables):
    environment = {**child.environment(), **variables}
    if not environment["GLIBC_TUNABLES"]:
        del environment["GLIBC_TUNABLES"]  # of tests/conftest.py
    command = [sys.executable, "-c", PROGRAM.format(call=call, size=size, times=times)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(os, "confstr"), reason="glibc's malloc")
def test_freed_memory_is_kept_unless_the_user_has_set_how():
    assert next_allocation("cpu.keep_freed_memory()")[0]
    kept = next_allocation("cpu.keep_freed_memory()")[1]
    returned = next_allocation("False")[1]
    assert kept < 100 < returned
    assert next_allocation("cpu.keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="0")[0] is False


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(os, "confstr"), reason="glibc's malloc")
def test_freed_memory_is_returned_that_glibc_would_keep():
    spared, faults = next_allocation("cpu.spare_freed_memory()", 10_000_000, 2)
    assert spared
    assert next_allocation("False", 10_000_000, 2)[1] < 100 < faults
    assert next_allocation("cpu.spare_freed_memory()", MALLOC_ARENA_MAX="4")[0] is False
