"""What the documents show is run, in their order, in a folder with small pictures where they name large data."""

import contextlib
import os
import re
import shlex
import shutil
import sys
import warnings

import paddle
import pytest

from helpers.checkout import ROOT
from helpers.forks import Fork, run_launcher
from helpers.in_process import Ran, run_script
from helpers.pictures import noise, save_picture
from helpers.small_families import shrink_dla
from ppcls.arch import build_model
from ppcls.arch.weights.files import write_weights
from ppcls.arch.weights.layouts import known_layouts, to_layout
from ppcls.arch.weights.sources import find_source
from ppcls.utils.download import cached_path

README, QUICK_START = ROOT / "README.md", ROOT / "docs" / "quick_start.md"
DISTRIBUTED = ROOT / "docs" / "distributed.md"
OWN_PICTURES = ROOT / "docs" / "own_pictures.md"
# What another place runs: `make` is what CI and tests/demo do, wheels are made in tests/packaging, archives in
# tests/data_pipeline/test_prepare_imagenet.py.
ELSEWHERE = ("make ", "pip install", "python3 -m venv", "ppcls prepare-imagenet", "python -m pytest")
# Every command is run as it stands, and these are added behind it so that it ends soon.
SHORTER = {
    "train": ["Global.epochs=1", "DataLoader.Train.loader.num_workers=0", "DataLoader.Eval.loader.num_workers=0"],
    "eval": ["DataLoader.Eval.loader.num_workers=0"],
}
SHORTER["finetune"] = SHORTER["train"]
# Weights that the documents download, and those of them that they name as a file.
PUBLISHED = (
    ("DLA34", "timm", None),
    ("DLA34", "paddleclas", None),
    ("DLA34", "ucbdrive", "dla34-ba72cf86.pth"),
    ("DLA60", "timm", None),
    ("DLA60", "ucbdrive", "dla60-24839fc4.pth"),
)
FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
SCRIPTS = {"tools/train.py": "train", "tools/eval.py": "eval", "deploy/python/predict_cls.py": "predict"}


def blocks(path, language):
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(path):
    """Command lines of ```bash blocks and of blocks indented by four spaces, comments left out."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    indented = [line[4:] for line in prose.splitlines() if line.startswith("    ")]
    shell = "\n".join(blocks(path, "bash")).replace("\\\n", " ").splitlines()
    lines = [shlex.join(shlex.split(line, comments=True)) for line in [*shell, *indented]]
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


@contextlib.contextmanager
def small_models():
    """Makes the models of the commands small: their sizes are not the point."""
    with pytest.MonkeyPatch.context() as patch:
        shrink_dla(patch)
        yield


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A checkout's scripts and configurations beside small data in the places that the documents name."""
    folder = tmp_path_factory.mktemp("documents")
    for name in ("tools", "configs", "deploy", "ppcls"):
        (folder / name).symlink_to(ROOT / name)
    data = folder / "dataset" / "ILSVRC2012"
    for index in range(4):
        save_picture(data / "images" / f"{index}.jpg", noise(48, 40, index))
        save_picture(folder / "pictures" / f"{index}.png", noise(48, 40, index))
    for name in ("train_list.txt", "val_list.txt"):
        (data / name).write_text("".join(f"images/{index}.jpg {index}\n" for index in range(4)))
    for part in ("train", "val"):
        for label, name in enumerate(FLOWERS):
            save_picture(folder / "flowers" / part / name / "1.jpg", noise(48, 40, label))
    (folder / "holiday").symlink_to(folder / "pictures")
    with pytest.MonkeyPatch.context() as patch:  # as if the published weights had been downloaded
        patch.setenv("PPCLS_HOME", str(folder / "cache"))
        weights = cached_path(find_source("DLA34").url)
    weights.parent.mkdir(parents=True)
    with small_models():
        paddle.save(build_model("DLA34").state_dict(), str(weights))
    return folder


@pytest.fixture(scope="module")
def weights(sandbox):
    """Files that hold random values in the places of published weights: in the cache and beside the pictures."""
    with pytest.MonkeyPatch.context() as patch, small_models():
        patch.setenv("PPCLS_HOME", str(sandbox / "cache"))
        for name, source, beside in PUBLISHED:
            row = find_source(name, source)
            model = build_model(name, **row.arguments)
            layout = next(layout for layout in known_layouts(name) if layout.source == source)
            file = write_weights(sandbox / f"{name}.safetensors", to_layout(model, layout)).path
            if beside:
                shutil.copy(file, sandbox / beside)
            else:
                place = cached_path(row.url)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
    return sandbox


