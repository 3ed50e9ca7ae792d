"""`python official_model.py NAME FOLDER`: Paddle 2.6.2 exports a model, its weights by formula, as PaddleClas does."""

import sys

import arch_facts as facts
import paddle

from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS


def main(name, folder):
    model = build_model(name)
    model.set_state_dict(facts.paddleclas_state(name))
    whole = paddle.nn.Sequential(model, paddle.nn.Softmax())
    whole.eval()
    spec = paddle.static.InputSpec([None, *MODELS[name].input_size], "float32", name="x")
    paddle.jit.save(whole, f"{folder}/inference", input_spec=[spec])


if __name__ == "__main__":
    main(*sys.argv[1:])
