"""The folder of a training run: its lock, and the treatment of a run that is already in it.

output/DLA34        the newest run
output/DLA34.1      an earlier one, moved aside whole when another training began there; .2 is a later one
output/.DLA34.lock  held while a training writes there
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppcls.analysis.evaluation_report import remove_report
from ppcls.analysis.history import (
    CONFIG_FILE,
    CURVES_FILE,
    EVALUATION_FOLDER,
    LOG_FILE,
    REPORT_FILE,
)
from ppcls.config import Config
from ppcls.config.dump import dump
from ppcls.engine import checkpoint, processes
from ppcls.untrusted.weights_paths import BEST_MODEL
from ppcls.utils.errors import UserError
from ppcls.utils.files import make_folders, numbered, resolved, write_beside_others
from ppcls.utils.lock import claimed
from ppcls.utils.logging import get_logger, log_also_to

NAMES_FILE = "class_names.txt"
FINETUNE_CONFIG = "finetune.yaml"
FINETUNE_FILES = (FINETUNE_CONFIG, "train_list.txt", "val_list.txt")
_DRAWINGS = "vdl"
_TENSORBOARD = "tensorboard"
_OURS = {
    *(CONFIG_FILE, NAMES_FILE, LOG_FILE, CURVES_FILE, REPORT_FILE),
    *(_DRAWINGS, EVALUATION_FOLDER, *FINETUNE_FILES),
}
_NOT_INPUTS = ("Global.output_dir", "Global.save_inference_dir", "Global.checkpoints")
_SHOWN = 3
_REMEDY = "wait until it ends, stop it, or give another Global.output_dir"


def path_of(config: Config) -> Path:
    """The folder of a configuration's run."""
    return Path(config.Global.output_dir) / config.Arch.name


@dataclass
class RunFolder:
    """A run's folder, locked for this training.

    Attributes:
        path: The folder.
        existing: How another run in it is treated: `move`, `refuse` or `overwrite`.
        holds_run: Whether a run is there.
        goes_on: Whether this training continues that run.
        inputs: Files in the folder that this training reads; they are copied to its new folder.
        weights: Weights in the folder that it begins with, as the configuration has them.
        files: Contents of further files that `begin` writes, by name. A different file of that name is kept under a
            numbered name.
        best: The checkpoint of a resumed run's best evaluation.
        moved_to: Where the run is now that was there.
    """

    path: Path
    existing: str = "move"
    holds_run: bool = False
    goes_on: bool = False
    inputs: list[Path] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    files: Mapping[str, bytes] = field(default_factory=dict)
    best: Path | None = None
    moved_to: Path | None = None

    def begin(self, config: Config) -> None:
        """Make room and write `files` and the resolved configuration; nothing has been written before this.

        Every process must call it; the first writes.
        """
        processes.gather(None)  # no process reads from the folder any more
        if not processes.is_first():
            return
        is_new = not self.path.exists()
        kept = self._make_room()
        try:
            self._fill(config, kept)
        except OSError:  # such as a full disk
            if is_new or self.moved_to:
                self._undo()
            raise

    def _fill(self, config: Config, kept: Mapping[str, Path]) -> None:
        """Write the first files of a run's folder."""
        # The path may be a link whose target has moved
        make_folders(resolved(self.path))
        log_also_to(self.path / LOG_FILE)
        for relative, source in kept.items():
            target = self.path / relative
            make_folders(target.parent)
            shutil.copy2(source, target)
        self._bring_best()
        plain = self._with_moved_weights(config.to_plain())
        contents = {CONFIG_FILE: dump(plain).encode(), **self.files}
        for name, content in contents.items():
            write_beside_others(self.path / name, content)

    def _undo(self) -> None:
        """Delete the new folder and move an earlier run back to its place."""
        folder = self._real_path()
        shutil.rmtree(folder, ignore_errors=True)
        if self.moved_to is not None and not folder.exists():
            self.moved_to.rename(folder)
            get_logger().info("%s is %s again", self.moved_to, folder)
            self.moved_to = None

    def _bring_best(self) -> None:
        """Copy the best checkpoint so far, which a resumed run may have elsewhere, to the folder."""
        if self.best is None:
            return
        own, source = self.path / BEST_MODEL, self.now(self.best)
        if resolved(source) == resolved(own):
            checkpoint.recover(own)
        else:
            checkpoint.copy(checkpoint.read(source).folder, own)
            get_logger().info(
                "%s is a copy of %s, the best checkpoint so far", own, source
            )

    def now(self, path: Path) -> Path:
        """The new place of a path, after the run has been moved."""
        if self.moved_to is None:
            return path
        inner = _within(path, self.path)
        return path if inner is None else self.moved_to / inner

    def _real_path(self) -> Path:
        """The folder itself if the path is a link to it, or `.`; the link will then point to the newest run."""
        if self.path.is_symlink() or not self.path.name:
            return resolved(self.path)
        return self.path

    def _make_room(self) -> dict[str, Path]:
        """Move or delete a run that is not continued.

        Returns:
            The new places of the inputs that were in it, by their names in the folder.
        """
        inputs = {str(_within(file, self.path)): file for file in self.inputs}
        if self.goes_on:
            return {}
        if not self.holds_run:
            _say_what_stays(self.path)
            return {}
        if self.existing == "overwrite":
            get_logger().info(
                "%s: the run there is overwritten (Global.existing_run)", self.path
            )
            _delete_run(self.path)
            return {}
        self.moved_to = numbered(self._real_path())
        self._real_path().rename(self.moved_to)
        get_logger().info(
            "%s held another run, which is now %s (Global.existing_run: move, refuse or overwrite)",
            self.path, self.moved_to,
        )  # fmt: skip
        kept = {}
        for name, file in inputs.items():
            if name not in (CONFIG_FILE, *self.files):
                kept[name] = self.now(file)
        return kept

    def _with_moved_weights(self, plain: Any) -> Any:
        """Replace the weights' paths in the configuration's plain values by their new places."""
        if isinstance(plain, dict):
            values = map(self._with_moved_weights, plain.values())
            return dict(zip(plain, values))
        if isinstance(plain, list):
            return list(map(self._with_moved_weights, plain))
        if isinstance(plain, str) and plain in self.weights:
            return str(self.now(Path(plain)))
        return plain