def run(arguments, folder, models=small_models):
    """What `python` prints with these arguments; of Paddle's launcher and its processes, what it says if they fail."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), models():
        warnings.simplefilter("ignore")
        patch.setenv("PPCLS_HOME", str(folder / "cache"))
        patch.setenv("PPCLS_OFFLINE", "1")
        if arguments[:2] == ["-m", "paddle.distributed.launch"]:
            ran = run_job(arguments[2:], folder)
        elif arguments[:2] == ["-m", "ppcls"]:
            ran = run_script(ROOT / "ppcls" / "__main__.py", *arguments[2:], folder=folder)
        elif arguments[0] == "-c":
            (folder / "shown.py").write_text(arguments[1], encoding="utf-8")
            ran = run_script(folder / "shown.py", folder=folder)
        else:
            ran = run_script(folder / arguments[0], *arguments[1:], folder=folder)
    assert ran.code == 0, f"{shlex.join(arguments)}\n{ran.out}\n{ran.err}"
    return ran.out


def run_job(words, folder):
    output = folder / "launcher.txt"
    with output.open("w") as file:
        code = Fork(lambda: run_launcher(words), file, prepare=lambda: os.chdir(folder)).wait()
    return Ran(code, output.read_text(), "")


def run_command(line, folder):
    words = shlex.split(line)
    if words[0] == "ppcls":
        command, arguments = words[1], ["-m", "ppcls", *words[1:]]
    else:
        assert words[0] == "python", line
        command = next((command for script, command in SCRIPTS.items() if script in words), words[1])
        arguments = words[1:]
    for override in SHORTER.get(command, []):
        arguments += ["-o", override]
    return run(arguments, folder, contextlib.nullcontext if command == "summary" else small_models)


def test_the_commands_are_found():
    assert commands(README)[0] == commands(QUICK_START)[0] == "ppcls finetune flowers"
    assert [len(commands(path)) for path in (README, QUICK_START, DISTRIBUTED)] == [16, 17, 6]


@pytest.mark.slow
def test_quick_start(sandbox):
    for line in commands(QUICK_START)[:12]:
        output = run_command(line, sandbox)
    assert [row.split(":")[0] for row in output.splitlines()] == [f"{index}.jpg" for index in range(4)]
    (code,) = blocks(QUICK_START, "python")
    assert run(["-c", code], sandbox).count("None\n") == 4


@pytest.mark.slow
def test_own_pictures_top_to_bottom(sandbox):
    """Without the server, which tests/serving starts, and without the machine's own state."""
    lines = [line for line in commands(OWN_PICTURES) if line.startswith("ppcls ")]
    skipped = ("ppcls doctor", "ppcls check", "ppcls serve")
    assert [line for line in lines if line.startswith(skipped)] == [
        "ppcls doctor", "ppcls check flowers", "ppcls serve flowers=inference",
    ]  # fmt: skip
    for line in lines:
        if not line.startswith(skipped):
            output = run_command(line, sandbox)
    assert output.splitlines()[-1] == "report: comparison/compare.html"
    for name in ("flowers_report/report.html", "explained/explain.html", "comparison/compare.csv"):
        assert (sandbox / name).is_file()


@pytest.mark.slow
def test_weights_of_others(weights):
    models, summary, evaluation, named, file = (run_command(line, weights) for line in commands(QUICK_START)[12:])
    names = ["DLA60", "DLA60x", "DLA60x_c", "DLA60_res2net", "DLA60_res2next"]
    assert [line.split()[0] for line in models.splitlines()] == ["Model", *names]
    assert "Trainable parameters                        22,036,632\n" in summary
    assert "preprocessing is that of timm's weights: short side 256 (bilinear, pil), crop 224" in evaluation
    assert named.splitlines()[0].endswith(": timm's weights of DLA60")
    assert file.splitlines()[0].endswith(
        "s weights of DLA60"
    )  # of timm or ucbdrive, which only unused layers tell apart
    for name in ("dla60.pdparams", "dla60.safetensors", "dla60.pdparams.keys.txt", "dla60.safetensors.keys.txt"):
        assert (weights / name).is_file()


