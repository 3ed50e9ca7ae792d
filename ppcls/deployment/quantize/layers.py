"""The first and the last layers of a network, found from its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def outer_layers(
    consumers: Mapping[str, Sequence[str]],
    layers: set[str],
    begin: Sequence[str],
    end: Sequence[str],
    which: str,
) -> list[str]:
    """Find the layers next to the input or to the output, with no other layer in between.

    Args:
        consumers: For each node the nodes that take its output.
        layers: The nodes with weights to quantize (convolutions, fully connected layers).
        begin: The nodes that take the network's input.
        end: The nodes that give the network's output.
        which: `first`, `last`, `both` or `none`.

    Returns:
        Their names, sorted.
    """
    producers: dict[str, list[str]] = {}
    for node, takers in consumers.items():
        for taker in takers:
            producers.setdefault(taker, []).append(node)
    found: set[str] = set()
    if which in ("first", "both"):
        found |= _nearest(begin, consumers, layers)
    if which in ("last", "both"):
        found |= _nearest(end, producers, layers)
    return sorted(found)


def _nearest(
    start: Sequence[str], neighbours: Mapping[str, Sequence[str]], layers: set[str]
) -> set[str]:
    """The first layers on every path from `start`."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in layers:
            found.add(node)
        else:
            waiting.extend(neighbours.get(node, ()))
    return found
