"""Pictures in one folder per class."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np

from ppcls.data.labels import Classes, ImageList, index_of_names, load_class_names
from ppcls.data.parts import join, refuse_parts, shown
from ppcls.data.picture_files import NAMES, PictureScan, folders_in, is_picture_name
from ppcls.utils.errors import UserError, brief, expect, suggest, translated
from ppcls.utils.logging import get_logger

# What this library and the launcher write into the folder of a run, of a bundle, of measurements or of inputs.
_OUTPUT_FILES = frozenset(
    {
        "train.log",
        "finetune.yaml",
        "ppcls.pdstates",
        "inference.yml",
        "workerlog.0",
        "accuracy.json",
        "latency.json",
        "npz_datalist.txt",
    }
)


def read_class_folders(
    image_root: str,
    class_num: int | None,
    class_to_index: str | None = None,
    learned: Classes | None = None,
) -> ImageList:
    """Read one folder per class, with its subfolders; hidden files and those that are not pictures are passed over.

    Where the classes are known, a folder may lack some of them or be empty, which is logged. Folders that hold the
    output of this library and no pictures are left out.

    Args:
        image_root: The folder that holds the class folders.
        class_num: Number of classes; None for as many as there are.
        class_to_index: A file of the class names in the order of their labels.
        learned: The classes of the training, which count if there is no such file. Without either the folders are
            numbered in the order of their names.

    Raises:
        UserError: There are no class folders, one has no pictures or is not one of the classes, the folders are the
            parts of a data set, or there is another number of classes than `class_num`.
    """
    known = learned
    if class_to_index:
        known = Classes(load_class_names(class_to_index), class_to_index)
    if known:
        _refuse_one_name_for_two(known)
    pictures = pictures_by_class(image_root, to_train=learned is None)
    if known:
        refuse_foreign(image_root, list(pictures), known)
        _warn_of_lacking(image_root, pictures, known)
        classes = list(known.names)
    else:
        refuse_empty(image_root, pictures)
        classes = list(pictures)
    # Last, for an empty or a foreign folder may be what makes it differ
    if class_num not in (None, len(classes)):
        raise UserError(_other_number(image_root, len(classes), class_num, known))
    index = index_of_names(classes)
    paths = []
    labels = []
    for name, found in pictures.items():
        paths += found
        labels += [index[name]] * len(found)
    return ImageList(paths, np.array(labels, np.int64), classes)


def _refuse_one_name_for_two(known: Classes) -> None:
    for name, count in Counter(known.names).items():
        expect(
            count <= 1,
            f"{known.source}: the class {brief(name)} is listed twice; give every class a name of its own",
        )


def _other_number(
    image_root: str, classes: int, class_num: int | None, known: Classes | None
) -> str:
    what = f"has {classes} classes, but Arch.class_num is {class_num}"
    if known:
        return f"{known.source} {what}; write Arch.class_num: {classes}"
    return (
        f"{image_root} {what}; to train on them write Arch.class_num: {classes}; to evaluate a model of {class_num} "
        "classes by them, write the names of all its classes into a file, one per line in the order of their numbers, "
        "and give that file as class_to_index of the dataset"
    )


def pictures_by_class(image_root: str, to_train: bool = True) -> dict[str, list[str]]:
    """Find the pictures of each class folder, by its name; what this library has written is left out.

    Args:
        image_root: The folder that holds the class folders.
        to_train: Whether the pictures are for training, and not for evaluation.

    Returns:
        Sorted paths by class.

    Raises:
        UserError: There are no class folders, or they are the parts of a data set.
    """
    subfolders = _subfolders(image_root)
    with_pictures = _with_both(image_root, subfolders)
    refuse_parts(image_root, subfolders, with_pictures, to_train)
    found: dict[str, list[str]] = {}
    scan = PictureScan(image_root)
    for name, held in subfolders.items():
        place = join(image_root, name)
        pictures = _without_runs(place, scan.pictures(place))
        # Another walk, which plain folders do not need
        has_output = (held or not pictures) and _holds_output(place)
        if has_output:
            scan.forget(place)
            _log_output(place, len(pictures))
        if pictures or not has_output:
            found[name] = pictures
    scan.report()
    if not found:
        raise UserError(_none(image_root))
    _warn_of_others(image_root)
    return found


def _with_both(image_root: str, subfolders: dict[str, list[str]]) -> list[str]:
    """The folders that hold pictures beside their subfolders."""
    names = []
    for name, held in subfolders.items():
        if held and _holds_pictures(join(image_root, name)):
            names.append(name)
    return names


def _log_output(place: str, pictures: int) -> None:
    """Log whether a folder with what this library has written is a class."""
    if pictures:
        text = "%s holds what this library has written and %d other pictures, which make it a class"
        get_logger().warning(text, place, pictures)
    else:
        text = (
            "%s holds what this library has written, and no pictures: it is not a class"
        )
        get_logger().info(text, place)


def _warn_of_others(image_root: str) -> None:
    """Warn about pictures that lie in no class folder, and about class folders behind broken links."""
    loose, broken = [], []
    with os.scandir(image_root) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            # Follows a link, as is_file does
            if entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                broken.append(entry.name)
            elif _is_picture(entry):
                loose.append(entry.name)
    if loose:
        text = "%s: pictures beside the class folders are not read, because they have no class: %s"
        get_logger().warning(text, image_root, shown(loose))
    if broken:
        text = "%s: links that lead nowhere are not read: %s"
        get_logger().warning(text, image_root, shown(broken))


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return is_picture_name(entry.name) and not entry.is_dir()


def class_folders(image_root: str) -> list[str]:
    """Names of the folders in `image_root`, sorted; hidden ones are passed over.

    Raises:
        UserError: It cannot be read, or holds none.
    """
    with translated(
        OSError,
        lambda error: UserError(
            f"{image_root}: {error.strerror}; give the folder that holds one folder per class"
        ),
    ):
        folders = folders_in(image_root)
    if not folders:
        raise UserError(_none(image_root))
    return folders


def refuse_foreign(image_root: str, folders: list[str], known: Classes) -> None:
    """Raise a UserError that names the folders which are not among the classes."""
    names = set(known.names)
    foreign = [name for name in folders if name not in names]
    if not foreign:
        return
    places = shown([join(image_root, name) for name in foreign])
    near = _other_form(foreign[0], known.names) or suggest(foreign[0], known.names)
    if len(foreign) == 1:
        raise UserError(
            f"{places} is not a class of {known.source}{near}; rename or remove the folder"
        )
    raise UserError(
        f"{places} are not classes of {known.source}{near}; rename or remove the folders"
    )


def _other_form(name: str, known: list[str]) -> str:
    """The hint for a name that looks like a known one; macOS writes accents as separate characters."""
    normal = unicodedata.normalize("NFC", name)
    for other in known:
        if unicodedata.normalize("NFC", other) == normal:
            return (
                f" (which has {other!a}: the same letters in another form of Unicode)"
            )
    return ""


def refuse_empty(image_root: str, pictures: dict[str, list[str]]) -> None:
    """Raise a UserError that names a class folder without pictures."""
    for name, found in pictures.items():
        if not found:
            place = join(image_root, name)
            raise UserError(
                f"{place} holds no pictures ({NAMES}); add some or remove the folder"
            )


def _warn_of_lacking(
    image_root: str, pictures: dict[str, list[str]], known: Classes
) -> None:
    """Warn about classes without pictures.

    Raises:
        UserError: No class has pictures.
    """
    lacking = [name for name in known.names if not pictures.get(name)]
    if len(lacking) == len(known.names):
        raise UserError(
            f"{image_root} holds no pictures ({NAMES}) of any class; add some"
        )
    if lacking:
        get_logger().warning(
            "%s has no pictures of %s (%d of %d classes)",
            image_root,
            shown(lacking),
            len(lacking),
            len(known.names),
        )


def _none(image_root: str) -> str:
    return f"{image_root} holds no folders; put the pictures of each class into a folder of its name"


def _subfolders(image_root: str) -> dict[str, list[str]]:
    """Names of the folders in each class folder."""
    subfolders: dict[str, list[str]] = {}
    for name in class_folders(image_root):
        place = join(image_root, name)
        subfolders[name] = []
        if os.access(place, os.R_OK | os.X_OK):
            subfolders[name] = folders_in(place)
    return subfolders


def _holds_pictures(place: str) -> bool:
    """Whether pictures lie in a folder itself, not in one below."""
    with os.scandir(place) as entries:
        return any(map(_is_picture, entries))


def _without_runs(place: str, pictures: list[str]) -> list[str]:
    """Pictures without those in the folder of a run, such as its plots."""
    top = Path(place)
    is_in_run: dict[str, bool] = {}
    kept = []
    for path in pictures:
        # A million times, pathlib takes ten times as long
        folder = os.path.dirname(path)  # noqa: PTH120
        if folder not in is_in_run:
            is_in_run[folder] = _is_in_run(Path(folder), top)
        if not is_in_run[folder]:
            kept.append(path)
    return kept


def _is_in_run(folder: Path, top: Path) -> bool:
    """Whether a folder at or below `top` is that of a run, or lies in one."""
    within = [folder, *folder.parents]
    return any(map(_is_run, within[: within.index(top) + 1]))


def _is_run(folder: Path) -> bool:
    return (folder / "train.log").is_file() and (folder / "config.yaml").is_file()


def _holds_output(place: str) -> bool:
    """Whether a run or a bundle is in a folder, or a training that begins holds its lock there."""
    waiting = [place]
    # os.walk calls itself for each level before Python 3.12, and there may be a thousand
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.name in _OUTPUT_FILES or _is_lock(entry.name):
                return True
    return False


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing if it cannot be read."""
    try:
        with os.scandir(folder) as listing:
            return list(listing)
    except OSError:
        return []


def _is_lock(name: str) -> bool:
    return name.startswith(".") and name.endswith(".lock")
