from pathlib import Path

import pytest

import ppcls
from helpers.messages import says
from ppcls.config.paths import locate, portable
from ppcls.utils.errors import ConfigError

PACKAGED = Path(ppcls.__file__).resolve().parent / "data" / "imagenet1k_labels.txt"
TRAIN, EVAL = "DataLoader.Train.dataset", "DataLoader.Eval.dataset"


WEIGHTS = "the path or address of a file of weights or ..."


def problem(override, text):
    return [says(f"-o {override}: {text}")]


def no_weights(path):
    return f"{path}: no weights there; give a file of weights, its path without .pdparams ... or of a run"


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (f"{TRAIN}.root=no", "... no folder 'no'; write the path ... relative to the working directory"),
        (f"{TRAIN}.root=c.yaml", "... no folder 'c.yaml'; write the path ... relative to the working directory"),
        (f"{TRAIN}.list_file=.", "... no file '.'; write the path ... relative to the working directory"),
        (f"{EVAL}.root=no", "... no folder 'no'; write the path ... relative to the working directory"),
        ("Global.checkpoints=no", "no: no checkpoint there; give the folder of a run or ..."),
        ("Global.checkpoints=/", "/: no checkpoint there; give the folder of a run or ..."),
        ("Global.pretrained_model=/", no_weights("/")),
        ("Global.pretrained_model=no", no_weights("no")),
        ("Arch.pretrained=no", no_weights("no")),
        ("Arch.pretrained=brich", no_weights("brich") + " (did you mean birch?)"),
        ("Arch.pretrained=oak.pth", no_weights("oak.pth") + " (did you mean oak?)"),
        ("Global.pretrained_model=oak", no_weights("oak")),
    ],
)  # fmt: skip
def test_paths_that_training_reads(small, override, text):
    assert small.problems(small.VALID, override) == problem(override, text)


def test_a_path_with_a_character_that_no_file_has(small):
    (found,) = small.problems(small.VALID, TRAIN + '.root="a\\0b"')
    assert found.endswith("is 'a\\x00b', which cannot be a path; write another one")


