"""`ppcls COMMAND`: the doors of the library. `tools/*.py` and `deploy/python/*.py` open the same ones.

A module here holds one command, or a few that share their arguments: its `add` declares them to argparse and names
the function that runs. What a command works with is imported when it runs, so a mistake is said at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from typing import Any

from ppcls import __version__
from ppcls.cli import (
    adopt,
    benchmark,
    config,
    configured,
    convert,
    finetune,
    models,
    npz,
    onnx,
    pack,
    predict,
    prepare_imagenet,
    quantize,
    summary,
    verify,
)
from ppcls.cli.parser import CommandParser
from ppcls.utils import cpu, environment
from ppcls.utils.errors import UserError
from ppcls.utils.user_paths import expanded

# In the order of `ppcls --help`.
_MODULES = (
    configured,
    predict,
    adopt,
    quantize,
    verify,
    onnx,
    npz,
    finetune,
    prepare_imagenet,
    pack,
    models,
    benchmark,
    summary,
    convert,
    config,
)
# What the file system refuses, and what to do; anything else of the kind is a fault of ours and shows its traceback.
_MAKE_ROOM = "make room or choose another place and run again"
_GET_RIGHTS = "choose another place, or change the permissions, and run again"
_ELSEWHERE = "choose another place and run again"
_REMEDIES = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: _MAKE_ROOM,
    errno.EACCES: _GET_RIGHTS,
    errno.EPERM: _GET_RIGHTS,
    errno.EROFS: _ELSEWHERE,
    errno.EBUSY: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.EISDIR: _ELSEWHERE,
    errno.EEXIST: _ELSEWHERE,
    errno.ENOENT: _ELSEWHERE,
    errno.ENAMETOOLONG: _ELSEWHERE,
}


def main(argv: list[str] | None = None) -> int:
    """Runs a command.

    Returns:
        The exit code: 0; 1 where some picture could not be read; 2 for a mistake of the user's;
        130 or 143 where Ctrl-C or SIGTERM ended it.
    """
    cpu.prepare()
    arguments = _parser().parse_args(argv)
    try:
        _expand(arguments)
        return arguments.run(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # `ppcls predict ... | head`
        # Or the interpreter complains once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None or environment.fault(error) is not None:
            raise
        # Of a copy the second name is the one that is written.
        place = error.filename2 or error.filename or "a file could not be written"
        print(f"{place}: {error.strerror}; {remedy}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _expand(arguments: argparse.Namespace) -> None:
    """Expands `~` and variables in paths, which a shell leaves alone in quotes and behind `=`."""
    for name, value in vars(arguments).items():
        if name == "override":  # the configuration sees to its paths
            continue
        if isinstance(value, list):
            setattr(arguments, name, [_expanded(item) for item in value])
        else:
            setattr(arguments, name, _expanded(value))


def _expanded(value: Any) -> Any:
    """The value of an argument; what is not a path has neither mark at the beginning of a part."""
    if isinstance(value, str) and (value.startswith(("~", "$")) or "/$" in value):
        return expanded(value)
    return value


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="ppcls", description="Image classification on PaddlePaddle."
    )
    parser.add_argument("--version", action="version", version=f"ppcls {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in _MODULES:
        module.add(commands)
    return parser
