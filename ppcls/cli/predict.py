"""`ppcls predict`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from ppcls.api.published import place_of, published_names
from ppcls.cli.parser import CommandParser, SetKey, add_config
from ppcls.config import load_deploy_config
from ppcls.data.picture_files import is_picture_name
from ppcls.data.transforms import TRANSFORMS
from ppcls.engine.predict import predict
from ppcls.engine.processes import refuse_several
from ppcls.utils.errors import UserError

WORKS_ON = (
    "a bundle, an inference model of PaddleClas (a folder or a tar), or a published model by its name; and pictures: "
    "files, folders, patterns, http(s) addresses"
)
EXAMPLES = (
    "ppcls predict inference holiday/",
    "ppcls predict DLA34 cat.jpg https://example.org/dog.jpg",
    "ppcls predict --model DLA34/timm holiday/ --topk 3 --output answers.csv",
)

_MODEL, _MODEL_NAME, _PICTURES = (
    "Global.inference_model_dir",
    "Global.model_name",
    "Global.infer_imgs",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.takes_words_anywhere = True
    command.add_argument(
        "words",
        metavar="MODEL_OR_PICTURE",
        nargs="*",
        help="the model (the path of a bundle, or a name such as DLA34 or DLA34/timm) unless --model gives it, and the "
        "pictures",
    )
    command.add_argument(
        "--model",
        metavar="MODEL",
        help="the model; all arguments without a name are pictures then",
    )
    add_config(command, "inference_cls.yaml")
    command.add_argument(
        "--device",
        metavar="NAME",
        type=_is_gpu,
        action=SetKey,
        key="Global.use_gpu",
        help="cpu or gpu (default: cpu)",
    )
    command.add_argument(
        "--backend",
        metavar="NAME",
        action=SetKey,
        key="Global.backend",
        help="paddle, paddle-openvino, onnxruntime, openvino or trt (default: that of the bundle)",
    )
    command.add_argument(
        "--precision",
        metavar="NAME",
        action=SetKey,
        key="Global.precision",
        help="float32, float16, bfloat16 or int8 (default: that of the bundle)",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        action=SetKey,
        key="Global.batch_size",
        help="pictures per batch",
    )
    _add_answers(command)
    _add_spellings_of_paddleclas(command)


def _add_answers(command: CommandParser) -> None:
    command.add_argument(
        "--topk",
        metavar="K",
        type=int,
        action=SetKey,
        key="PostProcess.Topk.topk",
        help="classes per picture, the likeliest first",
    )
    command.add_argument(
        "--labels",
        metavar="FILE",
        action=SetKey,
        key="PostProcess.Topk.class_id_map_file",
        help="names of the classes, `id name` or `name` per line (default: those of the bundle)",
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        action=SetKey,
        key="Global.output",
        help="also write one row per picture, to .csv or .json",
    )
    command.add_argument(
        "--save-dir",
        metavar="DIR",
        action=SetKey,
        key="Global.save_dir",
        help="also copy each picture into the folder of its class there, which is named by the class's id",
    )


def _add_spellings_of_paddleclas(command: CommandParser) -> None:
    """Accept the options of the wheel `paddleclas`."""
    command.add_argument(
        "--inference_model_dir", action=SetKey, key=_MODEL, help=argparse.SUPPRESS
    )
    command.add_argument(
        "--infer_imgs", action=SetKey, key=_PICTURES, help=argparse.SUPPRESS
    )
    command.add_argument(
        "--use_gpu",
        type=_is_true,
        action=SetKey,
        key="Global.use_gpu",
        help=argparse.SUPPRESS,
    )
    command.spell("--model_name", "--model")
    command.spell("--class_id_map_file", "--labels")
    command.spell("--batch_size", "--batch-size")
    command.spell("--save_dir", "--save-dir")


def run(arguments: argparse.Namespace) -> int:
    """Classify the pictures, and return the exit code."""
    refuse_several()
    overrides = [
        *arguments.override,
        *_overrides(arguments.words, arguments.model, arguments.override),
    ]
    config = load_deploy_config(
        arguments.config,
        overrides,
        {"transform": TRANSFORMS},
        check_paths=not arguments.print_config,
        models=published_names(),
        say=_to_stderr,
    )
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    place = place_of(config.Global.inference_model_dir, _to_stderr)
    found = replace(config.Global, inference_model_dir=str(place))
    return predict(replace(config, Global=found))


def _overrides(
    words: Sequence[str], model: str | None, given: Sequence[str]
) -> list[str]:
    """What the arguments without a name, and `--model`, set in the configuration.

    Without `--model` or `Global.inference_model_dir` on the command line the first word is the model. Beside the path
    of a model, `--model` is the name that gives the preprocessing, as PaddleClas's `--model_name`.

    Args:
        words: The arguments without a name.
        model: `--model`.
        given: The overrides of the command line.

    Raises:
        UserError: The first word is a picture, or pictures are given twice.
    """
    has_path = any(override.startswith(f"{_MODEL}=") for override in given)
    pictures = list(words)
    overrides = []
    if model is not None:
        overrides.append(_override(_MODEL_NAME if has_path else _MODEL, model))
    elif pictures and not has_path:
        overrides.append(_override(_MODEL, _model_of(pictures.pop(0), pictures)))
    if pictures:
        for override in given:
            if override.startswith(f"{_PICTURES}="):
                raise UserError(
                    f"pictures are given twice, as {pictures[0]} and as {override}; leave one of them out"
                )
        overrides.append(_override(_PICTURES, pictures))
    return overrides


def _model_of(word: str, pictures: Sequence[str]) -> str:
    if is_picture_name(word):
        raise UserError(
            f"{word} is a picture, but the first argument is the model: a bundle's folder, or a name, as in "
            f"`ppcls predict DLA34 {' '.join([word, *pictures][:2])}`"
        )
    return word


def _override(key: str, value: str | list[str]) -> str:
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _is_gpu(text: str) -> bool:
    if text not in ("cpu", "gpu"):
        raise argparse.ArgumentTypeError(f"{text!r} is not cpu or gpu")
    return text == "gpu"


def _is_true(text: str) -> bool:
    """Read a truth value as PaddleClas's wheel does."""
    return text.lower() in ("true", "t", "1")


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
