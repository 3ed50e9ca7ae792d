"""`ppcls completion`: scripts by which a shell completes commands, options and the names of configurations."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence

from ppcls.cli.commands import COMMANDS, Command, entries_of, parser_of
from ppcls.cli.parser import CommandParser
from ppcls.config.paths import shipped_configs

WORKS_ON = "the shell that you type commands into"
EXAMPLES = (
    "ppcls completion bash",
    "ppcls completion zsh",
    "ppcls completion fish",
)
_CONFIG_FLAGS = ("-c", "--config")
# Completes what the table says, and the values of an option behind its name; else files, as a shell does by itself
_BASH = """_ppcls() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    local command="${{COMP_WORDS[1]}}"
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{top}" -- "$word"))
        return
    fi
    case "$command" in
{groups}
    esac
    case "$command $before" in
{choices}
    esac
    if [ -z "$words" ]; then
        case "$command" in
{options}
        esac
        [[ "$word" == -* ]] || words=""
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o bashdefault -o default -F _ppcls ppcls
"""
_ZSH = (
    "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "shell",
        choices=("bash", "zsh", "fish"),
        help="for bash: `ppcls completion bash > ~/.local/share/bash-completion/completions/ppcls`; for zsh: write it "
        "to a file that .zshrc sources; for fish: write it to ~/.config/fish/completions/ppcls.fish",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the script, and return the exit code."""
    if arguments.shell == "fish":
        print(_fish())
    elif arguments.shell == "zsh":
        print(_ZSH + _bash(), end="")
    else:
        print(_bash(), end="")
    return 0


def _bash() -> str:
    groups, choices, options = [], [], []
    names: dict[str, None] = {}
    for command in COMMANDS:
        first, _, second = command.name.partition(" ")
        if second:
            names[first] = None
        for flags, values in _choices(command):
            patterns = "|".join(shlex.quote(f"{command.name} {flag}") for flag in flags)
            choices.append(f'        {patterns}) words="{" ".join(values)}" ;;')
        listed = " ".join(_flags(command))
        options.append(f'            {shlex.quote(command.name)}) words="{listed}" ;;')
    for name in names:
        seconds = " ".join(entries_of(name))
        groups.append(
            f"        {name})\n"
            '            if [ "$COMP_CWORD" -eq 2 ]; then\n'
            f'                COMPREPLY=($(compgen -W "{seconds}" -- "$word"))\n'
            "                return\n"
            "            fi\n"
            f'            command="{name} ${{COMP_WORDS[2]}}" ;;'
        )
    return _BASH.format(
        top=" ".join(entries_of()),
        groups="\n".join(groups),
        choices="\n".join(choices),
        options="\n".join(options),
    )


def _fish() -> str:
    """One line for each command and option; fish shows their help beside them."""
    lines = []
    for name, summary in entries_of().items():
        condition = "__fish_use_subcommand"
        lines.append(_fish_line(condition, "-f", "-a", name, "-d", summary))
    for command in COMMANDS:
        first, _, second = command.name.partition(" ")
        condition = f"__fish_seen_subcommand_from {first}"
        if second:
            lines.append(
                _fish_line(condition, "-f", "-a", second, "-d", command.summary)
            )
            condition += f"; and __fish_seen_subcommand_from {second}"
        values = dict(_choices(command))
        for flags in _options(command):
            words = []
            for flag in flags:
                is_long = flag.startswith("--")
                words += ["-l" if is_long else "-s", flag.lstrip("-")]
            if flags in values:
                words += ["-a", " ".join(values[flags])]
            lines.append(_fish_line(condition, *words))
    return "\n".join(lines)


def _fish_line(condition: str, *words: str) -> str:
    return "complete -c ppcls -n " + " ".join(
        shlex.quote(word) for word in (condition, *words)
    )


def _flags(command: Command) -> Iterator[str]:
    """Every option of a command."""
    for flags in _options(command):
        yield from flags


def _options(command: Command) -> Iterator[tuple[str, ...]]:
    """The names of each option that help shows."""
    for action in parser_of(command)._actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            yield tuple(action.option_strings)


def _choices(command: Command) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    """The options that take one of some values, and the values."""
    for action in parser_of(command)._actions:
        flags = tuple(action.option_strings)
        if flags and action.choices:
            yield flags, [str(choice) for choice in action.choices]
        elif set(flags) & set(_CONFIG_FLAGS):
            yield flags, sorted(shipped_configs())
