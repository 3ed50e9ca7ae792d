"""Where pictures and labels come from: the `dataset` of a configuration."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ppcls.data.class_folders import read_class_folders
from ppcls.data.image_list import read_list_file
from ppcls.data.labels import Classes, ImageList, load_class_names
from ppcls.data.transforms.base import Transform, WidthHeight, pair, set_field
from ppcls.data.transforms.geometry import CenterCrop, CropImage, Pad, ResizeImage
from ppcls.data.transforms.pipeline import Pipeline
from ppcls.utils.errors import expect
from ppcls.utils.fields import (
    CheckedFields,
    FieldError,
    NonNegativeInt,
    Operation,
    PositiveInt,
    ReadPath,
    UserPath,
    require,
)
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from ppcls.data.shards import ShardList


DATASETS = Registry("dataset")

Transforms = tuple[Annotated[Any, Operation("transform")], ...]
BatchTransforms = tuple[Annotated[Any, Operation("batch transform")], ...]
_KNOWN_SIZE = (100, 100)


def _finish(dataset: Any) -> None:
    """Check the keys that all datasets share."""
    set_field(dataset, "transform_ops", tuple(dataset.transform_ops))
    set_field(dataset, "batch_transform_ops", tuple(dataset.batch_transform_ops or ()))
    Pipeline(dataset.transform_ops)  # raises if their order is impossible
    check_crops(dataset.transform_ops)


@DATASETS.register()
@dataclass(frozen=True)
class ImageNetDataset(CheckedFields):
    """Pictures named by a list of one `relative/path label` line per picture, as PaddleClas has it, or by a table.

    A table is a `.csv` or other file of lines with the same fields, with or without a header, as Kaggle, pandas and
    spreadsheets write it. Labels are numbers from 0, numbers from 1 to Arch.class_num, or names.

    Args:
        image_root: what the paths are relative to; an empty text or null is the working directory, and suits absolute
            paths.
        cls_label_path: the list.
        transform_ops: preprocessing of a picture.
        batch_transform_ops: what acts on a whole batch, as Mixup does.
        delimiter: what separates path and label, or the fields of a table; null finds it: a blank, a tab, a comma or a
            semicolon.
        image_column: the column of the pictures in a table, by its name or counted from 0; null finds it.
        label_column: the same of the labels.
        on_error: what to do with a picture that cannot be read: `raise` ends the run, `skip` leaves it out and
            reports it. None skips while training, also in the evaluations of a training, though not in the trial
            before its first step; and raises in `eval`.
        class_names: a file of the class names in the order of their labels, `id name` or `name` per line, which the
            checkpoints of a training then carry.
        relabel: whether labels that are numbers are numbered in their order, so that 3, 7 and 9 become 0, 1 and 2. The
            checkpoints of a training carry the labels as the names of the classes, and evaluation looks its labels up
            in these; PaddleClas numbers each list by itself.
    """

    image_root: Annotated[str, ReadPath("dir", names=("",))]
    cls_label_path: Annotated[str, ReadPath("file")]
    transform_ops: Transforms
    batch_transform_ops: BatchTransforms = ()
    delimiter: str | None = None
    image_column: str | NonNegativeInt | None = None
    label_column: str | NonNegativeInt | None = None
    on_error: Literal["raise", "skip"] | None = None
    class_names: Annotated[str, ReadPath("file")] | None = None
    relabel: bool = False

    def __post_init__(self) -> None:
        _finish(self)
        super().__post_init__()
        if self.relabel and self.class_names is not None:
            raise ValueError(
                "relabel is set beside class_names, by whose order the labels are numbered; leave one of the two out"
            )
        require(
            self.delimiter != "",
            "delimiter is empty; write what stands between path and label, such as ' ' or \"\\t\"",
        )

    def open(self, class_num: int, learned: Classes | None = None) -> ImageList:
        """Reads and checks the list, see `read_list_file`, and the names of the classes.

        Raises:
            UserError: it is wrong, or its names of the classes are not the `learned` ones.
        """
        known = learned
        if self.class_names is not None:
            known = Classes(load_class_names(self.class_names), self.class_names)
            remedy = "number the list by those, and leave class_names out"
            check_same_classes(self.class_names, known.names, learned, remedy)
        return read_list_file(
            self.cls_label_path,
            self.image_root,
            class_num,
            self.delimiter,
            image_column=self.image_column,
            label_column=self.label_column,
            learned=known,
            relabel=self.relabel,
        )


@DATASETS.register()
@dataclass(frozen=True)
class ImageFolder(CheckedFields):
    """One folder per class.

    Args:
        image_root: the folder that holds the class folders.
        transform_ops: preprocessing of a picture.
        batch_transform_ops: what acts on a whole batch, as Mixup does.
        on_error: see `ImageNetDataset`.
        class_to_index: a file of the class names in the order of their labels, `id name` or `name` per line. Without it
            evaluation takes the classes of the training or of the checkpoint, of which the folder may lack some, and
            training numbers the folders in the order of their names.
    """

    image_root: Annotated[str, ReadPath("dir")]
    transform_ops: Transforms
    batch_transform_ops: BatchTransforms = ()
    on_error: Literal["raise", "skip"] | None = None
    class_to_index: Annotated[str, ReadPath("file")] | None = None

    def __post_init__(self) -> None:
        _finish(self)
        super().__post_init__()

    def open(self, class_num: int, learned: Classes | None = None) -> ImageList:
        """Lists and checks the folders; see `read_class_folders`.

        Raises:
            UserError: they are wrong, or the names in `class_to_index` are not the `learned` ones.
        """
        images = read_class_folders(
            self.image_root, class_num, self.class_to_index, learned
        )
        if self.class_to_index is not None:
            remedy = (
                "leave class_to_index out, or give the class_names.txt of the training"
            )
            check_same_classes(self.class_to_index, images.class_names, learned, remedy)
        return images


@DATASETS.register()
@dataclass(frozen=True)
class WebDatasetDataset(CheckedFields):
    """Pictures in tar shards, local or remote, as `ppcls pack` and webdataset write them; for data beyond one disk.

    It needs the package webdataset. Processes and their workers share the shards; with a manifest every picture comes
    once per epoch, and an epoch is resumed exactly with as many processes and workers.

    Args:
        shards: the `manifest.json` of `ppcls pack`, a path or an http address; or a pattern or a list of patterns such
            as `train-{000000..000099}.tar`, each a path, an http address, or `pipe:` and a command that writes the tar.
        transform_ops: preprocessing of a picture.
        batch_transform_ops: what acts on a whole batch, as Mixup does.
        shuffle_buffer: pictures that a worker holds, encoded, and draws from, if the sampler shuffles.
        epoch_length: pictures an epoch, over all processes; None for all that the manifest counts. An epoch begins
            where the one before ended.
        on_error: see `ImageNetDataset`; a shard that cannot be read always ends the run.
    """

    shards: Annotated[str, UserPath()] | tuple[Annotated[str, UserPath()], ...]
    transform_ops: Transforms
    batch_transform_ops: BatchTransforms = ()
    shuffle_buffer: PositiveInt = 1000
    epoch_length: PositiveInt | None = None
    on_error: Literal["raise", "skip"] | None = None

    def __post_init__(self) -> None:
        _finish(self)
        super().__post_init__()
        require(
            self.shards and "" not in tuple(self.shards),
            "shards is empty; write the manifest.json of `ppcls pack`, or a pattern of tar files",
        )

    def open(self, class_num: int, learned: Classes | None = None) -> ShardList:
        """Finds the shards and reads their manifest; see `open_shards`.

        Raises:
            UserError: they are wrong, or the manifest's classes are not the `learned` ones.
        """
        # Checking a configuration does not wait for the modules of http and TLS
        from ppcls.data.shards import open_shards

        shards = open_shards(
            self.shards, class_num, self.shuffle_buffer, self.epoch_length
        )
        remedy = "pack the folders with the classes of the training"
        check_same_classes(str(self.shards), shards.class_names, learned, remedy)
        return shards


def check_same_classes(
    place: str, names: list[str] | None, learned: Classes | None, remedy: str
) -> None:
    """Refuses names of classes that are others than the learned ones, or in another order; None knows nothing.

    Raises:
        UserError: with the first difference, and the remedy.
    """
    if not names or learned is None or names == learned.names:
        return
    pairs = itertools.zip_longest(names, learned.names, fillvalue="missing")
    for number, (ours, theirs) in enumerate(pairs):
        expect(
            ours == theirs,
            f"{place}: the classes are not those of {learned.source}: class {number} is {ours} here and {theirs} "
            f"there; {remedy}",
        )


def check_crops(ops: Sequence[Transform]) -> None:
    """Refuses a central crop that is larger than every picture that reaches it, before a picture is read.

    Raises:
        FieldError: names the crop, the size of the pictures and what to write.
    """
    size: WidthHeight | None = None
    shortest: int | None = None  # the shorter side, where it is known
    for op in ops:
        if isinstance(op, (CropImage, CenterCrop)):
            _check_crop(op, size, shortest)
        size = op.output_size(size)
        if size is not None:
            shortest = min(size)
        elif isinstance(op, ResizeImage):
            shortest = op.resize_short
        elif isinstance(op, Pad) and shortest is not None:
            shortest += 2 * op.padding
        elif op.output_size(_KNOWN_SIZE) != _KNOWN_SIZE:
            shortest = None


def _check_crop(
    crop: CropImage | CenterCrop, size: WidthHeight | None, shortest: int | None
) -> None:
    width, height = pair(crop.size)
    if size is not None:
        fits = width <= size[0] and height <= size[1]
        pictures = f"of {size[0]}x{size[1]}"
    elif shortest is not None:
        fits = min(width, height) <= shortest
        pictures = f"whose shorter side is {shortest}"
    else:
        return
    if not fits:
        name = type(crop).__name__
        raise FieldError(
            f"transform_ops.{name}.size",
            f"{name} cannot cut {width}x{height} pixels (width x height) out of pictures {pictures}; "
            "write a smaller size for the crop, or a larger one for the resize before it",
        )
