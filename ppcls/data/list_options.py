"""Options for reading a list of pictures."""

from __future__ import annotations

from dataclasses import dataclass

Column = str | int

# What a user writes to say where the pictures are, and which column holds pictures and labels: keys or flags.
KEYS = ("image_root", "image_column", "label_column")
FLAGS = ("--image-root", "--image-column", "--label-column")


@dataclass(frozen=True)
class ReadingOptions:
    """Options for reading a list, and the names of the keys or flags that set them.

    Attributes:
        image_root: What the paths are relative to.
        delimiter: What separates the fields; None finds it.
        image_column: The column of the pictures, by its name or counted from 0; None finds it.
        label_column: The same of the labels.
        searches: Whether pictures are looked for in the folders below `image_root` and in the working directory, too.
        keys: The names of the keys or flags for `image_root`, `image_column` and `label_column`; empty where
            there are none.
    """

    image_root: str
    delimiter: str | None = None
    image_column: Column | None = None
    label_column: Column | None = None
    searches: bool = False
    keys: tuple[str, str, str] = KEYS
