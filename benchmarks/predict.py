"""What prediction costs: `python benchmarks/predict.py [BUNDLE ...]`.

    runtime      the runtime over the bare engine, batch 1 and 8
    default      what the plain installation runs, over the best of ONNX Runtime and OpenVINO, batch 1 and 8
    choice       the backend that `ppcls benchmark backends` chooses, over the fastest of all, at batch 8
    precisions   bfloat16 and int8 over float32, by OpenVINO at batch 8
    folder       a folder of JPEGs to a CSV file, over a loop that reads, transforms and runs one batch after another
    start        loading a bundle and predicting one picture, over the bare engine's own start

Measurements are interleaved; the output has medians, and medians of the rounds' ratios, beside the goals. Without
BUNDLE, untrained DLA34, DarkNet53 and SqueezeNet1_1 are exported, with their ONNX forms if paddle2onnx is installed;
int8 needs bundles with a form from `ppcls quantize`. `folder` uses the last bundle, and reads the pictures of
--pictures, or of `imagenet_200` in PPCLS_TEST_DATA, repeatedly.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from prediction import choice, default, folder, precisions, runtime, start

from ppcls.inference import Bundle
from ppcls.utils import cpu

MODELS = ("DLA34", "DarkNet53", "SqueezeNet1_1")
PARTS = ("runtime", "default", "choice", "precisions", "folder", "start")


def exported(model: str, place: Path) -> Path:
    """An untrained bundle."""
    from ppcls.cli import main as ppcls

    bundle = place / model
    words = ["export", "-c", model, "--untrained"]
    words += ["-o", f"Global.save_inference_dir={bundle}"]
    if importlib.util.find_spec("paddle2onnx"):
        words.append("--onnx")
    if ppcls(words) != 0:
        raise SystemExit(f"{model} could not be exported; give a bundle's folder")
    return bundle


def pictures(given: str) -> Path:
    data = os.environ.get("PPCLS_TEST_DATA")
    if not given and not data:
        raise SystemExit(
            "no pictures: give --pictures, or a folder with imagenet_200 in PPCLS_TEST_DATA"
        )
    return Path(given) if given else Path(data or "") / "imagenet_200" / "images"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "bundles", nargs="*", metavar="BUNDLE", help="folder of an exported bundle"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=tuple(precisions.GOALS),
        default=tuple(precisions.GOALS),
    )
    parser.add_argument("--pictures", default="", help="folder of JPEGs")
    parser.add_argument(
        "--data", type=Path, metavar="LIST",
        help="labelled pictures: `folder` then measures what `ppcls benchmark backends --allow bfloat16,int8` chooses",
    )  # fmt: skip
    parser.add_argument(
        "--count", type=int, default=400, help="pictures per round of `folder`"
    )
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    source = pictures(arguments.pictures) if "folder" in arguments.parts else Path()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # also into a file: it takes minutes
    cpu.prepare()  # Paddle is imported after this
    with tempfile.TemporaryDirectory() as place:
        folders: list[Path] = [Path(name) for name in arguments.bundles]
        bundles = [
            Bundle.load(name)
            for name in folders or [exported(model, Path(place)) for model in MODELS]
        ]
        for bundle in bundles:
            print(
                f"{bundle.architecture}, {cpu.usable_cores()} threads, Paddle {bundle.paddle}"
            )
            if "runtime" in arguments.parts:
                runtime.measure(bundle, arguments.rounds)
            if "default" in arguments.parts:
                default.measure(bundle, arguments.rounds)
            if "choice" in arguments.parts:
                choice.measure(bundle, arguments.rounds)
            if "precisions" in arguments.parts:
                precisions.measure(bundle, arguments.precision, arguments.rounds)
            if "start" in arguments.parts:
                start.measure(bundle, arguments.rounds)
        if "folder" in arguments.parts:
            folder.measure(
                bundles[-1], source, arguments.count, arguments.rounds, arguments.data
            )


if __name__ == "__main__":
    main()
