"""Reads what the commands of the demonstration wrote, and plots it."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any, NamedTuple

# The last line of an epoch: `END epoch:3   valid top1: 0.93889, top3: 0.99167, loss: 0.31275,  batch_cost: ...`
EPOCH_END = re.compile(
    r"END epoch:(\d+) +(train|valid) top1: ([\d.]+),.*? loss: ([\d.]+),"
)
GRID = (6, 8)  # rows and columns of pictures
_LINES = (
    ("train", ".--", "training (crops, smoothed labels)"),
    ("valid", "o-", "held out"),
)
Curves = dict[str, list[tuple[int, float, float]]]


class Answer(NamedTuple):
    """A held-out picture, its class, and the class that scored best."""

    picture: str
    label: int
    best: int
    score: float


def read_answers(path: Path) -> list[Answer]:
    """Read the rows of a results file, sorted by path; the folder of a picture is its class."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["picture"])
    answers = []
    for row in rows:
        label = int(Path(row["picture"]).parent.name)
        best, score = int(row["class_id_1"]), float(row["score_1"])
        answers.append(Answer(row["picture"], label, best, score))
    return answers


def share_right(answers: list[Answer]) -> str:
    """Return `98.33 % (354 of 360)`."""
    right = sum(answer.best == answer.label for answer in answers)
    return f"{100 * right / len(answers):.2f} % ({right} of {len(answers)})"


def read_curves(log: Path) -> Curves:
    """Read epoch, top-1 and loss of `train` and `valid` from a training log."""
    curves: Curves = {"train": [], "valid": []}
    for epoch, part, top1, loss in EPOCH_END.findall(log.read_text(encoding="utf-8")):
        curves[part].append((int(epoch) + 1, float(top1), float(loss)))
    return curves


def draw_report(curves: Curves, answers: list[Answer], path: Path) -> None:
    """Plot the training curves beside held-out pictures; wrong answers are first and in red."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(15, 7.5), layout="constrained")
    panels: Any = figure.subfigures(1, 2, width_ratios=(1, 1.5))
    left, right = panels
    left.suptitle("Training")
    draw_curves(left.subplots(2, 1, sharex=True), curves)
    right.suptitle(
        f"Held out: top-1 {share_right(answers)}; true label, read as predicted label"
    )
    shown = sorted(
        answers, key=lambda answer: (answer.best == answer.label, answer.picture[::-1])
    )
    for axes, answer in zip(right.subplots(*GRID).flat, shown):
        colour = "black" if answer.best == answer.label else "red"
        axes.imshow(pyplot.imread(answer.picture), cmap="gray_r")
        axes.set_title(
            f"{answer.label} read as {answer.best}", color=colour, fontsize=9
        )
        axes.axis("off")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def draw_curves(axes: Any, curves: Curves) -> None:
    """Plot top-1 above and loss below, for training and held-out pictures."""
    for axis, column, name in zip(axes, (1, 2), ("top-1", "loss")):
        for part, style, label in _LINES:
            epochs = [row[0] for row in curves[part]]
            values = [row[column] for row in curves[part]]
            axis.plot(epochs, values, style, label=label)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
        axis.legend()
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
