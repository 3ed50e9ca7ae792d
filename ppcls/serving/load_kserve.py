"""The import of KServe, which reads the command line of the process as its own."""

from __future__ import annotations

import sys

from ppcls.utils.environment import import_optional


def load_kserve() -> None:
    """Import KServe so that it sees none of this process's arguments.

    Raises:
        Unavailable: It is not installed.
    """
    words = sys.argv
    sys.argv = words[:1]
    try:
        import_optional("kserve", "KServe", "serving")
    finally:
        sys.argv = words
