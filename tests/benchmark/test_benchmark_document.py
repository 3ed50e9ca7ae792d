"""The commands of docs/deployment/benchmark.md about accuracy, the gate and .npz files, run as they stand."""

import re
import shlex
import shutil
from pathlib import Path

from helpers.checkout import ROOT
from helpers.pictures import noise, save_picture
from ppcls.cli import main

DOCUMENT = ROOT / "docs" / "deployment" / "benchmark.md"
OURS = ("ppcls benchmark accuracy", "ppcls verify", "ppcls npz")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_commands_run_and_agree(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported, "inference")
    for index in range(8):
        save_picture(Path(f"dataset/images/{index}.png"), noise(48, 40, index))
    Path("dataset/val_list.txt").write_text("".join(f"images/{index}.png {index % 4}\n" for index in range(8)))
    found = [line for text in blocks("bash") for line in text.splitlines() if line.startswith(OURS)]
    assert len(found) == 8
    said = {}
    for line in found:
        assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err
        said[line] = capsys.readouterr().out
    (score,) = (text for line, text in said.items() if " score " in line)
    top1, top5 = re.fullmatch(r"top-1 (\S+) %, top-5 (\S+) % of 8 pictures\n", score).groups()
    assert re.search(rf"^Tiny +paddle +float32 +8 +{top1} +{top5}$", said[found[0]], re.MULTILINE)
    assert re.search(rf"^reference .* {top1} +{top5}  -$", said[found[2]], re.MULTILINE)
    assert len(Path("npz_calibration/npz_datalist.txt").read_text().splitlines()) == 4
    (code,) = (text for text in blocks("python") if "verify(" in text)
    exec(compile(code, str(DOCUMENT), "exec"), {})
    assert re.search(r"^paddle:float32 0\.0 1\.0 \S+ None$", capsys.readouterr().out, re.MULTILINE)
