"""What freezing, augmentation, smoothing, averages, class weights and resolution bring on one small set.

    python benchmarks/small_set.py --weights squeezenet1_1.pth --seeds 3

Of scikit-learn's handwritten digits it trains on 30 pictures each of 0 to 4 and 6 each of 5 to 9, and measures on 500
others. Each row changes one thing of the first. Rows that are in the results already are not measured again, so an
interrupted run continues. docs/better_on_your_data.md has the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

FREQUENT, RARE, MEASURED = 30, 6, 50  # pictures of a class
EPOCHS = 12
NORMALIZE: dict[str, Any] = {"NormalizeImage": {}}


def transforms(size: int, *augmentation: dict[str, Any]) -> list[dict[str, Any]]:
    """The transforms of training; without augmentation they are those of evaluation."""
    if not augmentation:
        augmentation = ({"ResizeImage": {"size": size}},)
    return [{"DecodeImage": {}}, *augmentation, NORMALIZE]


def overrides(
    size: int = 64,
    train: list[dict[str, Any]] | None = None,
    loss: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The keys of a row."""
    return {
        "Global.image_shape": [3, size, size],
        "DataLoader.Train.dataset.transform_ops": train or transforms(size),
        "DataLoader.Train.dataset.batch_transform_ops": [],
        "DataLoader.Eval.dataset.transform_ops": transforms(size),
        "DataLoader.Train.loader.num_workers": 0,
        "DataLoader.Eval.loader.num_workers": 0,
        "DataLoader.Eval.sampler.batch_size": 100,
        "Loss.Train": [{"CELoss": loss or {}}],
        "Global.eval_interval": EPOCHS,
        "Global.save_interval": EPOCHS,
        **more,
    }


CROP = {"RandCropImage": {"size": 64, "scale": [0.6, 1.0]}}
LARGE_CROP = {"RandCropImage": {"size": 96, "scale": [0.6, 1.0]}}
MIRROR: dict[str, Any] = {"RandFlipImage": {}}
# Weights by the inverse of the pictures, with mean 1 over the pictures
TOTAL = 5 * (FREQUENT + RARE)
WEIGHTS = [TOTAL / 10 / count for count in 5 * [FREQUENT] + 5 * [RARE]]
WEIGHTED = {"class_weights": WEIGHTS}
AVERAGE = {"decay": 0.95, "warm_up": True}
ROWS: dict[str, dict[str, Any]] = {
    "published weights, no augmentation": overrides(),
    "initial weights": {"pretrained": False, **overrides()},
    "frozen backbone": {"Arch.freeze": "backbone", **overrides()},
    "random crops": overrides(train=transforms(64, CROP)),
    "random crops and mirroring": overrides(train=transforms(64, CROP, MIRROR)),
    "label smoothing 0.1": overrides(loss={"epsilon": 0.1}),
    "moving average of the weights": overrides(EMA=AVERAGE),
    "class weights": overrides(loss=WEIGHTED),
    "96 instead of 64 pixels": overrides(96),
    "crops, class weights, 96 pixels": overrides(
        96, transforms(96, LARGE_CROP), loss=WEIGHTED
    ),
}


def main() -> None:
    """Measure every row that is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="of SqueezeNet1_1")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", default="small_set", help="pictures and results")
    parsed = parser.parse_args()
    folder = Path(parsed.folder)
    results = folder / "results.json"
    write_pictures(folder / "digits")
    found = {}
    if results.exists():
        found = json.loads(results.read_text(encoding="utf-8"))
    for seed in range(parsed.seeds):
        for name, keys in ROWS.items():
            if f"{name}/{seed}" in found:
                continue
            found[f"{name}/{seed}"] = measure(folder, dict(keys), parsed.weights, seed)
            results.write_text(json.dumps(found, indent=1), encoding="utf-8")
            print(name, seed, found[f"{name}/{seed}"], flush=True)
    print_table(found, parsed.seeds)


def write_pictures(folder: Path) -> None:
    """Write `train` and `val` with one folder per class."""
    import cv2
    from sklearn.datasets import load_digits

    digits = load_digits()
    written = dict.fromkeys(range(10), 0)
    for index, (scan, label) in enumerate(zip(digits.images, digits.target.tolist())):
        count, trained = written[label], FREQUENT if label < 5 else RARE
        if count >= trained + MEASURED:
            continue
        part = "train" if count < trained else "val"
        place = folder / part / str(label)
        place.mkdir(parents=True, exist_ok=True)
        pixels = (scan * 255 / 16).round().astype("uint8")
        cv2.imwrite(str(place / f"{index:04}.png"), pixels)
        written[label] += 1


def measure(
    folder: Path, keys: dict[str, Any], weights: str, seed: int
) -> dict[str, float]:
    """Train and evaluate; top-1, the recall of the rare classes, and seconds."""
    from ppcls import evaluate, finetune

    start = time.perf_counter()
    pretrained = keys.pop("pretrained", weights)
    result = finetune(
        folder / "digits",
        "SqueezeNet1_1",
        pretrained=pretrained,
        epochs=EPOCHS,
        output_dir=folder / "runs",
        device="cpu",
        seed=seed,
        overrides=keys,
        console="quiet",
    )
    seconds = time.perf_counter() - start
    report = folder / "report"
    evaluate(result, report=report, console="quiet")
    metrics = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    lines = (report / "classes.csv").read_text(encoding="utf-8").splitlines()[6:]
    rare = statistics.mean(float(line.split(",")[3]) for line in lines)
    return {"top1": metrics["top1"], "rare": rare, "seconds": seconds}


def print_table(found: dict[str, dict[str, float]], seeds: int) -> None:
    """Print means over seeds, and the top-1 of each seed."""
    print("| | top-1 (%) | by seed | rare classes (%) |\n| --- | --- | --- | --- |")
    for name in ROWS:
        rows = [found[f"{name}/{seed}"] for seed in range(seeds)]
        top1 = [100 * row["top1"] for row in rows]
        rare = statistics.mean(100 * row["rare"] for row in rows)
        by_seed = ", ".join(f"{value:.1f}" for value in top1)
        print(f"| {name} | {statistics.mean(top1):.1f} | {by_seed} | {rare:.1f} |")


if __name__ == "__main__":
    main()
