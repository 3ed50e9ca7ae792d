"""Pictures with their labels, from a list file that is checked when it is opened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppcls.data.label_numbers import number_labels
from ppcls.data.labelled_list import read_labelled_list, refuse_two_labels
from ppcls.data.labels import Classes
from ppcls.data.list_options import KEYS, Column, ReadingOptions
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger


@dataclass(frozen=True, eq=False)
class ImageList:
    """Pictures and their labels.

    Attributes:
        paths: Paths of the pictures.
        labels: Their labels, int64 [len].
        class_names: Names of the classes by label, where they are known.
        names_itself: Whether a list of pictures has numbered its classes itself, by the labels that it has.
    """

    paths: list[str]
    labels: np.ndarray
    class_names: list[str] | None = None
    names_itself: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def class_to_index(self) -> dict[str, int] | None:
        """Label by class name."""
        if self.class_names is None:
            return None
        return {name: index for index, name in enumerate(self.class_names)}


def read_list_file(
    path: str,
    image_root: str,
    class_num: int | None,
    delimiter: str | None = None,
    *,
    image_column: Column | None = None,
    label_column: Column | None = None,
    learned: Classes | None = None,
    relabel: bool = False,
    searches: bool = False,
    keys: tuple[str, str, str] = KEYS,
) -> ImageList:
    """Reads a list of pictures and labels: one `relative/path label` line per picture, or a table with a header.

    How a list that is not plain was read is logged. Of up to 1,000 files every one is looked for, of more a sample.

    Args:
        path: the list.
        image_root: what its paths are relative to; an empty text is the working directory.
        class_num: number of classes; None for as many as there are.
        delimiter: what separates the fields; None finds it.
        image_column: the column of the pictures, by its name or counted from 0; None finds it.
        label_column: the same of the labels.
        learned: the classes by which labels are numbered, where they are known.
        relabel: see `number_labels`.
        searches: whether pictures are looked for in the folders below `image_root`, too.
        keys: see `Options`.

    Raises:
        UserError: with file and line, up to five at once; see `read_labelled_list` and `number_labels`.
    """
    listed = read_labelled_list(
        path,
        ReadingOptions(
            image_root, delimiter, image_column, label_column, searches, keys
        ),
    )
    if listed.parts:
        raise UserError(
            f"{path} holds several parts of a data set ({', '.join(sorted(set(listed.parts)))}); write the lines of "
            "each part into a list of its own, or remove the column that names the parts"
        )
    numbered = number_labels(listed, class_num, learned, relabel)
    refuse_two_labels(listed)
    notes = "; ".join([*listed.notes, *numbered.notes])
    if notes:
        get_logger().info("%s: %s", path, notes)
    names_itself = learned is None and numbered.class_names is not None
    return ImageList(listed.paths, numbered.labels, numbered.class_names, names_itself)
