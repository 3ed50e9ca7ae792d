"""Try the files and commands of a PaddleClas checkout, which the variable PADDLECLAS names.

    PADDLECLAS=~/PaddleClas python tools/try_paddleclas.py
    PADDLECLAS=~/PaddleClas python tools/try_paddleclas.py --write
    PADDLECLAS=~/PaddleClas python tools/try_paddleclas.py --run SqueezeNet1_1 DLA46_c

The first prints what became of every configuration and of every command of its test suite (test_tipc) for the models
of this library; `--write` puts that table into docs/coming_from_paddleclas.md. `--run` runs the command lists of some
models, or of `all`, on the CPU with eight pictures: train, eval, export and predict, word by word as the lists have
them but for the device and the folder.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

import yaml

from ppcls.arch import list_models
from ppcls.config import load_config, load_deploy_config
from ppcls.engine.schema import registries
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.utils.errors import ConfigError, UserError

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "coming_from_paddleclas.md"
BEGIN, END = "<!-- written by tools/try_paddleclas.py -->", "<!-- end -->"
VARIABLE = "PADDLECLAS"
COMMANDS = ("train", "eval", "infer", "export")
SWAPPED = "DLA34"
OUTCOMES = ("accepted", "with a line", "refused", "crashed")
_TOOLS = {"train": "train", "eval": "eval", "export_model": "export"}
_PICTURES = 8
_LONGEST_REASON = 150
_WIDTH = 120


@dataclass
class Row:
    """What became of one kind of file or command.

    Attributes:
        what: What was tried.
        counts: How often each outcome occurred.
        refused: The first problem of each that was refused, by its name.
        crashed: The error of each that crashed, by its name.
    """

    what: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    refused: dict[str, str] = field(default_factory=dict)
    crashed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, outcome: str, reason: str = "") -> None:
        """Count one that was tried."""
        self.counts[outcome] += 1
        if outcome == "refused":
            self.refused[name] = reason
        if outcome == "crashed":
            self.crashed[name] = reason

    def tried(self) -> int:
        """How many there were."""
        return sum(self.counts.values())


def try_to_load(row: Row, name: str, load: Any) -> None:
    """Call `load(say)` and count what became of it."""
    lines: list[str] = []
    try:
        load(lines.append)
    except ConfigError as error:
        row.add(name, "refused", _reason(error.problems[0]))
    except UserError as error:
        row.add(name, "refused", _reason(str(error)))
    # This is what the script is for
    except Exception as error:
        row.add(name, "crashed", f"{type(error).__name__}: {error}")
    else:
        row.add(name, "with a line" if lines else "accepted")


def _reason(problem: str) -> str:
    """A problem without its file and line."""
    place, _, text = problem.partition(" ")
    reason = text if place.partition(":")[2].rstrip(":").isdecimal() else problem
    return (
        reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "..."
    )


def unmodified(checkout: Path) -> Row:
    """Its configurations of our models, for all four commands."""
    models = set(list_models())
    row = Row("its configurations of our models, for train, eval, infer and export")
    for file in _configs(checkout, "ImageNet"):
        arch = _read(file).get("Arch") or {}
        if arch.get("name") in models and file.stem == arch["name"]:
            for command in COMMANDS:
                try_to_load(row, f"{file.stem} ({command})", _loader(file, (), command))
    return row


def swapped(checkout: Path) -> Row:
    """Its ImageNet and quick-start configurations of one backbone, with another one in its place."""
    row = Row(
        f"its ImageNet and quick-start configurations, with {SWAPPED} as the model"
    )
    with tempfile.TemporaryDirectory() as folder:
        for file in [
            *_configs(checkout, "ImageNet"),
            *_configs(checkout, "quick_start"),
        ]:
            content = _read(file)
            arch = content.get("Arch") or {}
            if "name" not in arch or {"models", "Backbone"} & arch.keys():
                continue
            name = str(file.relative_to(checkout / "ppcls" / "configs"))
            content["Arch"] = {
                "name": SWAPPED,
                "class_num": arch.get("class_num", 1000),
            }
            copy = Path(folder) / name.replace("/", "_")
            copy.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
            try_to_load(row, name, _loader(copy, (), "train"))
    return row


def deployment(checkout: Path) -> Row:
    """Its deployment configurations of one classifier."""
    row = Row("its deployment configurations `inference_cls*.yaml`")
    for file in sorted((checkout / "deploy" / "configs").glob("inference_cls*.yaml")):

        def load(say: Any, file: Path = file) -> None:
            load_deploy_config(file, (), registries(), check_paths=False, say=say)

        try_to_load(row, file.name, load)
    return row


def command_lists(checkout: Path) -> Row:
    """The commands of its test suite for our models."""
    row = Row("commands of its `test_tipc` lists for our models")
    for file in lists_of(checkout, list_models()):
        for command in commands_of(file, Path("output")):
            try_to_load(row, f"{file.stem}: {command.kind}", command.loader(checkout))
    return row


def lists_of(checkout: Path, models: Sequence[str]) -> list[Path]:
    """The lists for training and inference in Python, in 32 bits and in mixed precision."""
    files = []
    for model in models:
        for kind in ("train_infer_python", "train_amp_infer_python"):
            folder = checkout / "test_tipc" / "configs"
            files += sorted(folder.glob(f"*/{model}_{kind}.txt"))
    return files


@dataclass(frozen=True)
class Command:
    """One command of a list: which of ours it is, the folder that it runs in, and its words behind `python`."""

    kind: str
    folder: str
    words: tuple[str, ...]

    def options(self, name: str) -> list[str]:
        """The values of an option."""
        pairs = zip(self.words, self.words[1:])
        return [value for word, value in pairs if word == name]

    def loader(self, checkout: Path) -> Any:
        """What loads the configuration as the command does."""
        (config,) = self.options("-c")
        file, overrides = checkout / self.folder / config, self.options("-o")
        if self.kind == "predict":
            return lambda say: load_deploy_config(
                file, overrides, registries(), check_paths=False, say=say
            )
        return _loader(file, overrides, self.kind)


def commands_of(file: Path, output: Path) -> Iterator[Command]:
    """The commands that its test suite makes of a list: training, evaluation, export, and every prediction.

    Args:
        file: The list, a `key:value` per line.
        output: The folder of the run, which gets the exported model too.
    """
    entries = read_list(file)
    model = entries["model_name"]
    for trainer in entries["trainer"].split("|"):
        run = output / trainer
        weights = f"{run}/{model}/{entries['train_model_name']}"
        device = _set(entries, "-o Global.device")
        amp = "-o AMP.use_amp=False"
        words = [
            entries[trainer],
            device,
            f"-o Global.output_dir={run}",
            "-o Global.epochs=2",
            amp,
            _set(entries, "-o DataLoader.Train.sampler.batch_size"),
            "-o Global.print_mem_info=True",
            "-o Global.log_ranks=0,1,2,3,4,5,6,7",
        ]
        yield _command("train", words)
        pretrained = f"-o Global.pretrained_model={weights}"
        yield _command("eval", [entries["eval"], pretrained, device])
        saved = f"-o Global.save_inference_dir={run}"
        yield _command("export", [entries["norm_export"], pretrained, saved])
        yield from _predictions(entries, run)


def _predictions(entries: Mapping[str, str], run: Path) -> Iterator[Command]:
    """One prediction for each combination of the values that a list has for them."""
    model, benchmark = (
        f"-o Global.inference_model_dir={run}",
        _set(entries, "-o Global.benchmark"),
    )
    pictures = _set(entries, "-o Global.infer_imgs")
    for batch in _set_each(entries, "-o Global.batch_size"):
        rest = [model, batch, pictures, benchmark]
        for onednn in _set_each(entries, "-o Global.enable_mkldnn"):
            for threads in _set_each(entries, "-o Global.cpu_num_threads"):
                words = ["-o Global.use_gpu=False", onednn, threads, *rest]
                yield _command("predict", [entries["inference"], *words], "deploy")
        for tensorrt in _set_each(entries, "-o Global.use_tensorrt"):
            for half in _set_each(entries, "-o Global.use_fp16"):
                if half.endswith("=True") and tensorrt.endswith("=False"):
                    continue
                words = ["-o Global.use_gpu=True", tensorrt, half, *rest]
                yield _command("predict", [entries["inference"], *words], "deploy")


def read_list(file: Path) -> dict[str, str]:
    """The values of a list by their keys, the first of each; as its shell does, up to a second colon."""
    entries: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        key, *values = line.split(":")
        if values:
            entries.setdefault(key, values[0])
    return entries


def _set(entries: Mapping[str, str], key: str) -> str:
    """`-o KEY=VALUE`, or nothing for null."""
    value = entries.get(key, "null")
    return "" if value in ("null", "") else f"{key}={value}"


def _set_each(entries: Mapping[str, str], key: str) -> list[str]:
    return [f"{key}={value}" for value in entries[key].split("|")]


def _command(kind: str, parts: Sequence[str], folder: str = ".") -> Command:
    return Command(kind, folder, tuple(shlex.split(" ".join(parts))))


def _loader(file: Path, overrides: Sequence[str], command: str) -> Any:
    return lambda say: load_config(
        file, overrides, registries(), command, check_paths=False, say=say
    )


def _configs(checkout: Path, folder: str) -> list[Path]:
    return sorted((checkout / "ppcls" / "configs" / folder).rglob("*.yaml"))


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def run_lists(checkout: Path, models: Sequence[str]) -> int:
    """Run the command lists of models on the CPU. Returns how many commands failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make_place(place, checkout)
        for file in lists_of(checkout, models):
            output = place / "test_tipc" / "output" / file.stem
            for command in commands_of(file, output):
                if "Global.use_gpu=True" not in command.words:
                    failed += _run(command, place)
    print(f"{failed} commands failed")
    return failed


