"""`make test` leaves this folder alone: its files run where `make test-extras` names them."""

import sys
from pathlib import Path

collect_ignore_glob = ["test_*.py"]

sys.path.insert(0, str(Path(__file__).parents[1] / "arch"))  # for arch_facts
