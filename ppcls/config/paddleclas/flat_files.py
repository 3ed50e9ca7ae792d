"""Translates files and overrides of PaddleClas's flat 2.0 format; `flat_keys` has the table of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ppcls.config.merge import merge
from ppcls.config.override import apply_overrides, parse_override, put
from ppcls.config.paddleclas.flat_keys import (
    TOP,
    Path,
    has_row,
    is_above,
    names_in,
    new_key,
    place_of,
    row_of,
)
from ppcls.config.paddleclas.flat_values import RefusedValue, Setting
from ppcls.config.paddleclas.unsupported import PADDLECLAS
from ppcls.config.schema import Config
from ppcls.untrusted.yaml_nodes import Node, Origin, Problems, as_node, find
from ppcls.utils.fields import field_types

# Only a flat file has these.
_GROUPS = ("ARCHITECTURE", "LEARNING_RATE", "OPTIMIZER", "TRAIN", "VALID")
# The defaults of the flat format.
_DEFAULTS = {"use_mix": False, "topk": 5, "ls_epsilon": -1}


def is_flat(root: Node) -> bool:
    """Whether a file is in the flat format."""
    return any(key in root.value for key in _GROUPS)


def resolve(
    root: Node, overrides: Sequence[str], processes: int, problems: Problems
) -> tuple[Node, list[str]]:
    """A file's tree in the sections of today, with the overrides set.

    Overrides are set in order. Over a flat file those with old keys come first, since they change that file.

    Args:
        root: the mapping of a file.
        overrides: `key=value` with keys of today or of the flat format.
        processes: how many share a batch, which the flat format states for all of them together.
        problems: takes what is wrong.

    Returns:
        The tree, and a line for each group of old keys: where they went.
    """
    translation = Translation(root, processes, problems)
    if is_flat(root):
        old = [override for override in overrides if _is_old(override)]
        overrides = [override for override in overrides if override not in old]
        translation.read_file(root, old)
    for override in overrides:
        setting = parse_override(override, problems)
        if setting is None:
            continue
        if _is_old(override):
            translation.read_override(*setting)
        else:
            put(translation.tree, *setting, problems)
    return translation.tree, translation.finish()


def _is_old(override: str) -> bool:
    return override.partition("=")[0].strip().split(".")[0] in TOP


class Translation:
    """Translates old keys into a tree of new ones.

    Attributes:
        tree: the new tree so far.
    """

    def __init__(self, tree: Node, processes: int, problems: Problems) -> None:
        self.tree = tree
        self.processes = processes
        self.problems = problems
        self._at_end: list[Callable[[], None]] = []
        self._settings: list[Setting] = []

    def read_file(self, root: Node, overrides: Sequence[str]) -> None:
        """Translate a flat file, changed by overrides with old keys; its new keys are kept."""
        stays: dict[str, Node] = {}
        old: dict[str, Node] = {}
        for key, node in root.value.items():
            if _stays(key):
                stays[key] = node
            else:
                old[key] = node
        flat = Node(old, root.origin)
        batch = _batch_size(flat)
        apply_overrides(flat, overrides, self.problems)
        self.tree = _skeleton(flat)
        # The rate was chosen for it, whatever an override makes of it
        if batch is not None:
            put(self.tree, ["Global", "global_batch"], batch, self.problems)
        given = frozenset(flat.value)
        for name, value in _DEFAULTS.items():
            flat.value.setdefault(name, Node(value, root.origin))
        found = sorted(self._find(flat, ()), key=lambda item: place_of(item[0]))
        for path, node in found:
            self._carry(path, (), node, is_said=path[0] in given)
        self._lay_over(Node(stays, root.origin))

    def _lay_over(self, stays: Node) -> None:
        """Merge the new keys of a file over the tree; replacing an old key of the same file is a problem."""
        settings = [setting for setting in self._settings if setting.new]
        before = [self._origin(setting.new) for setting in settings]
        self.tree.value = merge(self.tree, stays).value
        for setting, origin in zip(settings, before):
            if self._origin(setting.new) == origin:
                continue
            old = setting.node.origin
            is_inherited = old.line and old.source != stays.origin.source
            if is_inherited:
                continue
            place = find(self.tree, setting.new)[0].origin
            setting.refuse(
                f"is overruled at {place}; write {setting.new} instead, or remove that"
            )

    def _origin(self, key: str) -> Origin | None:
        """Where a new key is set; None if it is not."""
        node, is_there = find(self.tree, key)
        if not is_there:
            return None
        return node.origin

    def read_override(self, parts: list[str], node: Node) -> None:
        """Set the new keys that an old key stands for."""
        key = tuple(parts)
        for depth in range(len(key), 0, -1):
            if has_row(key[:depth]):
                self._carry(key[:depth], key[depth:], node)
                return
        for path, child in self._find(node, key):
            self._carry(path, (), child)

    def finish(self) -> list[str]:
        """Run the checks that had to wait. Returns the lines that say where the old keys went."""
        for check in self._at_end:
            check()
        return _lines(self._settings)

    def _find(self, node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
        """The old settings below a node that have a row; those that have none are problems."""
        if not is_above(path):
            self._unknown(node, path)
        elif isinstance(node.value, dict):
            for name, child in node.value.items():
                if has_row((*path, name)):
                    yield (*path, name), child
                else:
                    yield from self._find(child, (*path, name))
        elif node.value is not None:
            names = [name for name in names_in(path) if name != "*"]
            text = "is not a mapping; write its keys indented under it"
            if names:
                text += f": {', '.join(names)}"
            self.problems.add(node.origin, ".".join(path), text)

    def _unknown(self, node: Node, path: Path) -> None:
        *above, name = path
        self.problems.add_unknown_key(
            node.origin, ".".join(above), name, names_in(path[:-1])
        )

    def _carry(self, path: Path, rest: Path, node: Node, is_said: bool = True) -> None:
        """Set the new key of an old one; `rest` are the parts below it, such as an operation and its key."""
        row, new = row_of(path), new_key(path)
        if rest and not row.has_parts:
            old = ".".join(path)
            self.problems.add(
                node.origin, "", f"{old} is a value and has no keys; set {old} itself"
            )
            return
        setting = Setting(
            ".".join((*path, *rest)),
            node,
            ".".join(new),
            self.tree,
            self.processes,
            self.problems,
            self._at_end,
        )
        problems = len(self.problems)
        try:
            value = row.convert(setting)
        except RefusedValue as error:
            setting.refuse(str(error))
            return
        if value is not None:
            put(self.tree, [*new, *rest], value, self.problems)
        if is_said and len(self.problems) == problems:
            self._settings.append(setting)


def _stays(key: str) -> bool:
    """Whether a key at the top of a flat file is one of today, or one that is reported as such."""
    return key not in TOP and (
        key in field_types(Config) or PADDLECLAS.key(key) is not None
    )


def _batch_size(flat: Node) -> Node | None:
    """The batch of all processes, if the file has a possible one."""
    batch, is_there = find(flat, "TRAIN.batch_size")
    if is_there and type(batch.value) is int and batch.value > 0:
        return batch
    return None


def _skeleton(flat: Node) -> Node:
    """The defaults of every flat file, with the lines where it opens its groups as origins."""
    problems, loss = Problems(), {"CELoss": {"weight": 1.0}}
    readers = {
        "dataset": {"name": "ImageNetDataset"},
        "sampler": {"name": "DistributedBatchSampler"},
    }
    sections = {
        "Global": ("", {}),
        "Arch": ("ARCHITECTURE", {}),
        "Loss": ("", {"Train": [loss], "Eval": [loss]}),
        "Optimizer": ("OPTIMIZER", {}),
        "Optimizer.lr": ("LEARNING_RATE", {}),
        "DataLoader.Train": ("TRAIN", readers),
        "DataLoader.Train.sampler.shuffle": ("TRAIN", True),
        "DataLoader.Eval": ("VALID", readers),
    }
    tree = Node({}, flat.origin)
    for key, (group, value) in sections.items():
        opened = flat.value.get(group) if group else flat
        if opened is not None and opened.value is not None:
            put(tree, key.split("."), as_node(value, opened.origin), problems)
    return tree


def _lines(settings: Sequence[Setting]) -> list[str]:
    """`FILE: TRAIN: read as DataLoader.Train` for each file and section, and for each override."""
    groups: dict[tuple[str, str], list[Setting]] = {}
    for setting in settings:
        group = (setting.node.origin.source, _section_of(setting))
        groups.setdefault(group, []).append(setting)
    return [_line(*group, members) for group, members in groups.items()]


def _section_of(setting: Setting) -> str:
    """The section of a file's key; the whole key of an override."""
    if not setting.node.origin.line:
        return setting.new
    parts = setting.new.split(".")
    depth = 2 if parts[0] == "DataLoader" else 1
    return ".".join(parts[:depth])


def _line(source: str, section: str, settings: Sequence[Setting]) -> str:
    """The line of the settings that go from one source to one section."""
    line = f"{source}: "
    if settings[0].node.origin.line:
        keys = _short([setting.key for setting in settings])
        line += f"{', '.join(keys)}: "
    line += f"read as {section}" if section else "nothing to do here"
    details = [setting.detail for setting in settings if setting.detail]
    if details:
        line += f" ({'; '.join(details)})"
    return line


def _short(keys: Sequence[str]) -> list[str]:
    """Keys by the name of their group where there are several of it."""
    tops = [key.partition(".")[0] for key in keys]
    names = {}  # in their order
    for top, key in zip(tops, keys):
        names[top if tops.count(top) > 1 else key] = True
    return list(names)
