"""Classifies pictures by an exported bundle; the same as `ppcls predict`.

python deploy/python/predict_cls.py -c deploy/configs/inference_cls.yaml \
    -o Global.inference_model_dir=inference -o Global.infer_imgs=pictures/
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ppcls.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
