"""What the runtime costs over the bare engine, on the same program, threads and inputs.

`run` feeds finished tensors to the backend and to the engine; `pictures` feeds files' bytes to `Classifier.predict`,
and to a loop of preprocessing, engine and sorting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ppcls.inference import Bundle, Classifier
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.settings import Settings
from prediction.bare import engines, open_bare
from prediction.rounds import ratio, run_rounds

PICTURES = 16
GOAL = 1.03


def measure(bundle: Bundle, rounds: int) -> None:
    for engine in engines(bundle):
        bare = open_bare(bundle, engine)
        for batch_size in (1, 8):
            classifier = Classifier(
                bundle, backend=engine, batch_size=batch_size, **stated()
            )
            for name, ways in (
                ("run", tensors(bundle, classifier, bare, batch_size)),
                ("pictures", pictures(bundle, classifier, bare, batch_size)),
            ):
                spent = run_rounds(ways, rounds, warm=True)
                cost = ratio(spent["ours"].seconds, spent["bare"].seconds)
                print(
                    f"{engine:11} batch {batch_size} {name:8} bare {spent['bare'].per(PICTURES)}"
                )
                print(
                    f"{'':31} ours {spent['ours'].per(PICTURES)}; x {cost:.3f} (goal at most {GOAL})"
                )


def stated() -> dict[str, Any]:
    """What a bundle's own settings must not decide here."""
    return {"precision": "float32", "requests": Settings().requests}


def tensors(
    bundle: Bundle, classifier: Classifier, bare: Any, batch_size: int
) -> dict[str, Callable[[], Any]]:
    batches = [
        np.stack([bundle.pipeline(GOLDEN_PICTURE.read_bytes())] * batch_size)
    ] * (PICTURES // batch_size)
    ours = open_backend(bundle, classifier.settings).run
    return {
        "ours": lambda: [ours(batch) for batch in batches],
        "bare": lambda: [bare(batch) for batch in batches],
    }


def pictures(
    bundle: Bundle, classifier: Classifier, bare: Any, batch_size: int
) -> dict[str, Callable[[], Any]]:
    files = [GOLDEN_PICTURE.read_bytes()] * PICTURES

    def loop() -> list[np.ndarray]:
        results: list[np.ndarray] = []
        for start in range(0, PICTURES, batch_size):
            batch = np.stack(
                [bundle.pipeline(file) for file in files[start : start + batch_size]]
            )
            results += [np.argsort(-scores)[:5] for scores in bare(batch)]
        return results

    return {"ours": lambda: list(classifier.predict(files)), "bare": loop}
