"""Packs pictures into tar shards, `NAME-000000.tar`, whose bytes depend on the pictures and the options alone.

    DST/NAME-000000.tar     KEY.jpg, KEY.cls, KEY.jpg, KEY.cls, ...
    DST/manifest.json       shards, their counts and digests, the class names, and the options

A shard is written aside and renamed, then noted; so a killed run continues with the next one when it is repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ppcls.data.class_folders import read_class_folders
from ppcls.data.image_list import read_list_file
from ppcls.data.labels import ImageList
from ppcls.data.shards.manifest import FORMAT, MANIFEST, parse_manifest
from ppcls.data.shards.options import DEFAULT_SIZE, PackOptions, check_options
from ppcls.data.shards.write import (
    Encoding,
    Entry,
    Shard,
    keys_of,
    refusal,
    write_shard,
)
from ppcls.data.transforms import UnreadableImage
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, make_folders, sha256_of, write_atomically
from ppcls.utils.lock import claimed
from ppcls.utils.threads import ThreadPool

_PROGRESS = ".manifest.json"
_MEASURED = 64  # pictures whose mean size says how many fill a shard
_ORDER = 103  # first word of an address, apart from those of ppcls.data.shards.order
Pictures = list[Entry]


@dataclass(frozen=True)
class Packed:
    """What was written: the folder's manifest, and by path why a picture was left out."""

    manifest: Path
    shards: int
    pictures: int
    size: int
    unreadable: dict[str, str]

    def __str__(self) -> str:
        size = f"{self.size / 2**20:,.1f} MiB"
        return f"{self.manifest}: {self.shards:,} shards, {self.pictures:,} pictures, {size}"


def pack(
    source: PathLike,
    target: PathLike,
    list_file: PathLike | None = None,
    options: PackOptions | None = None,
    workers: int = 1,
    on_error: str = "skip",
) -> Packed:
    """Pack the pictures of `source` into `target`; continue where an earlier run was interrupted.

    Args:
        source: one folder per class, or what the paths of `list_file` are relative to.
        target: the folder of the shards, whose names begin with its own.
        list_file: `relative/path label` lines.
        options: what decides the bytes, None for the defaults; those of a run that is continued must be the same.
        workers: shards that are written at a time.
        on_error: `skip` leaves a picture that cannot be read out and names it; `raise` stops.

    Raises:
        UserError: nothing is to be packed, `target` holds something else, or options have changed.
        UnreadableImage: a picture cannot be read, and `on_error` is `raise`.
    """
    expect(workers >= 1, f"--workers is {workers}; give a number of at least 1")
    options = options or PackOptions()
    root, folder = Path(source), Path(target).absolute()
    images = _images(root, list_file)
    pictures = _entries(images, root, options)
    with (
        claimed(folder, "packing into", "wait until it ends, or give another DST"),
        _undone_if_empty(folder),
    ):
        return _pack(folder, images, pictures, options, workers, on_error)


@contextlib.contextmanager
def _undone_if_empty(folder: Path) -> Iterator[None]:
    """Leave a folder as it was if packing ends before its first shard, so that nothing could be continued."""
    is_new, is_begun = not folder.exists(), (folder / _PROGRESS).exists()
    try:
        yield
    except BaseException:
        if folder.is_dir() and not is_begun and not any(folder.glob("*.tar")):
            _delete_left_overs(folder)
            if is_new:
                folder.rmdir()
        raise


def _pack(
    folder: Path,
    images: ImageList,
    pictures: Pictures,
    options: PackOptions,
    workers: int,
    on_error: str,
) -> Packed:
    progress = _begin(folder, options, pictures, images)
    size = progress["pictures_per_shard"]
    chunks = [pictures[start : start + size] for start in range(0, len(pictures), size)]
    _write_missing(
        folder, progress, chunks, options.encoding(on_error == "skip"), workers
    )
    records = progress["shards"]
    unreadable = {
        path: reason
        for record in records
        for path, reason in record["unreadable"].items()
    }
    if unreadable and on_error == "raise":
        raise refusal(*next(iter(unreadable.items())))
    pictures_packed, size_packed = (
        sum(record[name] for record in records) for name in ("pictures", "bytes")
    )
    _save(folder / MANIFEST, {**progress, "pictures": pictures_packed})
    _delete_left_overs(folder)
    return Packed(
        folder / MANIFEST, len(records), pictures_packed, size_packed, unreadable
    )


