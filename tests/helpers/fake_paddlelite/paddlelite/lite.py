"""A stand-in for paddlelite: a program's "file" is its target and precision, and its scores are in a file.

Like the original it leaves bytes of a file's header undefined, prints to standard output, ends its process where a file
cannot be read, and runs a program for ARM without an error but with other scores.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


class Opt:
    def __init__(self):
        self.made = {"precision": "float32"}

    def set_model_file(self, path):
        self.program = Path(path)

    def set_param_file(self, path):
        self.parameters = Path(path)

    def set_model_type(self, name):
        assert name == "naive_buffer"

    def set_valid_places(self, target):
        self.made["target"] = target

    def set_optimize_out(self, path):
        self.out = path

    def set_quant_model(self, value):
        assert value is True

    def set_quant_type(self, name):
        self.made["precision"] = name

    def run(self):
        print("Loading topology data")
        if self.program.read_bytes() == b"broken":
            _fail("idx >= blocks.size()")
        assert self.parameters.is_file()
        version = b"\x02\x00v2.12\x00" + os.urandom(10)
        Path(f"{self.out}.nb").write_bytes(version + json.dumps(self.made).encode())


class MobileConfig:
    def set_model_from_file(self, path):
        self.path = Path(path)


def create_paddle_predictor(config):
    if not config.path.is_file():
        _fail("Unable to open file")
    return _Predictor(json.loads(config.path.read_bytes()[18:]))


class _Predictor:
    def __init__(self, made):
        self.made = made

    def get_input(self, index):
        return self

    def get_output(self, index):
        return self

    def from_numpy(self, batch):
        self.batch = batch

    def run(self):
        print("running")
        if os.environ.get("FAKE_LITE_ENDS"):
            _fail("out of memory")

    def numpy(self):
        scores = np.load(os.environ["FAKE_LITE_SCORES"])
        if self.made["target"] == "arm":
            scores = scores[:, ::-1]
        return np.repeat(scores, len(self.batch), axis=0)


def _fail(reason):
    print(f"[F 11/30 12:00: 0.0 io.cc:46 Reader] Check failed: {reason}", file=sys.stderr, flush=True)
    os.abort()
