"""The `inference.yml` that newer PaddleClas writes beside a program: whose it is, its preprocessing, its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.config.check import INVALID, Checker
from ppcls.config.paddleclas.unsupported import PADDLECLAS
from ppcls.config.schema import Transforms
from ppcls.untrusted.yaml_nodes import Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.errors import UserError
from ppcls.utils.registry import Registry


@dataclass(frozen=True)
class OfficialDescription:
    """What such a file says; None where it says nothing."""

    model_name: str | None = None
    transforms: tuple[Any, ...] | None = None
    class_names: tuple[str, ...] | None = None


def read_official_description(
    file: Path, registries: Mapping[str, Registry]
) -> OfficialDescription:
    """Reads `Global.model_name`, `PreProcess.transform_ops` and `PostProcess.Topk.label_list`.

    What tells another runtime how fast to run the program (`Hpi`) is passed over.

    Args:
        file: the `inference.yml`.
        registries: that of the transforms, by its kind.

    Raises:
        ConfigError: it is no YAML, or has a transform that is not known here.
        UserError: its scores are to be read otherwise than as the best classes.
    """
    problems = Problems()
    text = file.read_text(encoding="utf-8", errors="replace")
    root = read_yaml(text, lambda line: Origin(str(file), line), problems)
    problems.raise_if_any()
    plain = root.plain() if root else None
    sections = plain if isinstance(plain, dict) else {}
    model, before, after = (
        sections.get(name) or {} for name in ("Global", "PreProcess", "PostProcess")
    )
    if not all(isinstance(section, dict) for section in (model, before, after)):
        raise UserError(
            f"{file}: Global, PreProcess and PostProcess are mappings; give PaddleClas's own file"
        )
    others = [name for name in after if name not in ("Topk", "main_indicator")]
    if others:
        raise UserError(
            f"{file}: PostProcess.{others[0]} is not supported here, only Topk is; use another model"
        )
    transforms = None
    if "transform_ops" in before:
        assert root is not None
        node = root.value["PreProcess"].value["transform_ops"]
        transforms = Checker(registries, problems, PADDLECLAS).check(
            Transforms, node, "PreProcess.transform_ops"
        )
        problems.raise_if_any()
        assert transforms is not INVALID
    topk = after.get("Topk") or {}
    labels = topk.get("label_list") if isinstance(topk, dict) else topk
    if not isinstance(labels, (list, type(None))):
        raise UserError(
            f"{file}: PostProcess.Topk.label_list is not a list of names; give PaddleClas's own file"
        )
    return OfficialDescription(
        None if model.get("model_name") is None else str(model["model_name"]),
        transforms,
        None if labels is None else tuple(str(label) for label in labels),
    )
