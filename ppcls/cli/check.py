"""`ppcls check`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ppcls.analysis.check import data as data_sets
from ppcls.analysis.check.finding import ERROR, WARNING, Finding
from ppcls.analysis.check.findings import examine, exit_code, groups_of
from ppcls.analysis.check.result import as_json, write_page
from ppcls.analysis.check.scan import scan
from ppcls.cli.parser import CommandParser, add_override
from ppcls.config import Config, find_config, load_config
from ppcls.engine.schema import registries
from ppcls.utils.errors import UserError, expect, shortened, translated
from ppcls.utils.files import require_own, write_atomically
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.terminal import coloured, wrapped

WORKS_ON = (
    "your own pictures, a folder or a list with labels, or those of a configuration"
)
EXAMPLES = (
    "ppcls check flowers",
    "ppcls check flowers.csv --output checked",
    "ppcls check flowers.yaml -o DataLoader.Train.sampler.batch_size=64",
)
PAGE, JSON, SCAN = "report.html", "check.json", "scan.jsonl"
_COLOURS = {ERROR: "red", WARNING: "yellow"}
_SHOWN, _LONGEST = 3, 160


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source",
        metavar="DATA_OR_CONFIG",
        help="a folder with one folder per class, a list, a configuration's file, or the name of a shipped one",
    )
    add_override(command)
    command.add_argument(
        "--output",
        metavar="DIR",
        default="check",
        help=f"the folder for {PAGE}, {JSON} and {SCAN}, by which an interrupted check continues (default: check)",
    )
    command.add_argument(
        "--least-per-class",
        metavar="N",
        type=int,
        default=10,
        help="training pictures of a class, below which it counts as too small (default: 10)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Look at the data, and return the exit code: 0, 1 after a warning, 3 after an error."""
    folder = Path(arguments.output)
    require_own(folder / PAGE, b'content="ppcls"')
    require_own(folder / JSON, b'"source"')
    config = _config_of(arguments)
    if config is None:
        data = data_sets.of_source(arguments.source)
    else:
        data = data_sets.of_config(config, arguments.source)
    paths = data.paths
    with tqdm(
        total=len(set(paths)), unit=" pictures", leave=False, disable=None
    ) as bar:
        data.take(scan(paths, folder / SCAN, bar.update))
    measured: dict[str, Any] = {}
    if config is not None:
        measured = _measure(config, data)
    groups = groups_of(data)
    findings = examine(data, groups, arguments.least_per_class)
    values = dataclasses.asdict(measured["run"]) if measured else {}
    facts = measured["run"].facts() if measured else {}
    write_atomically(folder / JSON, as_json(data, findings, values).encode())
    write_page(folder / PAGE, data, findings, groups, facts)
    _print(data, findings, facts)
    print(folder / PAGE)
    return exit_code(findings)


def _config_of(arguments: argparse.Namespace) -> Config | None:
    """Read the configuration; None if pictures are given."""
    source = Path(arguments.source)
    is_data = source.is_dir() or (
        source.is_file() and source.suffix not in (".yaml", ".yml")
    )
    if is_data:
        expect(
            not arguments.override,
            f"-o {(arguments.override or [''])[0]} is for a configuration, but {source} is data; leave it out",
        )
        return None
    with translated(
        UserError,
        lambda error: UserError(
            f"{source}: no such folder or list of pictures; {error}"
        ),
    ):
        found = find_config(source)
    return load_config(
        found,
        arguments.override,
        registries(),
        "lr-find",
        say=lambda line: print(line, file=sys.stderr),
    )


def _measure(config: Config, data: data_sets.DataSet) -> dict[str, Any]:
    """Try the training; what refuses it, or will not suffice, is a finding."""
    load_paddle()
    from ppcls.engine.trial_run import try_training

    try:
        trial = try_training(config)
    except UserError as error:
        # The labels are reported already
        if not any(finding.severity == ERROR for finding in data.findings):
            data.findings.append(
                Finding(ERROR, "training", f"the training is refused: {error}")
            )
        return {}
    data.findings += [Finding(ERROR, *problem) for problem in trial.problems()]
    return {"run": trial}


def _print(
    data: data_sets.DataSet, findings: list[Finding], facts: dict[str, str]
) -> None:
    for name, part in data.parts.items():
        print(f"{name}: {len(part.paths):,} pictures of {len(part.counts())} classes")
    for name, value in facts.items():
        print(f"{name}: {value}")
    for finding in findings:
        label = finding.severity
        if label in _COLOURS:
            label = coloured(label, _COLOURS[label], sys.stdout)
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        print(wrapped(f"{label}: {finding.text}{remedy}", sys.stdout))
        for item in finding.items[:_SHOWN]:
            print(f"  {shortened(item, _LONGEST)}")
        if len(finding.items) > _SHOWN:
            print(f"  ... and {len(finding.items) - _SHOWN} more")
    if not findings:
        print("nothing is wrong")
