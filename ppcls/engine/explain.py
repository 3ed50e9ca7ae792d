"""`ppcls explain`: where in a picture a model sees a class."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import cv2
import numpy as np

from ppcls.analysis.evaluation_page import percent, printable
from ppcls.analysis.heat_maps import grad_cam, occlusion_map, overlaid, seen_by
from ppcls.analysis.page import Page, Tile
from ppcls.analysis.thumbnails import thumbnail
from ppcls.data.picture_items import Address, NoPicture, Picture
from ppcls.data.picture_sources import pictures_of
from ppcls.data.transforms import UnreadableImage
from ppcls.engine.opened import Opened, open_model
from ppcls.utils.errors import UserError, expect, suggest
from ppcls.utils.files import make_folders, write_atomically

METHODS = ("auto", "gradcam", "occlusion")
PAGE_FILE, TABLE_FILE = "explain.html", "explain.csv"
_HEADER = ("picture", "class_id", "name", "score", "method", "map", "error")
_SIDE = 224  # pixels of a tile


@dataclass(frozen=True)
class Explained:
    """A picture and where its class was seen.

    Attributes:
        picture: Its path or address.
        class_id: The class, or None where the picture could not be read.
        name: The class's name.
        score: Its probability.
        file: The picture with the map, in the folder.
        error: Why the picture could not be read; empty otherwise.
    """

    picture: str
    class_id: int | None = None
    name: str = ""
    score: float = 0.0
    file: str = ""
    error: str = ""


def explain(
    model: str,
    pictures: Sequence[str],
    folder: str,
    class_name: str | None = None,
    method: str = "auto",
) -> Iterator[Explained]:
    """Write each picture with a map of where a class was seen, and a page of all; give each when it is written.

    Args:
        model: A run, a checkpoint, a configuration, a bundle, or a published model; see `open_model`.
        pictures: Files, folders, patterns or addresses.
        folder: Gets the pictures, explain.html and explain.csv; what an earlier call wrote there is replaced.
        class_name: The class by name or number; None takes each picture's best one.
        method: `gradcam`, `occlusion`, or `auto`: Grad-CAM where the network is there, occlusion for bundles.

    Raises:
        UserError: The model, the pictures, the class or the folder is not usable.
    """
    place = Path(folder)
    _require_place(place)
    listed = [each for source in pictures for each in pictures_of(source)]
    opened = open_model(model)
    expect(
        method != "gradcam" or opened.network is not None,
        f"{model} is a bundle, which has no gradients; leave the method out, or give the run that it was exported from",
    )
    if method == "auto":
        method = "occlusion" if opened.network is None else "gradcam"
    class_id = None if class_name is None else _class_id(opened, class_name)
    return _explained(opened, listed, place, class_id, method)


def _explained(
    opened: Opened,
    pictures: Sequence[Picture],
    folder: Path,
    class_id: int | None,
    method: str,
) -> Iterator[Explained]:
    make_folders(folder)
    rows, tiles = [], []
    names = _file_names(pictures)
    for picture, name in zip(pictures, names):
        try:
            data = _content(picture)
            inputs = opened.pipeline(data)
            pixels = seen_by(opened.pipeline, data)
        except UnreadableImage as error:
            row = Explained(str(picture.source), error=error.reason)
        else:
            row, heat = _map(
                opened, str(picture.source), inputs, class_id, method, name
            )
            laid = overlaid(pixels, heat)
            write_atomically(folder / name, _as_png(laid), sync=False)
            tiles.append(_tile(row, pixels, laid))
        rows.append(row)
        yield row
    _write_table(rows, folder, method)
    _page_of(opened, tiles, method).write(folder / PAGE_FILE)


def _map(
    opened: Opened,
    picture: str,
    inputs: np.ndarray,
    class_id: int | None,
    method: str,
    file: str,
) -> tuple[Explained, np.ndarray]:
    scores = opened.backend.run(inputs[np.newaxis])[0]
    shown = int(scores.argmax()) if class_id is None else class_id
    if method == "gradcam":
        heat = grad_cam(opened.network, inputs[np.newaxis], [shown])[0]
    else:
        heat = occlusion_map(opened.backend.run, inputs, shown)
    name = opened.class_names[shown] if opened.class_names else str(shown)
    return Explained(picture, shown, name, float(scores[shown]), file), heat


def _class_id(opened: Opened, given: str) -> int:
    names = list(opened.class_names or ())
    if given in names:
        return names.index(given)
    if given.isdecimal() and int(given) < opened.class_num:
        return int(given)
    raise UserError(
        f"--class {given}: {opened.name} has no such class{suggest(given, names)}; write a name or a number from 0 to "
        f"{opened.class_num - 1}"
    )


def _content(picture: Picture) -> bytes:
    content = picture.content
    if isinstance(content, NoPicture):
        raise UnreadableImage(content.reason)
    if isinstance(content, Address):
        return content.load()
    assert isinstance(content, Path)  # the command line names nothing else
    try:
        return content.read_bytes()
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from error


def _as_png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def _file_names(pictures: Sequence[Picture]) -> list[str]:
    """A file name for each picture, unlike all others."""
    names: list[str] = []
    taken: set[str] = set()
    for picture in pictures:
        stem = printable(PurePath(str(picture.source)).stem) or "picture"
        name, number = f"{stem}.png", 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}.png"
        taken.add(name.lower())
        names.append(name)
    return names


def _tile(row: Explained, pixels: np.ndarray, laid: np.ndarray) -> Tile:
    shown = printable(PurePath(row.picture).name)
    answer = f"{printable(row.name)} {percent(row.score)}"
    pair = [thumbnail(pixels, _SIDE), thumbnail(laid, _SIDE)]
    return Tile(
        pair, f"{answer}\n{shown}", f"{shown}: {answer}", (printable(row.name),)
    )


def _page_of(opened: Opened, tiles: Sequence[Tile], method: str) -> Page:
    page = Page(f"What {opened.architecture} sees", printable(opened.name))
    if method == "gradcam":
        how = "Grad-CAM: bright is where the network found what speaks for the class."
    else:
        how = "Occlusion: bright is what cost the class most when it was hidden."
    page.paragraph(
        f"{how} Each pair is the picture as the model gets it, and the same with the map."
    )
    groups = sorted({group for tile in tiles for group in tile.groups})
    if len(groups) > 1:
        page.filter("Show the class", groups)
    page.tiles(tiles)
    return page


def _require_place(folder: Path) -> None:
    expect(
        not folder.exists() or folder.is_dir(),
        f"{folder} is a file, and the maps need a folder; give another place",
    )
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    table = folder / TABLE_FILE
    is_ours = False
    if table.is_file():
        with table.open("rb") as file:
            is_ours = file.readline() == f"{','.join(_HEADER)}\n".encode()
    expect(
        is_ours,
        f"{folder} holds other files, among which a map could replace one; give a new folder",
    )


def _write_table(rows: Sequence[Explained], folder: Path, method: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    for row in rows:
        if row.error:
            writer.writerow([row.picture, "", "", "", method, "", row.error])
            continue
        score = f"{row.score:.6g}"
        writer.writerow(
            [row.picture, row.class_id, row.name, score, method, row.file, ""]
        )
    content = text.getvalue().encode("utf-8", "surrogateescape")
    write_atomically(folder / TABLE_FILE, content, sync=False)
