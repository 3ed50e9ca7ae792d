"""Paddle's `.pdparams`: a pickled dictionary of arrays. Our record is one more entry, which `paddle.load` keeps."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.untrusted.state_dicts import only_arrays, unwrap
from ppcls.untrusted.unpickle import load_pickle
from ppcls.untrusted.weight_content import RECORD, Content, parse_record


def read_pdparams(path: Path, use_ema: bool = True) -> Content:
    """Reads arrays and record of a file that `paddle.save` or `write_pdparams` wrote; `use_ema` as in `unwrap`.

    Raises:
        UserError: it is damaged, asks for more than data, or holds no weights.
    """
    state = unwrap(path, load_pickle(path), use_ema)
    record = parse_record(path, state.pop(RECORD)) if RECORD in state else None
    return only_arrays(path, state), record


def write_pdparams(
    path: Path, arrays: dict[str, np.ndarray], record: str | None
) -> None:
    """Writes what every `paddle.load` reads; the record is JSON text."""
    state: dict[str, Any] = dict(arrays)
    if record is not None:
        state[RECORD] = record
    with path.open("wb") as file:
        _Pickler(file, protocol=4).dump(state)


class _Pickler(pickle._Pickler):
    """Names numpy's function as every version of numpy knows it: before 2.0 there is no `numpy._core`."""

    write: Callable[[bytes], Any]
    memoize: Callable[[Any], None]

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if getattr(obj, "__name__", None) == "_reconstruct":
            self.write(b"cnumpy.core.multiarray\n_reconstruct\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)  # type: ignore[misc]
