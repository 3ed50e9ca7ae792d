"""What `ppcls benchmark latency` measures: bundles that are there, and models that are exported for it."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ppcls.utils.load_paddle import load_paddle

if TYPE_CHECKING:
    from ppcls.benchmark.latency import Open, Way
    from ppcls.inference.bundle import Bundle


class Target(NamedTuple):
    """Something to measure.

    Attributes:
        opened: gives a bundle, and what opens its backends.
        digest_of: of what a way of running it runs, for the rows.
    """

    opened: Callable[[], contextlib.AbstractContextManager[tuple[Bundle, Open]]]
    digest_of: Callable[[Way], str]


def untrained(patterns: Sequence[str]) -> dict[str, Target]:
    """The models that match, each exported when it is its turn, and deleted after it."""
    from ppcls.arch.listing import listed_models

    names = dict.fromkeys(
        model.name for pattern in patterns for model in listed_models(pattern)
    )
    load_paddle()
    from ppcls.benchmark.shipped_bundles import open_untrained, untrained_bundle

    @contextlib.contextmanager
    def target(name: str) -> Iterator[tuple[Bundle, Open]]:
        with tempfile.TemporaryDirectory(prefix="ppcls-latency-") as folder:
            yield untrained_bundle(name, Path(folder) / name), open_untrained

    # Initial weights are others in every export: what is measured is known by its name, and the heading's versions.
    return {
        name: Target(partial(target, name), lambda way: "untrained") for name in names
    }


def given(folders: Sequence[str]) -> dict[str, Target]:
    """The bundles by their names, which do not depend on the order.

    A bundle has its architecture's name, with its folder where several are of one architecture, or where the published
    figures are of another kind.
    """
    from ppcls.arch.model_table import MODELS
    from ppcls.inference.bundle import Bundle

    bundles = [Bundle.load(folder) for folder in dict.fromkeys(map(Path, folders))]
    count = Counter(bundle.architecture for bundle in bundles)
    found: dict[str, Target] = {}
    for bundle in bundles:
        name, info = bundle.architecture, MODELS.get(bundle.architecture)
        if count[name] > 1 or info is None or bundle.input.shape[1:] != info.input_size:
            name = f"{name} in {bundle.folder}"
        found[name] = Target(partial(_as_it_is, bundle), partial(_digest_of, bundle))
    return found


def _digest_of(bundle: Bundle, way: Way) -> str:
    from ppcls.deployment.verify.forms import Form, form_digest

    return form_digest(bundle, Form(way.backend, way.precision))


@contextlib.contextmanager
def _as_it_is(bundle: Bundle) -> Iterator[tuple[Bundle, Open]]:
    from ppcls.inference.backends import open_backend

    yield bundle, open_backend
