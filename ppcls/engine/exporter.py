"""Export a model as a checked bundle."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from ppcls.data.transforms import Pipeline
from ppcls.deployment.bundle_writer import write_manifest
from ppcls.deployment.exported_network import Deployed, deployed
from ppcls.deployment.installing import IN_USE, is_leftover
from ppcls.deployment.legacy_program import NotInThisFormat, save_legacy_program
from ppcls.deployment.onnx.export import add_onnx
from ppcls.deployment.verify.run import verify
from ppcls.engine.run_folder import CONFIG_FILE, LOG_FILE
from ppcls.inference.backends.default import paddle_has_openvino
from ppcls.inference.backends.paddle import open_predictor
from ppcls.inference.bundle import (
    GOLDEN_FILE,
    LEGACY_PROGRAM_FILE,
    PARAMETERS_FILE,
    PROGRAM_FILE,
    Bundle,
)
from ppcls.inference.golden import GOLDEN_PICTURE, GOLDEN_SOURCE, Agreement, Golden
from ppcls.inference.manifest import MANIFEST_FILE
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import (
    beside,
    naming,
    numbered,
    replace_folder,
    scratch_folder,
    sync_file,
)
from ppcls.utils.lock import claimed
from ppcls.utils.logging import get_logger
from ppcls.utils.stderr_lines import without_stderr_lines

_PROGRAM_BYTES = 1 << 20  # room for the program beside the weights
SOFTMAX_WARNING = "not support input out tensor"
"""What Paddle prints for every softmax in a program, because its own Python code passes an argument that is None."""

_STEM = PROGRAM_FILE.rpartition(".")[0]


def export_bundle(
    model: Any,
    pipeline: Pipeline,
    folder: Path,
    *,
    architecture: str,
    class_num: int,
    image_shape: tuple[int, int, int],
    class_names: Sequence[str] | None = None,
    config_sha256: str | None = None,
    weights_sha256: str | None = None,
    golden_picture: Path | None = None,
    opset: int | None = None,
    program_file: str | None = PROGRAM_FILE,
    architecture_arguments: Mapping[str, Any] | None = None,
    weights_source: str | None = None,
) -> Agreement:
    """Write a bundle, load it again through Paddle Inference, and compare it with the model.

    Args:
        model: returns logits [N, class_num].
        pipeline: the preprocessing; its result has `image_shape`.
        folder: the bundle's place; an earlier bundle there is replaced once the new one has passed, or moved to
            `NAME.1` if it is of another model, or has an int8 form, one for Paddle Lite, or settings. A folder of
            training runs, or a run's, gets the bundle's files beside what it holds.
        architecture: the backbone's name.
        class_num: length of the logits.
        image_shape: (channels, height, width) of the input.
        class_names: one name per class.
        config_sha256: digest of the resolved configuration.
        weights_sha256: digest of the weights' file.
        golden_picture: the picture that runtimes check themselves with; the library's own by default.
        opset: ONNX opset of `inference.onnx`; None does not write that file.
        program_file: `inference.json`, or `inference.pdmodel` for a program of Paddle 2; None takes the one that the
            default of prediction runs fastest.
        architecture_arguments: the backbone's arguments, for making the model again.
        weights_source: the file or address of the weights.

    Returns:
        How far the loaded bundle is from the model.

    Raises:
        GoldenMismatch: the difference is larger than rounding explains; `folder` is left unchanged.
        UserError: the folder holds something else than a bundle, another process exports into it or adds to the
            bundle there, or the shapes do not fit.
    """
    _check_place(folder)
    example = golden_picture or GOLDEN_PICTURE
    image = example_input(pipeline, example, image_shape)
    with (
        claimed(folder, "exporting into", IN_USE),
        scratch_folder(beside(folder, "new")) as aside,
        _evaluating(model),
    ):
        _check_place(folder)  # once more: another process may have put something there
        with paddle.no_grad():
            scores = Deployed(model)(paddle.to_tensor(image)).numpy()
        try:
            program_file = _write_program(
                model, aside, image_shape, program_file, architecture
            )
            predictor = open_predictor(aside / program_file, aside / PARAMETERS_FILE)
            (input_name,), (output_name,) = (
                predictor.get_input_names(),
                predictor.get_output_names(),
            )
        # Paddle writes a short file on a full disk without a word, and cannot read it
        except RuntimeError:
            with naming(folder, aside / "space"):
                _require_space(aside / "space", model)
            raise
        except OSError as error:
            # Without a free descriptor Python finds no source code for Paddle, whose error does not say why
            if error.errno is None:
                Path(os.devnull).open("rb").close()
            raise
        source = golden_picture.name if golden_picture else GOLDEN_SOURCE
        Golden(example.read_bytes(), image, scores).save(aside / GOLDEN_FILE)
        bundle = write_manifest(
            aside,
            paddle=paddle.__version__,
            architecture=architecture,
            config_sha256=config_sha256,
            weights_sha256=weights_sha256,
            input_name=input_name,
            input_shape=image_shape,
            output_name=output_name,
            class_num=class_num,
            transforms=pipeline,
            class_names=class_names,
            golden_source=source,
            program_file=program_file,
            architecture_arguments=architecture_arguments,
            weights_source=weights_source,
        )
        if opset is not None:
            bundle = add_onnx(bundle, opset)
        agreement = _verified(bundle)
        another = _another(folder, bundle)
        if _holds_runs(folder):
            _put_beside_runs(aside, folder, another)
        else:
            _keep(folder, another)
            replace_folder(aside, folder)
    return agreement


def _require_space(file: Path, model: Any) -> None:
    """Write as many bytes as the parameters have, and some more.

    Raises:
        OSError: the disk is full, or a quota or a limit of the file size is reached.
    """
    size = 4 * sum(parameter.size for parameter in model.parameters())
    with file.open("wb") as opened:
        for _ in range(0, size + _PROGRAM_BYTES, _PROGRAM_BYTES):
            opened.write(bytes(_PROGRAM_BYTES))
    file.unlink()


def _another(folder: Path, new: Bundle) -> str | None:
    """Describe a bundle that an export of the same model would not bring back; None if there is none."""
    try:
        old = Bundle.load(folder)
    except UserError:  # nothing there, or a damaged one
        return None
    if (old.architecture, old.class_num, old.class_names) != (
        new.architecture,
        new.class_num,
        new.class_names,
    ):
        return (
            f"a bundle of another model ({old.architecture}, {old.class_num} classes)"
        )
    if old.quantized:
        return "a bundle with an int8 form"
    if old.lite:
        return "a bundle with a form for Paddle Lite"
    if old.settings is not None:
        return "a bundle with settings chosen by measurement"
    return None


def _keep(folder: Path, another: str | None) -> None:
    """Move a bundle aside that an export would not bring back."""
    if another is None:
        return
    kept = numbered(folder)
    folder.rename(kept)
    get_logger().info("%s held %s, which is now %s", folder, another, kept)


def _put_beside_runs(aside: Path, folder: Path, another: str | None) -> None:
    """Move a finished bundle into the folder of a run, or of runs, which PaddleClas's test suite exports into.

    The manifest goes first and comes last: without it the folder holds no bundle.

    Raises:
        UserError: an export of the same model would not bring back the bundle that is there.
    """
    if another is not None:
        raise UserError(
            f"{folder} holds {another} beside training runs; give another as Global.save_inference_dir"
        )
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    for path in folder.iterdir():
        if _ours(path) and path.is_file():
            path.unlink()
    files = sorted(aside.iterdir(), key=lambda path: path.name == MANIFEST_FILE)
    for path in files:
        sync_file(path)
        path.replace(folder / path.name)
    sync_file(folder)


def _holds_runs(folder: Path) -> bool:
    """Whether a folder is that of a training run, or holds runs and nothing else but a bundle."""
    if not folder.is_dir():
        return False
    if _is_run(folder):
        return True
    others = [path for path in folder.iterdir() if not _ours(path)]
    return bool(others) and all(map(_may_stand_among_runs, others))


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG_FILE).is_file() and (folder / LOG_FILE).is_file()


def _may_stand_among_runs(path: Path) -> bool:
    """Whether it is a run, or a hidden file that a training or an export leaves beside one."""
    return _is_run(path) or (path.name.startswith(".") and path.suffix == ".lock")


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Puts a model into evaluation mode."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        if was_training:
            model.train()


def example_input(
    pipeline: Pipeline, picture: Path, image_shape: tuple[int, int, int]
) -> np.ndarray:
    """A picture as the model takes it, float32 [1, C, H, W].

    Raises:
        UserError: the preprocessing gives another shape than `image_shape`.
    """
    image = pipeline.from_file(picture)[np.newaxis]
    if image.shape[1:] != tuple(image_shape):
        raise UserError(
            f"DataLoader.Eval.dataset.transform_ops give {list(image.shape[1:])}, but Global.image_shape is "
            f"{list(image_shape)}; make them the same, as --size 256 or --size 256x320 (height x width) does"
        )
    return image


def _verified(bundle: Bundle) -> Agreement:
    """Compares every float32 form that runs here with the model; gives Paddle's.

    Of weights that were never loaded the logits may be of any size, and so may rounding be in the scores: there the
    golden comparison alone counts, which is relative.
    """
    report = verify(bundle, "all:float32")
    agreements = []
    for row in report.rows:
        assert row.golden is not None  # of every float32 form
        row.golden.require(f"{bundle.folder}, {row.form}")
        agreements.append(row.golden)
    if bundle.weights_sha256 is not None:
        report.require()
    return agreements[0]


def _write_program(
    model: Any,
    folder: Path,
    image_shape: tuple[int, int, int],
    asked: str | None,
    architecture: str,
) -> str:
    """Write the program in the format that was asked for, or in the fastest; gives its file's name.

    Raises:
        UserError: Paddle cannot write the model in the format that was asked for.
    """
    if (asked or fastest_program_file(architecture)) == LEGACY_PROGRAM_FILE:
        try:
            save_legacy_program(model, folder, image_shape)
        except NotInThisFormat as error:
            if asked is not None:
                raise
            get_logger().warning(
                "%s; it is written so, and predicts by oneDNN alone", error
            )
        else:
            return LEGACY_PROGRAM_FILE
    _save_program(model, folder, image_shape)
    return PROGRAM_FILE


def _save_program(model: Any, folder: Path, image_shape: tuple[int, int, int]) -> None:
    """Write program and parameters with a dynamic batch axis."""
    spec = paddle.static.InputSpec([None, *image_shape], "float32", name="image")
    with without_stderr_lines(SOFTMAX_WARNING):
        program = paddle.jit.to_static(
            deployed(model), input_spec=[spec], full_graph=True
        )
        paddle.jit.save(program, str(folder / _STEM))


def _check_place(folder: Path) -> None:
    """Check that replacing the folder deletes nothing but an earlier bundle."""
    expect(
        folder not in (Path.cwd(), *Path.cwd().parents),
        f"{folder} is the folder you are in; give one of its own as Global.save_inference_dir",
    )
    if not folder.exists():
        return
    expect(
        folder.is_dir(),
        f"{folder} is a file; give a folder as Global.save_inference_dir",
    )
    others = sorted(path.name for path in folder.iterdir() if not _ours(path))
    if others and not _holds_runs(folder):
        raise UserError(
            f"{folder} is not a bundle's folder (it holds {others[0]!r}); give another as Global.save_inference_dir"
        )


def _ours(path: Path) -> bool:
    """Whether an earlier export, or what adds to a bundle, wrote a file."""
    return (
        path.name == GOLDEN_FILE
        or path.name.startswith(f"{_STEM}.")
        or is_leftover(path)
    )


# Models that oneDNN in a program of Paddle 3 runs faster than OpenVINO in one of Paddle 2: docs/speed.md
_FASTER_BY_ONEDNN = frozenset({"AlexNet"})


def fastest_program_file(architecture: str) -> str:
    """Name the program's file: that of Paddle 2 where the installed Paddle carries OpenVINO, which runs it faster.

    Args:
        architecture: The backbone's name.
    """
    if architecture in _FASTER_BY_ONEDNN or not paddle_has_openvino():
        return PROGRAM_FILE
    return LEGACY_PROGRAM_FILE
