"""Something that `ppcls check` has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass

NOTE, WARNING, ERROR = "note", "warning", "error"
# By the gravest finding; 2 is for a mistake in the command, as of every command
EXIT_CODES = {NOTE: 0, WARNING: 1, ERROR: 3}


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes:
        severity: `error`: the training will fail, or its accuracy will be wrong. `warning`: it may be worse than it
            could be. `note`: worth knowing.
        topic: What it is about, in a word or two.
        text: One sentence.
        remedy: What to do; empty if nothing needs to be done.
        items: The pictures, lines or classes; a group of pictures is one text, with ` = ` between them.
    """

    severity: str
    topic: str
    text: str
    remedy: str = ""
    items: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The fields, for JSON."""
        return asdict(self)
