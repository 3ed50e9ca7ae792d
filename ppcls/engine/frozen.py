"""Training of a head behind a frozen backbone, which computes the features of a picture once.

    pictures -> frozen backbone -> features, kept by digests -> head, which trains and is evaluated on them

Frozen layers compute the same for a picture in every epoch. So they run once for each picture, and later epochs and
later runs read the features; where pictures are augmented they run once per epoch and picture. The head sees what it
would see in the whole model, in the same order and with the same dropout.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from ppcls.arch.layers import Backbone
from ppcls.config import Config
from ppcls.data.labels import ImageList
from ppcls.data.loader import Batch, ImageLoader
from ppcls.data.sampler import BatchReader
from ppcls.data.transforms import Pipeline
from ppcls.deployment.exported_network import is_of_this_package
from ppcls.deployment.legacy_program import NotInThisFormat, save_legacy_network
from ppcls.engine.feature_store import FeatureStore, feature_home
from ppcls.engine.precision import Precision
from ppcls.inference.backends.common import Run
from ppcls.inference.backends.default import paddle_has_openvino
from ppcls.inference.backends.paddle_openvino import open_program
from ppcls.inference.bundle import LEGACY_PROGRAM_FILE, PARAMETERS_FILE
from ppcls.inference.settings import PADDLE_OPENVINO, Settings
from ppcls.utils.errors import Unavailable
from ppcls.utils.files import sha256_of
from ppcls.utils.logging import get_logger


class FeatureNetwork(paddle.nn.Layer):
    """The frozen part of a backbone: pictures [N, C, H, W] to what the head reads.

    Where the head begins with the mean over all positions, that is taken here: the features are smaller so.
    """

    def __init__(self, model: Backbone) -> None:
        super().__init__()
        self.model = model
        self.pools = type(model).forward_head is Backbone.forward_head

    @paddle.jit.not_to_static  # see `ppcls.deployment.exported_network.deployed`
    def forward(self, image: Any) -> Any:
        """Float32 [N, C, H, W] to [N, channels, H/32, W/32], or [N, channels, 1, 1] if it pools."""
        last = self.model.features(image)[-1]
        return self.model.pool(last) if self.pools else last


class FrozenBackbone:
    """Computes features.

    Args:
        model: A backbone whose `freeze` is `backbone`, with its weights, which stay as they are.
        exports: Whether an inference engine computes them, which is up to twice as fast as the kernels that train and
            equal but for rounding. Its program takes memory until the process ends.
    """

    def __init__(self, model: Backbone, exports: bool) -> None:
        self.network = FeatureNetwork(model)
        self.model = model
        self._exports = exports
        self._opened: dict[tuple[int, ...], Run | None] = {}  # by a picture's shape

    @property
    def digest(self) -> str:
        """SHA-256 of what the features follow from besides the input: architecture and frozen parameters."""
        arguments = dataclasses.asdict(self.model.params)
        for name in (
            "class_num",
            "pretrained",
            "use_ema",
            "recompute",
            "freeze",
            "drop_rate",
        ):
            del arguments[name]
        whole = hashlib.sha256(repr(sorted(arguments.items())).encode())
        head = {name for name, _ in _head_of(self.model)}
        for name, parameter in self.model.named_parameters():
            if name not in head:
                whole.update(name.encode())
                whole.update(np.ascontiguousarray(parameter.numpy()).tobytes())
        return whole.hexdigest()

    def run(self, image: Any) -> np.ndarray:
        """Float32 [N, C, H, W] to features, float32 [N, ...]."""
        was_training = self.model.training
        self.network.eval()
        shape = tuple(image.shape[1:])
        if self._exports and shape not in self._opened:
            self._opened[shape] = _engine_of(self.network, shape)
        engine = self._opened.get(shape)
        if engine is not None:
            features = engine(image.numpy())
        else:
            with paddle.no_grad():
                features = self.network(image).numpy()
        if was_training:
            self.model.train()
        return features


def _engine_of(network: FeatureNetwork, shape: tuple[int, ...]) -> Run | None:
    """OpenVINO inside Paddle with a network's program; None where one of both is impossible."""
    if not paddle_has_openvino() or not is_of_this_package(network):
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="ppcls-features-") as place:
            save_legacy_network(network, network.model.params.name, Path(place), shape)
            program = Path(place, LEGACY_PROGRAM_FILE)
            settings = Settings(PADDLE_OPENVINO)
            run = open_program(program, Path(place, PARAMETERS_FILE), settings).run
    except (NotInThisFormat, Unavailable, OSError) as error:
        get_logger().info("features are computed by the kernels that train: %s", error)
        return None
    get_logger().info("features are computed by OpenVINO inside Paddle")
    return run