def _make_place(place: Path, checkout: Path) -> None:
    """A folder as a checkout has it: its configurations, our commands, and eight pictures as ImageNet."""
    (place / "ppcls").mkdir()
    (place / "deploy").mkdir()
    (place / "ppcls" / "configs").symlink_to(checkout / "ppcls" / "configs")
    (place / "deploy" / "configs").symlink_to(checkout / "deploy" / "configs")
    (place / "deploy" / "python").symlink_to(ROOT / "deploy" / "python")
    (place / "tools").symlink_to(ROOT / "tools")
    pictures = place / "dataset" / "ILSVRC2012"
    (pictures / "val").mkdir(parents=True)
    lines = []
    for number in range(1, _PICTURES + 1):
        name = f"val/ILSVRC2012_val_{number:08}.JPEG"
        shutil.copy(GOLDEN_PICTURE, pictures / name)
        lines.append(f"{name} {number}\n")
    for name in ("train_list.txt", "val_list.txt"):
        (pictures / name).write_text("".join(lines), encoding="utf-8")


def _run(command: Command, place: Path) -> int:
    """Run a command on the CPU; 1 if it fails, whose output is printed."""
    words = [
        word.replace("Global.device=gpu", "Global.device=cpu") for word in command.words
    ]
    if command.kind != "predict" and "Global.device=cpu" not in words:
        words += ["-o", "Global.device=cpu"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=place / command.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(
        "failed" if done.returncode else "ran", "python", shlex.join(words), flush=True
    )
    if done.returncode:
        print(done.stdout, flush=True)
    return int(done.returncode != 0)


def table(rows: Sequence[Row]) -> str:
    """The table of the page, and below it whatever was refused, with its reason."""
    lines = [
        f"| Tried | Number | {' | '.join(OUTCOMES)} |",
        "| --- " * (len(OUTCOMES) + 2) + "|",
    ]
    for row in rows:
        counts = " | ".join(str(row.counts[outcome]) for outcome in OUTCOMES)
        lines.append(f"| {row.what} | {row.tried()} | {counts} |")
    for row in rows:
        reasons: dict[str, list[str]] = {}
        for name, reason in row.refused.items():
            reasons.setdefault(reason, []).append(name)
        if reasons:
            lines += ["", f"Refused of {row.what}:", ""]
        for reason, names in sorted(reasons.items()):
            lines.append(_wrapped(f"- `{reason}`: {', '.join(names)}"))
    return "\n".join(lines) + "\n"


def _wrapped(item: str) -> str:
    """An item of a list in lines of the page's width; names stay whole."""
    return textwrap.fill(
        item,
        _WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def write_page(text: str) -> None:
    """Put the table between the marks of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a checkout; the exit code is 1 if something crashed or a command failed."""
    parser = argparse.ArgumentParser(
        description="Try the files and commands of PaddleClas."
    )
    parser.add_argument(
        "--write", action="store_true", help=f"write the table into {PAGE.name}"
    )
    parser.add_argument(
        "--run",
        nargs="+",
        metavar="MODEL",
        help="run the command lists of models, or of all",
    )
    given = parser.parse_args(arguments)
    checkout = Path(os.environ.get(VARIABLE, ""))
    if not (checkout / "ppcls" / "configs").is_dir():
        parser.error(
            f"{VARIABLE} is not a checkout of PaddleClas; set it to the folder of one"
        )
    if given.run:
        models = list_models() if given.run == ["all"] else given.run
        return int(run_lists(checkout, models) > 0)
    rows = [
        unmodified(checkout),
        swapped(checkout),
        deployment(checkout),
        command_lists(checkout),
    ]
    text = table(rows)
    print(text, end="")
    for row in rows:
        for name, error in row.crashed.items():
            print(f"crashed: {name}: {error}", file=sys.stderr)
    if given.write:
        write_page(text)
    return int(any(row.crashed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
