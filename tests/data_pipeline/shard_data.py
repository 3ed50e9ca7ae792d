"""Shards of pictures whose value is their number and whose label is twice that."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from helpers.pictures import encoded, solid
from ppcls.data.labels import ImageList
from ppcls.data.loader import ImageLoader
from ppcls.data.shards import ShardList, open_shards
from ppcls.data.shards.manifest import FORMAT
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline

PLAIN = Pipeline([DecodeImage(), CropImage(2), NormalizeImage(scale=1.0, mean=(0, 0, 0), std=(1, 1, 1))])


def tar(members: Iterable[tuple[str, bytes]], kind: str = "w") -> bytes:
    """A tar of these names and contents."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=kind) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def sample(number: int) -> list[tuple[str, bytes]]:
    """The members of one picture."""
    return [(f"p{number}.png", encoded(solid(number, 4, 3))), (f"p{number}.cls", f"{2 * number}\n".encode())]


def write_shards(folder: Path, counts: Sequence[int]) -> Path:
    """Shards of so many pictures each, numbered through; the path of their manifest."""
    numbers = iter(range(sum(counts)))
    shards = []
    for place, count in enumerate(counts):
        path = folder / f"t-{place:06d}.tar"
        path.write_bytes(tar(member for _ in range(count) for member in sample(next(numbers))))
        shards.append({"name": path.name, "pictures": count, "bytes": path.stat().st_size})
    manifest = {"format": FORMAT, "class_names": None, "largest_label": 2 * sum(counts) - 2, "shards": shards}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "manifest.json"


def shard_list(given: Any, buffer: int = 3, length: int | None = None, class_num: int = 1000) -> ShardList:
    return open_shards(str(given) if isinstance(given, Path) else given, class_num, buffer, length)


def loader(images: ShardList | ImageList, **keys: Any) -> ImageLoader:
    return ImageLoader(images, keys.pop("transforms", PLAIN), **{"batch_size": 4, "shuffle": True, **keys})


def chained(lists: Iterable[Sequence[Any]]) -> list[Any]:
    """The items of all lists."""
    return list(itertools.chain.from_iterable(lists))


def numbers(batch: Any) -> list[int]:
    """The pictures of a batch by their values; label, index and path must be theirs."""
    found = batch.image.numpy()[:, 0, 0, 0].astype(int).tolist() if len(batch.index) else []
    assert batch.label.numpy().tolist() == [2 * number for number in found]
    assert [path.rpartition("/")[2] for path in batch.paths] == [f"p{number}" for number in found]
    return found
