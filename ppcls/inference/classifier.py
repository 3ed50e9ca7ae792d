"""`Classifier`: class ids, scores and names of pictures, by an exported bundle."""

from __future__ import annotations

import uuid
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.config.tensorrt import TensorRT
from ppcls.data.labels import load_class_names
from ppcls.data.transforms import Pipeline
from ppcls.data.transforms.views import TestTime, Views, mean_over_views
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.backends.default import default_settings
from ppcls.inference.bundle import ONNX_SUFFIX, Bundle
from ppcls.inference.golden import (
    INPUT_TOLERANCE,
    SCORE_TOLERANCE,
    Agreement,
    Golden,
    agreement_with,
)
from ppcls.inference.official.find import find_bundle
from ppcls.inference.prediction import Prediction
from ppcls.inference.results import Results
from ppcls.inference.settings import PADDLE_OPENVINO, resolve
from ppcls.utils.errors import Unavailable, UserError, expect
from ppcls.utils.files import PathLike, expanded
from ppcls.utils.logging import get_logger

if TYPE_CHECKING:
    from ppcls.inference.official.preprocess import Preprocess


class Classifier:
    """Classifies pictures by a bundle that `ppcls export` wrote, or by an inference model of PaddleClas.

    Args:
        path: the bundle's folder, a `Bundle` that is loaded already, PaddleClas's folder or tar, or an ONNX file. For
            `ppcls.Classifier` also the name of a published model, `DLA34` or `DLA34/timm`, of which a bundle is made in
            the cache once.
        device: `cpu` or `gpu`.
        batch_size: pictures per run of the model.
        threads: threads for the CPU kernels and for reading pictures; None takes every core that this process may use.
        topk: the most classes that a result names.
        class_names: in place of the bundle's: a label file, or one name a class.
        onednn: run oneDNN's kernels on a CPU, about four times as fast as Paddle's own.
        backend: what runs the program: `paddle`, `paddle-openvino`, `onnxruntime`, `openvino`, or an object with `run`.
        precision: `float32`, `float16`, `bfloat16` or `int8`.
        requests: batches that run at the same time.
        model: for PaddleClas's folder or tar, the name of the model whose preprocessing it gets, such as `DLA34`.
        preprocess: for these and for an ONNX file, how a picture becomes the input; see `Preprocess`.
        output: for an ONNX file, what it returns: `logits` or `probabilities`.
        tta: views of each picture whose probabilities are averaged: `flip`, `crops` (the corners), `scale=1.15`,
            separated by commas.
        tensorrt: run TensorRT inside Paddle on a GPU: True, False, or a `ppcls.config.tensorrt.TensorRT`.

    device, threads, onednn, backend, precision, requests and tensorrt are those of `Settings`; one that is None is the
    bundle's own (`ppcls benchmark backends` writes them), or else the default there.

    A classifier may be used by several threads, and by forked processes: there its engine is opened again when it is
    first needed. It can be pickled, by its path and these arguments; a process opens it once, however often it is sent.

    Raises:
        UserError: the bundle, or an argument, is not usable.
    """

    def __init__(
        self,
        path: PathLike | Bundle,
        device: str | None = None,
        batch_size: int = 8,
        threads: int | None = None,
        topk: int = 5,
        class_names: str | Path | Sequence[str] | None = None,
        onednn: bool | None = None,
        backend: str | Backend | None = None,
        precision: str | None = None,
        requests: int | None = None,
        model: str | None = None,
        preprocess: Preprocess | None = None,
        output: str | None = None,
        tensorrt: bool | TensorRT | None = None,
        tta: str | None = None,
    ) -> None:
        # Before there are other local names
        self._arguments = dict(locals())
        del self._arguments["self"]
        self._identity = uuid.uuid4().hex
        _opened[self._identity] = self
        for name, value in (("batch_size", batch_size), ("topk", topk)):
            expect(
                isinstance(value, Integral) and value >= 1,
                f"{name} is {value!r}; write a whole number from 1",
            )
        if not isinstance(path, Bundle):
            path = self._arguments["path"] = self._located(path)
            path = _bundle(path, model, preprocess, output)
        self.bundle = path
        names_backend = backend is None or isinstance(backend, str)
        self.settings = resolve(
            self.bundle.settings or default_settings(self.bundle),
            backend=backend if names_backend else None,
            device=device,
            threads=threads,
            onednn=onednn,
            precision=precision,
            requests=requests,
            tensorrt=tensorrt,
        )
        is_default = backend is None and self.bundle.settings is None
        if backend is None or isinstance(backend, str):
            backend = self._open(is_default)
        self._backend = backend
        pipeline = self.bundle.pipeline
        if tta is not None:
            pipeline = Views(pipeline, TestTime.parse(tta))
            backend = _OverViews(backend, pipeline.count)
        self._prediction = Prediction(
            pipeline,
            backend,
            _names(self.bundle, class_names),
            batch_size,
            min(topk, self.bundle.class_num),
            self.settings.threads,
            self.settings.requests,
        )

    def _open(self, is_default: bool) -> Backend:
        """Open the backend of the settings; Paddle's operators in its place where nobody has chosen it and it fails."""
        try:
            return open_backend(self.bundle, self.settings)
        except Unavailable as error:
            if not is_default or self.settings.backend != PADDLE_OPENVINO:
                raise
            get_logger().warning("%s; oneDNN runs the model instead", error)
            self.settings = replace(self.settings, backend="paddle")
            return open_backend(self.bundle, self.settings)

    def _located(self, path: PathLike) -> PathLike:
        """The path of the model; what a subclass takes besides paths, it replaces here."""
        return expanded(path)

    def predict(self, source: Any, color: str | None = None) -> Results:
        """Classifies pictures, in their order; one that cannot be read gets a result with an `error`.

        Args:
            source: a picture: a file, its http or https address (at most 64 MiB, loaded in at most 30 seconds), its
                bytes, a file that is open for reading bytes, an image of Pillow, or an array uint8 [H, W, 3] or
                [H, W, 4] (alpha is dropped), [H, W] or [H, W, 1] (gray). Or several: a folder (read recursively, sorted
                by path), a pattern (`photos/**/*.jpg`), a list or any other iterable of pictures.
            color: the channel order of arrays that are not gray, `RGB` or `BGR`.

        Returns:
            Results that are computed when they are asked for, by iterating, by an index or by printing; see `Results`.

        Raises:
            UserError: there is no such source, the only picture is of a type that is none, or an array does not say its
                colour order.
        """
        return self._prediction.predict(source, color)

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle writes: the arguments, with absolute paths, for another process may be elsewhere."""
        arguments = {**self._arguments, "path": _absolute(self._arguments["path"])}
        if isinstance(arguments["class_names"], (str, Path)):
            arguments["class_names"] = _absolute(arguments["class_names"])
        return _reopened, (type(self), self._identity, arguments)

    def verify(
        self,
        input_tolerance: float = INPUT_TOLERANCE,
        score_tolerance: float = SCORE_TOLERANCE,
    ) -> Agreement:
        """Sends the bundle's golden picture through its preprocessing, and its golden input through the program.

        It is a check of float32; `ppcls verify` checks other precisions too, and by your own pictures.

        Args:
            input_tolerance: largest absolute difference of the input tensors; see `Agreement.require`.
            score_tolerance: largest norm(a - b) / norm(b) of the logits (log-probabilities, centred).

        Raises:
            GoldenMismatch: a difference is over its tolerance.
            UserError: the bundle has no golden picture.
        """
        golden = Golden.of(self.bundle)
        agreement = agreement_with(
            golden,
            self.bundle.pipeline,
            self._backend,
            self.bundle.folder,
        )
        agreement.require(self.bundle.folder, input_tolerance, score_tolerance)
        return agreement


class _OverViews:
    """A backend that averages the probabilities of several views of each picture."""

    def __init__(self, backend: Backend, count: int) -> None:
        self._backend, self._count = backend, count

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, V * C, H, W] to the mean probabilities, float32 [N, class_num]."""
        return mean_over_views(self._backend.run, batch, self._count)


