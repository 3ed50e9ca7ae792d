import json
import os
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from helpers.checkout import ROOT
from helpers.new_process import modules_loaded_by, output_of
from helpers.pictures import noise, save_picture
from ppcls.config import load_deploy_config
from ppcls.engine import answers
from ppcls.engine import predict as command_module
from ppcls.engine.predict import predict
from ppcls.engine.result_files import console_line, open_results
from ppcls.inference import Bundle, Classifier, Result
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "in"
    for index, name in enumerate(("a.png", "sub/b.png")):
        save_picture(place / name, noise(60, 50, index))
    return place


@pytest.fixture
def configured(tmp_path, exported):
    """A checked configuration of these values."""

    def make(infer_imgs, topk=None, **values):
        run = {"inference_model_dir": str(exported), "infer_imgs": str(infer_imgs), **values}
        path = tmp_path / "deploy.yaml"
        path.write_text(json.dumps({"Global": run, "PostProcess": {"Topk": topk or {}}}))  # JSON is YAML
        return load_deploy_config(path)

    return make


def test_pictures_of_a_pattern_are_shown_by_their_paths(configured, folder, capsys):
    assert predict(configured(folder / "**" / "?.png")) == 0
    shown = [line.partition(":\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert shown == [str(folder / "a.png"), str(folder / "sub/b.png")]


def test_lines_file_and_exit_code(configured, exported, folder, tmp_path, capsys):
    (folder / "broken.jpg").write_bytes(b"no picture")
    output = tmp_path / "scores.json"
    assert predict(configured(folder, topk={"topk": 2}, output=str(output), batch_size=2)) == 1
    results = list(Classifier(exported, topk=2).predict(folder))
    lines, errors = capsys.readouterr()
    shown = ["a.png", "broken.jpg", "sub/b.png"]
    assert lines.splitlines() == [console_line(result, name) for result, name in zip(results, shown)]
    assert lines.splitlines()[1].startswith("broken.jpg:\terror: ")
    assert errors == "1 of 3 pictures could not be read\n"
    rows = json.loads(output.read_text(encoding="utf-8"))
    assert [row["picture"] for row in rows] == [result.source for result in results]
    assert [row["error"] is None for row in rows] == [True, False, True]
    assert [row["class_ids"] for row in rows] == [result.class_ids for result in results]
    assert len(rows[0]["class_ids"]) == 2


def test_a_name_that_is_no_utf8_ends_nothing(configured, folder, tmp_path, capsys):
    (folder / "a.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    assert predict(configured(folder, output=str(tmp_path / "scores.csv"))) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["caf\\udce9.png", "sub/b.png"]
    assert b"/caf\xe9.png," in (tmp_path / "scores.csv").read_bytes()


def test_pictures_of_several_sources_are_shown_by_their_paths_and_copied_by_class(
    configured, exported, folder, tmp_path, capsys
):
    sources = [str(folder / "sub"), str(folder / "a.png")]
    config = configured(folder, save_dir=str(tmp_path / "sorted"))
    several = replace(config, Global=replace(config.Global, infer_imgs=tuple(sources)))
    assert predict(several) == 0
    paths = [folder / "sub" / "b.png", folder / "a.png"]
    assert [line.partition(":\t")[0] for line in capsys.readouterr().out.splitlines()] == [str(path) for path in paths]
    for path, result in zip(paths, Classifier(exported).predict(list(map(str, paths)))):
        assert (tmp_path / "sorted" / str(result.top1) / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "sorted").rglob("*.png"))) == 2


def test_on_a_terminal_lines_fit_and_classes_are_counted(configured, exported, folder, monkeypatch, capsys):
    monkeypatch.setattr(answers, "width_of", lambda stream: 40)
    assert predict(configured(folder)) == 0
    best = [result.name for result in Classifier(exported).predict(folder)]
    first, second, empty, *counts = capsys.readouterr().out.splitlines()
    assert first.startswith(f"a.png       {best[0]} ") and second.startswith(f"sub/b.png   {best[1]} ")
    assert max(len(first), len(second)) <= 40
    assert (empty, counts) == ("", [f"2   {best[0]}"] if best[0] == best[1] else [f"1   {name}" for name in best])


def test_one_file_and_exit_code_zero(configured, folder, capsys):
    assert predict(configured(folder / "sub" / "b.png")) == 0
    lines, errors = capsys.readouterr()
    assert lines.startswith("b.png:\tclass id(s): [") and lines.count("\n") == 1
    assert errors == ""


def test_names_of_the_configuration_win(configured, folder, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("one\ntwo\nthree\nfour\nfive\n")
    assert predict(configured(folder, topk={"class_id_map_file": str(names)})) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert all(f"'{name}'" in first for name in ("one", "two", "three", "four", "five"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"batch_size": 3}, {"batch_size": 3}),
        ({"use_gpu": True}, {"device": "gpu"}),
        ({"enable_mkldnn": False}, {"onednn": False}),
        ({"cpu_num_threads": 2}, {"threads": 2}),
        ({"backend": "openvino"}, {"backend": "openvino"}),
        ({"precision": "bfloat16"}, {"precision": "bfloat16"}),
        ({"requests": 3}, {"requests": 3}),
        ({}, {"batch_size": 1, "device": "cpu", "onednn": True, "threads": None, "topk": 5, "class_names": None}),
        ({}, {"backend": None, "precision": None, "requests": 1}),
    ],
)
def test_every_key_reaches_the_classifier(configured, folder, monkeypatch, values, expected):
    given = {}

    class Recording:
        def __init__(self, bundle, **arguments):
            given.update(arguments)

        def predict(self, pictures):
            return []

    monkeypatch.setattr(command_module, "Classifier", Recording)
    assert predict(configured(folder, **values)) == 0
    assert {key: given[key] for key in expected} == expected


