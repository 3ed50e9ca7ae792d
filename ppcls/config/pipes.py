"""Consent to the commands that a configuration of shards may hold behind `pipe:`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ppcls.untrusted.yaml_nodes import Node, Problems, find
from ppcls.utils.errors import UserError
from ppcls.utils.files import expanded

CONSENT = "PPCLS_ALLOW_PIPE"


def refuse_pipes(root: Node, problems: Problems) -> None:
    """Refuse `pipe:` shards of a file, unless the environment variable allows them.

    A configuration may come from somebody else, and must not start a program by itself. An override (`-o`) is
    the user's own word.
    """
    if os.environ.get(CONSENT) == "1":
        return
    for part in ("Train", "Eval"):
        key = f"DataLoader.{part}.dataset.shards"
        shards, is_written = find(root, key)
        if not is_written:
            continue
        for node in _values(shards):
            if _is_command(node) and not node.origin.is_override:
                problems.add(
                    node.origin,
                    key,
                    f"is a command behind 'pipe:', which no file may start by itself; set {CONSENT}=1 if you "
                    "trust this file",
                )


def _values(node: Node) -> Iterator[Node]:
    if isinstance(node.value, list):
        yield from node.value
    else:
        yield node


def _is_command(node: Node) -> bool:
    """Whether a text is a command, or becomes one when its variables are replaced."""
    if not isinstance(node.value, str):
        return False
    texts = [node.value]
    with contextlib.suppress(UserError):  # a variable that is not set is reported later
        texts.append(expanded(node.value))
    return any(text.lstrip().startswith("pipe:") for text in texts)