@contextlib.contextmanager
def reserved(
    config: Config, saved: checkpoint.Checkpoint | None, source: Path | None = None
) -> Iterator[RunFolder]:
    """Hold the lock of a configuration's run and decide what `begin` does; only the lock is written.

    Every process must enter it; the first decides and locks.

    Args:
        config: The configuration.
        saved: The checkpoint that the training resumes from; None for a new training.
        source: The configuration's file, which a new folder gets if it is in the old one.

    Raises:
        UserError: another process trains there, or the folder cannot be used.
    """
    run = RunFolder(path_of(config), config.Global.existing_run)
    with contextlib.ExitStack() as stack:

        def reserve() -> None:
            if run.path.exists() and not run.path.is_dir():
                raise UserError(f"{run.path} is a file; give another Global.output_dir")
            stack.enter_context(claimed(run.path, "training into", _REMEDY))
            _decide(run, config, saved, source)

        _first_decides(reserve)
        yield run


def _first_decides(decide: Callable[[], None]) -> None:
    """Let the first process call `decide`; every process raises the UserError that it raises."""
    error = None
    if processes.is_first():
        try:
            decide()
        except UserError as refusal:
            error = str(refusal)
    error = processes.gather(error)[0]
    if error is not None:
        raise UserError(error)


def _decide(
    run: RunFolder,
    config: Config,
    saved: checkpoint.Checkpoint | None,
    source: Path | None,
) -> None:
    run.holds_run = holds_run(run.path)
    if not run.holds_run:
        return
    run.goes_on = saved is not None and _is_newest_of(run.path, saved)
    if run.goes_on:
        return
    if run.existing == "refuse":
        raise UserError(
            f"{run.path} holds a run already, and Global.existing_run is refuse; give another Global.output_dir, or "
            "write -o Global.existing_run=move, which keeps that run under another name"
        )
    if run.existing == "overwrite" and saved is not None:
        _refuse_to_delete(run, [str(saved.folder)])
    _find_inputs(run, config, source)
    if run.existing == "overwrite":
        _refuse_to_delete(run, run.weights)


def _refuse_to_delete(run: RunFolder, needed: Iterable[str]) -> None:
    """Check that nothing that the training begins with is in the run that it overwrites."""
    for path in needed:
        if _within(Path(path), run.path) is not None:
            raise UserError(
                f"{path} is in the run that Global.existing_run=overwrite would delete; write "
                "-o Global.existing_run=move, or give another Global.output_dir"
            )