# Classifiers by their identity, which pickling keeps. Every task of a process pool brings its classifier as a pickle;
# keeping the last few open saves opening one per task.
_opened: weakref.WeakValueDictionary[str, Classifier] = weakref.WeakValueDictionary()
_latest: deque[Classifier] = deque(maxlen=2)


def _reopened(
    kind: type[Classifier], identity: str, arguments: Mapping[str, Any]
) -> Classifier:
    """The classifier of a pickle, which this process may have opened already."""
    classifier = _opened.get(identity)
    if classifier is None:
        classifier = kind(**arguments)
        classifier._identity = identity
        _opened[identity] = classifier
        _latest.append(classifier)
    return classifier


def _absolute(path: PathLike | Bundle) -> Path | Bundle:
    if isinstance(path, Bundle):
        return replace(path, folder=path.folder.absolute())
    return Path(expanded(path)).absolute()


def _bundle(
    path: PathLike, model: str | None, preprocess: Preprocess | None, output: str | None
) -> Bundle:
    if Path(path).suffix != ONNX_SUFFIX:
        if output is not None:
            raise UserError(f"{path} states what its scores are; leave output out")
        return find_bundle(path, model, preprocess)
    preprocess = model if preprocess is None else preprocess
    if preprocess is None or isinstance(preprocess, Pipeline):
        raise UserError(
            f"{path} does not state its preprocessing; write preprocess='DLA34/timm', or its size, "
            "resize_short, interpolation, backend, mean and std as a dictionary, or a list of transforms"
        )
    from ppcls.inference.onnx_file import bundle_of_onnx  # loads the table of models

    return bundle_of_onnx(path, preprocess, output or "")


def _names(
    bundle: Bundle, given: str | Path | Sequence[str] | None
) -> Sequence[str] | None:
    if given is None:
        return bundle.class_names
    source: object = "class_names"
    if isinstance(given, (str, Path)):
        source, given = given, load_class_names(given)
    expect(
        len(given) == bundle.class_num,
        f"{source}: {len(given)} class names for {bundle.class_num} classes; give one per class",
    )
    return given
