"""Probes of the components that make batches and answers of pictures."""

from functools import partial
from unittest.mock import ANY

import numpy as np
from key_probe import Saying, component, probe, probe_each

from ppcls.data.batch_transforms import one_hot
from ppcls.utils.errors import UserError

DECODE, HALVE = {"DecodeImage": {}}, {"NormalizeImage": {"scale": 0.5, "mean": [0, 0, 0], "std": [1, 1, 1]}}
DATA = "DataLoader.Train.dataset"
LISTS = {"ImageNetDataset": "broken.txt"}  # all eight pictures, as ImageFolder finds them
BOTH = ("ImageNetDataset", "ImageFolder")


def data_set(lab, name, **keys):
    """All keys of a data set of eight pictures, in the order of their values; `keys` replace some."""
    plain = {"name": name, "image_root": lab.home / "data", "transform_ops": [DECODE]}
    return {DATA: {**plain, **({"cls_label_path": lab.home / LISTS[name]} if name in LISTS else {}), **keys}}


def batches(lab, overrides):
    """The batches of the first epoch, or the sentence that ends it."""
    try:
        return list(lab.reader(overrides).epoch(0))
    except UserError as error:
        return str(error)


def values(found):
    """The value of each picture's first pixel."""
    return np.concatenate([batch.image.numpy()[:, 0, 0, 0] for batch in found]).tolist()


def labels(found):
    """The label of each picture."""
    return np.concatenate([batch.label.numpy() for batch in found]).tolist()


probe_data = partial(probe_each, BOTH)


@probe_data(
    "dataset {}.image_root",
    ("data", [0, 30, 60, 90, 120, 150, 180, 210]),
    ("negative", [255, 225, 195, 165, 135, 105, 75, 45]),
    path=f"{DATA}.image_root",
)
def _image_root(lab, name, value):
    return values(batches(lab, data_set(lab, name, image_root=lab.home / value)))


@probe_data(
    "dataset {}.transform_ops",
    ([DECODE], [0, 30, 60, 90, 120, 150, 180, 210]),
    ([DECODE, HALVE], [0, 15, 30, 45, 60, 75, 90, 105]),
    path=f"{DATA}.transform_ops",
)
def _transform_ops(lab, name, value):
    return values(batches(lab, data_set(lab, name, transform_ops=value)))


@probe_data("dataset {}.batch_transform_ops", ([], [2]), ([{"Mixup": {}}], [2, 4]), path=f"{DATA}.batch_transform_ops")
def _batch_transform_ops(lab, name, value):
    """The shape of a batch's target: two labels, or their shares of the four classes."""
    return list(batches(lab, data_set(lab, name, batch_transform_ops=value))[0].label.shape)


@probe_data(
    "dataset {}.on_error",
    ("raise", Saying("write on_error: skip")),
    ("skip", [0, 1, 2, 3, 4, 5, 6]),
    path=f"{DATA}.on_error",
)
def _on_error(lab, name, value):
    """What becomes of the eighth picture, which is broken."""
    found = batches(lab, data_set(lab, name, image_root=lab.home / "broken", on_error=value))
    return found if isinstance(found, str) else np.concatenate([batch.index for batch in found]).tolist()


@probe(
    "dataset ImageNetDataset.cls_label_path",
    ("four.txt", ([0, 60, 120, 180], [0, 1, 2, 3])),
    ("two.txt", ([150, 30], [3, 1])),
    path=f"{DATA}.cls_label_path",
)
def _cls_label_path(lab, value):
    found = batches(lab, data_set(lab, "ImageNetDataset", cls_label_path=lab.home / value))
    return values(found), labels(found)


@probe(
    "dataset ImageNetDataset.relabel", (False, Saying("the label 30 is outside 0 to 3")), (True, [3, 2, 1, 0]),
    path=f"{DATA}.relabel",
)  # fmt: skip
def _relabel(lab, value):
    """How labels with gaps are read."""
    list_file = lab.folder / "gaps.txt"
    list_file.write_text("a/0.png 30\nb/2.png 20\nc/4.png 10\nd/6.png 2\n")
    found = batches(lab, data_set(lab, "ImageNetDataset", cls_label_path=list_file, relabel=value))
    return found if isinstance(found, str) else labels(found)


@probe(
    "dataset ImageNetDataset.delimiter", (";", [2, 1]), (" ", Saying("'a/0.png;2' has no label")),
    path=f"{DATA}.delimiter",
)  # fmt: skip
def _delimiter(lab, value):
    """How a list with semicolons is read."""
    keys = {"cls_label_path": lab.home / "semicolons.txt", "delimiter": value}
    found = batches(lab, data_set(lab, "ImageNetDataset", **keys))
    return found if isinstance(found, str) else labels(found)


@probe(
    "dataset ImageNetDataset.image_column",
    ("first", ([0, 90], [2, 0])),
    ("second", ([60, 150], [2, 0])),
    path=f"{DATA}.image_column",
)
def _image_column(lab, value):
    return _from_columns(lab, image_column=value, label_column="kind")