def test_a_mistake_is_said_before_paddle_loads(configured, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no picture"):
        predict(configured(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("values", "stored", "pictures", "expected"),
    [
        ({}, None, 255, 1),
        ({}, None, 256, 3),
        ({"batch_size": 128}, None, 256, 2),
        ({"batch_size": 128}, None, 257, 3),
        ({"cpu_num_threads": 2}, None, 256, 2),
        ({"cpu_num_threads": 9}, None, 256, 4),
        ({"use_gpu": True}, None, 256, 1),
        ({"backend": "openvino"}, None, 31, 1),
        ({"backend": "openvino"}, None, 32, 3),
        ({"requests": 9}, None, 1, 9),
        ({}, Settings("openvino", requests=2), 32, None),
        ({}, Settings("openvino"), 32, 3),
        ({"backend": "openvino"}, Settings("openvino", requests=2), 32, None),
        ({"backend": "paddle"}, Settings("openvino", requests=2), 32, 1),
        ({"backend": "paddle"}, Settings("openvino", requests=2), 256, 3),
    ],
)
def test_batches_at_a_time_where_nobody_says(configured, folder, monkeypatch, values, stored, pictures, expected):
    monkeypatch.setattr(command_module, "usable_cores", lambda: 3)
    asked = configured(folder, **values).Global
    bundle = replace(Bundle.load(asked.inference_model_dir), settings=stored)
    assert (asked.requests or command_module._requests(asked, bundle, pictures)) == expected


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_the_file_is_the_same_for_any_requests(configured, folder, tmp_path, suffix, forked_engines):
    for index in range(40):
        source = (folder / ("a.png", "sub/b.png")[index % 2]).read_bytes()
        (folder / f"{index}.png").write_bytes(source if index % 7 else b"no picture")
    written = []
    for index, values in enumerate(({}, {"requests": 1}, {"requests": 2, "batch_size": 3}, {"cpu_num_threads": 1})):
        output = tmp_path / f"{index}{suffix}"
        assert predict(configured(folder, output=str(output), **values)) == 1
        written.append(output.read_bytes())
    assert len(set(written)) == 1
    assert written[0].count(b"sub/b.png") == 1 and written[0].count(b"no known picture format") == 6


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_rows_are_written_as_results_come(tmp_path, suffix):
    with open_results(tmp_path / f"out{suffix}", topk=1) as file:
        file.write(Result("a", [3], [0.5]))
        file.write(Result("b", error="why"))
        assert b"0.5" in file.part.read_bytes()  # the last row of JSON waits for what follows it


@pytest.mark.parametrize(("count", "terminal", "shown"), [(32, True, True), (31, True, False), (32, False, False)])
def test_a_long_list_has_a_progress_bar_on_a_terminal(configured, folder, monkeypatch, capsys, count, terminal, shown):
    for index in range(count - 2):
        (folder / f"{index}.png").write_bytes((folder / "a.png").read_bytes())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert predict(configured(folder, batch_size=16)) == 0
    lines, errors = capsys.readouterr()
    assert lines.count("class id(s)") == lines.count("\n") == count
    assert (f"{count}/{count}" in errors) is shown
    assert bool(errors) is shown


@pytest.mark.slow
def test_the_script_from_anywhere(exported, folder, tmp_path):
    config = tmp_path / "deploy.yaml"
    config.write_text(f"Global: {{inference_model_dir: {exported}, infer_imgs: {folder}}}\n")
    script = ["-W", "error::UserWarning:ppcls", ROOT / "deploy/python/predict_cls.py"]
    output = ["-o", f"Global.output={tmp_path / 'out.csv'}"]
    shown = output_of(*script, "-c", config, *output, folder=tmp_path, environment=os.environ)
    assert [line.split(":")[0] for line in shown.splitlines()] == ["a.png", "sub/b.png"]
    assert (tmp_path / "out.csv").read_text().count("\n") == 3


@pytest.mark.slow
def test_the_runtime_is_imported_without_paddle():
    assert "paddle" not in modules_loaded_by("import ppcls.engine.predict")


def test_what_is_out_of_proportion_is_reported_in_its_row(configured, edit, folder, tmp_path, capsys):
    """A size that no such file has, PostScript, and a JPEG of many scans; their bounds are keys of the bundle."""
    _, plain = cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = plain.tobytes()[:12] + header + struct.pack(">I", zlib.crc32(header)) + plain.tobytes()[33:]
    (folder / "bomb.png").write_bytes(bomb)
    (folder / "photo.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    _, progressive = cv2.imencode(".jpg", np.zeros((50, 60, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    (folder / "scans.jpg").write_bytes(progressive.tobytes())
    transforms = [{"DecodeImage": {"max_scans": 5}}, {"ResizeImage": {"size": 32}}, {"NormalizeImage": None}]
    bundle = edit({"transforms": [*transforms, {"ToCHWImage": None}]})
    assert predict(configured(folder, inference_model_dir=str(bundle), output=str(tmp_path / "out.json"))) == 1
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    errors = {Path(row["picture"]).name: row["error"] for row in rows}
    assert "60000x60000" in errors["bomb.png"] and "max_pixels: 3600000000" in errors["bomb.png"]
    assert "PostScript is not read" in errors["photo.jpg"]
    assert "max_scans of DecodeImage allows 5" in errors["scans.jpg"]
    assert errors["a.png"] is None and errors["b.png"] is None
    assert "3 of 5 pictures could not be read" in capsys.readouterr().err
