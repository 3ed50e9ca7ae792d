"""How other libraries name the layers of the models here: from our names to theirs, so files can be written as well.

A naming takes the model's name and its layers in order and gives their name of each. What is dropped, scaled or
shifted on the way stands with it, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Naming = Callable[[str, Sequence[str]], dict[str, str]]
Rule = tuple[str, str]
_FIRES = {
    "SqueezeNet1_0": (3, 4, 5, 7, 8, 9, 10, 12),
    "SqueezeNet1_1": (3, 4, 6, 7, 9, 10, 11, 12),
}


@dataclass(frozen=True)
class Layout:
    """A foreign dictionary of a family.

    Attributes:
        source: Whose it is, as `ppcls.arch.weights.sources` names it.
        naming: Their layers by ours.
        torch: Whether it is a torch dictionary: other names of statistics, matrices as [out, in].
        matrices: Pattern of our layers whose weights are matrices there.
        factors: Our tensors that are theirs times a factor.
        arguments: What the model has to be made with, for the same values to mean the same function.
        epsilon: What batch norm adds to the variance there, where the model here has an argument for it.
        unused: Their key and our keys to the reason to drop it, since ours lack it; None if there is none.
    """

    source: str
    naming: Naming
    torch: bool = False
    matrices: str = ""
    factors: Mapping[str, float] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    epsilon: float | None = None
    unused: Callable[[str, Sequence[str]], str | None] = lambda key, ours: None


def same(model: str, layers: Sequence[str]) -> dict[str, str]:
    """The naming of this library."""
    return {layer: layer for layer in layers}


def rules(*pairs: Rule) -> Naming:
    """A naming by patterns of a whole layer's name; the first that matches says what theirs is."""
    compiled = [(re.compile(pattern), theirs) for pattern, theirs in pairs]

    def naming(model: str, layers: Sequence[str]) -> dict[str, str]:
        found = {}
        for layer in layers:
            match, theirs = next(
                (m, theirs) for p, theirs in compiled for m in [p.fullmatch(layer)] if m
            )
            found[layer] = match.expand(theirs)
        return found

    return naming


def _unused_projection(key: str, ours: Sequence[str]) -> str | None:
    """Ucbdrive gives every tree a projection of its input, but a tree of trees hands the input on and never uses it."""
    tree, dot, _ = key.rpartition(".project.")
    is_tree_of_trees = bool(dot) and any(
        name.startswith(f"{tree}.tree1.tree1.") for name in ours
    )
    return (
        "a projection that the authors' network makes and never uses"
        if is_tree_of_trees
        else None
    )


def _paddleclas_dpn(model: str, layers: Sequence[str]) -> dict[str, str]:
    blocks = list(
        dict.fromkeys(
            layer.split(".")[0] for layer in layers if re.match(r"conv\d_", layer)
        )
    )
    parts = {
        "project": "c1x1_w_func",
        "reduce": "c1x1_a_func",
        "spatial": "c3x3_b_func",
        "expand": "c1x1_c_func",
    }
    named = {"stem.0": "conv1_x_1_func._conv", "stem.1": "conv1_x_1_func._batch_norm"}
    named.update({"norm": "conv5_x_x_bn", "fc": "out"})
    for layer in layers:
        if layer not in named:
            block, part, kind = layer.split(".")
            theirs = "_conv" if kind == "conv" else "_batch_norm"
            named[layer] = f"dpn{blocks.index(block) + 1}.{parts[part]}.{theirs}"
    return {layer: named[layer] for layer in layers}


def _numbered(pattern: str, theirs: Callable[..., str], *others: Rule) -> Naming:
    """A naming of which one pattern needs arithmetic on its groups."""
    compiled, rest = re.compile(pattern), rules(*others)

    def naming(model: str, layers: Sequence[str]) -> dict[str, str]:
        matches = {layer: compiled.fullmatch(layer) for layer in layers}
        named = {
            layer: theirs(model, *match.groups())
            for layer, match in matches.items()
            if match
        }
        named.update(rest(model, [layer for layer in layers if layer not in named]))
        return {layer: named[layer] for layer in layers}

    return naming