@pytest.mark.parametrize(
    "given", ["run", "run/latest", "run/latest.pdparams", "run/latest.pdopt", "run/latest.pdstates"]
)
def test_a_checkpoint_of_paddleclas_is_told_from_ours(small, tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    for suffix, content in ((".pdparams", b"\x80\x02}."), (".pdopt", b"\x80\x02}."), (".pdstates", b"\x80\x02}.")):
        Path(f"run/latest{suffix}").write_bytes(content)
    (found,) = small.problems(small.VALID, f"Global.checkpoints={given}")
    assert found.startswith(
        f"-o Global.checkpoints={given}: {given}: a checkpoint of PaddleClas, whose optimizer state"
    )
    assert found.endswith("leave Global.checkpoints out and write Global.pretrained_model=run/latest.pdparams")


def test_a_checkpoint_of_paddleclas_under_our_names(small, tmp_path):
    folder = tmp_path / "latest"
    folder.mkdir()
    for suffix in (".pdparams", ".pdopt", ".pdstates"):
        (folder / f"ppcls{suffix}").write_bytes(b"\x80\x02}.")
    for path in (folder, tmp_path, folder / "ppcls"):
        (found,) = small.problems(small.VALID, f"Global.checkpoints={path}")
        assert "PaddleClas" in found and found.endswith("latest/ppcls.pdparams")
    (folder / "ppcls.pdstates").write_text("{}")
    assert small.load(small.VALID, f"Global.checkpoints={folder}").Global.checkpoints == str(folder)


@pytest.mark.parametrize(
    ("command", "read"),
    [
        ("train", {"train", "eval", "checkpoints", "pretrained"}),
        ("eval", {"eval", "pretrained", "names"}),
        ("infer", {"pretrained", "pictures", "names"}),
        ("export", {"pretrained", "names"}),
    ],
)
def test_a_command_reads_its_own_sections_only(small, command, read):
    overrides = {
        "train": f"{TRAIN}.root=no",
        "eval": f"{EVAL}.root=no",
        "checkpoints": "Global.checkpoints=no",
        "pretrained": "Global.pretrained_model=no",
        "pictures": "Infer.infer_imgs=no",
        "names": "Infer.PostProcess={name: Topk, class_id_map_file: no}",
    }
    found = small.problems(small.VALID, *overrides.values(), command=command)
    assert {name for name, override in overrides.items() if any(f"-o {override}" in line for line in found)} == read
    assert len(found) == len(read)


@pytest.mark.parametrize("command", ["train", "eval", "infer", "export"])
def test_weights_that_others_come_before_are_not_looked_for(small, command):
    Path("some.pdparams").write_bytes(b"")
    overrides = ["Arch.pretrained=no", "Infer.infer_imgs=."]
    assert [line.split(":")[0] for line in small.problems(small.VALID, *overrides, command=command)][-1] == (
        "-o Arch.pretrained=no"
    )
    found = small.load(small.VALID, *overrides, "Global.pretrained_model=some", command=command)
    assert found.Arch.pretrained == "no"


def test_evaluation_data_is_not_read_where_training_does_not_evaluate(small):
    assert small.load(small.VALID, f"{EVAL}.root=no", "Global.eval_during_train=false")


def test_a_file_that_may_not_be_read(small, monkeypatch):
    Path("list.txt").write_text("")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    found = small.problems(small.VALID, f"{TRAIN}.list_file=list.txt")
    assert f"-o {TRAIN}.list_file=list.txt: 'list.txt' may not be read; change its permissions" in found


@pytest.mark.parametrize(
    "path", ["run/latest", "run/latest/ppcls", "run/latest/ppcls.pdparams", "run/latest/ppcls.pdopt"]
)
def test_weights_by_any_of_their_names(small, path):
    Path("run/latest").mkdir(parents=True)
    Path("run/latest/ppcls.pdparams").write_bytes(b"")
    assert small.load(small.VALID, f"Global.pretrained_model={path}").Global.pretrained_model == path


def test_weights_by_a_name_that_no_file_has(small):
    name = "x" * 300
    assert small.problems(small.VALID, f"Global.pretrained_model={name}")[0].endswith(
        "; write the path of one, relative to the working directory"
    )
    assert small.problems(small.VALID, f"Global.checkpoints={name}")[0].endswith(
        "no checkpoint there; give the folder of a run or of a checkpoint"
    )


@pytest.mark.parametrize("key", [f"{TRAIN}.root", "Global.pretrained_model", "Global.checkpoints", "Global.output_dir"])
def test_a_path_longer_than_any_path(small, monkeypatch, key):
    monkeypatch.setenv("LONG", "x" * 100)
    for path in ("x" * 5000, "$LONG/" * 50):
        (found,) = small.problems(small.VALID, f"{key}={path}")
        assert found.endswith(", which cannot be a path; write another one") and len(found) < 1000


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("Global.checkpoints", "the path of a run's or checkpoint's folder or null"),
        ("Global.pretrained_model", f"{WEIGHTS} or null"),
        ("Arch.pretrained", f"true or false or oak or birch or {WEIGHTS}"),
        (f"{TRAIN}.root", "the path of a folder"),
        (f"{TRAIN}.list_file", "the path of a file or null"),
        ("Infer.infer_imgs", "the path of a file or folder, or a pattern such as photos/*.jpg ..."),
    ],
)
@pytest.mark.parametrize("command", ["train", "export"])
def test_an_empty_path(small, key, remedy, command):
    assert small.problems(small.VALID, f'{key}=""', command=command) == problem(
        f'{key}=""', f"is empty; write {remedy}"
    )


def test_pictures_may_be_a_pattern_that_a_file_matches(small):
    Path("photos/[1]").mkdir(parents=True)
    Path("photos/a.jpg").write_bytes(b"")
    for pattern in ("photos/*.jpg", "**/a.jpg", "photos/[1]"):
        assert small.load(small.VALID, f"Infer.infer_imgs={pattern}", command="infer").Infer.infer_imgs == pattern
    override = "Infer.infer_imgs=photos/*.png"
    assert small.problems(small.VALID, override, command="infer") == problem(
        override, "no file matches the pattern 'photos/*.png'"
    )


@pytest.mark.parametrize("saved", ["run/latest", "run/.latest.new", "run/.latest.old"])
@pytest.mark.parametrize(
    "path", ["run", "run/", "run/latest", "run/latest/ppcls", "run/latest/ppcls.pdparams", "run/latest/ppcls.pdstates"]
)
def test_a_checkpoint_by_any_of_its_names(small, saved, path):
    Path(saved).mkdir(parents=True)
    assert len(small.problems(small.VALID, f"Global.checkpoints={path}")) == 1
    Path(saved, "ppcls.pdstates").write_text("{}")
    assert small.load(small.VALID, f"Global.checkpoints={path}").Global.checkpoints == path


@pytest.mark.parametrize(
    ("here", "path"),
    [("run/latest", "."), ("run/latest", "ppcls"), ("run/latest", "ppcls.pdopt"), ("run", "."), ("run/x", "..")],
)
def test_a_checkpoint_from_within(small, monkeypatch, here, path):
    for folder in ("run/latest", "run/x"):
        Path(folder).mkdir(parents=True)
    Path("run/latest/ppcls.pdstates").write_text("{}")
    monkeypatch.chdir(here)
    assert small.load(small.VALID, f"Global.checkpoints={path}").Global.checkpoints == path


