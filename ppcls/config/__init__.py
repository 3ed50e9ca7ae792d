"""YAML to checked, frozen dataclasses. Knows no component by import: the caller gives the registries."""

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
