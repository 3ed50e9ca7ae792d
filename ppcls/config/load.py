"""From a file and overrides to a checked configuration, with all problems in one report."""

from __future__ import annotations

import os
from typing import Any, Mapping, Sequence, Union

from ppcls.config.check import INVALID, Checker
from ppcls.config.cross import COMMANDS, Checked, cross_check
from ppcls.config.deploy_schema import DeployConfig
from ppcls.config.find import find_config, find_deploy_config
from ppcls.config.merge import read_tree
from ppcls.config.node import Node, Problems
from ppcls.config.older import is_flat, move_class_num
from ppcls.config.override import apply_overrides
from ppcls.config.paddleclas import PADDLECLAS, PADDLECLAS_DEPLOY
from ppcls.config.paths import what_is_wrong
from ppcls.config.schema import Config
from ppcls.utils.registry import Registry

PathLike = Union[str, "os.PathLike[str]"]


def load_config(
    source: PathLike,
    overrides: Sequence[str],
    registries: Mapping[str, Registry],
    command: str = "train",
    *,
    check_paths: bool = True,
) -> Config:
    """The checked configuration of a training, evaluation, prediction or export.

    Args:
        source: a path or a shipped configuration's name; see `find_config`.
        overrides: `Section.key=value`, in order.
        registries: the components that may be named, by kind.
        command: train, lr-find, eval, infer or export; what it needs must be there, and the paths it reads be readable.
        check_paths: False, for printing, neither looks at these paths nor asks for Infer.infer_imgs.

    Raises:
        UserError: there is no such file.
        ConfigError: everything that is wrong, each as `file:line key: what is wrong; what to write`.
    """
    assert command in COMMANDS, command
    problems = Problems()
    root = _read(find_config(source), overrides, problems)
    if is_flat(root, problems):
        problems.raise_if_any()
    move_class_num(root, problems)
    checker = Checker(registries, problems, PADDLECLAS)
    config = checker.make(Config, root, "", {"_registries": registries})
    same_meaning = registries["transform"].same_meaning
    checked = Checked(root, checker.values, problems, command, same_meaning, check_paths)
    cross_check(checked)
    _check_paths(checker, checked.reads, problems)
    problems.raise_if_any()
    assert config is not INVALID
    return config


def load_deploy_config(source: PathLike, overrides: Sequence[str] = (), *, check_paths: bool = True) -> DeployConfig:
    """The checked configuration of a bundle's run.

    Args:
        source: a path or a shipped configuration's name; see `find_deploy_config`.
        overrides: `Section.key=value`, in order.
        check_paths: False, for printing, does not look whether the paths are there; they must be written all the same.

    Raises:
        UserError: there is no such file.
        ConfigError: everything that is wrong.
    """
    problems = Problems()
    root = _read(find_deploy_config(source), overrides, problems)
    checker = Checker({}, problems, PADDLECLAS_DEPLOY)
    config = checker.make(DeployConfig, root, "")
    _check_paths(checker, lambda key: check_paths, problems)
    problems.raise_if_any()
    assert config is not INVALID
    return config


def _read(file: Any, overrides: Sequence[str], problems: Problems) -> Node:
    """The file merged over its bases, with the overrides set."""
    root = read_tree(file, problems)
    if root is None:
        problems.raise_if_any()
    assert root is not None
    apply_overrides(root, overrides, problems)
    return root


def _check_paths(checker: Checker, reads: Any, problems: Problems) -> None:
    for use in checker.paths:
        sentence = what_is_wrong(use) if reads(use.key) else None
        if sentence:
            problems.add(use.origin, use.key, sentence)
