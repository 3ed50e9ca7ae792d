"""Preprocessing: numpy, OpenCV and Pillow only, so that a runtime without Paddle can use it."""

from ppcls.data.transforms.auto_augment import AutoAugment, RandAugment
from ppcls.data.transforms.base import TRANSFORMS, Transform
from ppcls.data.transforms.decode import DecodeImage, UnreadableImage
from ppcls.data.transforms.erasing import Cutout, GridMask, HideAndSeek, RandomErasing
from ppcls.data.transforms.geometry import (
    CenterCrop,
    CropImage,
    Pad,
    RandCropImage,
    RandFlipImage,
    ResizeImage,
)
from ppcls.data.transforms.model_transforms import ModelTransforms, for_model
from ppcls.data.transforms.normalize import NormalizeImage, ToCHWImage
from ppcls.data.transforms.photometric import ColorJitter, GaussianBlur, RandomGrayscale
from ppcls.data.transforms.pipeline import Pipeline
from ppcls.data.transforms.rand_augment_variants import RandAugmentV2, RandAugmentV3
from ppcls.data.transforms.random_rotation import RandomRotation
from ppcls.data.transforms.timm_augment import TimmAutoAugment

TRANSFORMS.same_meaning = lambda one, other: Pipeline(one) == Pipeline(other)

__all__ = [
    "TRANSFORMS",
    "AutoAugment",
    "CenterCrop",
    "ColorJitter",
    "CropImage",
    "Cutout",
    "DecodeImage",
    "GaussianBlur",
    "GridMask",
    "HideAndSeek",
    "ModelTransforms",
    "NormalizeImage",
    "Pad",
    "Pipeline",
    "RandAugment",
    "RandAugmentV2",
    "RandAugmentV3",
    "RandCropImage",
    "RandFlipImage",
    "RandomErasing",
    "RandomGrayscale",
    "RandomRotation",
    "ResizeImage",
    "TimmAutoAugment",
    "ToCHWImage",
    "Transform",
    "UnreadableImage",
    "for_model",
]
