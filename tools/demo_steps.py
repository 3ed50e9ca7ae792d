"""The demonstration: from scanned digits to predictions, by the commands that a user types.

Writes scikit-learn's handwritten digits under demo/ of the current folder, trains on them, evaluates, exports,
predicts with Paddle Inference, and ends with a table and the report of the evaluation, demo/report/report.html.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from ppcls.cli import main as ppcls

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = Path("demo")
DIGITS, OUTPUT, INFERENCE = FOLDER / "digits", FOLDER / "output", FOLDER / "inference"
EVALUATED, PREDICTED, REPORT = (
    FOLDER / "evaluated.csv",
    FOLDER / "predicted.csv",
    FOLDER / "report",
)
CONFIG = str(CHECKOUT / "configs" / "demo" / "digits.yaml")
WEIGHTS = f"Global.pretrained_model={OUTPUT / 'DLA46_c' / 'latest'}"
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
Row = tuple[str, float, str]


def main(argv: list[str] | None = None) -> int:
    """Run the demonstration and return the exit code, which is that of the first command that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--epochs", type=int, help="fewer epochs than in the configuration"
    )
    epochs = parser.parse_args(argv).epochs
    shorter = [] if epochs is None else ["-o", f"Global.epochs={epochs}"]

    rows: list[Row] = []
    start = time.perf_counter()
    train, held_out = write_digits(DIGITS)
    rows.append(
        (
            "written",
            time.perf_counter() - start,
            f"{train:,} to train on, {held_out} held out",
        )
    )
    commands = {
        "trained": ["train", "-c", CONFIG, *shorter],
        "evaluated": [
            "eval", "-c", CONFIG, "-o", WEIGHTS, "--output", str(EVALUATED), "--report", str(REPORT),
        ],
        "exported": ["export", "-c", CONFIG, "-o", WEIGHTS],
        "predicted": [
            "predict", "-o", f"Global.inference_model_dir={INFERENCE}", "-o", f"Global.infer_imgs={DIGITS / 'val'}",
            "-o", f"Global.output={PREDICTED}", "-o", "PostProcess.Topk.topk=3",
        ],
    }  # fmt: skip
    for what, command in commands.items():
        print(f"\n$ ppcls {' '.join(command)}", flush=True)
        start = time.perf_counter()
        # Its lines, one per picture, are in its file as well
        with (
            contextlib.redirect_stdout(io.StringIO())
            if what == "predicted"
            else contextlib.nullcontext()
        ):
            code = ppcls(command)
        if code:
            return code
        rows.append((what, time.perf_counter() - start, ""))
    print_table(rows, read_answers(EVALUATED), read_answers(PREDICTED))
    return 0


class Answer(NamedTuple):
    """A held-out picture, its class, and the class that scored best."""

    picture: str
    label: int
    best: int


def read_answers(path: Path) -> list[Answer]:
    """Read the rows of a results file, sorted by path; the folder of a picture is its class."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["picture"])
    answers = []
    for row in rows:
        label = int(Path(row["picture"]).parent.name)
        answers.append(Answer(row["picture"], label, int(row["class_id_1"])))
    return answers


def share_right(answers: list[Answer]) -> str:
    """Return `98.33 % (354 of 360)`."""
    right = sum(answer.best == answer.label for answer in answers)
    return f"{100 * right / len(answers):.2f} % ({right} of {len(answers)})"


def write_digits(folder: Path) -> tuple[int, int]:
    """Write the scans as `train/7/0042.png` and `val/...`, and the lists; earlier ones are deleted.

    Returns:
        The number of training pictures and of held-out pictures.
    """
    import cv2
    from sklearn.datasets import load_digits

    for old in (folder, OUTPUT, INFERENCE, REPORT):
        shutil.rmtree(old, ignore_errors=True)
    digits = load_digits()
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for index, (scan, label) in enumerate(zip(digits.images, digits.target)):
        part = "val" if index % 5 == 0 else "train"
        name = f"{part}/{label}/{index:04}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # The scans have 17 levels of grey
        cv2.imwrite(str(folder / name), (scan * 255 / 16).round().astype("uint8"))
        lists[part].append(f"{name} {label}\n")
    for part, lines in lists.items():
        (folder / f"{part}_list.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "labels.txt").write_text(
        "".join(f"{i} {name}\n" for i, name in enumerate(NAMES)), encoding="utf-8"
    )
    return len(lists["train"]), len(lists["val"])


def print_table(
    rows: list[Row], evaluated: list[Answer], predicted: list[Answer]
) -> None:
    """Print the steps, their seconds and their results."""
    agreed = sum(one.best == other.best for one, other in zip(evaluated, predicted))
    notes = {
        "evaluated": f"top-1 {share_right(evaluated)} by the model",
        "predicted": f"top-1 {share_right(predicted)} by Paddle Inference; both name the same class on {agreed}",
        "trained": f"log, checkpoints and resolved configuration in {OUTPUT / 'DLA46_c'}",
        "exported": f"the deployable bundle in {INFERENCE}",
    }
    print(f"\n{'':10}  seconds")
    for what, seconds, note in rows:
        print(f"{what:10}  {seconds:7.1f}  {note or notes[what]}")
    print(
        f"{'together':10}  {sum(row[1] for row in rows):7.1f}  pictures and lists in {DIGITS}, answers in {PREDICTED}"
    )
    print(
        f"look at {REPORT / 'report.html'} (mistakes) and {OUTPUT / 'DLA46_c' / 'report.html'} (curves)"
    )
