"""Classifies pictures by an exported bundle; the same as `ppcls predict`.

python deploy/python/predict_cls.py -c deploy/configs/inference_cls.yaml \
    -o Global.inference_model_dir=inference -o Global.infer_imgs=pictures/
"""

import os.path
import sys

sys.path.insert(
    0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
)

from ppcls.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["predict"] + sys.argv[1:]))
