"""docs/models is what tools/model_pages.py makes of the tables; its figures are right and its commands are ours."""

import ast
import io
import re
import shlex
import sys

import pytest
from PIL import Image

from helpers.checkout import ROOT
from ppcls.arch import build_model
from ppcls.arch.model_table import LATENCIES, MODELS
from ppcls.arch.weights.files import read_weights, write_weights
from ppcls.arch.weights.sources import weights_of
from ppcls.cli import main

sys.path.insert(0, str(ROOT / "tools"))
try:
    import model_pages_plots
    import model_pages_render as model_pages
    import model_pages_tables
finally:
    sys.path.remove(str(ROOT / "tools"))

PAGES = {page.name: page for page in model_pages.PAGES}
TEXTS = {
    (name, language): model_pages.render(page, language)
    for name, page in PAGES.items()
    for language in model_pages.LANGUAGES
}
SCRIPTS = {
    "tools/train.py": "train",
    "tools/eval.py": "eval",
    "tools/export_model.py": "export",
    "deploy/python/predict_cls.py": "predict",
}


def tables(text):
    """Every table of a page: the header's cells, then those of each row."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE):
        yield [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]


def table(name, language, column):
    """Rows by their first cell, of the table that has this column; empty cells are empty strings."""
    (found,) = [rows for rows in tables(TEXTS[name, language]) if column in rows[0]]
    return {row[0]: row[1:] for row in found[2:]}


def commands(text):
    shell = "\n".join(re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)).replace("\\\n", " ")
    return [shlex.split(line) for line in shell.splitlines() if line]


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_a_page_is_up_to_date(name, language):
    written = (ROOT / "docs" / "models" / f"{name}{language}.md").read_text(encoding="utf-8")
    assert written == TEXTS[name, language], "run python tools/model_pages.py"


def test_the_folder_holds_the_pages_and_their_plots_only():
    names = {f"{name}{language}.md" for name, language in TEXTS}.union(*(page.plots for page in PAGES.values()))
    assert {path.name for path in (ROOT / "docs" / "models").iterdir()} == names


def test_every_model_is_on_one_page():
    assert sorted(info.name for page in PAGES.values() for info in page.models) == sorted(MODELS)


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_the_tables_are_whole(name, language):
    models = [info.name for info in PAGES[name].models]
    first_columns = []
    for header, _, *body in tables(TEXTS[name, language]):
        assert {len(row) for row in body} == {len(header)}, header
        first_columns.append([row[0] for row in body])
    assert first_columns.count(models) >= 2  # accuracy and size
    weights = [row.model for model in models for row in weights_of(model)]
    assert weights in first_columns
    assert set(weights) == {model for model in models if MODELS[model].published}
    assert set(models) <= {cell[1:].partition("]")[0] for cell in first_columns[-1]}  # recipes


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_have_the_same_figures(name):
    english, chinese = ([rows[2:] for rows in tables(TEXTS[name, language])] for language in model_pages.LANGUAGES)
    same = [one == two for one, two in zip(english, chinese)]
    # Two tables have words in them: what parts of names or structures mean, and what `pretrained` can be.
    assert [len(rows) for rows in english] == [len(rows) for rows in chinese]
    assert same.count(False) == (1 if name == "Others" else 2)


@pytest.mark.parametrize(
    ("name", "column", "model", "row"),
    [
        ("DLA", "timm top-1 (%)", "DLA34", "224x224 256 76.03 92.98 74.62 92.072 74.42 92.06"),
        ("DLA", "timm top-1 (%)", "DLA60_res2net", "224x224 256 - - 78.462 94.206 - -"),
        ("DLA", "MACs (G)", "DLA34", "15.742 3.060 6.120 15.8 3.1 15.742 6.845 15.784 6.875 15.8 6.2"),
        ("DLA", "batch 8 (ms)", "DLA102x2", "19.58 23.97 31.37"),
        ("DPN", "reference top-1 (%)", "DPN68", "224x224 256 76.80 93.40 76.40 93.10"),
        ("DPN", "MACs (G)", "DPN107", "86.918 18.299 36.598 82.97 35.06"),
        ("DPN", "batch 1 (ms)", "DPN131", "8.26 33.96 48.62"),
        ("DPN", "FP16, batch 1 (ms)", "DPN68", "11.7827 13.12652 16.19213 11.64915 12.82807 18.57113"),
        ("Others", "reference top-1 (%)", "DarkNet53", "256x256 292 78.00 94.10 77.20 93.80"),
        ("Others", "reference top-1 (%)", "SqueezeNet1_0", "224x224 256 59.60 81.70 57.50 -"),
        ("Others", "MACs (G)", "SENet154_vd", "121.737 24.340 48.679 114.29 45.83"),
        ("Others", "FP16, batch 1 (ms)", "AlexNet", "1.06447 1.70435 2.38402 1.44993 2.46696 3.72085"),
    ],
)
def test_figures(name, column, model, row):
    assert [cell or "-" for cell in table(name, "", column)[model]] == row.split(" ")


def test_the_latency_table_leaves_out_what_nobody_published():
    missing = set(MODELS) - {model for name in PAGES for model in table(name, "", "batch 1 (ms)")}
    unpublished = {name for name, info in MODELS.items() if not any(of(info) for of in LATENCIES.values())}
    assert missing == unpublished >= {"DLA46x_c", "DLA60_res2net", "DLA60_res2next"}


def test_recipes():
    by_epochs = {name: table(name, "", "epochs") for name in PAGES}
    best = "120 | 512 | 0.04 | `Cosine`, `warmup_epoch` 5 | 0.9, 0.0001 | "
    best += "`RandCropImage` 224 bicubic, `RandFlipImage`, `Mixup` 0.2 | 0.1"
    assert by_epochs["DLA"]["[DLA60_best](../../configs/DLA/DLA60_best.yaml)"] == best.split(" | ")
    alexnet = (
        "120 | 256 | 0.01 | `Piecewise`: x 0.1 @ 30, 60, 90 | 0.9, 0.0001 | `RandCropImage` 224, `RandFlipImage` | "
    )
    assert by_epochs["Others"]["[AlexNet](../../configs/AlexNet/AlexNet.yaml)"] == alexnet.split(" | ")
    senet = "200 | 256 | 0.1 | `Cosine` | 0.9, 7e-05 | `RandCropImage` 224, `RandFlipImage`, `Mixup` 0.2 | 0.1"
    assert by_epochs["Others"]["[SENet154_vd](../../configs/SENet/SENet154_vd.yaml)"] == senet.split(" | ")
    assert [len(rows) for rows in by_epochs.values()] == [13, 5, 5]


def test_weights():
    (timm,) = [line for line in TEXTS["DPN", ""].splitlines() if line.startswith("| DPN68 | `timm`")]
    assert timm == (
        "| DPN68 | `timm` | 76.346 | 93.008 | 256 / 224 | bicubic, pil | "
        "(0.486, 0.459, 0.408) / (0.235, 0.235, 0.235) | `epsilon: 0.001` | Apache-2.0 | "
        "[model.safetensors](https://huggingface.co/timm/dpn68.mx_in1k/resolve/main/model.safetensors) |"
    )


def test_the_structure_of_dpn_is_that_of_its_code():
    from ppcls.arch.families.dpn.network import SPECS

    built = {
        name: [
            f"{spec.stem_kernel}x{spec.stem_kernel}, {spec.stem} channels",
            *(", ".join(map(str, numbers)) for numbers in (spec.blocks, (spec.groups,), spec.growth)),
        ]
        for name, spec in SPECS.items()
    }
    assert table("DPN", "", "stem") == built


def test_an_unknown_number_is_an_empty_cell():
    assert model_pages_tables.rows([["DLA34", None, 0.0]]) == "| DLA34 |  | 0.0 |"
    assert model_pages_tables.percent(None) is None
    assert model_pages_tables.thousandths(None, 1e6) is None
    assert model_pages_tables.thousandths(15_742_104, 1e6) == "15.742"


def test_dla_flops_of_others_are_in_the_ratio_that_the_text_gives():
    ratios = [
        info.published[source].flops_g * 1e9 / info.macs
        for info in PAGES["DLA"].models
        for source in ("timm", "ucbdrive")
        if source in info.published
    ]
    assert 2.2 < min(ratios) < max(ratios) < 2.35


@pytest.mark.parametrize("file", [name for page in PAGES.values() for name in page.plots])
def test_a_plot_is_a_small_png(file):
    path = ROOT / "docs" / "models" / file
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (800, 1000))
        assert "Software" not in picture.info
    assert path.stat().st_size < 80_000


def test_what_is_plotted():
    models = PAGES["DPN"].models
    first, *_, last = model_pages_plots.points(models, "T4 FP16", "trainable parameters (M)")
    assert first == ("DPN68", 12.611602, (11.7827, 13.12652, 16.19213))
    assert last == ("DPN131", 79.254504, (28.58941, 33.01078, 55.65146))
    by_flops = model_pages_plots.points(models, "V100 FP32", "FLOPs = 2 x MACs (G)")
    assert by_flops[0] == ("DPN68", 4.652326912, (2.82, 10.9, 14.45))
    assert model_pages_plots.accuracies(models, "V100 FP32")[0] == ("DPN68", 2.82, 76.8)
    of_dla = model_pages_plots.points(PAGES["DLA"].models, "V100 FP32", "trainable parameters (M)")
    assert [point.name for point in of_dla] == list(table("DLA", "", "batch 1 (ms)"))
    assert PAGES["DLA"].plots == {"DLA_v100_fp32.png": "V100 FP32"}


def test_the_same_plot_twice():
    pictures = [io.BytesIO(), io.BytesIO()]
    for picture in pictures:
        model_pages_plots.draw(PAGES["DPN"].models, "T4 FP32", picture)
    assert pictures[0].getvalue() == pictures[1].getvalue()
    assert Image.open(pictures[0]).size == (800, 1000)


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_links_lead_somewhere(name, language):
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", TEXTS[name, language])
    assert len(links) > 8
    for link in links:
        assert (ROOT / "docs" / "models" / link).is_file(), link


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_are_ours(name, tmp_path, monkeypatch, capsys):
    """Configured commands print their configuration, which checks every key; none of them is trained with here."""
    shown = commands(TEXTS[name, ""])
    assert len(shown) == 10
    assert shown == commands(TEXTS[name, "_zh"])
    monkeypatch.chdir(tmp_path)
    for folder in ("configs", "deploy"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (yaml,) = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "quick_start.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    downloaded = {key: value.numpy() for key, value in build_model(PAGES[name].example).state_dict().items()}
    write_weights("downloaded.safetensors", downloaded).path.rename("downloaded.pth")  # the content tells the format
    (tmp_path / "flowers.yaml").write_text(yaml.replace("DLA34", PAGES[name].example), encoding="utf-8")
    for program, *arguments in shown:
        command = arguments.pop(0)
        if program == "python":
            assert (ROOT / command).is_file()
            command = SCRIPTS[command]
        options = [] if command in ("models", "summary", "convert") else ["--print-config"]
        assert main([command, *arguments, *options]) == 0, capsys.readouterr().err
    assert PAGES[name].example in capsys.readouterr().out
    assert read_weights(f"{PAGES[name].example}.pdparams").record["model"] == PAGES[name].example


@pytest.mark.parametrize("name", PAGES)
def test_the_python_code_runs(name, capsys):
    blocks = re.compile(r"```python\n(.*?)```", flags=re.DOTALL)
    shown, same = (blocks.findall(TEXTS[name, language]) for language in model_pages.LANGUAGES)
    assert [ast.dump(ast.parse(code)) for code in shown] == [ast.dump(ast.parse(code)) for code in same]
    transforms, models = shown
    exec(transforms, {})
    assert capsys.readouterr().out.startswith("[{'DecodeImage': {'to_rgb': True, 'backend': 'cv2'}}")
    scope = {}
    exec(models, scope)
    assert [scope[name].params.class_num for name in ("backbone", "classifier")] == [0, 10]
