"""Freed memory that the process keeps: what a second allocation costs."""

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
np.ones(50_000_000, "uint8").sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(50_000_000, "uint8").sum()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def second_allocation(call, **variables):
    environment = {**child.environment(), **variables}
    if not environment["GLIBC_TUNABLES"]:
        del environment["GLIBC_TUNABLES"]  # of tests/conftest.py
    command = [sys.executable, "-c", PROGRAM.format(call=call)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(os, "confstr"), reason="glibc's malloc")
def test_freed_memory_is_kept_unless_the_user_has_set_how():
    assert second_allocation("cpu.keep_freed_memory()")[0]
    kept = second_allocation("cpu.keep_freed_memory()")[1]
    returned = second_allocation("False")[1]
    assert kept < 100 < returned
    assert second_allocation("cpu.keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="0")[0] is False
