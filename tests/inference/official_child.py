"""Writes two models as PaddleClas publishes them, `FOLDER/probabilities` and `FOLDER/logits`.

With FLAGS_enable_pir_api=0 in the environment they are programs of Paddle 2.
"""

import sys

import paddle
from paddle import nn


def main(folder):
    paddle.seed(7)
    layers = [nn.Conv2D(3, 8, 3, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(8, 5)]
    spec = paddle.static.InputSpec([None, 3, 224, 224], "float32", "x")
    for name, last in (("probabilities", [nn.Softmax()]), ("logits", [])):
        model = nn.Sequential(*layers, *last)
        model.eval()
        paddle.jit.save(model, f"{folder}/{name}/inference", input_spec=[spec])


if __name__ == "__main__":
    main(sys.argv[1])
