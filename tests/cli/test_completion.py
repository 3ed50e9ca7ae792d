"""What a shell completes, by the script that the command prints."""

import shutil
import subprocess

import pytest

from ppcls.cli import main
from ppcls.cli.commands import COMMANDS, entries_of


@pytest.fixture(scope="module")
def scripts():
    """The script of each shell."""
    made = {}
    for shell in ("bash", "zsh", "fish"):
        with pytest.MonkeyPatch.context() as patch:
            lines = []
            patch.setattr("builtins.print", lambda text, end="\n", lines=lines: lines.append(text + end))
            assert main(["completion", shell]) == 0
        made[shell] = "".join(lines)
    return made


def completed(script, *words):
    """What bash offers behind these words, the last of which is begun."""
    bash = shutil.which("bash")
    assert bash
    listed = " ".join(f"'{word}'" for word in words)
    program = f'{script}\nCOMP_WORDS=(ppcls {listed}); COMP_CWORD={len(words)}; _ppcls; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run([bash, "--norc", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_commands(scripts):
    assert completed(scripts["bash"], "") == list(entries_of())
    assert completed(scripts["bash"], "tra") == ["train"]
    assert completed(scripts["bash"], "benchmark", "") == ["latency", "accuracy", "backends"]


def test_bash_completes_options(scripts):
    assert completed(scripts["bash"], "runs", "--") == ["--help", "--csv"]
    assert completed(scripts["bash"], "npz", "score", "--he") == ["--help"]
    assert completed(scripts["bash"], "runs", "out") == []  # a path, which bash completes by itself


def test_bash_completes_the_values_of_an_option(scripts):
    assert "DLA34" in completed(scripts["bash"], "train", "-c", "DLA3")
    assert completed(scripts["bash"], "train", "--config", "SqueezeNet1") == ["SqueezeNet1_0", "SqueezeNet1_1"]


def test_zsh_runs_the_script_of_bash(scripts):
    assert scripts["zsh"].endswith(scripts["bash"]) and "bashcompinit" in scripts["zsh"]


def test_fish_has_a_line_for_every_command_and_its_options(scripts):
    lines = scripts["fish"].splitlines()
    assert all(line.startswith("complete -c ppcls -n ") for line in lines)
    for command in COMMANDS:
        assert any(command.name.split()[-1] in line.split() for line in lines)
    assert "complete -c ppcls -n '__fish_seen_subcommand_from runs' -l csv" in lines
