"""`python -m ppcls` is `ppcls`. The programs of a checkout, such as `tools/train.py`, start here too.

This file and `ppcls/__init__.py` run on any Python, to say which one is needed: they hold no syntax that Python 2.7
does not parse, and import what is newer only after the check.
"""

import sys

OLDEST = (3, 10)  # as `python_requires` in setup.py


def main(argv=None):
    # type: (list[str] | None) -> int
    """Run `ppcls`; returns the exit code."""
    return run("ppcls.cli", argv)


def run(module, argv=None):
    # type: (str, list[str] | None) -> int
    """Import a module and run its `main`; what the environment lacks is one sentence.

    Args:
        module: Its `main` takes a list of arguments, or None for those of the command line, and returns the exit code.
        argv: Given to `main`.

    Returns:
        The exit code: that of `main`, or 2 where this Python is too old, a package is missing or broken, or the system
        is short of memory, file descriptors or threads.
    """
    if sys.version_info[:2] < OLDEST:
        sys.stderr.write(
            "ppcls needs Python %d.%d or newer, and %s is Python %d.%d; run this with the Python of the virtual "
            "environment where ppcls or its requirements are installed\n"
            % (OLDEST + (sys.executable,) + sys.version_info[:2])
        )
        return 2

    import importlib

    from ppcls.utils import environment, shortage

    try:
        return importlib.import_module(module).main(argv)
    except Exception as error:
        sentence = shortage.shortage(error) or environment.fault(error)
        if sentence is None:
            raise
        sys.stderr.write(sentence + "\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
