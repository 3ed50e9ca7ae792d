"""`ppcls predict` and `deploy/python/predict_cls.py`: pictures in, lines and a file out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ppcls.config import DeployConfig
from ppcls.config.deploy_schema import DeployGlobalSection
from ppcls.config.tensorrt import TensorRT
from ppcls.data.picture_items import is_web_address
from ppcls.data.picture_sources import pictures_of
from ppcls.engine.answers import answers_for, copy_by_class
from ppcls.engine.result_files import open_results
from ppcls.inference.backends.default import default_settings
from ppcls.inference.bundle import Bundle
from ppcls.inference.classifier import Classifier
from ppcls.inference.official.find import find_bundle
from ppcls.inference.official.preprocess import with_decoding
from ppcls.inference.prediction import Prediction
from ppcls.inference.settings import PADDLE_OPENVINO
from ppcls.utils.cpu import usable_cores
from ppcls.utils.files import PathLike

_LONG = 32  # pictures; a shorter list needs no progress bar, and no second request
# Whose requests are processes, which load Paddle for a second each
_LONG_FOR_PADDLE = 256
# Paddle holds the model once for each; more cores than that share the kernels of a batch
_MOST_REQUESTS = 4


def predict(config: DeployConfig) -> int:
    """Classifies `Global.infer_imgs` by the bundle, or PaddleClas's model, `Global.inference_model_dir`.

    Args:
        config: from `ppcls.config.load_deploy_config`.

    Returns:
        The exit code: 0, or 1 if some picture could not be read; the others are written all the same.

    Raises:
        UserError: the bundle, the source or the output cannot be used.
    """
    pictures = list_pictures(config.Global.infer_imgs)
    classifier = open_classifier(config, len(pictures))
    return report(
        classifier,
        pictures,
        config.PostProcess.Topk.topk,
        config.Global.output,
        config.Global.save_dir,
    )


def open_classifier(config: DeployConfig, pictures: int) -> Classifier:
    """Open the bundle that the configuration names, for a number of pictures.

    Raises:
        UserError: the bundle cannot be used with these settings.
    """
    settings, answer = config.Global, config.PostProcess.Topk
    transforms = config.PreProcess.transform_ops
    preprocess = None if transforms is None else with_decoding(transforms)
    bundle = find_bundle(settings.inference_model_dir, settings.model_name, preprocess)
    tensorrt: TensorRT | bool | None = settings.tensorrt
    if tensorrt == TensorRT():
        tensorrt = settings.use_tensorrt
    return Classifier(
        bundle,
        device="gpu" if settings.use_gpu else "cpu",
        batch_size=settings.batch_size,
        threads=settings.cpu_num_threads,
        topk=answer.topk,
        class_names=answer.class_id_map_file,
        onednn=settings.enable_mkldnn,
        backend=settings.backend,
        precision="float16" if settings.use_fp16 else settings.precision,
        requests=settings.requests or _requests(settings, bundle, pictures),
        tensorrt=tensorrt,
    )


def _requests(
    settings: DeployGlobalSection, bundle: Bundle, pictures: int
) -> int | None:
    """Choose how many batches run at the same time by default; None uses the number stored in the bundle.

    Two batches on one core each are faster than one batch on both: no thread waits for the other's part of a kernel.
    """
    stored = bundle.settings or default_settings(bundle)
    backend = settings.backend or stored.backend
    if backend == stored.backend and stored.requests > 1:
        return None
    is_paddle = backend in ("paddle", PADDLE_OPENVINO)
    long = _LONG_FOR_PADDLE if is_paddle else _LONG
    if settings.use_gpu or pictures < long:
        return 1
    batches = -(-pictures // settings.batch_size)
    return min(settings.cpu_num_threads or usable_cores(), _MOST_REQUESTS, batches)


@dataclass(frozen=True)
class Listed:
    """A picture to classify.

    Attributes:
        path: its path or address.
        shown: what stands for it on the console.
    """

    path: str
    shown: str


def list_pictures(sources: str | Sequence[str]) -> list[Listed]:
    """The picture of a path or an address, a folder's pictures, or those that match a pattern; of one or several.

    Of one source a file is shown by its name and a folder's picture by its path in the folder; of several each picture
    is shown by its whole path.

    Raises:
        UserError: one of them has none.
    """
    if isinstance(sources, str):
        return [Listed(path, _shown(path, sources)) for path in _paths(sources)]
    if len(sources) == 1:
        return list_pictures(sources[0])
    listed = []
    for source in sources:
        listed += [Listed(path, path) for path in _paths(source)]
    return listed


def _paths(source: str) -> list[str]:
    return [str(picture.source) for picture in pictures_of(source)]


def report(
    classifier: Classifier | Prediction,
    pictures: Sequence[Listed],
    topk: int,
    output: PathLike | None,
    save_dir: PathLike | None = None,
) -> int:
    """Classify pictures: one line per picture on the console, one row in `output`, and a copy in `save_dir`.

    Args:
        classifier: Gives the results.
        pictures: What is classified.
        topk: Classes per row of the file.
        output: A .csv or .json file; None for none.
        save_dir: A folder for copies of the pictures, in one folder per class; None for none.

    Returns:
        The exit code: 0, or 1 if some picture could not be read; the others are written all the same.
    """
    quiet = len(pictures) < _LONG or not sys.stderr.isatty()
    answers = answers_for([picture.shown for picture in pictures])
    unreadable = 0
    with contextlib.ExitStack() as stack:
        file = None
        if output is not None:
            file = stack.enter_context(open_results(output, topk))
        results = classifier.predict([picture.path for picture in pictures])
        bar = tqdm(results, total=len(pictures), unit="picture", disable=quiet)
        for result, picture in zip(bar, pictures):
            tqdm.write(answers.line(result, picture.shown))
            unreadable += result.error is not None
            if file is not None:
                file.write(result)
            if save_dir is not None and result.error is None:
                copy_by_class(result, Path(save_dir))
    for line in answers.summary():
        print(line)
    if unreadable:
        print(
            f"{unreadable} of {len(pictures)} pictures could not be read",
            file=sys.stderr,
        )
    return 1 if unreadable else 0


def _shown(picture: str, source: str) -> str:
    """Shorten a picture's path: a file to its name, a folder's picture to its path in the folder."""
    if is_web_address(picture):
        return picture
    path, root = Path(picture), Path(source)
    if not root.exists():
        return path.as_posix()
    if path == root:
        return path.name
    return path.relative_to(root).as_posix()
