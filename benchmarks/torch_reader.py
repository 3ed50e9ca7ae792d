"""Training pictures read by torchvision and WebDataset, for `reader.py --against`.

It runs in an environment with `benchmarks/requirements-torch.txt`:

    python benchmarks/torch_reader.py WAY SOURCE ROOT

WAY is `torchvision, Pillow` (RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize on pictures of Pillow),
`torchvision, tensors` (the same on what `torchvision.io` decodes), or one that begins with `webdataset`, Pillow's on
the samples of a shard. SOURCE is a list of pictures, or the shard. For every line of standard input it reads an epoch
in batches of 64, float32 [N, 3, 224, 224], on one thread, and prints the seconds of processor time per picture.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision import io
from torchvision.transforms import v2

BATCH = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def transforms(first: Any, antialias: bool = True) -> Any:
    """The transforms of the recipe, behind `first`; Pillow's resizing always smooths."""
    return v2.Compose(
        [
            first,
            v2.RandomResizedCrop(224, antialias=antialias),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def opened(path: str) -> Image.Image:
    """A picture, by Pillow."""
    return Image.open(path).convert("RGB")


def decoded(path: str) -> torch.Tensor:
    """A picture, uint8 [3, H, W]."""
    return io.decode_image(io.read_file(path), io.ImageReadMode.RGB)


def pictures(way: str, source: str, root: str) -> Iterator[torch.Tensor]:
    """The pictures of an epoch, transformed."""
    if way.startswith("webdataset"):
        import webdataset

        data = webdataset.WebDataset(source, shardshuffle=False).shuffle(1000)
        transform = transforms(v2.Identity())
        for picture, _ in data.decode("pilrgb").to_tuple("jpg;jpeg;png", "cls"):
            yield transform(picture)
        return
    if way.endswith("Pillow"):
        transform = transforms(v2.Lambda(opened))
    else:
        transform = transforms(v2.Lambda(decoded), antialias=False)
    rows = Path(source).read_text(encoding="utf-8").splitlines()
    for place in torch.randperm(len(rows)).tolist():
        yield transform(str(Path(root, rows[place].split()[0])))


def main() -> None:
    """Read epochs when asked."""
    torch.set_num_threads(1)
    for _ in sys.stdin:
        begin, count = time.process_time(), 0
        batch: list[torch.Tensor] = []
        for picture in pictures(*sys.argv[1:4]):
            batch.append(picture)
            count += 1
            if len(batch) == BATCH:
                torch.stack(batch)
                batch = []
        if batch:
            torch.stack(batch)
        print((time.process_time() - begin) / count, flush=True)


if __name__ == "__main__":
    main()
