"""PaddleClas's `ppcls.utils.config`: a configuration as a mapping whose keys are attributes too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppcls.config.merge import read_tree
from ppcls.config.override import apply_overrides
from ppcls.config.paths import find_config
from ppcls.untrusted.yaml_nodes import Problems
from ppcls.utils.logging import get_logger


class AttrDict(dict[str, Any]):
    """A mapping that gives `config.Global.epochs` for `config["Global"]["epochs"]`."""

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError as error:
            raise AttributeError(f"the configuration has no {key}") from error

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value


def get_config(
    fname: str, overrides: Sequence[str] | None = None, show: bool = False
) -> AttrDict:
    """Read a configuration with its bases and overrides, for code that reads the keys itself.

    The keys are not checked: `ppcls config -c FILE` does that.

    Args:
        fname: A path, or the name of a shipped configuration, such as DLA34.
        overrides: `Section.key=value`, in order.
        show: Whether to log every key with its value.

    Raises:
        UserError: there is no such file.
        ConfigError: the file is not YAML, or an override does not fit.
    """
    problems = Problems()
    root = read_tree(find_config(fname), problems)
    if root is not None:
        apply_overrides(root, overrides or [], problems)
    problems.raise_if_any()
    assert root is not None
    config = _with_attributes(root.plain())
    if show:
        _log(config, indent=0)
    return config


def _with_attributes(plain: Any) -> Any:
    if isinstance(plain, dict):
        return AttrDict({key: _with_attributes(value) for key, value in plain.items()})
    if isinstance(plain, list):
        return [_with_attributes(item) for item in plain]
    return plain


def _log(config: AttrDict, indent: int) -> None:
    for key, value in config.items():
        if isinstance(value, AttrDict):
            get_logger().info("%s%s:", " " * indent, key)
            _log(value, indent + 4)
        else:
            get_logger().info("%s%s: %s", " " * indent, key, value)
