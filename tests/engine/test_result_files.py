import csv
import io
import json
import os
import sys
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.messages import refusal, says
from ppcls.engine.result_files import console_line, encodable, open_results
from ppcls.inference.prediction import Result
from ppcls.utils.errors import UserError

TENCH = Result("in/n01440764_tench.JPEG", [0, 389], [0.93456789, 1.25e-09], ["tench, Tinca tinca", 'a "naïve" fish'])
BARE = Result(7, [3], [0.5])
BROKEN = Result("in/broken.jpg", error="truncated, 3 of 9 bytes")


def test_console_lines_are_paddleclass():
    assert console_line(TENCH, "n01440764_tench.JPEG") == (
        "n01440764_tench.JPEG:\tclass id(s): [0, 389], score(s): [0.93, 0.00], "
        "label_name(s): ['tench, Tinca tinca', 'a \"naïve\" fish']"
    )
    assert console_line(BARE) == "7:\tclass id(s): [3], score(s): [0.50], label_name(s): []"
    assert console_line(BROKEN, "broken.jpg") == "broken.jpg:\terror: truncated, 3 of 9 bytes"


def test_csv(tmp_path):
    path = tmp_path / "new" / "scores.csv"
    with open_results(path, topk=2) as file:
        for result in (TENCH, BROKEN, BARE):
            file.write(result)
    assert path.read_bytes().decode() == (
        "picture,class_id_1,score_1,name_1,class_id_2,score_2,name_2,error\n"
        'in/n01440764_tench.JPEG,0,0.934568,"tench, Tinca tinca",389,1.25e-09,"a ""naïve"" fish",\n'
        'in/broken.jpg,,,,,,,"truncated, 3 of 9 bytes"\n'
        "7,3,0.5,,,,,\n"
    )
    assert [entry.name for entry in path.parent.iterdir()] == ["scores.csv"]


def test_json(tmp_path):
    path = tmp_path / "scores.JSON"
    with open_results(str(path), topk=2) as file:
        for result in (TENCH, BROKEN, BARE):
            file.write(result)
    assert path.read_text(encoding="utf-8") == (
        '[\n{"picture": "in/n01440764_tench.JPEG", "class_ids": [0, 389], "scores": [0.934568, 1.25e-09], '
        '"names": ["tench, Tinca tinca", "a \\"naïve\\" fish"], "error": null},\n'
        '{"picture": "in/broken.jpg", "class_ids": [], "scores": [], "names": [], '
        '"error": "truncated, 3 of 9 bytes"},\n'
        '{"picture": 7, "class_ids": [3], "scores": [0.5], "names": [], "error": null}\n]\n'
    )
    assert len(json.loads(path.read_text(encoding="utf-8"))) == 3


def test_no_pictures_give_an_empty_file(tmp_path):
    for suffix, content in ((".csv", "picture,class_id_1,score_1,name_1,error\n"), (".json", "[]\n")):
        with open_results(tmp_path / f"x{suffix}", topk=1):
            pass
        assert (tmp_path / f"x{suffix}").read_text() == content


def test_a_name_that_is_no_utf8_is_written_and_read_back(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    for suffix in ("csv", "json"):
        with open_results(tmp_path / f"x.{suffix}", topk=1) as file:
            file.write(Result(name, [3], [0.5]))
    assert (tmp_path / "x.csv").read_bytes().splitlines()[1] == b"caf\xe9.png,3,0.5,,"
    assert b'{"picture": "caf\\udce9.png", ' in (tmp_path / "x.json").read_bytes()
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))[0]["picture"] == name


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "naïve \\udce9"), ("ascii", "na\\xefve \\udce9"), (None, "naïve \\udce9")]
)
def test_what_the_console_cannot_show_is_escaped(monkeypatch, encoding, shown):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding=encoding))
    assert encodable("naïve \udce9") == shown