class FeatureLoader:
    """Gives the batches of a loader with features in place of pictures.

    Args:
        loader: Reads the pictures.
        backbone: Computes their features.
        store: Keeps them; None computes them in every epoch, as for augmented pictures.
    """

    def __init__(
        self,
        loader: ImageLoader,
        backbone: FrozenBackbone,
        store: FeatureStore | None = None,
    ) -> None:
        self._loader, self._backbone, self._store = loader, backbone, store
        self._digests: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """See `ImageLoader.epoch`; pictures whose features are kept are not read."""
        if self._store is not None and self._is_complete():
            yield from self._kept(epoch, start_step)
            return
        for batch in self._loader.epoch(epoch, start_step):
            yield self._computed(batch)

    def trial(self, *arguments: Any, **keywords: Any) -> Batch:
        """See `ImageLoader.trial`."""
        return self._computed(self._loader.trial(*arguments, **keywords))

    def missing(self) -> int:
        """How many pictures have no features yet."""
        if self._store is None:
            return len(self._loader.images)
        failed = self._loader.failures
        count = 0
        for digest, path in zip(self._names(), self._list.paths):
            count += path not in failed and digest not in self._store
        return count

    @property
    def _list(self) -> ImageList:
        """The pictures, which are a list wherever features are kept."""
        assert isinstance(self._loader.images, ImageList)
        return self._loader.images

    def _is_complete(self) -> bool:
        return self.missing() == 0

    def _computed(self, batch: Batch) -> Batch:
        if not len(batch.index):
            return batch
        features = self._backbone.run(batch.image)
        if self._store is not None:
            names = self._names()
            for index, values in zip(batch.index.tolist(), features):
                self._store.put(names[index], values)
        return dataclasses.replace(batch, image=paddle.to_tensor(features))

    def _kept(self, epoch: int, start_step: int) -> Iterator[Batch]:
        reader, images = self._loader.reader, self._list
        store, names = self._store, self._names()
        assert store is not None and isinstance(reader, BatchReader)
        order = reader.order(epoch)
        for step in range(start_step, self._loader.steps_per_epoch):
            chosen = [
                index
                for index in reader.indices(order, step).tolist()
                if images.paths[index] not in self._loader.failures
            ]
            paths = [images.paths[index] for index in chosen]
            if chosen:
                features = np.stack([store.get(names[index]) for index in chosen])
            else:
                features = np.zeros((0, 1, 1, 1), np.float32)
            yield Batch(
                paddle.to_tensor(features),
                paddle.to_tensor(images.labels[chosen]),
                np.array(chosen, np.int64),
                paths,
            )

    def _names(self) -> list[str]:
        """The digest of every picture's file; that of one which cannot be read is empty."""
        if not self._digests:
            for path in self._list.paths:
                place = Path(path)
                self._digests.append(sha256_of(place) if place.is_file() else "")
        return self._digests


class Head:
    """The head of a model, to be evaluated on features."""

    def __init__(self, model: Backbone) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, features: Any) -> Any:
        """Features [N, ...] to logits [N, class_num]."""
        return self._model.forward_head(features)


def frozen_backbone(
    config: Config, model: Any, precision: Precision
) -> FrozenBackbone | None:
    """What computes features once, where the whole backbone is frozen and trained on a CPU in float32."""
    is_whole = getattr(config.Arch, "freeze", 0) == "backbone"
    is_cpu = paddle.device.get_device() == "cpu"
    if is_whole and is_cpu and type(precision) is Precision:
        return FrozenBackbone(model, exports=True)
    return None


def features_of(
    section: Any, loader: ImageLoader, backbone: FrozenBackbone
) -> FeatureLoader:
    """A loader of features; they are kept where neither transforms nor mixing change a picture from epoch to epoch.

    Args:
        section: DataLoader.Train or DataLoader.Eval.
        loader: Reads its pictures.
        backbone: Computes features.
    """
    dataset = section.dataset
    transforms = Pipeline(dataset.transform_ops)
    is_list = isinstance(loader.images, ImageList)
    if dataset.batch_transform_ops or transforms.draws or not is_list:
        return FeatureLoader(loader, backbone)
    return FeatureLoader(loader, backbone, kept_features(backbone, transforms))


def kept_features(backbone: FrozenBackbone, transforms: Pipeline) -> FeatureStore:
    """The store of a network's features of pictures that were transformed in one way."""
    key = hashlib.sha256(f"{backbone.digest} {transforms!r}".encode()).hexdigest()
    return FeatureStore(feature_home() / key)


def _head_of(model: Backbone) -> list[tuple[str, Any]]:
    return [
        (name, parameter)
        for name, parameter in model.named_parameters()
        if not parameter.stop_gradient
    ]
