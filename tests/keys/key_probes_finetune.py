"""Probes of what fine-tuning on one's own pictures needs."""

from key_probe import probe

DATA = "DataLoader.Train.dataset"


@probe(
    "dataset ImageNetDataset.class_names",
    (None, ["without names"]),
    ("names.txt", ["ant", "bee", "cat", "dog"]),
    path=f"{DATA}.class_names",
)
def _class_names(lab, value):
    """The names in `infer`'s answers by the weights of a training on a list."""
    data = {
        "name": "ImageNetDataset",
        "image_root": lab.home / "data",
        "cls_label_path": lab.home / "four.txt",
        "class_names": value and lab.home / value,
        "transform_ops": [{"DecodeImage": {}}, {"ResizeImage": {"size": 32}}, {"NormalizeImage": {}}],
    }
    lab.train({DATA: data})
    weights = lab.folder / "output/SqueezeNet1_1/latest"
    answer = {"name": "Topk", "topk": 4}
    run = lab.well("infer", {"Global.pretrained_model": weights, "Infer.PostProcess": answer})
    return sorted(set(run.find(r"'(\w+)'"))) or ["without names"]