def test_a_line_stays_one_line_whatever_the_name():
    assert console_line(Result("a\nb\x1b[31m\u3000é\udce9.png", [0], [0.5], ["x\r"])) == (
        "a\\nb\\x1b[31m\u3000é\\udce9.png:\tclass id(s): [0], score(s): [0.50], label_name(s): ['x\\r']"
    )
    assert console_line(Result("a", error="no\x00\n file")) == "a:\terror: no\\x00\\n file"


PARTS = [
    (".csv", "picture,class_id_1,score_1,name_1,error\n7,3,0.5,,\n"),
    (".json", '[\n{"picture": 7, "class_ids": [3], "scores": [0.5], "names": [], "error": null}'),
]


@pytest.mark.parametrize(("suffix", "part"), PARTS)
def test_an_interrupted_file_does_not_replace_the_last_one(tmp_path, suffix, part):
    path = tmp_path / f"scores{suffix}"
    with open_results(path, topk=1):
        pass
    last = path.read_text()
    with pytest.raises(KeyboardInterrupt), open_results(path, topk=1) as file:
        file.write(BARE)
        raise KeyboardInterrupt
    assert path.read_text() == last
    assert (tmp_path / f"scores{suffix}.part").read_text() == part


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "image,label\n"), ("a.csv", "picture\n"), ("a.json", "[]"), ("a.json", "{}"), ("a.JSON", "[\n{}]\n")],
)
def test_only_earlier_results_are_replaced(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=rf"{name} is there already"):
        open_results(tmp_path / name, topk=1)
    assert (tmp_path / name).read_text() == content
    (tmp_path / name).write_text("")  # mktemp makes such a file
    for results in ([], [BARE]):
        with open_results(tmp_path / name, topk=1) as file:
            for result in results:
                file.write(result)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_goes_on_to_lead_to_the_results(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.csv").symlink_to("elsewhere/b.csv")
    with open_results(tmp_path / "a.csv", topk=1) as file:
        file.write(BARE)
    assert (tmp_path / "a.csv").is_symlink()
    assert (tmp_path / "elsewhere" / "b.csv").read_text().startswith("picture,class_id_1")


def test_what_fails_before_the_first_row_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="too early"), open_results(tmp_path / "new" / "a.csv", topk=1):
        raise UserError("too early")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["scores.txt", "scores", "csv"])
def test_another_suffix_is_refused_before_anything_is_written(tmp_path, name):
    assert refusal(open_results, tmp_path / name, topk=5) == says(
        f"{tmp_path / name}: ... .csv or .json; give the file one of these suffixes"
    )
    assert list(tmp_path.iterdir()) == []


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
SCORE = st.floats(0, 1, width=32)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.lists(st.tuples(TEXT, st.lists(st.tuples(st.integers(0, 999), SCORE, TEXT), max_size=3)), max_size=4))
def test_both_files_give_back_what_was_written(tmp_path, rows):
    results = [
        Result(source, [i for i, _, _ in best], [score for _, score, _ in best], [name for _, _, name in best])
        for source, best in rows
    ]
    for name in ("x.csv", "x.json"):
        with open_results(tmp_path / name, topk=3) as file:
            for result in results:
                file.write(result)
    loaded = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    table = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_bytes().decode(), newline="")))
    assert len(loaded) == len(table) == len(results)
    for result, item, row in zip(results, loaded, table):
        assert item["picture"] == row["picture"] == result.source
        assert item["class_ids"] == [int(row[f"class_id_{k}"]) for k in (1, 2, 3) if row[f"class_id_{k}"]]
        assert item["class_ids"] == result.class_ids
        assert item["names"] == result.names == [row[f"name_{k}"] for k in (1, 2, 3) if row[f"name_{k}"]]
        assert item["scores"] == pytest.approx(result.scores, rel=1e-5)
        assert [float(row[f"score_{k}"]) for k in (1, 2, 3) if row[f"score_{k}"]] == item["scores"]
