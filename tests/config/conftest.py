"""A small world of components, so that the checker is tested apart from the library's own."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from ppcls.config import load_config
from ppcls.utils.errors import ConfigError
from ppcls.utils.fields import Component, Operation, PositiveFloat, PositiveInt, Range, ReadPath, Size
from ppcls.utils.registry import Registry

REGISTRIES: dict[str, Registry] = {
    kind: Registry(kind)
    for kind in (
        "backbone",
        "dataset",
        "sampler",
        "transform",
        "batch transform",
        "postprocess",
        "loss",
        "metric",
        "optimizer",
        "schedule",
        "regularizer",
    )
}


@REGISTRIES["backbone"].register("Net18", "Net50")
@dataclass(frozen=True)
class Net:
    name: str
    class_num: PositiveInt = 10
    pretrained: bool | Annotated[str, ReadPath("weights", ("oak", "birch"))] = False


@REGISTRIES["dataset"].register()
@dataclass(frozen=True)
class Pictures:
    root: Annotated[str, ReadPath("dir")]
    transform_ops: tuple[Annotated[Any, Operation("transform")], ...]
    batch_transform_ops: tuple[Annotated[Any, Operation("batch transform")], ...] = ()
    list_file: Annotated[str, ReadPath("file")] | None = None


@REGISTRIES["sampler"].register()
@dataclass(frozen=True)
class Batches:
    batch_size: PositiveInt = 4
    shuffle: bool = False
    groups: list[int] = field(default_factory=list)


@REGISTRIES["transform"].register()
@dataclass(frozen=True)
class Decode:
    to_rgb: bool = True


@REGISTRIES["transform"].register()
@dataclass(frozen=True)
class Crop:
    size: Size = 8
    area: tuple[float, float] = (0.1, 1.0)
    filter: Literal["nearest", "bilinear"] = "nearest"

    def __post_init__(self) -> None:
        if self.area[0] > self.area[1]:
            raise ValueError(f"area is {list(self.area)}; write the smaller number first")


@REGISTRIES["transform"].register()
@dataclass(frozen=True)
class Scale:
    factor: float = 1.0


@REGISTRIES["transform"].register()
@dataclass(frozen=True)
class ToCHWImage:
    pass


def _same_meaning(one, other):
    """A crop to 8 is one to [8, 8], ToCHWImage does nothing, and nothing cannot be done."""

    def meaning(operations):
        if not operations:
            raise ValueError("do nothing; write one at least")
        kept = [op for op in operations if not isinstance(op, ToCHWImage)]
        return [replace(op, size=(op.size, op.size)) if getattr(op, "size", None) == 8 else op for op in kept]

    return meaning(one) == meaning(other)


REGISTRIES["transform"].same_meaning = _same_meaning


@REGISTRIES["batch transform"].register("Blend", "BlendOperator")
@dataclass(frozen=True)
class Blend:
    alpha: PositiveFloat = 1.0
    class_num: PositiveInt | None = None


@REGISTRIES["postprocess"].register()
@dataclass(frozen=True)
class Topk:
    topk: PositiveInt = 1
    class_id_map_file: Annotated[str, ReadPath("file")] | None = None


@REGISTRIES["loss"].register("CE", "MixCE")
@dataclass(frozen=True)
class CE:
    weight: PositiveFloat = 1.0
    class_weights: dict[int, float] = field(default_factory=dict)


@REGISTRIES["metric"].register()
@dataclass(frozen=True)
class Accuracy:
    topk: PositiveInt | tuple[PositiveInt, ...] = (1, 5)


@REGISTRIES["schedule"].register()
@dataclass(frozen=True)
class Flat:
    rate: PositiveFloat
    scale: Literal["linear"] | None = None


@REGISTRIES["schedule"].register()
@dataclass(frozen=True)
class Slope:
    rate: PositiveFloat
    end: Annotated[float, Range(low=0, high=1)] = 0.0


@REGISTRIES["regularizer"].register()
@dataclass(frozen=True)
class L2:
    coeff: PositiveFloat


@REGISTRIES["optimizer"].register()
@dataclass(frozen=True)
class SGD:
    lr: Annotated[Any, Component("schedule")]
    regularizer: Annotated[Any, Component("regularizer")] | None = None


VALID = """\
Global:
  epochs: 2
Arch:
  name: Net18
Loss:
  Train:
    - CE: {weight: 1.0}
Optimizer:
  name: SGD
  lr:
    name: Flat
    rate: 0.1
DataLoader:
  Train:
    dataset:
      name: Pictures
      root: .
      transform_ops:
        - Decode:
        - Crop: {size: 8}
        - Scale: {factor: 1.0/255.0}
    sampler:
      name: Batches
  Eval:
    dataset:
      name: Pictures
      root: .
      transform_ops:
        - Decode:
        - Crop: {size: 8}
        - Scale: {factor: 1.0/255.0}
    sampler:
      name: Batches
Metric:
  Eval:
    - Accuracy: {topk: [1, 5]}
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in a folder of its own, so that paths in messages are short."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def imagenet(in_an_empty_folder: None) -> None:
    """The layouts of ImageNet and of the demonstration's digits, their lists empty."""
    for folder in (Path("dataset/ILSVRC2012"), Path("demo/digits")):
        folder.mkdir(parents=True)
        for name in ("train_list.txt", "val_list.txt", "labels.txt"):
            (folder / name).write_text("")


class Small:
    """Loads texts with the small registries; `lines` are those that the last one said."""

    VALID = VALID
    registries = REGISTRIES
    lines: list[str]

    def load(self, text: str = VALID, *overrides: str, command: str = "train", check_paths: bool = True) -> Any:
        Path("c.yaml").write_text(text, encoding="utf-8")
        self.lines = []
        return load_config("c.yaml", overrides, REGISTRIES, command, check_paths=check_paths, say=self.lines.append)

    def problems(self, text: str = VALID, *overrides: str, command: str = "train") -> list:
        with pytest.raises(ConfigError) as caught:
            self.load(text, *overrides, command=command)
        return caught.value.problems


@pytest.fixture
def small() -> Small:
    return Small()
