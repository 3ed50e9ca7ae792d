"""What the runtime costs over a bare Paddle Inference loop: `python benchmarks/predict.py [BUNDLE]`.

Two pairs for each batch size, on the same program, the same threads and the same inputs: `run` feeds finished tensors
to the backend and to a bare predictor; `pictures` feeds files' bytes to `Classifier.predict`, and to a loop of
preprocessing, predictor and sorting. The rounds of a pair alternate; printed are median images/s of each, and the
median of the rounds' ratios of cost. The goal is at most 1.05. Without BUNDLE an untrained DLA34 is exported.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ppcls.inference import Bundle, Classifier
from ppcls.inference.pictures import GOLDEN_PICTURE
from ppcls.utils import cpu

PICTURES = 16
GOAL = 1.05


def bare_predictor(bundle: Bundle) -> Callable[[np.ndarray], np.ndarray]:
    from paddle.inference import Config, create_predictor

    config = Config(str(bundle.path_of(bundle.program)), str(bundle.path_of(bundle.parameters)))
    config.disable_glog_info()
    config.disable_gpu()
    config.enable_mkldnn()
    config.set_cpu_math_library_num_threads(cpu.usable_cores())
    predictor = create_predictor(config)
    source = predictor.get_input_handle(bundle.input.name)
    result = predictor.get_output_handle(bundle.output.name)

    def run(batch: np.ndarray) -> np.ndarray:
        source.copy_from_cpu(batch)
        predictor.run()
        return result.copy_to_cpu()

    return run


def tensors_pair(bundle: Bundle, batch_size: int) -> Tuple[Callable[[], Any], Callable[[], Any]]:
    from ppcls.inference.backends.paddle import PaddleBackend

    ours, bare = PaddleBackend(bundle).run, bare_predictor(bundle)
    tensor = bundle.pipeline(GOLDEN_PICTURE.read_bytes())
    batches = [np.stack([tensor] * batch_size)] * (PICTURES // batch_size)
    return lambda: [ours(batch) for batch in batches], lambda: [bare(batch) for batch in batches]


def pictures_pair(bundle: Bundle, batch_size: int) -> Tuple[Callable[[], Any], Callable[[], Any]]:
    classifier, bare = Classifier(bundle, batch_size=batch_size), bare_predictor(bundle)
    pictures = [GOLDEN_PICTURE.read_bytes()] * PICTURES

    def loop() -> List[np.ndarray]:
        results: List[np.ndarray] = []
        for start in range(0, PICTURES, batch_size):
            batch = np.stack([bundle.pipeline(picture) for picture in pictures[start : start + batch_size]])
            results += [np.argsort(-scores)[:5] for scores in bare(batch)]
        return results

    return lambda: list(classifier.predict(pictures)), loop


def compare(ours: Callable[[], Any], bare: Callable[[], Any], rounds: int) -> Tuple[float, float, float]:
    """Median images/s of both, and the median ratio of their times."""
    seconds: List[Tuple[float, float]] = []
    for number in range(-1, rounds):  # round -1 warms up
        timed = {}
        for work in (ours, bare) if number % 2 else (bare, ours):
            begin = time.perf_counter()
            work()
            timed[work] = time.perf_counter() - begin
        if number >= 0:
            seconds.append((timed[ours], timed[bare]))
    speeds = [PICTURES / statistics.median(column) for column in zip(*seconds)]
    return speeds[0], speeds[1], statistics.median(mine / theirs for mine, theirs in seconds)


def export_dla34(folder: str) -> str:
    from ppcls.cli import main as ppcls

    if ppcls(["export", "-c", "DLA34", "--untrained", "-o", f"Global.save_inference_dir={folder}"]) != 0:
        raise SystemExit("DLA34 could not be exported; give a bundle's folder")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?", help="folder of an exported bundle")
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    cpu.prepare()  # Paddle is imported after this
    with tempfile.TemporaryDirectory() as folder:
        bundle = Bundle.load(arguments.bundle or export_dla34(folder))
        print(f"{bundle.architecture}, {cpu.usable_cores()} threads, Paddle {bundle.paddle}, {arguments.rounds} rounds")
        for batch_size in (1, 8):
            for name, pair in (("run", tensors_pair), ("pictures", pictures_pair)):
                ours, bare, ratio = compare(*pair(bundle, batch_size), rounds=arguments.rounds)
                print(
                    f"batch {batch_size} {name:8}: {ours:6.1f} images/s, bare {bare:6.1f} images/s, "
                    f"cost x {ratio:.3f} (goal at most {GOAL})"
                )


if __name__ == "__main__":
    main()
