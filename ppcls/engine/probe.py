"""`ppcls probe`: what models are worth on a user's pictures before any of them is trained.

Each model's backbone computes the features of all pictures once. A linear classifier (Alain and Bengio 2016,
arXiv:1610.01644) and the nearest neighbours by cosine (Caron et al. 2021, arXiv:2104.14294, section 4.1) then learn
from some of them and are asked about the others, in stratified cross-validation: every picture is asked about once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.listing import listed_models
from ppcls.arch.weights.load import build_with_weights, locate_weights
from ppcls.arch.weights.sources import find_source
from ppcls.data.labels import ImageList
from ppcls.data.loader import ImageLoader
from ppcls.data.own_list import read_own_pictures
from ppcls.data.transforms import Pipeline
from ppcls.engine.frozen import FeatureLoader, FrozenBackbone, kept_features
from ppcls.utils.environment import import_optional
from ppcls.utils.errors import expect

FOLDS = 5
NEIGHBOURS = 5
_BATCH = 16
_DEVIATIONS = 1.96  # of a normal distribution, for 95 %


@dataclass(frozen=True)
class Accuracy:
    """How many of some pictures were right."""

    correct: int
    pictures: int

    @property
    def share(self) -> float:
        """Of all pictures."""
        return self.correct / self.pictures

    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the share (Wilson 1927, without continuity correction)."""
        n, p, z = self.pictures, self.share, _DEVIATIONS
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{100 * self.share:.1f} ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True)
class Probed:
    """A model, the length of its features and how well they tell a user's classes apart."""

    model: str
    features: int
    linear: Accuracy
    neighbours: Accuracy


def probe(
    source: str, models: Sequence[str], weights: str | None = None
) -> list[Probed]:
    """Probe models on a folder or list of pictures; the best comes first.

    Args:
        source: See `ppcls.data.own_list.read_own_pictures`.
        models: Names or shell patterns, each with `/SOURCE` for the weights of another source than the first.
        weights: A file in place of published weights.

    Raises:
        UserError: No model matches, there are no weights or too few pictures of a class.
        Unavailable: scikit-learn is not installed.
    """
    import_optional("sklearn", "scikit-learn", "probe")
    folder = read_own_pictures(source)
    numbered = [*folder.train, *folder.val]
    labels = np.array([label for _, label in numbered], np.int64)
    fewest = int(np.bincount(labels, minlength=len(folder.class_names)).min())
    expect(
        fewest >= 2,
        f"{source}: a class has {fewest} pictures; a probe learns from some and asks about others, so give two or more",
    )
    pictures = ImageList([str(Path(folder.root, path)) for path, _ in numbered], labels)
    found = []
    for pattern in models:
        name, _, origin = pattern.partition("/")
        for listed in listed_models(name):
            features, kept = _features(listed.name, origin or weights or True, pictures)
            folds = min(FOLDS, fewest)
            title = f"{listed.name}/{origin}" if origin else listed.name
            probed = Probed(
                title, features.shape[1], *_accuracies(features, labels[kept], folds)
            )
            found.append(probed)
    return sorted(found, key=lambda each: -each.linear.correct)


def _features(
    name: str, pretrained: str | bool, pictures: ImageList
) -> tuple[np.ndarray, np.ndarray]:
    """Features [N, channels] of the pictures that can be read, and their indices."""
    found = locate_weights(name, pretrained)
    params = BACKBONES[name](name=name, freeze="backbone")
    model = build_with_weights(params, found, new_classifier=True).model
    source = (
        None
        if isinstance(pretrained, bool) or Path(pretrained).exists()
        else pretrained
    )
    pipeline = Pipeline.from_list(
        find_source(name, source).preprocessing.transform_ops()
    )
    loader = ImageLoader(pictures, pipeline, batch_size=_BATCH, on_error="skip")
    reader = FeatureLoader(
        loader,
        # An engine would keep the memory of every model until the end
        backbone := FrozenBackbone(model, exports=False),
        kept_features(backbone, pipeline),
    )
    rows, kept = [], []
    for batch in reader.epoch(0):
        if len(batch.index):
            features = (
                batch.image
                if batch.image.shape[-1] == 1
                else paddle.mean(batch.image, [2, 3])
            )
            rows.append(features.flatten(1).numpy())
            kept.append(batch.index)
    expect(rows, f"not one of {len(pictures)} pictures can be read")
    return np.concatenate(rows), np.concatenate(kept)


def _accuracies(
    features: np.ndarray, labels: np.ndarray, folds: int
) -> tuple[Accuracy, Accuracy]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    division = StratifiedKFold(folds, shuffle=True, random_state=0)
    smallest = len(labels) - math.ceil(len(labels) / folds)
    classifiers = (
        make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)),
        KNeighborsClassifier(min(NEIGHBOURS, smallest), metric="cosine"),
    )
    counts = []
    for classifier in classifiers:
        answers = cross_val_predict(classifier, features, labels, cv=division)
        counts.append(Accuracy(int((answers == labels).sum()), len(labels)))
    return counts[0], counts[1]
