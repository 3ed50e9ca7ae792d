"""The runs in a folder: what each trains, how far it is, how good, and how their configurations differ."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ppcls.analysis.history import CONFIG_FILE, LOG_FILE, History, read_history
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.errors import UserError, expect
from ppcls.utils.lock import is_held
from ppcls.utils.terminal import aligned

RUNNING, FINISHED, STOPPED = "running", "finished", "stopped"
HEADER = ("run", "state", "model", "data", "epochs", "best", "at", "differs in")
_TEXTS = ("run", "state", "model", "data", "best", "differs in")
# Folders of a run, and of its data sets, in which no other run is looked for
_DEEPEST = 4
# Keys that say where and how long, and not what is trained
_UNINTERESTING = (
    "Global.output_dir",
    "Global.save_inference_dir",
    "Global.checkpoints",
)
_LONGEST = 60


@dataclass
class Run:
    """A run's folder.

    Attributes:
        folder: Its path.
        keys: Every key of the resolved configuration by its dotted name, with its value as text.
    """

    folder: Path
    keys: dict[str, str] = field(default_factory=dict)

    @cached_property
    def history(self) -> History:
        """What the log tells."""
        return read_history(self.folder, self.keys.get("EMA.deploy", "average"))

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.keys.get("Arch.name", "")

    @property
    def data(self) -> str:
        """The training's list, shards or folder."""
        names = ("cls_label_path", "urls", "image_root")
        for name in names:
            value = self.keys.get(f"DataLoader.Train.dataset.{name}", "null")
            if value != "null":
                return value
        return ""

    @property
    def epochs(self) -> int:
        """Epochs of the whole run; 0 if the configuration does not tell."""
        text = self.keys.get("Global.epochs", "")
        return int(text) if text.isdigit() else 0

    @property
    def done(self) -> int:
        """Epochs that have ended."""
        return self.history.epochs[-1].number if self.history.epochs else 0

    @property
    def state(self) -> str:
        """`running`, `finished` or `stopped`."""
        if is_held(self.folder):
            return RUNNING
        if self.history.is_over or (self.epochs and self.done >= self.epochs):
            return FINISHED
        return STOPPED


def find_runs(folder: Path) -> list[Run]:
    """Find the runs in a folder, at most four levels deep, in the order of their paths.

    Raises:
        UserError: There is no such folder.
    """
    expect(
        folder.is_dir(),
        f"{folder} is not a folder; give one that holds runs, such as output",
    )
    return [open_run(found) for found in _folders(folder, _DEEPEST)]


def open_run(folder: Path) -> Run:
    """Read the configuration of a run.

    Raises:
        UserError: The folder has no log.
    """
    expect(
        (folder / LOG_FILE).is_file(),
        f"{folder} is not the folder of a run, because it has no {LOG_FILE}; give one such as output/DLA34",
    )
    file = folder / CONFIG_FILE
    if not file.is_file():
        return Run(folder)
    problems = Problems()
    text = file.read_text(encoding="utf-8", errors="replace")
    root = read_yaml(text, lambda line: Origin(str(file), line), problems)
    if root is None:  # a run with a damaged file is still listed
        return Run(folder)
    return Run(folder, dict(_flat("", root.plain())))


def differences(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Return for each run the keys whose values differ from those of most of the runs, with its values.

    Of two runs the later one's are returned.
    """
    names: set[str] = set().union(*(run.keys for run in runs)) if runs else set()
    usual: dict[str, str] = {}
    for name in names:
        # Of equally frequent values the first one counts
        counted = Counter(run.keys.get(name, "") for run in runs)
        usual[name] = counted.most_common(1)[0][0]
    found = []
    for run in runs:
        own = {}
        for name in sorted(names):
            value = run.keys.get(name, "")
            if value != usual[name] and not name.startswith(_UNINTERESTING):
                own[name] = value
        found.append(own)
    return found


def rows(runs: Sequence[Run]) -> list[list[str]]:
    """Return the cells of `HEADER` for each run."""
    made = []
    for run, own in zip(runs, differences(runs)):
        best = run.history.best
        differing = ", ".join(f"{name}={value}" for name, value in own.items())
        made.append(
            [
                str(run.folder),
                run.state,
                run.model,
                run.data,
                f"{run.done}/{run.epochs or '?'}",
                f"{best.metric} {best.value:.5f}" if best else "",
                str(best.epoch) if best else "",
                differing,
            ]
        )
    return made


def as_table(runs: Sequence[Run], width: int | None = None) -> str:
    """Return the runs as a table for a terminal, in which long differences are cut."""
    cut = []
    for *cells, differing in rows(runs):
        if len(differing) > _LONGEST:
            differing = f"{differing[: _LONGEST - 4]} ..."
        cut.append([*cells, differing])
    return aligned(HEADER, cut, _TEXTS, width, optional=("differs in", "data", "at"))


def as_csv(runs: Sequence[Run]) -> str:
    """Return the runs as CSV, with every difference."""
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow(HEADER)
    written.writerows(rows(runs))
    return text.getvalue()


def _folders(folder: Path, levels: int) -> Iterator[Path]:
    """The folders of runs, itself and those below; none is looked for inside of a run."""
    if (folder / LOG_FILE).is_file():
        yield folder
        return
    if not levels:
        return
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        )
    for name in names:
        yield from _folders(folder / name, levels - 1)


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """The keys of nested sections; a list of operations goes by the names of its operations."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(f"{key}.{name}" if key else str(name), item)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _flat(key, item)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        yield key, text


def named(runs: Sequence[Run]) -> dict[str, History]:
    """Return the histories by names that tell the runs apart: as much of their paths as differs."""
    folders = [run.folder.resolve() for run in runs]
    common = Path(os.path.commonpath([folder.parent for folder in folders]))
    histories = {}
    for folder, run in zip(folders, runs):
        name = folder.relative_to(common).as_posix()
        if name in histories:
            raise UserError(f"{run.folder} is given twice; give each run once")
        histories[name] = run.history
    return histories
