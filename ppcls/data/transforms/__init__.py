"""Preprocessing: numpy, OpenCV and Pillow only, so that a runtime without Paddle can use it."""

from ppcls.data.transforms.auto_augment import AutoAugment, RandAugment
from ppcls.data.transforms.base import TRANSFORMS, Transform
from ppcls.data.transforms.color_jitter import ColorJitter
from ppcls.data.transforms.crop import CenterCrop, CropImage
from ppcls.data.transforms.decode import DecodeImage, UnreadableImage
from ppcls.data.transforms.flip import RandFlipImage
from ppcls.data.transforms.layout import ToCHWImage
from ppcls.data.transforms.model_transforms import ModelTransforms, for_model
from ppcls.data.transforms.normalize import NormalizeImage
from ppcls.data.transforms.pipeline import Pipeline
from ppcls.data.transforms.random_crop import RandCropImage
from ppcls.data.transforms.random_erasing import RandomErasing
from ppcls.data.transforms.resize import ResizeImage

TRANSFORMS.same_meaning = lambda one, other: Pipeline(one) == Pipeline(other)

__all__ = [
    "TRANSFORMS",
    "AutoAugment",
    "CenterCrop",
    "ColorJitter",
    "CropImage",
    "DecodeImage",
    "ModelTransforms",
    "NormalizeImage",
    "Pipeline",
    "RandAugment",
    "RandCropImage",
    "RandFlipImage",
    "RandomErasing",
    "ResizeImage",
    "ToCHWImage",
    "Transform",
    "UnreadableImage",
    "for_model",
]
