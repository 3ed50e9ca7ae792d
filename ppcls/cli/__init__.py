"""`ppcls COMMAND`: the command line. `tools/*.py` and `deploy/python/*.py` run the same commands.

`commands.py` is the table of the commands. A command's module is imported when the command is chosen.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

from ppcls import __version__
from ppcls.cli.commands import GROUPS, overview, parser_of, split_command
from ppcls.engine.signals import StoppedBySignal
from ppcls.utils import cpu, environment, user_code
from ppcls.utils.errors import UserError, shortened
from ppcls.utils.files import expanded

# What the file system refuses, and what to do. Any other OSError is a bug and shows its traceback.
_LONGEST_LINE = 1000  # characters of a message
_FREE_SPACE = "make room or choose another place and run again"
_GET_RIGHTS = "choose another place, or change the permissions, and run again"
_ELSEWHERE = "choose another place and run again"
_REMEDIES = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EFBIG: _FREE_SPACE,
    errno.EACCES: _GET_RIGHTS,
    errno.EPERM: _GET_RIGHTS,
    errno.EROFS: _ELSEWHERE,
    errno.EBUSY: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.EISDIR: _ELSEWHERE,
    errno.EEXIST: _ELSEWHERE,
    errno.ENOENT: _ELSEWHERE,
    errno.ENAMETOOLONG: _ELSEWHERE,
    errno.ELOOP: _ELSEWHERE,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: What follows `ppcls`; None for the arguments of this process.

    Returns:
        The exit code: 0; 1 where some picture could not be read; 2 for a mistake of the user's;
        130 or 143 where Ctrl-C or SIGTERM ended it.
    """
    cpu.prepare()
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if words[:1] == ["--version"]:
        print(f"ppcls {__version__}")
        return 0
    group = words[0] if words and words[0] in GROUPS else ""
    following = words[1:] if group else words
    if not following:
        print(overview(group), end="", file=sys.stderr)
        return 2
    if following[0] in ("-h", "--help"):
        print(overview(group), end="")
        return 0
    return _run(words)


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Parse the name of a command and its arguments: `["train", "-c", "DLA34"]`.

    Returns:
        The arguments, and as `run` the function of the command's module that takes them.

    Raises:
        UserError: There is no such command.
        SystemExit: With code 2 and one line for a mistake in the arguments; with code 0 after `--help`.
    """
    command, rest = split_command(words)
    return parser_of(command).parse_args(rest)


def _run(words: Sequence[str]) -> int:
    """Run a command; return its exit code, or the one for the error that ended it."""
    try:
        arguments = parse_arguments(words)
        _expand(arguments)
        # Before a configuration is read, which may name what the files register
        user_code.load(getattr(arguments, "imports", ()))
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except UserError as error:
        _print_error(str(error))
        return 2
    except BrokenPipeError:  # `ppcls predict ... | head`
        _discard_stdout()
        return 1
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None or environment.fault(error) is not None:
            raise
        # An error of copying names two files; the second is the one that is written.
        place = error.filename2 or error.filename or _unnamed_place()
        _print_error(f"{place}: {error.strerror}; {remedy}")
        return 2
    except StoppedBySignal as interruption:
        return interruption.exit_code
    except KeyboardInterrupt:
        return 130


def _print_error(text: str) -> None:
    """Print a message; of a line that a very long value fills, the beginning and the end.

    A value of somebody else's file sends no control characters to the terminal.
    """
    for line in text.split("\n"):
        if not line.isprintable():
            line = "".join(map(_visible, line))
        print(shortened(line, _LONGEST_LINE), file=sys.stderr)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return repr(character)[1:-1]


def _unnamed_place() -> str:
    """What an error is about that names no file: standard output if that cannot be written to."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_stdout()
        return "standard output"
    return "a file could not be written"


def _discard_stdout() -> None:
    """Keep the interpreter from reporting an error of standard output again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _expand(arguments: argparse.Namespace) -> None:
    """Expand `~` and variables in paths, which a shell leaves alone in quotes and behind `=`."""
    for name, value in vars(arguments).items():
        if name == "override":  # the configuration expands its own paths
            continue
        if isinstance(value, list):
            setattr(arguments, name, [_expanded(item) for item in value])
        else:
            setattr(arguments, name, _expanded(value))


def _expanded(value: Any) -> Any:
    """Expand one value. Only a path has a part that begins with `~` or `$`."""
    if isinstance(value, str) and (value.startswith(("~", "$")) or "/$" in value):
        return expanded(value)
    return value
