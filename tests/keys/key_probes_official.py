"""Probes of the keys that say what a model of PaddleClas, which has no manifest, expects."""

from key_probe import Saying, probe

_CROP = [{"ResizeImage": {"resize_short": 32}}, {"CropImage": {"size": 32}}, {"NormalizeImage": {}}]


@probe("deploy Global.model_name", (None, ""), ("DLA34", Saying("is a bundle of DLA46_c, not of DLA34")))
def _model_name(lab, value):
    """A bundle of another model is refused."""
    return lab.run("predict", {"Global.model_name": value}).err


@probe("deploy PreProcess.transform_ops", (None, ""), (_CROP, Saying("carries its preprocessing (inference.yml)")))
def _transform_ops(lab, value):
    """A bundle carries its own; tests/inference/test_official.py shows what they do for a model without a manifest."""
    return lab.run("predict", {"PreProcess.transform_ops": value}).err