@probe(
    "dataset ImageNetDataset.label_column",
    ("kind", ([0, 90], [2, 0])),
    ("age", ([0, 90], [1, 3])),
    path=f"{DATA}.label_column",
)
def _label_column(lab, value):
    return _from_columns(lab, image_column="first", label_column=value)


def _from_columns(lab, **columns):
    """Pictures and labels of a table with two columns of either."""
    keys = {"cls_label_path": lab.home / "columns.csv", **columns}
    found = batches(lab, data_set(lab, "ImageNetDataset", **keys))
    return found if isinstance(found, str) else (values(found), labels(found))


@probe(
    "dataset ImageFolder.class_to_index",
    (None, [0, 0, 1, 1, 2, 2, 3, 3]),
    ("backwards.txt", [3, 3, 2, 2, 1, 1, 0, 0]),
    path=f"{DATA}.class_to_index",
)
def _class_to_index(lab, value):
    return labels(batches(lab, data_set(lab, "ImageFolder", class_to_index=value and lab.home / value)))


def indices(lab, **keys):
    """The pictures of each step, by their places in the list."""
    overrides = {f"DataLoader.Train.sampler.{key}": value for key, value in keys.items()}
    return [batch.index.tolist() for batch in lab.reader(overrides).epoch(0)]


@probe(
    "sampler DistributedBatchSampler.batch_size",
    (3, [[0, 1, 2], [3, 4, 5], [6, 7]]),
    (5, [[0, 1, 2, 3, 4], [5, 6, 7]]),
    path="DataLoader.Train.sampler.batch_size",
)
def _batch_size(lab, value):
    return indices(lab, batch_size=value)


@probe(
    "sampler DistributedBatchSampler.drop_last",
    (False, [[0, 1, 2], [3, 4, 5], [6, 7]]),
    (True, [[0, 1, 2], [3, 4, 5]]),
    path="DataLoader.Train.sampler.drop_last",
)
def _drop_last(lab, value):
    return indices(lab, batch_size=3, drop_last=value)


@probe(
    "sampler DistributedBatchSampler.shuffle",
    (False, [[0, 1, 2, 3, 4, 5, 6, 7]]),
    (True, ANY),
    path="DataLoader.Train.sampler.shuffle",
    relation=lambda plain, shuffled: sorted(shuffled[0]) == plain[0],
)
def _shuffle(lab, value):
    return indices(lab, batch_size=8, shuffle=value)


@probe("batch transform Mixup.alpha", (0.0005, 1.0), (1e6, 0.5))
def _alpha(lab, value):
    """The larger of the two weights with which pictures are mixed, to three digits."""
    mixup = component("batch transform", "Mixup", alpha=value)
    images, targets = np.zeros((8, 3, 1, 1), np.float32), np.arange(8)
    _, shares = mixup(images, targets, np.random.default_rng(0), 8)
    return round(float(shares.max(axis=1).min()), 3)


@probe("batch transform Mixup.class_num", (4, 4), (5, Saying("Mixup has class_num 5, the model 4")))
def _class_num(lab, value):
    """Classes of the mixed targets of a model of four, or the refusal."""
    mixup = component("batch transform", "Mixup", class_num=value)
    try:
        shares = mixup(np.zeros((2, 3, 1, 1), np.float32), one_hot(np.array([0, 3]), 4), np.random.default_rng(0), 4)[1]
    except UserError as error:
        return str(error)
    return shares.shape[1]


@probe("postprocess Topk.topk", (1, 1), (3, 3), path="Infer.PostProcess.topk")
def _topk(lab, value):
    """Classes of an answer of `infer`."""
    answer = lab.trained("infer", {"Infer.PostProcess.topk": value}).answers["a/0.png"]
    return answer.count("'") // 2


@probe(
    "postprocess Topk.class_id_map_file", (None, []), ("names.txt", ["ant", "bee", "cat", "dog"]),
    path="Infer.PostProcess.class_id_map_file",
)  # fmt: skip
def _class_id_map_file(lab, value):
    """The names in `infer`'s answers by weights that come without names."""
    weights = lab.folder / "ppcls.pdparams"
    weights.write_bytes((lab.home / "trained/SqueezeNet1_1/latest/ppcls.pdparams").read_bytes())
    answer = {"name": "Topk", "topk": 4, "class_id_map_file": value and lab.home / value}
    run = lab.well("infer", {"Global.pretrained_model": weights, "Infer.PostProcess": answer})
    return sorted(set(run.find(r"'(\w+)'")))


def answered(**keys):
    """Class id and name by a share of 0.6 for class 1."""
    answer = component("postprocess", "ThreshOutput", **{"threshold": 0.5, **keys})
    ((class_id, _, name),) = answer(np.array([[0.4, 0.6]]))[0]
    return class_id, name


@probe("postprocess ThreshOutput.threshold", (0.5, (1, "1")), (0.7, (0, "0")))
def _threshold(lab, value):
    return answered(threshold=value)


@probe("postprocess ThreshOutput.label_0", ("nobody", (0, "nobody")), ("none", (0, "none")))
def _label_0(lab, value):
    return answered(threshold=0.7, label_0=value)


@probe("postprocess ThreshOutput.label_1", ("someone", (1, "someone")), ("some", (1, "some")))
def _label_1(lab, value):
    return answered(label_1=value)
