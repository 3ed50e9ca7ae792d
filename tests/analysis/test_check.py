"""`ppcls check`: what is found in data that is made with known faults, and that a scan continues."""

import json

import cv2
import numpy as np
import pytest

from helpers.tiny_run import CONFIG, use_tiny
from ppcls.analysis.check import scan as scan_module
from ppcls.analysis.check.findings import exact_groups, near_groups
from ppcls.analysis.check.scan import Facts, examine, scan
from ppcls.cli import main
from ppcls.engine import trial_run
from ppcls.engine.trial_run import TrialRun
from ppcls.utils.child import CallProcess
from ppcls.utils.errors import UserError


def scene(seed, height=120, width=160):
    """A picture with large soft shapes, which has an outline as a photo has."""
    noise = np.random.default_rng(seed).uniform(0, 255, (6, 8, 3)).astype(np.float32)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def save(path, pixels, quality=95):
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    assert cv2.imwrite(str(path), pixels[..., ::-1], settings)
    return str(path)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """Two classes of twelve pictures and two of validation, in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("flowers")
    for number in range(28):
        part = "train" if number < 24 else "val"
        save(folder / part / ("rose", "tulip")[number % 2] / f"{number}.jpg", scene(number))
    return folder


def findings_of(output):
    """The findings by severity and topic."""
    made = json.loads((output / "check.json").read_text())["findings"]
    return {(finding["severity"], finding["topic"]): finding for finding in made}


def copied(flowers, folder):
    for path in flowers.rglob("*.jpg"):
        target = folder / path.relative_to(flowers)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return folder


def test_the_facts_of_a_picture(tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 30:] = (250, 100, 20)
    path = save(tmp_path / "a.png", pixels)
    facts = examine(path)
    assert (facts.height, facts.width, facts.error, facts.size) == (40, 60, "", (tmp_path / "a.png").stat().st_size)
    assert facts.mean == pytest.approx((125, 50, 10)) and facts.deviation == pytest.approx((125, 50, 10))
    # Of the eight steps of each of the eight rows the fifth is the only one that rises, or the fourth, at the edge
    assert bin(facts.outline).count("1") in (8, 16)
    assert facts.digest != examine(save(tmp_path / "b.png", pixels + 1)).digest


def test_what_cannot_be_read_says_why(tmp_path):
    whole = (tmp_path / "x.jpg").absolute()
    save(whole, scene(0))
    whole.write_bytes(whole.read_bytes()[:-400])
    assert "truncated" in examine(str(whole)).error and examine(str(whole)).digest
    (tmp_path / "x.png").write_text("no picture")
    assert examine(str(tmp_path / "x.png")).error
    assert examine(str(tmp_path / "absent.jpg")) == Facts(
        str(tmp_path / "absent.jpg"), -1, 0, "No such file or directory"
    )


def test_a_scan_continues_and_reads_again_what_has_changed(tmp_path, monkeypatch):
    paths = [save(tmp_path / f"{number}.png", scene(number, 40, 40)) for number in range(40)]
    cache, before, read = tmp_path / "scan.jsonl", [], []

    def noting(path):
        before.append(path)
        if len(before) == 20:
            raise UserError("the machine goes down")
        return examine(path)

    monkeypatch.setattr(scan_module, "examine", noting)
    monkeypatch.setattr(scan_module, "usable_cores", lambda: 1)
    with pytest.raises(UserError):
        scan(paths, cache)
    with cache.open("a") as file:
        file.write('["a line that was c')
    save(tmp_path / "3.png", scene(99, 41, 40))
    monkeypatch.setattr(scan_module, "examine", lambda path: read.append(path) or examine(path))
    counted = []
    whole = scan([*paths, paths[0]], cache, counted.append)
    # Sixteen of them were kept. A thread of the scan that was stopped may still be reading what comes next.
    assert set(read) == {paths[3], *paths[16:]}
    assert sum(counted) == 40 and [facts.path for facts in whole] == [*paths, paths[0]]
    assert whole == [examine(path) for path in [*paths, paths[0]]]
    read.clear()
    assert scan(paths, cache) == whole[:40] and read == []


@pytest.fixture
def many_cores(monkeypatch):
    """Two processes of two threads, which get three pictures at once."""
    for name, value in (("usable_cores", lambda: 5), ("_THREADS", 2), ("_PER_CALL", 3)):
        monkeypatch.setattr(scan_module, name, value)


def test_processes_find_what_threads_find(tmp_path, many_cores, monkeypatch):
    paths = [save(tmp_path / f"{number}.jpg", scene(number, 40, 40)) for number in range(19)]
    paths.insert(4, str(tmp_path / "absent.jpg"))
    expected = [examine(path) for path in paths]
    counted = []
    monkeypatch.setattr(scan_module, "examine", lambda path: pytest.fail("it was read in this process"))
    assert scan(paths, tmp_path / "scan.jsonl", counted.append) == expected
    assert counted == [0, 3, 3, 3, 3, 3, 3, 2]


def test_a_process_that_is_killed_ends_the_scan(tmp_path, many_cores, monkeypatch):
    paths = [save(tmp_path / f"{number}.png", scene(number, 40, 40)) for number in range(12)]
    cache = tmp_path / "scan.jsonl"
    started = []

    class Killed(CallProcess):
        def __init__(self):
            super().__init__()
            started.append(self._process)

        def call(self, function, *arguments):
            if paths[6] in arguments[0]:
                self._process.kill()
            return super().call(function, *arguments)

    monkeypatch.setattr(scan_module, "CallProcess", Killed)
    with pytest.raises(UserError, match=r"ended with code -9.*goes on where it has stopped"):
        scan(paths, cache)
    assert [process.poll() for process in started] == [-9, -9]
    monkeypatch.setattr(scan_module, "CallProcess", CallProcess)
    monkeypatch.setattr(scan_module, "usable_cores", lambda: 1)
    counted = []
    assert scan(paths, cache, counted.append) == [examine(path) for path in paths]
    assert counted[0] == 6


def test_a_file_of_something_else_is_no_scan(tmp_path):
    path = save(tmp_path / "a.png", scene(0))
    cache = tmp_path / "scan.jsonl"
    cache.write_text("[]\n")
    assert scan([path], cache) == scan([path]) == scan([path], cache)


def test_copies_are_found_by_their_bytes_and_by_their_outlines(tmp_path):
    originals = [save(tmp_path / f"{number}.png", scene(number)) for number in range(6)]
    copies = [
        save(tmp_path / "copy0.png", scene(0)),
        save(tmp_path / "copy1.jpg", cv2.resize(scene(1), (80, 60), interpolation=cv2.INTER_AREA), 50),
        save(tmp_path / "copy2.jpg", cv2.resize(scene(2), (300, 225)), 80),
    ]
    facts = scan([*originals, *copies])
    assert exact_groups(facts) == [[0, 6]]
    assert near_groups(facts) == [[1, 7], [2, 8]]


def test_pictures_of_other_shapes_or_colours_or_none_are_not_alike(tmp_path):
    one = scene(0)
    paths = [
        save(tmp_path / "a.png", one),
        save(tmp_path / "wide.png", cv2.resize(one, (300, 120))),
        save(tmp_path / "dark.png", one // 2),
        save(tmp_path / "white.png", np.full((50, 50, 3), 255, np.uint8)),
        save(tmp_path / "white2.png", np.full((50, 50, 3), 254, np.uint8)),
        save(tmp_path / "small.png", cv2.resize(one, (24, 18))),
    ]
    assert near_groups(scan(paths)) == [] == near_groups([]) == exact_groups(scan(paths))


def test_likeness_is_not_handed_on():
    """B is like A and C, and A is not like C."""
    outlines = (0, 0b111, 0b111111)
    facts = [
        Facts(str(n), 1, 1, "", str(n), 50, 50, (9.0,) * 3, (9.0,) * 3, outline) for n, outline in enumerate(outlines)
    ]
    assert near_groups(facts) == [[0, 1]]
    assert near_groups(facts[1:]) == [[0, 1]]


def test_sound_data(flowers, tmp_path, capsys):
    assert main(["check", str(flowers), "--output", str(tmp_path / "out")]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "check.json").read_text())
    assert found["parts"]["training"]["classes"] == {"rose": 12, "tulip": 12}
    assert found["parts"]["evaluation"]["width"] == {"min": 160, "median": 160, "max": 160}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Nothing is wrong." in page and page.count("data:image/jpeg") == 6  # three of each class


def test_every_fault_has_its_severity(flowers, tmp_path, capsys):
    folder = copied(flowers, tmp_path / "data")
    (folder / "val" / "rose" / "leak.jpg").write_bytes((folder / "train" / "rose" / "0.jpg").read_bytes())
    save(folder / "val" / "rose" / "near.jpg", cv2.resize(scene(2), (80, 60), interpolation=cv2.INTER_AREA), 60)
    (folder / "train" / "tulip" / "wrong.jpg").write_bytes((folder / "train" / "rose" / "4.jpg").read_bytes())
    (folder / "train" / "rose" / "twice.jpg").write_bytes((folder / "train" / "rose" / "6.jpg").read_bytes())
    (folder / "train" / "rose" / "cut.jpg").write_bytes((folder / "train" / "rose" / "8.jpg").read_bytes()[:-300])
    save(folder / "train" / "rose" / "long.jpg", scene(50, 40, 400))
    save(folder / "train" / "rose" / "tiny.jpg", scene(51, 20, 20))
    save(folder / "train" / "rose" / "white.png", np.full((50, 50, 3), 255, np.uint8))
    save(folder / "train" / "lily" / "one.jpg", scene(60))
    out = tmp_path / "out"
    assert main(["check", str(folder), "--output", str(out)]) == 3
    found = findings_of(out)
    assert set(found) == {
        ("error", "leak"), ("warning", "leak"), ("error", "labels"), ("warning", "duplicate"),
        ("warning", "unreadable"), ("warning", "classes"), ("warning", "sizes"), ("note", "sizes"),
        ("warning", "content"), ("note", "division"),
    }  # fmt: skip
    names = {key: " ".join(finding["items"]) for key, finding in found.items()}
    assert "rose/0.jpg = " in names["error", "leak"] and "leak.jpg" in names["error", "leak"]
    assert "near.jpg" in names["warning", "leak"] and "twice.jpg" in names["warning", "duplicate"]
    assert names["error", "labels"].endswith("(rose, tulip)")
    assert "cut.jpg: " in names["warning", "unreadable"] and "long.jpg: 400x40" in names["warning", "sizes"]
    printed = capsys.readouterr().out
    assert "error: 1 picture is in the training part and, with the same bytes, in the evaluation part; " in printed


def test_a_class_too_small_is_a_warning(flowers, tmp_path):
    out = tmp_path / "out"
    assert main(["check", str(flowers), "--output", str(out), "--least-per-class", "13"]) == 1
    assert findings_of(out)["warning", "classes"]["items"] == ["rose: 12", "tulip: 12"]


def test_mistakes(flowers, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(flowers), "-o", "Global.epochs=2"]) == 2
    said = f"-o Global.epochs=2 is for a configuration, but {flowers} is data; leave it out\n"
    assert capsys.readouterr().err == said
    (tmp_path / "check").mkdir()
    (tmp_path / "check" / "report.html").write_text("mine")
    assert main(["check", str(flowers)]) == 2
    assert capsys.readouterr().err.startswith("check/report.html is there already and was not written by this library")
    assert [path.name for path in (tmp_path / "check").iterdir()] == ["report.html"]


@pytest.fixture
def configured(flowers, tmp_path, monkeypatch):
    use_tiny(monkeypatch.setattr)
    monkeypatch.setattr(trial_run, "_READER_SECONDS", 0.05)
    text = CONFIG.format(out=tmp_path / "runs", data=flowers / "train", workers=0).replace(
        "class_num: 4", "class_num: 2"
    )
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path / "config.yaml"


def test_a_configuration_is_tried(configured, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["check", str(configured), "--output", str(out)]) == 3  # it evaluates what it trains on
    measured = json.loads((out / "check.json").read_text())["measured"]
    assert measured["step_images_per_second"] > 0 and measured["reader_images_per_second"] > 0
    assert measured["run_seconds"] > 0 and measured["checkpoint_bytes"] > 1000
    assert measured["checkpoints"] == 1 + 3  # keep, and latest, best_model, one that is written
    assert "the whole run: 0:00:" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_labels_out_of_range_are_all_named(configured, flowers, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"train/rose/{2 * n}.jpg {(0, 1, 7)[n % 3]}\n" for n in range(12)))
    dataset = (
        f"name: ImageNetDataset, image_root: {flowers}, cls_label_path: {listed}, "
        "transform_ops: [DecodeImage: {}, RandCropImage: {size: 16}, NormalizeImage: {}]"
    )
    override = f"DataLoader.Train.dataset={{{dataset}}}"
    out = tmp_path / "out"
    assert main(["check", str(configured), "-o", override, "--output", str(out)]) == 3
    made = json.loads((out / "check.json").read_text())
    texts = [(finding["text"], finding["items"]) for finding in made["findings"] if finding["topic"] == "labels"]
    assert ("4 pictures of the training part with labels out of range", ["label 7: 4 pictures"]) in texts
    assert made["measured"] == {} and made["parts"]["training"]["pictures"] == 12


def test_what_will_not_suffice(monkeypatch):
    rates = {f"{name}_images_per_second": 1.0 for name in ("step", "eval", "reader")}
    sizes = {"peak_memory": 9 << 30, "checkpoint_bytes": 1 << 30, "disk_free": 4 << 30, "shared_needed": 10}
    made = {**rates, **sizes, "checkpoints": 3, "shared_free": 20, "run_seconds": 1.0}
    monkeypatch.setattr(trial_run.hardware, "usable_memory", lambda: 16 << 30)
    assert TrialRun(**made).problems() == []
    monkeypatch.setattr(trial_run.hardware, "usable_memory", lambda: 9 << 30)
    scarce = TrialRun(**{**made, "disk_free": 2 << 30, "shared_free": 5})
    assert [topic for topic, _, _ in scarce.problems()] == ["disk", "shared memory", "memory"]
    assert scarce.problems()[0][1] == "3 checkpoints take 3.2 GB, and 2.1 GB are free"


def test_a_mistyped_folder_is_named_as_pictures_and_as_a_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", "DLA43"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("DLA43: no such folder or list of pictures; there is no configuration DLA43 (did you mean ")
    assert list(tmp_path.iterdir()) == []
