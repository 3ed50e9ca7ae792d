"""Reads the `inference.yml` that newer PaddleClas writes beside a program: model name, preprocessing and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.config.check import INVALID, Checker
from ppcls.config.paddleclas.unsupported import PADDLECLAS
from ppcls.config.schema import Transforms
from ppcls.untrusted.yaml_nodes import Node, Origin, Problems, find
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import read_regular_file
from ppcls.utils.registry import Registry

_MOST_BYTES = 10_000_000  # of a description; one with 1,000 names of classes has 30 kB


@dataclass(frozen=True)
class OfficialDescription:
    """The contents of such a file; None for what it does not state."""

    model_name: str | None = None
    transforms: tuple[Any, ...] | None = None
    class_names: tuple[str, ...] | None = None


def read_official_description(
    file: Path, registries: Mapping[str, Registry]
) -> OfficialDescription:
    """Read `Global.model_name`, `PreProcess.transform_ops` and `PostProcess.Topk.label_list`.

    `Hpi`, the settings of another runtime, is ignored.

    Args:
        file: the `inference.yml`.
        registries: the registry of transforms, by its kind.

    Raises:
        ConfigError: the file is not YAML, or has an unknown transform.
        UserError: its post-processing is not Topk.
    """
    problems = Problems()
    try:
        text = read_regular_file(file, _MOST_BYTES).decode("utf-8", errors="replace")
    except OSError as error:
        raise UserError(
            f"{file}: cannot be read ({error.strerror}); download or export it again"
        ) from error
    root = read_yaml(text, lambda line: Origin(str(file), line), problems)
    problems.raise_if_any()
    if root is None:
        return OfficialDescription()
    model_name = _section(file, root, "Global").get("model_name")
    preprocessing = _section(file, root, "PreProcess")
    transforms = None
    if "transform_ops" in preprocessing:
        key = "PreProcess.transform_ops"
        node, _ = find(root, key)
        checker = Checker(registries, problems, PADDLECLAS)
        transforms = checker.check(Transforms, node, key)
        problems.raise_if_any()
        assert transforms is not INVALID
    return OfficialDescription(
        model_name=None if model_name is None else str(model_name),
        transforms=transforms,
        class_names=_class_names(file, _section(file, root, "PostProcess")),
    )


def _section(file: Path, root: Node, name: str) -> dict[str, Any]:
    """A section in plain values; empty where the file has none."""
    plain = root.plain()
    section: Any = {}
    if isinstance(plain, dict):
        section = plain.get(name) or {}
    expect(
        isinstance(section, dict),
        f"{file}: {name} is not a mapping; give PaddleClas's own file",
    )
    return section


def _class_names(file: Path, postprocessing: dict[str, Any]) -> tuple[str, ...] | None:
    for name in postprocessing:
        expect(
            name in ("Topk", "main_indicator"),
            f"{file}: PostProcess.{name} is not supported here, only Topk is; use another model",
        )
    labels = postprocessing.get("Topk") or {}
    if isinstance(labels, dict):
        labels = labels.get("label_list")
    if labels is None:
        return None
    expect(
        isinstance(labels, list),
        f"{file}: PostProcess.Topk.label_list is not a list of names; give PaddleClas's own file",
    )
    return tuple(str(label) for label in labels)
