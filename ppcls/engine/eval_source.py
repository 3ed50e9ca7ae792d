"""The pictures that a user evaluates in place of those of the configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ppcls.config.eval_data import EvalData
from ppcls.data.labelled_list import folder_of_pictures
from ppcls.data.list_rows import ReadingOptions
from ppcls.data.own_list import refuse_other_files
from ppcls.utils.errors import UserError, expect

_DATASET = "DataLoader.Eval.dataset."
# Who sets one of these keys has a list whose pictures are not searched for.
_LIST_KEYS = (f"{_DATASET}image_", f"{_DATASET}delimiter")
_KEYS_TO_NAME = (
    "--image-root",
    f"-o {_DATASET}image_column",
    f"-o {_DATASET}label_column",
)


def eval_data_of(
    source: str | None, root: str | None, overrides: Sequence[str]
) -> EvalData | None:
    """Return the pictures of `--data`, if it is given.

    Args:
        source: One folder per class, or a list with labels.
        root: The folder that the paths of a list are relative to; None looks for it.
        overrides: Of the configuration.

    Raises:
        UserError: There is no such folder or list, or it has no use for `root`.
    """
    if source is None:
        if root is not None:
            raise UserError(
                "--image-root is for the list of --data; give --data as well, or leave --image-root out"
            )
        return None
    expect(
        Path(source).exists(),
        f"--data: there is no folder or list {source}; give one folder per class, or a list with labels",
    )
    if Path(source).is_dir():
        if root is not None:
            raise UserError(
                f"--image-root is for a list, but {source} is a folder; leave --image-root out"
            )
        return EvalData(source, None)
    if Path(source).is_file():
        refuse_other_files(source)
        if root is None and not _has_list_keys(overrides):
            root = _image_root_of(source)
    return EvalData(source, root)


def _has_list_keys(overrides: Sequence[str]) -> bool:
    return any(override.startswith(_LIST_KEYS) for override in overrides)


def _image_root_of(source: str) -> str:
    """Find the folder that the paths of a list are relative to."""
    # For a list in the working directory "", where pathlib gives "."
    folder = os.path.dirname(source)  # noqa: PTH120
    return folder_of_pictures(
        source, ReadingOptions(folder, searches=True, keys=_KEYS_TO_NAME)
    )
