"""Every key that a configuration may hold, read off the schema itself."""

import dataclasses
from typing import get_args

from ppcls.config import Config, DeployConfig
from ppcls.engine.schema import registries
from ppcls.utils.fields import field_types


def every_key():
    """`Global.seed`, `deploy Global.output`, `schedule Cosine.eta_min`, ...: one a field, each once."""
    keys = [*section_keys(Config), *(f"deploy {key}" for key in section_keys(DeployConfig))]
    for kind, registry in registries().items():
        for cls in dict.fromkeys(registry[name] for name in registry):  # one class may have several names
            keys += [f"{kind} {family(cls)}.{field}" for field in field_types(cls)]
    return keys


def section_keys(cls, prefix=""):
    """The keys of a section and of those in it, dotted; a component's own keys are not among them."""
    for field, annotation in field_types(cls).items():
        section = next(filter(is_section, (annotation, *get_args(annotation))), None)
        if section is None:
            yield prefix + field
        else:
            yield from section_keys(section, f"{prefix}{field}.")


def family(cls):
    """The name of a component's class as the keys here have it: DLA for all models of `DLAParams`."""
    return cls.__name__[: -len("Params")] if cls.__name__.endswith("Params") else cls.__name__


def is_section(annotation):
    """Whether it is a dataclass, and not one's object, as the marks in `Annotated` are."""
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)
