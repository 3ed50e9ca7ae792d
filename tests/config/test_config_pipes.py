"""A configuration starts no program by itself."""

from pathlib import Path

import pytest

from ppcls.config import load_config
from ppcls.engine.schema import registries
from ppcls.utils.errors import ConfigError

KEY = "DataLoader.Train.dataset.shards"
COMMAND = "pipe:touch canary; cat {a,b}.tar"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A configuration whose training reads shards by a command."""
    monkeypatch.delenv("PPCLS_ALLOW_PIPE", raising=False)
    monkeypatch.chdir(tmp_path)

    def write(shards):
        text = f"""base: DLA34
DataLoader:
  Train:
    dataset:
      name: WebDatasetDataset
      epoch_length: 4
      shards: {shards}
      transform_ops: [DecodeImage: {{}}]
  Eval: {{dataset: {{name: WebDatasetDataset, shards: a.tar, transform_ops: [DecodeImage: {{}}]}}}}
"""
        Path("pipes.yaml").write_text(text)
        return "pipes.yaml"

    return write


def load(file, *overrides):
    config = load_config(file, overrides, registries(), command="lr-find", check_paths=False)
    return config.DataLoader.Train.dataset.shards


@pytest.mark.parametrize("shards", [f"'{COMMAND}'", f"[a.tar, '{COMMAND}']", f"' {COMMAND}'"])
def test_a_command_of_a_file_is_refused(file, shards):
    with pytest.raises(ConfigError, match=rf"^pipes\.yaml:7 {KEY}: .*'pipe:'.*PPCLS_ALLOW_PIPE=1"):
        load(file(shards))
    assert not Path("canary").exists()


@pytest.mark.parametrize("value", ["", "pipe:"])
def test_a_variable_makes_no_command(file, monkeypatch, value):
    monkeypatch.setenv("CANARY", value)
    text = "${CANARY}" + COMMAND.removeprefix(value)
    with pytest.raises(ConfigError, match=rf"^pipes\.yaml:7 {KEY}: .*'pipe:'.*PPCLS_ALLOW_PIPE=1"):
        load(file(f"'{text}'"))


def test_a_file_with_the_name_of_an_override_is_a_file(file):
    Path(file(f"'{COMMAND}'")).rename("-o a.yaml")
    Path("b.yaml").write_text("base: -o a.yaml\n")
    with pytest.raises(ConfigError, match="PPCLS_ALLOW_PIPE=1"):
        load("b.yaml")


def test_consent_by_the_environment(file, monkeypatch):
    monkeypatch.setenv("PPCLS_ALLOW_PIPE", "1")
    assert load(file(f"'{COMMAND}'")) == COMMAND


@pytest.mark.parametrize("value", ["0", "", "yes"])
def test_no_other_value_is_consent(file, monkeypatch, value):
    monkeypatch.setenv("PPCLS_ALLOW_PIPE", value)
    with pytest.raises(ConfigError, match="PPCLS_ALLOW_PIPE=1"):
        load(file(f"'{COMMAND}'"))


def test_an_override_is_the_users_own_word(file):
    assert load(file("a.tar"), f"{KEY}='{COMMAND}'") == COMMAND


def test_other_addresses_need_no_consent(file):
    assert load(file("[a.tar, 'https://host/b.tar']")) == ("a.tar", "https://host/b.tar")
