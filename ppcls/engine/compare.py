"""`ppcls compare`: two models on the same labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ppcls.analysis.comparison import (
    Answers,
    ModelComparison,
    require_comparison_place,
    write_comparison,
)
from ppcls.data.picture_list import read_picture_list
from ppcls.engine import build, classes
from ppcls.engine.opened import Opened, open_model
from ppcls.engine.report import read_pixels
from ppcls.inference.prediction import Prediction
from ppcls.utils.errors import UserError, expect
from ppcls.utils.logging import get_logger
from ppcls.utils.terminal import shows_bars


def compare(
    first: str,
    second: str,
    data: str | None = None,
    image_root: str | None = None,
    report: str | None = None,
    batch_size: int = 16,
) -> ModelComparison:
    """Classify the same pictures by two models.

    Args:
        first: A run, a checkpoint, a configuration, a bundle, or a published model; see `open_model`.
        second: The other one.
        data: A list with labels, or a folder with one folder per class; None takes the evaluation pictures of the first
            model's configuration, or of the second's if the first is a bundle.
        image_root: What the list's paths are relative to.
        report: A folder for compare.html and compare.csv.
        batch_size: Pictures per batch.

    Raises:
        UserError: A model or the pictures are not usable, or the models have other classes.
    """
    if report is not None:
        require_comparison_place(Path(report))
    command = "export" if data is not None else "eval"
    one, other = open_model(first, command=command), open_model(second, command=command)
    numbers = _numbers_of(one, other)
    pictures, labels = _pictures(one, other, data, image_root)
    names = _short_names(one, other)
    predicted, failures = [], {}
    for opened, name in zip((one, other), names):
        answers, unreadable = _answers(opened, name, pictures, batch_size)
        failures.update(unreadable)
        predicted.append(answers)
    kept = np.array([picture not in failures for picture in pictures], bool)
    for picture, reason in failures.items():
        get_logger().warning("left out: %s: %s", picture, reason)
    expect(kept.any(), "not one picture could be read, so there is nothing to compare")
    ours, theirs = (_only(answers, kept) for answers in predicted)
    theirs = Answers(theirs.name, numbers[theirs.predicted], theirs.confidence)
    found = ModelComparison(
        [picture for picture in pictures if picture not in failures],
        labels[kept],
        ours,
        theirs,
        one.class_names or other.class_names,
    )
    if report is not None:
        write_comparison(found, Path(report), read_pixels)
    return found


def _numbers_of(one: Opened, other: Opened) -> np.ndarray:
    """The first model's number of each class of the second, int64 [K]."""
    expect(
        one.class_num == other.class_num,
        f"{one.name} has {one.class_num} classes and {other.name} has {other.class_num}; compare models of the same "
        "classes",
    )
    ours, theirs = one.class_names, other.class_names
    if not ours or not theirs or list(ours) == list(theirs):
        return np.arange(one.class_num)
    missing = [name for name in theirs if name not in set(ours)]
    if missing:
        raise UserError(
            f"{other.name} has the class {missing[0]!r}, which {one.name} does not have; compare models of the same "
            "classes"
        )
    places = {name: index for index, name in enumerate(ours)}
    return np.array([places[name] for name in theirs])


def _pictures(
    one: Opened, other: Opened, data: str | None, image_root: str | None
) -> tuple[list[str], np.ndarray]:
    """The pictures and their labels by the first model's numbers."""
    if data is not None:
        names = one.class_names or other.class_names
        listed = read_picture_list(data, one.class_num, image_root, names)
        if listed.labels is None:
            raise UserError(
                f"{data} has no labels ({listed.why_unlabelled}), by which a model could be right; give a list with "
                "labels, or one folder per class"
            )
        return list(map(str, listed.paths)), listed.labels
    for opened in (one, other):
        config = opened.config
        if config is None:
            continue
        learned = classes.learned_classes(config) or classes.named_classes(config)
        images: Any = build.images(config.DataLoader.Eval, opened.class_num, learned)
        expect(
            hasattr(images, "paths"),
            "DataLoader.Eval is of shards, whose pictures are no files; give a list or a folder as --data",
        )
        labels = images.labels
        if opened is other:
            labels = _numbers_of(one, other)[labels]
        return list(images.paths), labels
    raise UserError(
        f"{one.name} and {other.name} are bundles, which name no pictures; give a list with labels, or one folder per "
        "class, as --data"
    )


def _short_names(one: Opened, other: Opened) -> tuple[str, str]:
    """Names for people: the last parts of the paths by which they differ."""
    first, second = Path(one.name).parts, Path(other.name).parts
    if first == second:
        return one.name, other.name
    for length in range(1, max(len(first), len(second)) + 1):
        if first[-length:] != second[-length:]:
            return "/".join(first[-length:]), "/".join(second[-length:])
    return one.name, other.name


def _answers(
    opened: Opened, name: str, pictures: Sequence[str], batch_size: int
) -> tuple[Answers, dict[str, str]]:
    """The best class of every picture, and why some could not be read."""
    prediction = Prediction(
        opened.pipeline, opened.backend, batch_size=batch_size, topk=1
    )
    predicted = np.zeros(len(pictures), np.int64)
    confidence = np.zeros(len(pictures))
    failures = {}
    results = prediction.predict(list(pictures))
    bar = tqdm(
        results,
        total=len(pictures),
        desc=name,
        unit="picture",
        leave=False,
        disable=not shows_bars(),
    )
    for index, result in enumerate(bar):
        if result.error is not None:
            failures[pictures[index]] = result.error
            continue
        predicted[index] = result.class_ids[0]
        confidence[index] = result.scores[0]
    return Answers(name, predicted, confidence), failures


def _only(answers: Answers, kept: np.ndarray) -> Answers:
    return Answers(answers.name, answers.predicted[kept], answers.confidence[kept])
