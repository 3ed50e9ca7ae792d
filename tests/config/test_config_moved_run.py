"""What a run's configuration names in its folder is found where the folder has been moved to."""

from pathlib import Path

import pytest
import yaml

from ppcls.config.merge import read_tree
from ppcls.config.paths import follow
from ppcls.untrusted.yaml_nodes import Problems


def read(file, output, **dataset):
    """The plain values of a configuration that is written to a file, and the line about what was taken."""
    content = {
        "Global": {"output_dir": str(output)},
        "Arch": {"name": "DLA34"},
        "DataLoader": {"Eval": {"dataset": dataset}},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    root = read_tree(file, Problems())
    line = follow(root, file)
    return root.plain()["DataLoader"]["Eval"]["dataset"], line


@pytest.fixture
def run(tmp_path):
    """A run that stands where an earlier one was, which is now `DLA34.1`; both have a list."""
    for name in ("DLA34", "DLA34.1"):
        place = tmp_path / "output" / name / "val_list.txt"
        place.parent.mkdir(parents=True)
        place.touch()
    return tmp_path / "output" / "DLA34"


@pytest.mark.parametrize("output", ["output", "./output", "absolute"])
@pytest.mark.parametrize("place", ["output/DLA34.1", "elsewhere/mine"])
def test_a_moved_run_reads_its_own_list(run, tmp_path, output, place):
    output = run.parent if output == "absolute" else output
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "val_list.txt").touch()
    dataset, line = read(folder / "finetune.yaml", output, cls_label_path=str(run / "val_list.txt"))
    assert dataset == {"cls_label_path": str(folder / "val_list.txt")}
    assert line.startswith(f"{folder}/finetune.yaml: ") and "val_list.txt" in line


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("output/DLA34", "{run}/val_list.txt"),  # has not been moved
        ("output/DLA34.1", "{run}/other.txt"),  # is not beside it
        ("output/DLA34.1", "{root}/lists/val_list.txt"),  # somebody else's
        ("output/DLA34.1", "{root}/output/DLA60/val_list.txt"),
        ("output/DLA34.1", "output/DLA34/val_list.txt"),  # means the working directory
        ("configs", "{run}/val_list.txt"),  # a copy of the file alone
    ],
)
def test_other_paths_stay(run, tmp_path, place, path):
    path = path.format(run=run, root=tmp_path)
    dataset, line = read(tmp_path / place / "finetune.yaml", "output", cls_label_path=path)
    assert dataset == {"cls_label_path": path}
    assert line is None


def test_a_link_to_the_folder_is_no_move(run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    path = str(run / "val_list.txt")
    assert read(tmp_path / "link" / "finetune.yaml", "output", cls_label_path=path) == ({"cls_label_path": path}, None)


def test_what_names_no_run_is_read_as_it_is(tmp_path):
    for text in ("a: 1\n", "Global: 3\nArch: {}\n", "Global: {output_dir: [1]}\nArch: {name: x}\n"):
        file = Path(tmp_path, "a.yaml")
        file.write_text(text)
        assert follow(read_tree(file, Problems()), file) is None
