"""Loading a bundle and predicting one picture, in fresh processes: the library against the bare engine.

The bare program imports the engine and OpenCV, opens the program's files, prepares the picture by OpenCV and numpy, and
prints the best class; as little as one can write.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from ppcls.inference import Bundle
from ppcls.inference.golden import GOLDEN_PICTURE
from prediction.bare import engines

ROOT = Path(__file__).resolve().parents[2]
GOAL = 0.3

OURS = """
from ppcls.inference import Classifier
classifier = Classifier({folder!r}, backend={engine!r}, precision="float32", requests=1)
for result in classifier.predict({picture!r}):
    print(result.class_ids[0])
"""
BARE = """
import cv2, numpy
{open}
image = cv2.cvtColor(cv2.imread({picture!r}), cv2.COLOR_BGR2RGB)
image = cv2.resize(image, ({width}, {height})).astype("float32") / 255
image = (image - numpy.float32([0.485, 0.456, 0.406])) / numpy.float32([0.229, 0.224, 0.225])
print(run(numpy.ascontiguousarray(image.transpose(2, 0, 1)[None])).argmax())
"""
OPEN = {
    "paddle": """
from paddle.inference import Config, create_predictor
config = Config({program!r}, {parameters!r})
config.disable_glog_info()
config.disable_gpu()
config.enable_mkldnn()
config.delete_pass("conv_concat_activation_onednn_fuse_pass")
config.set_cpu_math_library_num_threads({threads})
predictor = create_predictor(config)
def run(batch):
    predictor.get_input_handle({input!r}).copy_from_cpu(batch)
    predictor.run()
    return predictor.get_output_handle({output!r}).copy_to_cpu()
""",
    "onnxruntime": """
import onnxruntime
session = onnxruntime.InferenceSession({onnx!r}, providers=["CPUExecutionProvider"])
def run(batch):
    return session.run(None, {{{input!r}: batch}})[0]
""",
    "openvino": """
import openvino
request = openvino.Core().compile_model({onnx!r}, "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}}).create_infer_request()
def run(batch):
    return request.infer([batch])[0]
""",
}


def measure(bundle: Bundle, rounds: int) -> None:
    for engine in engines(bundle):
        programs = {
            "ours": OURS.format(**_facts(bundle, engine)),
            "bare": _bare(bundle, engine),
        }
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for number in range(-1, rounds):  # round -1 fills the disk's cache
            for name, program in programs.items():
                spent = _run(program)
                if number >= 0:
                    seconds[name].append(spent)
        for index, kind in enumerate(("seconds", "processor seconds")):
            ours, bare = (
                statistics.median(each[index] for each in seconds[name])
                for name in ("ours", "bare")
            )
            added = statistics.median(
                o[index] - b[index] for o, b in zip(seconds["ours"], seconds["bare"])
            )
            print(
                f"{engine:11} start {ours:.2f} {kind}, bare {bare:.2f}: {added:+.2f} (goal at most {GOAL:+})"
            )


def _facts(bundle: Bundle, engine: str) -> dict[str, object]:
    facts = {
        "folder": str(bundle.folder.resolve()),
        "engine": engine,
        "picture": str(GOLDEN_PICTURE),
    }
    height, width = bundle.input.shape[2:]
    files = {
        "program": bundle.program,
        "parameters": bundle.parameters,
        "onnx": bundle.onnx,
    }
    paths = {
        name: str(bundle.path_of(entry).resolve())
        for name, entry in files.items()
        if entry
    }
    threads = len(os.sched_getaffinity(0))
    ports = {"input": bundle.input.name, "output": bundle.output.name}
    return {
        **facts,
        **paths,
        **ports,
        "height": height,
        "width": width,
        "threads": threads,
    }


def _bare(bundle: Bundle, engine: str) -> str:
    facts = _facts(bundle, engine)
    return BARE.format(open=OPEN[engine].format(**facts), **facts)


def _run(program: str) -> tuple[float, float]:
    """Seconds, and processor seconds, of a process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    seconds, after = (
        time.perf_counter() - began,
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
