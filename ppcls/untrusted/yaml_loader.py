"""PyYAML's loader of plain data: libyaml's, ten times as fast, where PyYAML was built with it."""

from typing import Any

import yaml

YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
