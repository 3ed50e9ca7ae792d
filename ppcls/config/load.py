"""Loads a file with overrides as a checked configuration, and reports all problems together."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ppcls.config.check import INVALID, Checker
from ppcls.config.cross import COMMANDS, Checked, check_models, cross_check
from ppcls.config.deploy_schema import DeployConfig
from ppcls.config.dump import dump
from ppcls.config.eval_data import EvalData, put_eval_data
from ppcls.config.merge import merge, read_mapping, read_tree
from ppcls.config.override import apply_overrides
from ppcls.config.paddleclas.consequences import settle
from ppcls.config.paddleclas.flat_files import is_flat, resolve
from ppcls.config.paddleclas.rewritten import (
    move_class_num,
    rewrite,
    rewrite_deployment,
)
from ppcls.config.paddleclas.unsupported import PADDLECLAS, PADDLECLAS_DEPLOY
from ppcls.config.paths import find_config, find_deploy_config, follow, what_is_wrong
from ppcls.config.schema import Config
from ppcls.untrusted.yaml_nodes import Node, Origin, Problems, find
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.errors import UserError, expect
from ppcls.utils.fields import field_types
from ppcls.utils.files import expanded
from ppcls.utils.logging import get_logger
from ppcls.utils.registry import Registry

PathLike = str | os.PathLike[str]
Source = PathLike | Mapping[str, Any]
# What messages call sections that are not in a file
MAPPING = "the given mapping"
_BUNDLE_KEY = "Global.inference_model_dir"


def load_config(
    source: Source,
    overrides: Sequence[str],
    registries: Mapping[str, Registry],
    command: str = "train",
    *,
    check_paths: bool = True,
    processes: int = 1,
    say: Callable[[str], None] | None = None,
    over: Mapping[str, Any] | None = None,
    absolute_paths: bool = False,
    eval_data: EvalData | None = None,
) -> Config:
    """Load and check the configuration of a training, evaluation, prediction or export.

    Args:
        source: a path or a shipped configuration's name, see `find_config`; or the sections themselves.
        overrides: `Section.key=value`, in order.
        registries: the components that may be named, by kind.
        command: train, lr-find, eval, infer or export; the keys it needs must be set and the paths it reads readable.
        check_paths: whether to check these paths, and that Infer.infer_imgs is set; False for printing.
        processes: how many processes share the batch of PaddleClas's flat 2.0 format, which states the total.
        say: is called with a line for each group of keys of that format, each key of PaddleClas without an effect
            here, and each warning, also when problems follow; None logs it.
        over: sections merged over the file's, before the overrides, as a file is merged over its base.
        absolute_paths: makes relative paths of existing files absolute, so that the result holds in any folder.
        eval_data: data that replaces that of DataLoader.Eval.

    Raises:
        UserError: there is no such file.
        ConfigError: everything that is wrong, each as `file:line key: what is wrong; what to write`.
    """
    assert command in COMMANDS, command
    problems = Problems()
    if isinstance(source, Mapping):
        tree = _read(source, problems, over)
        moved = None
    else:
        file = find_config(source)
        tree = _read(file, problems, over)
        moved = follow(tree, file)
    root, lines = resolve(tree, overrides, processes, problems)
    if moved is not None:
        lines.append(moved)
    lines.extend(rewrite(root, problems))
    lines.extend(settle(root, registries))
    if eval_data is not None:
        put_eval_data(root, eval_data)
    checker = Checker(registries, problems, PADDLECLAS, absolute_paths)
    config = checker.make(Config, root, "", {"_registries": registries})
    same_meaning = registries["transform"].same_meaning
    checked = Checked(
        root, checker.values, problems, command, same_meaning, check_paths
    )
    cross_check(checked)
    _log([*lines, *checker.lines, *checked.lines], say)
    refuse_pipes(root, problems)
    check_models(checked)
    _check_paths(checker, checked.reads, problems)
    problems.raise_if_any()
    assert config is not INVALID
    return config


def _log(lines: Sequence[str], say: Callable[[str], None] | None) -> None:
    """Say each line; None logs it."""
    log = say or get_logger().info
    for line in lines:
        log(line)


def migrate_config(
    source: PathLike,
    overrides: Sequence[str],
    registries: Mapping[str, Registry],
    processes: int = 1,
) -> str:
    """Convert a file of PaddleClas's flat 2.0 format to the current one; loading both gives the same configuration.

    Args:
        source: the old file.
        overrides: `key=value` with old or new keys, set before.
        registries: the components that may be named, by kind.
        processes: how many processes share a batch; the new file states the batch of one.

    Raises:
        UserError: there is no such file, or it is not in that format.
        ConfigError: what is wrong with it, other than missing paths.
    """
    problems = Problems()
    old = _read(find_config(source), problems)
    expect(
        is_flat(old),
        f"{source} is not in PaddleClas's flat 2.0 format; use it as it is",
    )
    root, _ = resolve(old, overrides, processes, problems)
    move_class_num(root, problems)
    Checker(registries, problems, PADDLECLAS).make(Config, root, "")
    problems.raise_if_any()
    sections = {}
    for name in field_types(Config):
        if name in root.value:
            sections[name] = _name_first(root.value[name].plain())
    each = "the only one" if processes == 1 else f"each of {processes}"
    return (
        f"# Migrated from {source}, which was in PaddleClas's 2.0 format; its batch was that of all processes,\n"
        f"# and sampler.batch_size is that of {each}.\n{dump(sections)}"
    )


def _name_first(plain: Any) -> Any:
    """The same mappings with `name` as their first key."""
    if isinstance(plain, list):
        return [_name_first(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ordered = {}
    for key in sorted(plain, key=lambda key: key != "name"):
        ordered[key] = _name_first(plain[key])
    return ordered


def load_deploy_config(
    source: PathLike,
    overrides: Sequence[str] = (),
    registries: Mapping[str, Registry] | None = None,
    *,
    check_paths: bool = True,
    models: Collection[str] = (),
    say: Callable[[str], None] | None = None,
) -> DeployConfig:
    """Load and check a deployment configuration.

    Args:
        source: a path or a shipped configuration's name; see `find_deploy_config`.
        overrides: `Section.key=value`, in order.
        registries: the registry of transforms by its kind, for a file with the section PreProcess.
        check_paths: whether the paths must exist; False for printing. They must be set all the same.
        models: names that may stand in the place of the bundle's path.
        say: is called with a line for each key of PaddleClas without an effect here; None logs it.

    Raises:
        UserError: there is no such file.
        ConfigError: everything that is wrong.
    """
    problems = Problems()
    root = _read(find_deploy_config(source), problems)
    apply_overrides(root, overrides, problems)
    lines = rewrite_deployment(root, problems)
    _check_places(root, problems)
    checker = Checker(registries or {}, problems, PADDLECLAS_DEPLOY)
    config = checker.make(DeployConfig, root, "", {"_registries": registries or {}})
    _log([*lines, *checker.lines], say)
    for place, use in enumerate(checker.paths):
        if use.key == _BUNDLE_KEY:
            checker.paths[place] = replace(use, names=models)
    _check_paths(checker, lambda key: check_paths, problems)
    problems.raise_if_any()
    assert config is not INVALID
    return config


def _check_places(root: Node, problems: Problems) -> None:
    """Report overrides of single transforms where the file has none, as for a bundle, which carries its own."""
    key = "PreProcess.transform_ops"
    operations, is_there = find(root, key)
    if not is_there or not isinstance(operations.value, dict):
        return
    problems.add(
        operations.origin,
        "",
        f"{key} has no operations to change; a bundle carries its preprocessing: change "
        "DataLoader.Eval.dataset.transform_ops of its configuration and export again",
    )
    problems.raise_if_any()


def _read(
    source: Path | Mapping[str, Any],
    problems: Problems,
    over: Mapping[str, Any] | None = None,
) -> Node:
    """Read a file or a mapping merged over its bases, and merge `over` over it."""
    if isinstance(source, Mapping):
        root, name = read_mapping(source, MAPPING, problems), MAPPING
    else:
        root, name = read_tree(source, problems), str(source)
    if root is not None and over:
        text = json.dumps(over, ensure_ascii=False)
        above = read_yaml(text, lambda line: Origin(f"over {name}"), problems)
        root = merge(root, above) if above else None
    if root is None:
        problems.raise_if_any()
    assert root is not None
    return root


def _check_paths(checker: Checker, reads: Any, problems: Problems) -> None:
    for use in checker.paths:
        if not reads(use.key):
            continue
        sentence = what_is_wrong(use)
        if sentence is not None:
            problems.add(use.origin, use.key, sentence)


CONSENT = "PPCLS_ALLOW_PIPE"


def refuse_pipes(root: Node, problems: Problems) -> None:
    """Refuse `pipe:` shards of a file, unless the environment variable allows them.

    A configuration may come from somebody else, and must not start a program by itself. An override (`-o`) is
    the user's own word.
    """
    if os.environ.get(CONSENT) == "1":
        return
    for part in ("Train", "Eval"):
        key = f"DataLoader.{part}.dataset.shards"
        shards, is_written = find(root, key)
        if not is_written:
            continue
        for node in _values(shards):
            if _is_command(node) and not node.origin.is_override:
                problems.add(
                    node.origin,
                    key,
                    f"is a command behind 'pipe:', which no file may start by itself; set {CONSENT}=1 if you "
                    "trust this file",
                )


def _values(node: Node) -> Iterator[Node]:
    if isinstance(node.value, list):
        yield from node.value
    else:
        yield node


def _is_command(node: Node) -> bool:
    """Whether a text is a command, or becomes one when its variables are replaced."""
    if not isinstance(node.value, str):
        return False
    texts = [node.value]
    with contextlib.suppress(UserError):  # a variable that is not set is reported later
        texts.append(expanded(node.value))
    return any(text.lstrip().startswith("pipe:") for text in texts)
