"""`Classifier`: pictures by a bundle, or by a published model's name."""

from __future__ import annotations

import os

import ppcls.inference.classifier
from ppcls.utils.files import PathLike


class Classifier(ppcls.inference.classifier.Classifier):
    """Classifies pictures by a bundle, an inference model of PaddleClas, or a published model.

    `Classifier("inference")` takes the path of the first two; `Classifier("DLA34")` and `Classifier("DLA34/timm")` the
    name of a model that `ppcls models` lists with weights, of which a bundle is made in the cache once. The arguments
    are those of `ppcls.inference.Classifier`.

    Raises:
        UserError: The bundle or model does not exist or cannot be downloaded, or an argument cannot be used.
    """

    def _located(self, path: PathLike) -> PathLike:
        """The path of the model: the one that is given, or that of a published model's bundle."""
        path = super()._located(path)
        if os.path.lexists(path):
            return path
        # Loads the table of models
        from ppcls.api.published import place_of

        return place_of(path)
