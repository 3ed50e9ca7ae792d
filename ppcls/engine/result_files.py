"""Results as lines on the console, as a CSV file, or as a JSON file."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from ppcls.inference.results import Result, printable
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, naming, resolved
from ppcls.utils.lock import claimed


def console_line(result: Result, name: str | None = None) -> str:
    """One line, as PaddleClas's `predict_cls.py` prints it; `name` stands for the picture, else its source."""
    shown = printable(str(result.source if name is None else name))
    if result.error is not None:
        return f"{shown}:\terror: {printable(result.error)}"
    scores = ", ".join(f"{score:.2f}" for score in result.scores)
    return f"{shown}:\tclass id(s): {result.class_ids}, score(s): [{scores}], label_name(s): {result.names}"


def encodable(text: str) -> str:
    r"""Text as standard output can show it: what its encoding does not have as `\xef`."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class ResultFile:
    """Writes results to a file as they come: `with open_results("scores.csv", topk=5) as file: file.write(result)`.

    The rows go to a file beside it, `NAME.part`, which is made for the first row and takes the file's place at the end;
    after an interruption it is kept with every row written so far. Entering raises a UserError if another process
    is writing the same file.
    """

    errors = "strict"  # how bytes of a file's name that are not UTF-8 are written

    def __init__(self, path: PathLike, topk: int) -> None:
        self.path = Path(path)
        self.topk = topk
        self._target = resolved(self.path)  # a link will still lead to the results
        self.part = self._target.with_name(self._target.name + ".part")
        self._file: TextIO | None = None
        self._has_rows = False

    def __enter__(self) -> ResultFile:
        with contextlib.ExitStack() as stack:
            stack.enter_context(
                claimed(
                    self.path, "writing", "wait until it ends, or give another file"
                )
            )
            self._held = stack.pop_all()
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: object) -> None:
        with naming(self.path), self._held:
            if error is None:
                self._end()
                self._opened().close()
                self.part.replace(self._target)
            elif self._file is not None and not self._has_rows:
                self.part.unlink()

    def write(self, result: Result) -> None:
        """Add a row."""
        with naming(self.path, self.part):
            self._write(result)
        self._has_rows = True

    def _write(self, result: Result) -> None:
        raise NotImplementedError

    def _opened(self) -> TextIO:
        """The file of rows, made at the first use: a command that fails before its first row leaves none."""
        if self._file is None:
            file = self.part.open(
                "w", buffering=1, encoding="utf-8", errors=self.errors, newline=""
            )
            self._file = self._held.enter_context(file)
            self._begin()
        return self._file

    def _begin(self) -> None:
        pass

    def _end(self) -> None:
        pass


class CsvFile(ResultFile):
    """A header, then one row per picture: picture, class_id_1, score_1, name_1, ..., error."""

    errors = "surrogateescape"  # as they are

    def _begin(self) -> None:
        ranks = range(1, self.topk + 1)
        columns = [
            f"{column}_{rank}"
            for rank in ranks
            for column in ("class_id", "score", "name")
        ]
        self._write_row(["picture", *columns, "error"])

    def _write(self, result: Result) -> None:
        cells: list[Any] = [""] * (3 * self.topk)
        for rank, (class_id, score) in enumerate(zip(result.class_ids, result.scores)):
            cells[3 * rank : 3 * rank + 2] = [class_id, f"{score:.6g}"]
        cells[2 : 3 * len(result.names) : 3] = result.names
        self._write_row([result.source, *cells, result.error or ""])

    def _write_row(self, cells: list[Any]) -> None:
        row = io.StringIO()
        # Ends with \r\n: only so it quotes a file name with either in it
        csv.writer(row).writerow(cells)
        self._opened().write(row.getvalue()[:-2] + "\n")


class JsonFile(ResultFile):
    """A list of objects, one per line: picture, class_ids, scores, names, error (null where there is none)."""

    # JSON's own escape: the file stays JSON, and Python reads the name back
    errors = "backslashreplace"

    def _begin(self) -> None:
        self._separator = "[\n"

    def _write(self, result: Result) -> None:
        row: dict[str, Any] = {
            "picture": result.source,
            "class_ids": result.class_ids,
            "scores": [float(f"{score:.6g}") for score in result.scores],
            "names": result.names,
            "error": result.error,
        }
        file = self._opened()  # which sets the first separator
        file.write(self._separator + json.dumps(row, ensure_ascii=False))
        self._separator = ",\n"

    def _end(self) -> None:
        file = self._opened()
        file.write("[]\n" if self._separator == "[\n" else "\n]\n")


_KINDS: dict[str, type[ResultFile]] = {".csv": CsvFile, ".json": JsonFile}
# The first bytes of files that this module writes.
_BEGINNINGS = {
    ".csv": (b"picture,class_id_1,",),
    ".json": (b'[\n{"picture": ', b"[]\n"),
}


def open_results(path: PathLike, topk: int) -> ResultFile:
    """The file of results that the suffix asks for; nothing is written before it is entered.

    Raises:
        UserError: the suffix is neither `.csv` nor `.json`, or another file than earlier results is there.
    """
    suffix = Path(path).suffix.lower()
    expect(
        suffix in _KINDS,
        f"{path}: results are written as .csv or .json; give the file one of these suffixes",
    )
    _refuse_to_replace(Path(path), suffix)
    return _KINDS[suffix](path, topk)


def _refuse_to_replace(path: Path, suffix: str) -> None:
    expect(
        not path.is_dir(),
        f"{path} is a folder; give the path of a file, such as {path / ('scores' + suffix)}",
    )
    if not path.exists():
        return
    if path.is_file():
        with path.open("rb") as file:
            beginning = file.read(32)
        if not beginning or beginning.startswith(_BEGINNINGS[suffix]):
            return
    raise UserError(
        f"{path} is there already and does not hold results of pictures; give another file, or remove it"
    )
