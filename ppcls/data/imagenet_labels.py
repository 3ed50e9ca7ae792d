"""Labels of a flat validation folder, in the forms in which ImageNet's are passed around."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from ppcls.data.imagenet_archives import read_member
from ppcls.data.text import read_lines
from ppcls.utils import child
from ppcls.utils.errors import UserError, brief, expect, translated
from ppcls.utils.files import read_regular_file

# A class: its wnid ("n01440764"), or its label.
ClassKey = str | int

DEVKIT = "ILSVRC2012_devkit_t12"
_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"
_META = "data/meta.mat"
# Of the process that reads it: seconds of processor time, and bytes with those of its libraries
_SECONDS, _MEMORY = 10, 600 * 2**20
_MOST_BYTES = 100_000_000  # of its members; they have 0.1 MB
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class Devkit:
    """The development kit: which class each ILSVRC2012_ID is, and the IDs of the validation pictures by name."""

    path: Path

    @classmethod
    def find(cls, source: Path) -> Devkit | None:
        """The kit in `source`, as the official archive or as the folder it holds."""
        for name in (f"{DEVKIT}.tar.gz", DEVKIT):
            if (source / name).exists():
                return cls(source / name)
        return None

    @property
    def truth(self) -> str:
        """The validation pictures' IDs, one number per line."""
        content = self._read(_TRUTH)
        expect(
            content.isascii(),
            f"{self.path}: {_TRUTH} is not a text of numbers; give the official devkit",
        )
        return content.decode("ascii")

    @cached_property
    def wnids(self) -> dict[int, str]:
        """ILSVRC2012_ID to wnid; the IDs are in no order of the wnids.

        Raises:
            UserError: scipy, which reads `meta.mat`, is not installed.
        """
        with translated(
            ImportError,
            lambda error: UserError(
                f"{self.path}: {_META} is read by scipy; run `pip install scipy` and run again"
            ),
        ):
            import scipy.io  # noqa: F401 - read in another process
        try:
            return dict(_leaves_by_process(self._read(_META)))
        except UserError:
            raise
        # A damaged file raises almost anything, or ends the process at its limits
        except Exception as error:
            raise UserError(
                f"{self.path}: {_META} is damaged or too large; give the official devkit"
            ) from error

    def _read(self, name: str) -> bytes:
        if not self.path.is_dir():
            return read_member(self.path, name)
        try:
            return read_regular_file(self.path / name, _MOST_BYTES)
        except OSError as error:
            raise UserError(
                f"{self.path / name}: cannot be read ({error.strerror}); give the official devkit"
            ) from error


@lru_cache(maxsize=1)
def _leaves_by_process(content: bytes) -> dict[int, str]:
    return child.call(_leaves, content)


def _leaves(content: bytes) -> dict[int, str]:
    """Read the IDs and wnids of `meta.mat`, within limits: it may state arrays of any size."""
    import resource

    from scipy.io import loadmat

    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    leaves = {}
    for row in loadmat(io.BytesIO(content), squeeze_me=True)["synsets"]:
        # The classes are the leaves of the hierarchy; its inner nodes have IDs above theirs
        if int(row["num_children"]) == 0:
            leaves[int(row["ILSVRC2012_ID"])] = str(row["WNID"])
    return leaves


def read_labels(
    file: Path, names: Sequence[str], devkit: Devkit | None
) -> list[ClassKey]:
    """Read the class of each picture of `names`, which are sorted.

    Args:
        file: `name label` lines, the label a number from 0 or a wnid; a table with the columns ImageId and
            PredictionString (LOC_val_solution.csv); or one number per line, in the order of the names.
        names: The pictures' file names.
        devkit: Says what ILSVRC2012_IDs mean.

    Raises:
        UserError: A line cannot be read, or a picture has no label.
    """
    lines = read_lines(file)
    expect(lines, f"{file} is empty; give the labels of the {len(names)} pictures")
    if "," in lines[0] and "ImageId" in lines[0]:
        return _of_names(_read_table(file, lines), names, file)
    words = set(map(len, map(str.split, lines)))
    if words == {1}:
        return read_numbers(lines, len(names), file, devkit)
    return _of_names(_read_pairs(file, lines), names, file)


def read_numbers(
    lines: Sequence[str], count: int, file: Path, devkit: Devkit | None
) -> list[ClassKey]:
    """Read one number per line: labels if there is a 0 among them, else ILSVRC2012_IDs, which count from 1."""
    numbers = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        expect(
            _NUMBER.fullmatch(text),
            f"{file}:{number}: {brief(line)!r} is not a number; write a number, or `name label`, per line",
        )
        numbers.append(int(text))
    expect(
        len(numbers) == count,
        f"{file}: {len(lines)} numbers for {count} pictures; give a number for each, in name order",
    )
    if 0 in numbers:
        return list(numbers)
    if devkit is None:
        raise UserError(
            f"{file}: its numbers count from 1, so they are ILSVRC2012_IDs, which say nothing without the devkit; put "
            f"{DEVKIT}.tar.gz beside the pictures, or give labels that count from 0"
        )
    wnids: list[ClassKey] = []
    for number in numbers:
        expect(
            number in devkit.wnids,
            f"{file}: {number} is not the ILSVRC2012_ID of a class in {devkit.path}; give labels from 0",
        )
        wnids.append(devkit.wnids[number])
    return wnids


def _read_table(file: Path, lines: Sequence[str]) -> dict[str, ClassKey]:
    labels: dict[str, ClassKey] = {}
    with translated(
        csv.Error,
        lambda error: UserError(
            f"{file}: a line cannot be read as a line of a table ({error}); give the official table"
        ),
    ):
        for row in csv.DictReader(lines):
            name = row.get("ImageId") or ""
            answer = (row.get("PredictionString") or "").split()
            expect(
                answer,
                f"{file}: no PredictionString for {brief(name)!r}; give the official table",
            )
            labels[name] = answer[0]  # the boxes follow
    return labels


def _read_pairs(file: Path, lines: Sequence[str]) -> dict[str, ClassKey]:
    labels: dict[str, ClassKey] = {}
    for number, line in enumerate(lines, 1):
        parts = line.rsplit(None, 1)  # a name may contain spaces
        expect(
            len(parts) == 2,
            f"{file}:{number}: {brief(line)!r} is not `name label`; write a picture's name and its label",
        )
        name, label = parts[0].rpartition("/")[2], parts[1]
        expect(
            name not in labels,
            f"{file}:{number}: {brief(name)} has a label already; remove one of the two lines",
        )
        labels[name] = int(label) if _NUMBER.fullmatch(label) else label
    return labels


def _of_names(
    labels: dict[str, ClassKey], names: Sequence[str], file: Path
) -> list[ClassKey]:
    """Labels by full name, or by the name without its suffix."""
    found = []
    missing = []
    for name in names:
        key = name if name in labels else Path(name).stem
        if key in labels:
            found.append(labels[key])
        else:
            missing.append(name)
    if missing:
        raise UserError(
            f"{file}: no label for {missing[0]} ({len(missing)} of {len(names)} pictures have none)"
        )
    return found