def _delete_left_overs(folder: Path) -> None:
    """Delete unfinished shards and manifests, also of a killed run; other hidden files are a user's."""
    ours = re.compile(
        rf"\.{re.escape(_prefix(folder))}-\d{{6}}\.tar\.part|\.manifest\.json|\.{{1,2}}manifest\.json\.\d+"
    )
    for path in list(folder.iterdir()):
        if ours.fullmatch(path.name):
            path.unlink()


def _images(root: Path, list_file: PathLike | None) -> ImageList:
    if list_file is not None:
        return read_list_file(str(list_file), str(root), None)
    return read_class_folders(str(root), None)


def _entries(images: ImageList, root: Path, options: PackOptions) -> Pictures:
    keys = keys_of(images.paths, root)
    entries = [Entry(*row) for row in zip(keys, images.paths, images.labels.tolist())]
    if options.keep_order:
        return entries
    return [
        entries[place]
        for place in np.random.default_rng((_ORDER, 0)).permutation(len(entries))
    ]


def _begin(
    folder: Path, options: PackOptions, pictures: Pictures, images: ImageList
) -> dict[str, Any]:
    """The state of the packing: a new one, or what an earlier run has noted."""
    rows = "".join(f"{entry.key}\0{entry.label}\n" for entry in pictures)
    asked = {
        **asdict(options),
        "pictures_sha256": hashlib.sha256(
            rows.encode("utf-8", "surrogateescape")
        ).hexdigest(),
    }
    for name in (_PROGRESS, MANIFEST):
        if (folder / name).is_file():
            noted = parse_manifest((folder / name).read_bytes(), folder / name)
            check_options(folder, noted.get("options") or {}, asked)
            return noted
    taken = sorted(path.name for path in folder.glob("*.tar"))
    if taken:
        raise UserError(
            f"{folder / taken[0]} is there already, and no manifest tells of it; give another DST"
        )
    progress = {
        "format": FORMAT,
        "options": asked,
        "pictures_per_shard": options.shard_count or _fitting(pictures, options),
        "class_names": images.class_names,
        "largest_label": int(images.labels.max()),
        "shards": [],
    }
    make_folders(folder)
    _save(folder / _PROGRESS, progress)
    return progress


def _fitting(pictures: Pictures, options: PackOptions) -> int:
    """Pictures that fill a shard of the size that is asked for."""
    encoding = options.encoding()
    places = np.unique(np.linspace(0, len(pictures) - 1, _MEASURED).astype(int))
    sizes = []
    for place in places.tolist():
        try:
            # Two headers, a label, padding
            sizes.append(len(encoding.encode(pictures[place].path)[1]) + 2048)
        except UnreadableImage:  # named when its shard is written
            continue
    if sizes:
        return max(
            1, int((options.shard_size or DEFAULT_SIZE) * 2**20 / np.mean(sizes))
        )
    return len(pictures)


def _write_missing(
    folder: Path,
    progress: dict[str, Any],
    chunks: Sequence[Pictures],
    encoding: Encoding,
    workers: int,
) -> None:
    """Writes the shards that are not there whole; notes each as it is done, in the order of their names."""
    noted = {record["name"]: record for record in progress["shards"]}
    stop = threading.Event()

    def make(number: int, name: str) -> tuple[int, Shard]:
        record = noted.get(name)
        if record is not None and _is_whole(folder / name, record):
            return number, record
        return number, write_shard(folder / name, chunks[number], encoding, stop)

    done: dict[int, Shard] = {}
    prefix = _prefix(folder)
    names = [f"{prefix}-{number:06d}.tar" for number in range(len(chunks))]
    pool = ThreadPool(workers)
    try:
        waiting: list[Future] = [
            pool.submit(make, number, name) for number, name in enumerate(names)
        ]
        for future in tqdm(waiting, unit="shard", disable=None):
            number, record = future.result()
            done[number] = record
            if record is not noted.get(record["name"]):
                noted[record["name"]] = record
                progress["shards"] = [noted[name] for name in names if name in noted]
                _save(folder / _PROGRESS, progress)
    finally:
        # Whatever ended this, a half-written shard is not worth waiting for
        stop.set()
        pool.shutdown(cancel_futures=True)
    progress["shards"] = [done[number] for number in range(len(chunks))]


def _prefix(folder: Path) -> str:
    """What the names of the shards begin with: the folder's name, in the characters that a manifest may have."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", folder.name)[:200].lstrip(".-")
    return plain if re.search("[A-Za-z0-9]", plain) else "shard"


def _is_whole(path: Path, record: Shard) -> bool:
    return (
        path.is_file()
        and path.stat().st_size == record["bytes"]
        and sha256_of(path) == record["sha256"]
    )


def _save(path: Path, manifest: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(manifest, indent=1, ensure_ascii=True).encode())
