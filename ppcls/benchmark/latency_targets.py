"""What `ppcls benchmark latency` measures: bundles, and models that are exported for it."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ppcls.arch.listing import listed_models
from ppcls.arch.model_table import MODELS
from ppcls.benchmark.latency import LatencyCase, Open
from ppcls.deployment.verify.forms import Form, form_digest
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import Bundle
from ppcls.utils.load_paddle import load_paddle

# Initial weights differ in every export, so these rows are identified by the model's name and the heading's versions.
UNTRAINED = "untrained"


class Target(NamedTuple):
    """A model to measure.

    Attributes:
        name: Its name in the rows.
        open: Gives its bundle, and a function that opens backends.
        digest_of: The digest of the files that a case runs, for the rows.
    """

    name: str
    open: Callable[[], AbstractContextManager[tuple[Bundle, Open]]]
    digest_of: Callable[[LatencyCase], str]


def untrained_targets(patterns: Sequence[str]) -> list[Target]:
    """The models whose names match; each is exported when it is opened, and deleted afterwards.

    Raises:
        UserError: A pattern matches no model.
    """
    names: dict[str, None] = {}
    for pattern in patterns:
        for model in listed_models(pattern):
            names[model.name] = None
    load_paddle()
    targets = []
    for name in names:
        targets.append(Target(name, partial(_exported, name), lambda case: UNTRAINED))
    return targets


def bundle_targets(folders: Sequence[str]) -> list[Target]:
    """The bundles, under names that do not depend on their order.

    A bundle has its architecture's name, and its folder too where several have one architecture, or where the
    published figures are for another input size.

    Raises:
        UserError: A folder holds no bundle.
    """
    bundles = list(map(Bundle.load, dict.fromkeys(map(Path, folders))))
    count = Counter(bundle.architecture for bundle in bundles)
    targets = []
    for bundle in bundles:
        name = bundle.architecture
        if count[name] > 1 or not _has_published_size(bundle):
            name = f"{name} in {bundle.folder}"
        target = Target(name, partial(_opened, bundle), partial(_digest_of, bundle))
        targets.append(target)
    return targets


def _has_published_size(bundle: Bundle) -> bool:
    """Whether the published figures are for inputs like the bundle's."""
    info = MODELS.get(bundle.architecture)
    return info is not None and bundle.input.shape[1:] == info.input_size


@contextlib.contextmanager
def _exported(name: str) -> Iterator[tuple[Bundle, Open]]:
    # Imports Paddle
    from ppcls.benchmark.shipped_bundles import open_untrained, untrained_bundle

    with tempfile.TemporaryDirectory(prefix="ppcls-latency-") as folder:
        yield untrained_bundle(name, Path(folder) / name), open_untrained


@contextlib.contextmanager
def _opened(bundle: Bundle) -> Iterator[tuple[Bundle, Open]]:
    yield bundle, open_backend


def _digest_of(bundle: Bundle, case: LatencyCase) -> str:
    return form_digest(bundle, Form(case.backend, case.precision))
