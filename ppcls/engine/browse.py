"""A page of what a training will see: its pictures, the effect of each transform, and its learning rates."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.analysis import figures
from ppcls.analysis.page import Page, Tile
from ppcls.analysis.thumbnails import thumbnail
from ppcls.config import Config
from ppcls.data.picture_files import read_file
from ppcls.data.transforms import Pipeline
from ppcls.data.transforms.normalize import NormalizeImage
from ppcls.engine import build
from ppcls.engine.lr_finder import batches_of
from ppcls.engine.trainer import groups
from ppcls.utils.errors import Unavailable, expect

# Labels of a mixed picture below this share are left out of its caption
_LEAST_SHARE = 0.02
_DRAWS = 4
_MOST_POINTS = 2000


def write_browse_page(config: Config, path: Path, pictures: int) -> None:
    """Write the page.

    Args:
        config: The configuration, with a training part.
        path: The page's file; an earlier one is replaced.
        pictures: How many pictures the sheet has.

    Raises:
        UserError: The training would be refused.
    """
    assert config.DataLoader.Train is not None and config.Optimizer is not None
    section = config.DataLoader.Train
    images = build.images(section, config.Arch.class_num)
    # In this process: workers would read more than is shown
    here = dataclasses.replace(
        section, loader=dataclasses.replace(section.loader, num_workers=0)
    )
    reader = build.loader(here, images, config, on_error="skip")
    names = images.class_names or []
    page = Page(
        f"What {config.Arch.name} is trained on", _described(config, len(images))
    )
    page.heading("Pictures as the training sees them")
    page.paragraph(
        "The first pictures of the first epoch, after every transform, with their labels; of a mixed picture with the "
        "share of each label.", "soft",
    )  # fmt: skip
    tiles, first = _sheet(
        reader, Pipeline(section.dataset.transform_ops), names, pictures
    )
    page.tiles(tiles)
    page.heading("What each transform does")
    _effects(page, section.dataset.transform_ops, first, config.Global.seed)
    page.heading("The learning rate")
    _schedule(page, config, groups(reader.steps_per_epoch, config.Global.update_freq))
    page.write(path)


def shown_pixels(image: np.ndarray, pipeline: Pipeline) -> np.ndarray:
    """Return the model's input as pixels again.

    Args:
        image: float32 [C, H, W].
        pipeline: What made it; its normalisation is undone.

    Returns:
        uint8 [H, W, 3] in RGB.
    """
    pixels = np.array(image, np.float32)
    for op in pipeline.ops:
        if isinstance(op, NormalizeImage):
            mean = np.array(op.mean, np.float32)[:, None, None]
            deviation = np.array(op.std, np.float32)[:, None, None]
            pixels = (pixels * deviation + mean) / op.scale
    return _rgb(pixels.transpose(1, 2, 0), pipeline.color)


def _rgb(pixels: np.ndarray, color: str) -> np.ndarray:
    whole = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    if color == "GRAY":
        return np.repeat(whole, 3, axis=2)
    return whole if color == "RGB" else whole[..., ::-1]


def label_text(label: np.ndarray, names: Sequence[str]) -> str:
    """Return the name of a label, or `70 % rose, 30 % tulip` of a mixed one.

    Args:
        label: An integer, or float32 [class_num].
        names: The names of the classes; the number is shown where there is none.
    """

    def name(index: int) -> str:
        return names[index] if index < len(names) else str(index)

    if label.ndim == 0:
        return name(int(label))
    order = np.argsort(-label, kind="stable")
    shares = [
        (int(index), float(label[index]))
        for index in order
        if label[index] >= _LEAST_SHARE
    ]
    if len(shares) == 1:
        return name(shares[0][0])
    return ", ".join(f"{share:.0%} {name(index)}" for index, share in shares)


def _described(config: Config, pictures: int) -> str:
    batch = build.global_batch(config)
    return f"{pictures:,} pictures, batches of {batch}, {config.Global.epochs} epochs"


def _sheet(
    reader: Any, pipeline: Pipeline, names: Sequence[str], wanted: int
) -> tuple[list[Tile], str]:
    """The first pictures, and the path of the first of them."""
    tiles: list[Tile] = []
    first = ""
    with contextlib.closing(batches_of(reader)) as batches:
        for batch in batches:
            first = first or batch.paths[0]
            image, labels = batch.image.numpy(), batch.label.numpy()
            for pixels, label, path in zip(image, labels, batch.paths):
                text = label_text(label, names)
                shown = thumbnail(shown_pixels(pixels, pipeline), 224)
                caption = f"{text}\n{Path(path).name}"
                tiles.append(Tile([shown], caption, f"A picture labelled {text}"))
            if len(tiles) >= wanted:
                return tiles[:wanted], first
    return tiles, first


def _effects(page: Page, ops: Sequence[Any], path: str, seed: int) -> None:
    """Show a picture before and after each transform that can be seen; random ones several times."""
    if not Path(path).is_file():
        page.paragraph("Pictures of shards are shown above only.", "soft")
        return
    decode, *others = ops
    pixels = decode(read_file(path))
    tiles = [
        Tile(
            [_small(pixels, decode.color)],
            f"{Path(path).name}\n{_size(pixels)}",
            "The picture as it is decoded",
        )
    ]
    for op in others:
        if isinstance(op, NormalizeImage):
            break  # what follows is not for the eye
        count = _DRAWS if op.draws else 1
        results = [
            op(pixels, np.random.default_rng((seed, draw))) for draw in range(count)
        ]
        if any(result.ndim != 3 or result.shape[2] not in (1, 3) for result in results):
            break
        for draw, result in enumerate(results):
            title = type(op).__name__ + (f", draw {draw + 1}" if op.draws else "")
            pair = [_small(pixels, decode.color), _small(result, decode.color)]
            tiles.append(
                Tile(
                    pair,
                    f"{title}\n{_size(pixels)} to {_size(result)}",
                    f"Before and after {title}",
                )
            )
        pixels = results[0]
    page.paragraph(
        "On the left before, on the right after; each takes what the one above it gave.",
        "soft",
    )
    page.tiles(tiles)


def _small(pixels: np.ndarray, color: str) -> bytes:
    return thumbnail(_rgb(np.asarray(pixels, np.float32), color), 224)


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"


def _schedule(page: Page, config: Config, steps_per_epoch: int) -> None:
    """Draw the learning rate over the epochs."""
    lr_at = build.learning_rate(config, steps_per_epoch)
    total = steps_per_epoch * config.Global.epochs
    expect(
        total > 0,
        "the training has no step; lower the batch size, or give more pictures",
    )
    steps = np.unique(np.linspace(0, total - 1, min(total, _MOST_POINTS)).astype(int))
    rates = [lr_at(int(step)) for step in steps]
    page.facts({
        "steps": f"{total:,}", "first": f"{rates[0]:.3g}", "highest": f"{max(rates):.3g}", "last": f"{rates[-1]:.3g}",
    })  # fmt: skip
    try:
        with figures.figure(9, 3) as (figure, axes):
            axes.plot(steps / steps_per_epoch, rates)
            axes.set(xlabel="epoch", ylabel="learning rate")
            axes.set_ylim(bottom=0)
            page.figure(
                figures.as_svg(figure, "schedule"), "The learning rate by epoch"
            )
    except Unavailable as error:
        page.paragraph(f"No curve is drawn: {error}", "warning")
