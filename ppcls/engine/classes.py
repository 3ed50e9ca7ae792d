"""Names and numbers of the classes, from label files, the training and the weights."""

from __future__ import annotations

import logging
from typing import Any

from ppcls.arch.weights.sources import SOURCES
from ppcls.config import Config
from ppcls.data.class_folders import class_folders
from ppcls.data.labels import Classes, imagenet_names, load_class_names
from ppcls.data.postprocess import ThreshOutput
from ppcls.engine import build, checkpoint
from ppcls.engine.build import Pictures
from ppcls.utils.errors import UserError, expect
from ppcls.utils.logging import get_logger


def class_names(config: Config, pictures: Pictures | None = None) -> list[str] | None:
    """Find the names by class id.

    They are those of ThreshOutput or of the configured label file, else of the weights' training, else of the folder.

    Published weights for ImageNet have ImageNet's names, unless pictures are given.

    Raises:
        UserError: there are not `class_num` names.
    """
    answer = build.postprocess(config)
    if isinstance(answer, ThreshOutput):
        return answer.names
    file = answer.class_id_map_file
    if file is None:
        if pictures is not None:
            return _names_of_weights(config) or pictures.class_names
        return _names_of_weights(config) or _published_names(config)
    names = load_class_names(file)
    expect(
        len(names) == config.Arch.class_num,
        f"{file}: {len(names)} class names for {config.Arch.class_num} classes; give the label file of these "
        "classes as Infer.PostProcess.class_id_map_file, or null",
    )
    return names


def _names_of_weights(config: Config) -> list[str] | None:
    """The names in the configured checkpoint, checked against the number of classes of the weights."""
    names = learned_class_names(config)
    if names and len(names) != config.Arch.class_num:
        given = config.Global.pretrained_model or config.Arch.pretrained
        raise UserError(
            f"{given}: {checkpoint.STATES} of this checkpoint has {len(names)} class names, but its weights have "
            f"{config.Arch.class_num} classes; take another checkpoint, or delete {checkpoint.STATES}"
        )
    return names


def _published_names(config: Config) -> list[str] | None:
    """ImageNet's names, if the configured weights were published for its classes."""
    found = build.find_weights(config)
    if found is None or found.row is None:
        return None
    names = imagenet_names(config.Arch.class_num)
    return None if names is None else list(names)


def learned_class_names(config: Config) -> list[str] | None:
    """The names in the configured checkpoint; weights of other origins, such as PaddleClas, have none."""
    found = build.find_weights(config)
    states = checkpoint.states_of(found.path) if found else None
    return states.get("class_names") if states else None


def learned_classes(config: Config) -> Classes | None:
    """The classes of the configured checkpoint; nothing is downloaded for it."""
    given = config.Global.pretrained_model or getattr(config.Arch, "pretrained", None)
    is_path = isinstance(given, str) and given not in SOURCES and "://" not in given
    if not is_path:
        return None
    names = learned_class_names(config)
    if names:
        return Classes(names, f"the training of {given}")
    return None


def named_classes(config: Config) -> Classes | None:
    """The classes of the configured label file, where each class folder of DataLoader.Eval has one of its names.

    They number the folders for weights without class names.
    """
    # Load_config requires it where it is read
    assert config.DataLoader.Eval is not None
    dataset = config.DataLoader.Eval.dataset
    file = build.postprocess(config).class_id_map_file
    if file is None or getattr(dataset, "class_to_index", file) is not None:
        return None
    names = load_class_names(file)
    folders = class_folders(dataset.image_root)
    if len(names) != config.Arch.class_num or not set(names).issuperset(folders):
        return None
    get_logger().info(
        "%s: folders are numbered by the names in %s", dataset.image_root, file
    )
    return Classes(names, file)


def classes_of(section: Any, pictures: Pictures) -> Classes | None:
    """The classes that DataLoader.Train counts by, for `images` of the evaluation; None if they have no names."""
    dataset = section.dataset
    keys = ("cls_label_path", "image_root", "shards")
    place = next(getattr(dataset, key) for key in keys if hasattr(dataset, key))
    if not pictures.class_names:
        return None
    return Classes(pictures.class_names, f"the training ({place})")


def check_numbering(
    section: Any, pictures: Pictures, learned: Classes | None, training: bool
) -> None:
    """Refuse an evaluation list that numbers its classes by its own labels if the training's classes are unknown.

    Labels that count from 1 are clear for weights of any origin, but not beside a training list that counts from 0.
    Class folders are then numbered in the order of their names, as ImageNet's are, which is logged.
    """
    if learned is not None:
        return
    is_by_name = getattr(section.dataset, "class_to_index", "given") is None
    if is_by_name and pictures.class_names:
        get_logger().log(
            logging.WARNING if training else logging.INFO,
            "%s: folders are numbered in the order of their names, so class 0 is %s, because the classes of the "
            "training have no names; class_to_index of the dataset names a file of another order",
            section.dataset.image_root, pictures.class_names[0],
        )  # fmt: skip
    if not getattr(pictures, "names_itself", False):
        return
    place = section.dataset.cls_label_path
    counts = pictures.class_names is not None and pictures.class_names[0] == "1"
    if counts and training:
        raise UserError(
            f"{place}: labels count from 1, but those of DataLoader.Train count from 0; write both from 0, or both "
            "from 1"
        )
    expect(
        counts,
        f"{place}: labels are names, and the numbers of these classes are not known; give a file of the names in "
        "the order of the classes as DataLoader.Eval.dataset.class_names, or write numbers from 0 as labels",
    )
