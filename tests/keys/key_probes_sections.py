"""Probes of the sections Arch, Loss, Optimizer, DataLoader, Infer and Metric, through the commands."""

import multiprocessing
import re
from unittest.mock import ANY

import paddle
from key_lab import RUN
from key_probe import Saying, probe

from ppcls.arch.layers import Backbone

PLAIN, TRIPLE = [{"CELoss": {}}], [{"CELoss": {"weight": 3}}]
ONE, TWO = [{"TopkAcc": {"topk": 1}}], [{"TopkAcc": {"topk": [2, 3]}}]
FOLDER, LIST = {"name": "ImageFolder"}, {"name": "ImageNetDataset", "cls_label_path": "four.txt"}
OPERATIONS = [{"DecodeImage": {}}, {"ResizeImage": {"size": 32}}, {"NormalizeImage": {}}]
SAMPLER = "DistributedBatchSampler"


def is_triple(one, three):
    """Whether a loss is three times another one, to the last printed digit."""
    return abs(three - 3 * one) < 3e-5


@probe("Arch", ({"name": "SqueezeNet1_1"}, ["SqueezeNet1_1"]), ({"name": "DLA46_c"}, ["DLA46_c"]))
def _arch(lab, value):
    """The run's folder, named after what is trained."""
    lab.train({"Arch": {**value, "class_num": 4}})
    return [path.name for path in (lab.folder / "output").iterdir()]


@probe("Loss.Train", (PLAIN, ANY), (TRIPLE, ANY), relation=is_triple)
def _train_loss(lab, value):
    return lab.train({"Loss.Train": value}).loss("train")


@probe("Loss.Eval", (PLAIN, ANY), (TRIPLE, ANY), relation=is_triple)
def _eval_loss(lab, value):
    return lab.trained("eval", {"Loss.Eval": value}).loss("valid")


@probe("Metric.Train", (ONE, ["top1"]), (TWO, ["top2", "top3"]))
def _train_metric(lab, value):
    (line,) = lab.train({"Metric.Train": value}).find("END epoch.* train .*")
    return re.findall(r"top\d", line)


@probe("Metric.Eval", (ONE, ["top1"]), (TWO, ["top2", "top3"]))
def _eval_metric(lab, value):
    (line,) = lab.trained("eval", {"Metric.Eval": value}).find("END epoch.* valid .*")
    return re.findall(r"top\d", line)


@probe("Optimizer", ("Momentum", ANY), ("AdamW", ANY))
def _optimizer(lab, value):
    lab.train({"Optimizer": {"name": value, "lr": {"name": "Constant", "learning_rate": 0.01}}})
    return lab.weights()


def data_set(lab, value):
    """All keys of a data set."""
    paths = {key: lab.home / value[key] for key in ("cls_label_path",) if key in value}
    return {**value, **paths, "image_root": lab.home / "data", "transform_ops": OPERATIONS}


@probe("DataLoader.Train.dataset", (FOLDER, [0, 1, 2, 3]), (LIST, [0, 1]))
def _train_dataset(lab, value):
    """Steps of eight pictures, and of four, by two."""
    return lab.train({"DataLoader.Train.dataset": data_set(lab, value)}).trained_steps


@probe("DataLoader.Eval.dataset", (FOLDER, [0, 1]), (LIST, [0]))
def _eval_dataset(lab, value):
    """Steps of eight pictures, and of four, by four."""
    return lab.trained("eval", {"DataLoader.Eval.dataset": data_set(lab, value)}).evaluated_steps


@probe("DataLoader.Train.sampler", ({"batch_size": 4}, [0, 1]), ({"batch_size": 8}, [0]))
def _train_sampler(lab, value):
    return lab.train({"DataLoader.Train.sampler": {"name": SAMPLER, **value}}).trained_steps


@probe("DataLoader.Eval.sampler", ({"batch_size": 4}, [0, 1]), ({"batch_size": 8}, [0]))
def _eval_sampler(lab, value):
    return lab.trained("eval", {"DataLoader.Eval.sampler": {"name": SAMPLER, **value}}).evaluated_steps


def spied_loaders(lab):
    """The worker processes of each of Paddle's loaders that starts from now on, and whether they share memory."""
    seen = []

    class Loader(paddle.io.DataLoader):
        def __iter__(self):
            iterator = super().__iter__()
            seen.append((len(multiprocessing.active_children()), self.use_shared_memory))
            return iterator

    lab.patch.setattr("paddle.io.DataLoader", Loader)
    lab.patch.setattr("ppcls.data.loader.missing_shared_memory", lambda *sizes: None)
    return seen


@probe("DataLoader.Train.loader.num_workers", (0, []), (2, [2]))
def _train_workers(lab, value):
    seen = spied_loaders(lab)
    lab.train({"DataLoader.Train.loader.num_workers": value})
    return [processes for processes, _ in seen]


@probe("DataLoader.Eval.loader.num_workers", (0, []), (2, [2]))
def _eval_workers(lab, value):
    seen = spied_loaders(lab)
    lab.trained("eval", {"DataLoader.Eval.loader.num_workers": value})
    return [processes for processes, _ in seen]


@probe("DataLoader.Train.loader.use_shared_memory", (True, [(1, True)]), (False, [(1, False)]))
def _train_memory(lab, value):
    seen = spied_loaders(lab)
    lab.train({"DataLoader.Train.loader": {"num_workers": 1, "use_shared_memory": value}})
    return seen


@probe("DataLoader.Eval.loader.use_shared_memory", (True, [(1, True)]), (False, [(1, False)]))
def _eval_memory(lab, value):
    seen = spied_loaders(lab)
    lab.trained("eval", {"DataLoader.Eval.loader": {"num_workers": 1, "use_shared_memory": value}})
    return seen


@probe("Infer.infer_imgs", ("data/a", ["0.png", "1.png"]), ("data/b/3.png", ["3.png"]))
def _infer_imgs(lab, value):
    return list(lab.trained("infer", {"Infer.infer_imgs": lab.home / value}).answers)


@probe("Infer.batch_size", (3, [3, 3, 2]), (5, [5, 3]))
def _infer_batch_size(lab, value):
    """Pictures in each forward pass."""
    sizes, forward = [], Backbone.forward
    lab.patch.setattr(Backbone, "forward", lambda self, x: sizes.append(len(x)) or forward(self, x))
    lab.trained("infer", {"Infer.batch_size": value})
    return sizes


@probe("Infer.transforms", (None, ""), ([{"DecodeImage": {}}], Saying("do not mean the same as DataLoader.Eval")))
def _infer_transforms(lab, value):
    """Written, they must be those of evaluation."""
    return lab.run("infer", {"Global.pretrained_model": lab.home / RUN / "latest", "Infer.transforms": value}).err


@probe("Infer.PostProcess", (None, 4), ({"name": "Topk", "topk": 3}, 3))
def _post_process(lab, value):
    """How many classes an answer has: five, or all there are, if nothing is written."""
    answers = lab.trained("infer", {"Infer.PostProcess": value}).answers
    (count,) = {len(re.findall(r"\d\.\d\d", answer)) for answer in answers.values()}
    return count
