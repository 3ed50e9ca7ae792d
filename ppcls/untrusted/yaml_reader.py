"""YAML to nodes that know their lines. Nothing is evaluated, and no tag makes an object.

Plain scalars follow the core schema of YAML 1.2 (section 10.3.2), and fractions are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

import yaml
from yaml.reader import Reader

from ppcls.untrusted.yaml_nodes import Node, Origin, Problems, join
from ppcls.utils.errors import ConfigError
from ppcls.utils.fields import show

TEXT_TAG = "tag:yaml.org,2002:str"
Scalar = bool | int | float | str | None

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Python refuses to read whole numbers of thousands of digits. As floats they are infinite, which no key accepts.
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FRACTION = re.compile(rf"\s*({_FLOAT.pattern})\s*/\s*({_FLOAT.pattern})\s*")


def parse_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar: `1e-4` is a number, `yes`, `12:30` and `1_000` are text, `010` is ten."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def parse_fraction(text: str) -> float | None:
    """The value of a fraction such as `1.0/255.0`; None if `text` is none.

    Raises:
        ZeroDivisionError: the fraction divides by zero.
    """
    match = _FRACTION.fullmatch(text)
    return float(match[1]) / float(match[2]) if match else None


class QuotingDumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as a number."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """Find the tag that a value has without quotes; another tag than its own forces quotes."""
        tag = super().resolve(kind, value, implicit)
        is_plain_text = kind is yaml.ScalarNode and implicit[0] and tag == TEXT_TAG
        # 1e-4 is a number to YAML 1.2 and text to 1.1, which has no tag for it
        if is_plain_text and not isinstance(parse_scalar(value), str):
            return "quoted"
        return tag


YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


MAX_DEPTH = 100
MAX_NODES = 100_000  # aliases of aliases grow without end
MAX_KEY = 200  # characters; dotted keys of messages are made of these
MAX_DIRECTIVES = 20  # libyaml's time grows with the square of their number
_DIRECTIVE = re.compile("^%", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"
_PYTHON_TYPES = {"null": type(None), "bool": bool, "int": int, "float": float}


class _Unreadable(Exception):
    """The document cannot be read on from here; the problem is noted."""


def read_yaml(
    text: str,
    origin_of: Callable[[int], Origin],
    problems: Problems,
    loader: Any = None,
    parse: Callable[[str], Scalar] = parse_scalar,
) -> Node | None:
    """The document of `text`; None (and a problem) if it is not YAML, or is more than one document.

    Args:
        text: one YAML document; an empty one is null.
        origin_of: the origin of a line, counted from 1.
        problems: takes what is wrong.
        loader: PyYAML's parser to use, instead of the fastest that is there.
        parse: gives the value of an unquoted scalar.
    """
    odd = Reader.NON_PRINTABLE.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        sentence = f"YAML does not allow the character {odd.group()!r}; remove it"
        problems.add(origin_of(line), "", sentence)
        return None
    if len(_DIRECTIVE.findall(text)) > MAX_DIRECTIVES:
        text = f"over {MAX_DIRECTIVES} lines begin with %; remove them"
        problems.add(origin_of(1), "", text)
        return None
    builder = _Builder(origin_of, problems, parse)
    try:
        return builder.document(yaml.parse(text, Loader=loader or YAML_LOADER))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 0 if mark is None else mark.line
        problems.add(origin_of(line + 1), "", _syntax_sentence(error, text, line))
    except (_Unreadable, ConfigError):  # the latter of too many problems
        pass
    return None


def _syntax_sentence(error: yaml.YAMLError, text: str, line: int) -> str:
    lines = text.split("\n")
    here = lines[line] if line < len(lines) else ""
    indent = here[: len(here) - len(here.lstrip())]
    if "\t" in indent:
        return "this line is indented with a tab; indent YAML with spaces"
    reasons = [getattr(error, name, None) for name in ("context", "problem")]
    reason = " ".join(filter(None, reasons)) or str(error)
    return f"is not YAML ({reason}); correct this line or the one before it, or put the text in quotes"


class _Builder:
    """Builds the nodes of one document from the parser's events."""

    def __init__(
        self,
        origin_of: Callable[[int], Origin],
        problems: Problems,
        parse: Callable[[str], Scalar],
    ) -> None:
        self.origin_of = origin_of
        self.problems = problems
        self.parse = parse
        self.anchors: dict[str, Node] = {}
        self.node_count = 0

    def document(self, events: Any) -> Node:
        """The only document of the stream."""
        self.events = iter(events)
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return Node(None, self.origin_of(1))
        node = self.node(next(self.events), "", 0)
        next(self.events)
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            self.stop(
                event,
                "",
                "a second document begins here; keep one document and remove the `---`",
            )
        return node

    def stop(self, event: Any, key: str, text: str) -> NoReturn:
        """Notes a problem after which nothing more can be read."""
        self.problems.add(self.origin(event), key, text)
        raise _Unreadable

    def origin(self, event: Any) -> Origin:
        """Where the event's text begins."""
        return self.origin_of(event.start_mark.line + 1)

    def node(self, event: Any, key: str, depth: int) -> Node:
        """The node that begins with `event`; reads on to its end."""
        if depth > MAX_DEPTH:
            self.stop(
                event, key, f"is nested more than {MAX_DEPTH} deep; write it flatter"
            )
        self.node_count += 1
        if self.node_count > MAX_NODES:
            self.stop(
                event, key, f"this file has over {MAX_NODES:,} values; write fewer"
            )
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self.stop(
                    event,
                    key,
                    f"there is no anchor &{event.anchor} before *{event.anchor}; put it in quotes if it is text",
                )
            node = self.anchors[event.anchor].copy()
            self.count(node, event, key, depth)
            return node
        if isinstance(event, yaml.ScalarEvent):
            node = Node(self.scalar(event, key), self.origin(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            self.refuse_tag(event, "seq", key)
            node = Node(self.sequence(key, depth), self.origin(event))
        else:
            self.refuse_tag(event, "map", key)
            node = Node(self.mapping(key, depth), self.origin(event))
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def count(self, node: Node, event: Any, key: str, depth: int) -> None:
        """Stops where aliases make a small file a huge or deep tree."""
        self.node_count += 1
        if self.node_count > MAX_NODES or depth > MAX_DEPTH:
            self.stop(
                event,
                key,
                f"aliases expand this file to over {MAX_NODES} values or {MAX_DEPTH} levels; write fewer",
            )
        for child in node.children():
            self.count(child, event, key, depth + 1)

    def refuse_tag(self, event: Any, plain: str, key: str) -> None:
        """Notes a tag that is not the one which the value has anyway."""
        if event.tag not in (None, "!", _TAG + plain):
            shown = event.tag.replace(_TAG, "!!")
            self.problems.add(
                self.origin(event),
                key,
                f"the tag {shown} is not supported; remove it",
            )

    def scalar(self, event: Any, key: str) -> Any:
        """The value of a scalar: text if it is quoted or tagged `!!str`, else by the core schema."""
        if event.implicit[0]:
            return self.parse(event.value)
        kind = (event.tag or "").replace(_TAG, "")
        if kind not in _PYTHON_TYPES:
            self.refuse_tag(event, "str", key)
            return event.value
        value = self.parse(event.value)
        if kind == "float" and type(value) is int:
            value = float(value)
        if type(value) is not _PYTHON_TYPES[kind]:
            text = f"the tag !!{kind} does not fit {show(event.value)}; remove it"
            self.problems.add(self.origin(event), key, text)
        return value

    def sequence(self, key: str, depth: int) -> list[Node]:
        """The items up to the list's end."""
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, join(key, len(items)), depth + 1))
        return items

    def mapping(self, key: str, depth: int) -> dict[str, Node]:
        """The keys and values up to the mapping's end; the mapping's own keys come before those that `<<` merges."""
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        first_lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            name = self.key_name(event, key)
            node = self.node(next(self.events), join(key, name), depth + 1)
            node.origin = self.origin(event)
            if name in first_lines:
                self.note_second(node, join(key, name), first_lines[name])
            elif name == "<<" and event.implicit[0]:
                merged = self.merged(node, key)
            else:
                own[name] = node
            first_lines.setdefault(name, node.origin.line)
        for name, node in merged.items():
            own.setdefault(name, node)
        return own

    def note_second(self, node: Node, key: str, first_line: int) -> None:
        """Notes a key that is there already; in an override, which has no lines, `first_line` is 0."""
        after = f", first in line {first_line}" if first_line else ""
        self.problems.add(node.origin, key, f"is written twice{after}; remove one")

    def key_name(self, event: Any, key: str) -> str:
        """The text of a key, which must be a scalar."""
        if not isinstance(event, yaml.ScalarEvent):
            self.stop(
                event, key, "a list, mapping or alias cannot be a key; write a name"
            )
        if len(event.value) > MAX_KEY:
            self.stop(
                event, key, f"a key has over {MAX_KEY} characters; write a shorter one"
            )
        return event.value

    def merged(self, node: Node, key: str) -> dict[str, Node]:
        """The keys that `<<: *one` or `<<: [*one, *two]` brings; the first mapping that has a key gives it."""
        keys: dict[str, Node] = {}
        for source in node.value if isinstance(node.value, list) else [node]:
            if isinstance(source.value, dict):
                for name, child in source.value.items():
                    keys.setdefault(name, child)
            else:
                self.problems.add(
                    node.origin,
                    join(key, "<<"),
                    "merges a value that is not a mapping; write `<<: *anchor`",
                )
        return keys
