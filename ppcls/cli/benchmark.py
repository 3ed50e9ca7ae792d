"""`ppcls benchmark SUBJECT`: what is measured on the user's machine; a module here for each subject."""

from __future__ import annotations

from typing import Any

from ppcls.cli import benchmark_accuracy, benchmark_backends, benchmark_latency

# In the order of `ppcls benchmark --help`.
_SUBJECTS = (benchmark_latency, benchmark_accuracy, benchmark_backends)


def add(commands: Any) -> None:
    """Declares the command and those below it."""
    text = "measure models and engines on this machine"
    subjects = commands.add_parser(
        "benchmark", help=text, description=text
    ).add_subparsers(metavar="SUBJECT", required=True)
    for module in _SUBJECTS:
        module.add(subjects)