def test_neighbours_count_from_within_as_well(small, monkeypatch):
    for folder in ("run/latest", "run/.latest.old"):
        Path(folder).mkdir(parents=True)
    Path("run/.latest.old/ppcls.pdstates").write_text("{}")
    monkeypatch.chdir("run/latest")
    assert small.load(small.VALID, "Global.checkpoints=.").Global.checkpoints == "."


def test_weights_alone_are_no_checkpoint(small):
    Path("ppcls.pdparams").write_bytes(b"")
    assert small.problems(small.VALID, "Global.checkpoints=ppcls.pdparams") == problem(
        "Global.checkpoints=ppcls.pdparams",
        "ppcls.pdparams: no checkpoint there; give the folder of a run or of a checkpoint",
    )


def test_printing_needs_no_paths(small):
    wrong = [f"{TRAIN}.root=no", f"{EVAL}.root=no", "Global.checkpoints=no", "Global.pretrained_model=no"]
    for command in ("train", "eval", "infer", "export"):
        config = small.load(small.VALID, *wrong, command=command, check_paths=False)
        assert (config.DataLoader.Eval.dataset.root, config.Infer.infer_imgs) == ("no", None)
        assert "  checkpoints: no\n" in config.to_yaml().replace("'no'", "no")
    with pytest.raises(ConfigError) as caught:
        small.load(small.VALID, "DataLoader.Eval=", "Global.seed=x", command="infer", check_paths=False)
    assert caught.value.problems == [
        "-o Global.seed=x: is 'x'; write a whole number of at least 0",
        says("-o DataLoader.Eval=: is missing, and infer needs it; ... transforms ..."),
    ]


@pytest.mark.parametrize("command", ["train", "eval", "infer", "export"])
@pytest.mark.parametrize("address", ["https://host/DLA34.pdparams", "http://host:8000/DLA34.pth"])
def test_weights_by_their_address(small, command, address):
    keys = ("Global.pretrained_model", "Arch.pretrained")
    config = small.load(small.VALID, *(f"{key}={address}" for key in keys), "Infer.infer_imgs=.", command=command)
    assert config.Global.pretrained_model == config.Arch.pretrained == address
    override = f"Global.checkpoints={address}"
    assert small.problems(small.VALID, override, command="train") == problem(
        override, f"{address} is an address; download it and write the path of the file"
    )


@pytest.mark.parametrize("value", ["true", "false", "oak", "birch"])
def test_weights_by_a_name_need_no_file(small, value):
    config = small.load(small.VALID, f"Arch.pretrained={value}", command="export")
    assert config.Arch.pretrained == {"true": True, "false": False}.get(value, value)
    assert f"pretrained: {value}\n" in config.to_yaml()


@pytest.mark.parametrize(("value", "shown"), [("3", "3"), ("[oak]", "a list"), ("{name: oak}", "a mapping")])
def test_weights_by_what_is_neither(small, value, shown):
    for key, remedy in (("Arch.pretrained", "true or false or oak or birch or "), ("Global.pretrained_model", "")):
        end = " or null" if key.startswith("Global") else ""
        assert small.problems(small.VALID, f"{key}={value}") == problem(
            f"{key}={value}", f"is {shown}; write {remedy}{WEIGHTS}{end}"
        )


def test_a_models_own_weights_are_no_runs(small):
    assert small.problems(small.VALID, "Global.pretrained_model=true") == problem(
        "Global.pretrained_model=true", f"is true; write {WEIGHTS} or null"
    )


NAMES = (
    "ppcls/data/imagenet1k_labels.txt ppcls/utils/imagenet1k_label_list.txt ../ppcls/utils/imagenet1k_label_list.txt"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_the_packaged_label_file(small, name):
    assert PACKAGED.is_file()
    override = f"Infer.PostProcess={{name: Topk, class_id_map_file: {name}}}"
    config = small.load(small.VALID, override, "Infer.infer_imgs=.", command="infer")
    assert config.Infer.PostProcess.class_id_map_file == str(PACKAGED)
    assert f"class_id_map_file: {NAMES.split()[0]}\n" in config.to_yaml()


def test_a_file_of_that_name_that_is_there_comes_first():
    Path("ppcls/utils").mkdir(parents=True)
    Path(NAMES.split()[1]).write_text("0 mine\n")
    assert locate(NAMES.split()[1]) == NAMES.split()[1]
    assert locate("labels.txt") == portable("labels.txt") == "labels.txt"
