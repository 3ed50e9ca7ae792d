"""YAML to checked, frozen dataclasses. Knows no component by import: the caller gives the registries.

The names below are loaded when they are asked for: a bundle takes `ppcls.config.tensorrt` alone.
"""

from typing import TYPE_CHECKING

from ppcls.utils.lazy_names import loader

if TYPE_CHECKING:
    from ppcls.config.deploy_schema import DeployConfig
    from ppcls.config.load import load_config, load_deploy_config, migrate_config
    from ppcls.config.paths import find_config, find_deploy_config, shipped_configs
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
    "Config": "ppcls.config.schema",
    "DeployConfig": "ppcls.config.deploy_schema",
    "find_config": "ppcls.config.paths",
    "find_deploy_config": "ppcls.config.paths",
    "load_config": "ppcls.config.load",
    "load_deploy_config": "ppcls.config.load",
    "migrate_config": "ppcls.config.load",
    "shipped_configs": "ppcls.config.paths",
}


if not TYPE_CHECKING:  # or every name would be known to type checkers, as Any
    __getattr__ = loader(__name__, _MODULES)