@pytest.mark.slow
def test_readme(sandbox, weights):
    own, imagenet = commands(README)[:6], commands(README)[6:]
    for line in own:
        said = run_command(line, sandbox)
    assert [row.split(":")[0] for row in said.splitlines()] == [f"{index}.png" for index in range(4)]
    classifier, functions, arch = blocks(README, "python")
    assert run(["-c", functions], sandbox).splitlines()[-1].endswith(f" {sandbox}/inference")
    answers = [line.split() for line in run(["-c", classifier], sandbox).splitlines()]
    assert [source for source, _, _ in answers] == [f"holiday/{index}.png" for index in range(4)]
    assert {name for _, name, _ in answers} <= set(FLOWERS)
    for line in imagenet:
        run_command(line, sandbox)
    prelude = "import paddle; images = paddle.zeros([1, 3, 64, 64])\n"
    shape = "[*classifier(images[:, :1]).shape]"
    check = f"\nprint(backbone.feature_channels, backbone.feature_strides, len(stages), {shape})"
    said = run(["-c", prelude + arch + check], sandbox, models=contextlib.nullcontext)
    assert said == "(16, 32, 64, 128, 256, 512) (1, 2, 4, 8, 16, 32) 6 [1, 10]\n"


@pytest.mark.slow
def test_the_page_on_python(sandbox):
    own, config, mistake = blocks(ROOT / "docs" / "python_api.md", "python")
    said = run(["-c", own], sandbox)
    assert re.search(r"\ntop1 \d\.\d+ in epoch 1\ncheckpoints and log: output/flowers/DLA34\n", said)
    source, name, score = said.splitlines()[-1].split()
    assert source == "flowers/val/rose/1.jpg" and name in FLOWERS and 0 < float(score) <= 1
    said = run(["-c", config], sandbox)
    assert re.search(r"\n1 \d\.\d+ \d+\.\d+\n", said)
    assert run(["-c", mistake], sandbox) == ("-o Global.epohs=3: unknown key 'epohs'. Did you mean 'epochs'?\n")


@pytest.mark.slow
def test_distributed(sandbox):
    """What needs no GPU is run; of the rest it is checked that its settings exist."""
    for line in commands(DISTRIBUTED):
        if "--gpus" not in line:
            run_command(line, sandbox)
        else:
            words = shlex.split(line)
            assert words[:3] == ["python", "-m", "paddle.distributed.launch"]
            script = next(place for place, word in enumerate(words) if word in SCRIPTS)
            run([*words[script:], "--print-config"], sandbox)
    log = (sandbox / "log" / "workerlog.1").read_text()
    assert "batch 256 on 2 processes" in log
    assert "resumed output/DLA60/latest after 1 of " in log


def test_the_list_example_is_a_configuration(sandbox):
    (text,) = blocks(QUICK_START, "yaml")
    mine = sandbox / "mine"
    mine.mkdir()
    for name in ("train.txt", "val.txt", "names.txt"):
        (mine / name).touch()
    (sandbox / "mine.yaml").write_text(text)
    printed = run(["-m", "ppcls", "train", "-c", "mine.yaml", "--print-config"], sandbox)
    assert "cls_label_path: mine/val.txt" in printed
    ran = run_script(ROOT / "ppcls" / "__main__.py", "train", "-c", "mine.yaml", folder=sandbox)
    assert ran.code == 2
    assert ran.err.startswith("mine/train.txt")


def test_the_model_table_is_up_to_date():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from readme_table import with_table
    finally:
        sys.path.pop(0)
    text = README.read_text(encoding="utf-8")
    assert with_table(text) == text


def test_links_lead_somewhere():
    for document in (README, *sorted((ROOT / "docs").rglob("*.md"))):
        text = re.sub(r"(?ms)^```.*?^```$", "", document.read_text(encoding="utf-8"))  # C++ has `](` too
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (document.parent / target).exists(), f"{document}: {target}"


def test_the_transform_of_the_documents_works(sandbox):
    (code,) = blocks(ROOT / "docs" / "add_a_transform.md", "python")
    check = """
import numpy as np
picture = np.full((2, 2, 3), 100, np.uint8)
values = {int(RandBrightness(0.2)(picture, np.random.default_rng(seed))[0, 0, 0]) for seed in range(50)}
assert min(values) >= 80 and max(values) <= 120 and len(values) > 10, values
"""
    (sandbox / "brightness.py").write_text(code + check)
    run(["brightness.py"], sandbox)


def test_a_command_imports_the_transform_of_the_documents(sandbox):
    (code,) = blocks(ROOT / "docs" / "add_a_transform.md", "python")
    (sandbox / "imported.py").write_text(code.replace("RandBrightness", "RandBrightnessByFile"))
    operations = "DataLoader.Train.dataset.transform_ops=[DecodeImage: {}, RandBrightnessByFile: {strength: %s}]"
    words = ["train", "-c", "DLA34", "--print-config", "--import", "imported.py", "-o"]
    assert "strength: 0.2\n" in run(["-m", "ppcls", *words, operations % 0.2], sandbox)
    ran = run_script(ROOT / "ppcls" / "__main__.py", *words, operations % 2, folder=sandbox)
    assert ran.code == 2
    assert "RandBrightnessByFile.strength" in ran.err
