"""YAML to checked, frozen dataclasses. Knows no component by import: the caller gives the registries.

The names below are loaded when they are asked for: a bundle takes `ppcls.config.tensorrt` alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppcls.config.deploy_schema import DeployConfig
    from ppcls.config.find import find_config, find_deploy_config, shipped_configs
    from ppcls.config.load import load_config, load_deploy_config, migrate_config
    from ppcls.config.schema import Config

__all__ = [
    "Config",
    "DeployConfig",
    "find_config",
    "find_deploy_config",
    "load_config",
    "load_deploy_config",
    "migrate_config",
    "shipped_configs",
]

_MODULES = {
    "Config": "schema",
    "DeployConfig": "deploy_schema",
    "find_config": "find",
    "find_deploy_config": "find",
    "load_config": "load",
    "load_deploy_config": "load",
    "migrate_config": "load",
    "shipped_configs": "find",
}


if not TYPE_CHECKING:  # or every name would be known to type checkers, as Any

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__} has no attribute {name}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
