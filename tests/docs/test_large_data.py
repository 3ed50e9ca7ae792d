"""The commands of docs/large_data.md, in their order, on four pictures."""

import csv
import json

import pytest
import test_documents as documents

PAGE = documents.ROOT / "docs" / "large_data.md"
sandbox = documents.sandbox


def test_the_commands_are_found():
    assert [line.split()[:2] for line in documents.commands(PAGE)] == [
        ["ppcls", "pack"], ["ppcls", "pack"], ["ppcls", "train"], ["ppcls", "eval"],
    ]  # fmt: skip


@pytest.mark.slow
def test_from_pictures_to_an_evaluation_of_shards(sandbox):
    (yaml,) = documents.blocks(PAGE, "yaml")
    (sandbox / "shards.yaml").write_text(yaml)
    said = [documents.run_command(line, sandbox) for line in documents.commands(PAGE)]
    assert said[0].startswith(f"{sandbox}/shards/train/manifest.json: 1 shards, 4 pictures, ")
    assert [
        json.loads((sandbox / "shards" / name / "manifest.json").read_text())["pictures"] for name in ("train", "val")
    ] == [4, 4]
    with (sandbox / "rows.csv").open(newline="") as file:
        names = [row["picture"] for row in csv.DictReader(file)]
    assert names == [f"shards/val/val-000000.tar/images/{index}" for index in range(4)]
