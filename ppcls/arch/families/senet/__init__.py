"""SENet154_vd."""

import ppcls.arch.families.senet.facts  # noqa: F401  (registers the models)
from ppcls.arch.factory import entry_point

__all__ = ["SENet154_vd"]

SENet154_vd = entry_point("SENet154_vd")