def _is_newest_of(folder: Path, saved: checkpoint.Checkpoint) -> bool:
    """Whether a checkpoint is the newest whole one of the run in `folder`.

    Continuing from an older one in the same folder would lose the newer ones.
    """
    if resolved(saved.folder).parent != resolved(folder):
        return False
    newest = checkpoint.read(folder)
    return _position(newest) <= _position(saved)


def _position(saved: checkpoint.Checkpoint) -> tuple[int, int]:
    return saved.states["epoch"], saved.states["step"]


def _find_inputs(run: RunFolder, config: Config, source: Path | None) -> None:
    """Collect what the training reads from the folder, which will hold another run."""
    is_other_file = source is not None and source.name != CONFIG_FILE
    if source is not None and is_other_file and _within(source, run.path):
        run.inputs.append(source)
    for key, text in _paths_inside(run.path, config):
        path = Path(text)
        if key == "Global.pretrained_model" or key.endswith(".pretrained"):
            run.weights.append(text)
        elif path.is_file():
            run.inputs.append(path)
        elif path.is_dir():
            raise UserError(
                f"{key}: {text} is in {run.path}, which holds another run and would be moved; give another "
                "Global.output_dir, or put the data elsewhere"
            )


def _paths_inside(folder: Path, config: Config) -> list[tuple[str, str]]:
    """Keys and values of the configuration that are paths in a folder and may be read."""
    found = []
    for key, text in _texts("", config.to_plain()):
        # With output_dir `.` the name of the model is also that of the run's folder
        may_be_read = not key.startswith(_NOT_INPUTS) and not key.endswith(".name")
        if may_be_read and _within(Path(text), folder) is not None:
            found.append((key, text))
    return found


def _texts(key: str, value: Any) -> list[tuple[str, str]]:
    """Collect every text in a configuration's plain values, with its key."""
    if isinstance(value, str):
        return [(key.lstrip("."), value)]
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        children = [(f"{key}.{name}", item) for name, item in value.items()]
    elif isinstance(value, list):
        children = [(key, item) for item in value]
    found = []
    for inner_key, item in children:
        found += _texts(inner_key, item)
    return found


def holds_run(folder: Path) -> bool:
    """Whether a training has left a checkpoint in a folder."""
    return bool(_checkpoints(folder))


def _checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints in a run's folder, including those that a killed process has left under hidden names."""
    children = [folder / name for name in sorted(_names_in(folder))]
    # A file has no files in it
    return list(filter(checkpoint.files_of, children))


def _within(path: Path, folder: Path) -> Path | None:
    """The path relative to a folder that it is in; None if it is elsewhere."""
    try:
        return resolved(path).relative_to(resolved(folder))
    except (OSError, ValueError):  # elsewhere, or not a path at all
        return None


def _delete_run(folder: Path) -> None:
    """Delete what a training writes, and no other file."""
    for place in _checkpoints(folder):
        checkpoint.remove(place)
    for name in (CONFIG_FILE, NAMES_FILE, LOG_FILE, CURVES_FILE, REPORT_FILE):
        (folder / name).unlink(missing_ok=True)
    remove_report(folder / EVALUATION_FOLDER)
    drawn = {_DRAWINGS: "vdlrecords.*.log", _TENSORBOARD: "events.out.tfevents.*"}
    for name, pattern in drawn.items():
        for file in (folder / name).glob(pattern):
            file.unlink()
        with contextlib.suppress(OSError):  # not there, or another file is in it
            (folder / name).rmdir()


def _say_what_stays(folder: Path) -> None:
    """Log which files in the folder are not a run's; they are kept."""
    others = sorted(_names_in(folder) - _OURS)
    if not others:
        return
    shown = others[:_SHOWN]
    if len(others) > _SHOWN:
        shown.append("...")
    get_logger().info(
        "%s holds files that are not a training run's (%s); they stay there",
        folder,
        ", ".join(shown),
    )


def _names_in(folder: Path) -> set[str]:
    """The names of everything in a folder; empty if it is not there."""
    if not folder.is_dir():
        return set()
    return {child.name for child in folder.iterdir()}