_CONV_BN = {"0": "_conv", "1": "_bn"}
_FIRE = {"squeeze": "_conv", "expand1x1": "_conv_path1", "expand3x3": "_conv_path2"}
_PADDLECLAS_SQUEEZENET = _numbered(
    r"fire(\d)\.(\w+)", lambda model, n, part: f"_conv{int(n) - 1}.{_FIRE[part]}._conv",
    ("stem", "_conv"), ("fc", "_conv9"),
)  # fmt: skip
_TORCHVISION_SQUEEZENET = _numbered(
    r"fire(\d)\.(\w+)", lambda model, n, part: f"features.{_FIRES[model][int(n) - 2]}.{part}",
    ("stem", "features.0"), ("fc", "classifier.1"),
)  # fmt: skip
_PADDLECLAS_DARKNET = _numbered(
    r"stages\.(\d)\.blocks\.(\d)\.(conv\d)\.(\d)",
    lambda model, stage, block, conv, kind: f"_basic_block_{stage}{int(block) + 1}._{conv}.{_CONV_BN[kind]}",
    ("stem.0", "_conv1._conv"), ("stem.1", "_conv1._bn"),
    ("stages.0.down.0", "_conv2._conv"), ("stages.0.down.1", "_conv2._bn"), ("fc", "_out"),
    *((rf"stages\.{k}\.down\.{kind}", f"_downsample_{k - 1}.{theirs}")
      for k in range(1, 5) for kind, theirs in _CONV_BN.items()),
)  # fmt: skip
_TIMM_DARKNET = rules(
    (r"stem\.0", "stem.conv1.conv"), (r"stem\.1", "stem.conv1.bn"), ("fc", "head.fc"),
    (r"(stages\.\d)\.down\.0", r"\1.conv_down.conv"), (r"(stages\.\d)\.down\.1", r"\1.conv_down.bn"),
    (r"(stages.*conv\d)\.0", r"\1.conv"), (r"(stages.*conv\d)\.1", r"\1.bn"),
)  # fmt: skip
_TIMM_DPN = rules(
    (r"stem\.0", "features.conv1_1.conv"), (r"stem\.1", "features.conv1_1.bn"),
    ("norm", "features.conv5_bn_ac.bn"), ("fc", "classifier"),
    (r"(conv2_1)\.project\.(\w+)", r"features.\1.c1x1_w_s1.\2"),
    (r"(\w+)\.project\.(\w+)", r"features.\1.c1x1_w_s2.\2"),
    (r"(\w+)\.reduce\.(\w+)", r"features.\1.c1x1_a.\2"), (r"(\w+)\.spatial\.(\w+)", r"features.\1.c3x3_b.\2"),
    (r"(\w+)\.expand\.(\w+)", r"features.\1.c1x1_c.\2"),
)  # fmt: skip
_PADDLECLAS_SENET = _numbered(
    r"stages\.(\d)\.(\d+)\.(conv|bn)(\d)",
    lambda model, k, i, kind, n: f"bb_{k}_{i}.conv{int(n) - 1}.{'_conv' if kind == 'conv' else '_batch_norm'}",
    *((rf"stem\.{n}\.{kind}", f"conv1_{n + 1}.{theirs}")
      for n in range(3) for kind, theirs in (("0", "_conv"), ("1", "_batch_norm"))),
    (r"stages\.(\d)\.(\d+)\.se\.squeeze", r"bb_\1_\2.scale.squeeze"),
    (r"stages\.(\d)\.(\d+)\.se\.excite", r"bb_\1_\2.scale.excitation"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.1", r"bb_\1_\2.short._conv"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.2", r"bb_\1_\2.short._batch_norm"), ("fc", "out"),
)  # fmt: skip
_PADDLECLAS_ALEXNET = rules(
    (r"(?:trio\.)?conv([125])", r"_conv\1._conv"),
    (r"trio\.conv([34])", r"_conv\1"),
    (r"fc([67])", r"_fc\1"),
    ("fc", "_fc8"),
)
_TORCHVISION_ALEXNET = rules(
    ("conv1", "features.0"), ("conv2", "features.3"), (r"trio\.conv3", "features.6"), (r"trio\.conv4", "features.8"),
    (r"trio\.conv5", "features.10"), ("fc6", "classifier.1"), ("fc7", "classifier.4"), ("fc", "classifier.6"),
)  # fmt: skip

OURS = Layout("ppcls", same)
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "DLA": (
        Layout("paddleclas", same),
        Layout("timm", same, torch=True),
        Layout("ucbdrive", same, torch=True, unused=_unused_projection),
    ),
    "DPN": (
        Layout("paddleclas", _paddleclas_dpn, matrices="fc", epsilon=1e-5),
        Layout("timm", _TIMM_DPN, torch=True, epsilon=1e-3),
    ),
    # Dropout of 0.5 scales by 0.5 in evaluation at PaddleClas and by 1 / 0.5 in training here and in torch. The next
    # layer's weight takes the difference, which makes both modes exact. Its bias stands behind the product and stays.
    "AlexNet": (
        Layout(
            "paddleclas",
            _PADDLECLAS_ALEXNET,
            matrices=r"fc\d?",
            factors={"fc6.weight": 0.5, "fc7.weight": 0.5},
        ),
        Layout("torchvision", _TORCHVISION_ALEXNET, torch=True, matrices=r"fc\d?"),
    ),
    "SqueezeNet": (
        Layout("paddleclas", _PADDLECLAS_SQUEEZENET, factors={"fc.weight": 0.5}),
        Layout(
            "torchvision",
            _TORCHVISION_SQUEEZENET,
            torch=True,
            arguments={"stem_padding": 0, "ceil_pooling": True},
        ),
    ),
    "DarkNet": (
        Layout("paddleclas", _PADDLECLAS_DARKNET, matrices="fc"),
        Layout(
            "timm",
            _TIMM_DARKNET,
            torch=True,
            matrices="fc",
            arguments={"activation_slope": 0.01},
        ),
        Layout(
            "darknet",
            rules((r"(.*)\.0", r"\1.conv"), (r"(.*)\.1", r"\1.bn"), ("fc", "fc")),
            arguments={"activation_slope": 0.1},
        ),
    ),
    "SENet": (Layout("paddleclas", _PADDLECLAS_SENET, matrices="fc"),),
}
