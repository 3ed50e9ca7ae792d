"""Results: computed when they are asked for, kept where they are looked at again, and shown."""

import base64
import gc
import html.parser
import io
import pickle
import re

import numpy as np
import pytest
from PIL import Image
from test_classifier import Means
from test_prediction import Numbers, Remainders, pictures

from helpers.pictures import save_picture, solid
from ppcls.data.picture_items import Picture
from ppcls.inference import Classifier, Result, Results
from ppcls.inference.prediction import Prediction
from ppcls.utils.errors import UserError

FOUND = Result("a.png", [3, 1], [0.75, 0.125], ["hen", "goldfish"])
NAMELESS = Result(7, [3, 1], [0.75, 0.125])
UNREADABLE = Result("b.png", error="the file is empty")


@pytest.fixture
def counted():
    """What classifies numbers one by one, and which it was asked for."""
    pipeline = Numbers()
    return Prediction(pipeline, Remainders(), batch_size=1, topk=1, threads=1), pipeline.read


def test_the_best_class():
    assert (FOUND.top1, FOUND.name, FOUND.score) == (3, "hen", 0.75)
    assert (NAMELESS.top1, NAMELESS.name) == (3, None)
    assert (UNREADABLE.top1, UNREADABLE.name, UNREADABLE.score) == (None, None, None)


def test_it_prints_as_a_line():
    assert str(FOUND) == "a.png: hen 0.750, goldfish 0.125"
    assert str(NAMELESS) == "picture 7: class 3 0.750, class 1 0.125"
    assert str(UNREADABLE) == "b.png: error: the file is empty"
    assert str(Result("a\nb\x1b[0m", [0], [1.0], ["c\td"])) == r"a\nb\x1b[0m: c\td 1.000"
    assert str(Result("caf\udce9.png", [0], [1.0])).encode() == rb"caf\udce9.png: class 0 1.000"


def test_an_index_classifies_so_far_and_once(counted):
    prediction, read = counted
    results = prediction.predict(pictures(20))
    assert isinstance(results, Results)
    assert len(results) == 20 and read == []
    assert results[0].top1 == 0
    assert max(read) < 5  # and what is read ahead
    assert [results[-1].top1, results[19].top1, results[8].top1] == [19 % 7, 19 % 7, 1]
    assert [result.top1 for result in results[2:9:3]] == [2, 5, 1]
    assert [result.source for result in results] == list(range(20))
    assert sorted(read) == list(range(20))
    assert results[5] in results and results.index(results[5]) == 5
    for wrong in (20, -21):
        with pytest.raises(IndexError):
            results[wrong]
    assert list(prediction.predict([])) == [] == prediction.predict([])[:5]


def test_iterating_keeps_nothing_and_can_be_repeated(counted):
    prediction, read = counted
    results = prediction.predict(pictures(6))
    assert [result.top1 for result in results] == [result.top1 for result in results] == [0, 1, 2, 3, 4, 5]
    assert sorted(read) == sorted([*range(6)] * 2)
    assert results._kept == []


def test_what_was_kept_is_not_classified_again(counted):
    prediction, read = counted
    results = prediction.predict(pictures(30))
    first = results[0]
    read.clear()
    assert next(iter(results)) is first
    assert read == []


def test_an_iterator_is_classified_as_it_comes(counted):
    prediction, read = counted
    asked = []
    results = prediction.predict(asked.append(item) or item for item in pictures(50))
    assert asked == read == []
    assert next(iter(results)).top1 == 0
    assert len(asked) < 6
    for look in (len, lambda results: results[0], lambda results: results[:2]):
        with pytest.raises(TypeError, match="no length and no index"):
            look(results)
    assert "iterated" in repr(results)
    assert [result.top1 for result in prediction.predict(iter(pictures(3)))] == [0, 1, 2]


def test_an_error_comes_whenever_one_asks_for_it(exported):
    class Broken:
        def run(self, batch):
            return np.full((len(batch), 5), np.nan, np.float32)

    results = Classifier(exported, backend=Broken()).predict(solid((1, 2, 3)), color="RGB")
    for _ in range(2):
        with pytest.raises(UserError, match="not a number"):
            results[0]


def test_they_print_as_lines(exported, tmp_path):
    path = save_picture(tmp_path / "a.png", solid((250, 0, 10)))
    classifier = Classifier(exported, backend=Means(), topk=1)
    results = classifier.predict([path, b"", solid((0, 9, 200))], color="RGB")
    lines = repr(results).splitlines()
    assert re.fullmatch(rf"{path}: tench, Tinca tinca \d\.\d+", lines[0])
    assert lines[1] == "picture 1: error: the file is empty"
    assert lines[2].startswith('picture 2: a "shark" ')
    many = repr(classifier.predict([solid((1, 2, 3))] * 25, color="RGB")).splitlines()
    assert len(many) == 11 and many[-1] == "... and 15 more"
    assert repr(classifier.predict([])) == "<no results>"


def test_pickled_results_are_computed_and_leave_pixels_behind(exported):
    results = Classifier(exported, backend=Means()).predict([solid((250, 0, 10), 999, 999)] * 2, color="RGB")
    content = pickle.dumps(results)
    assert len(content) < 3000
    others = pickle.loads(content)
    assert list(others) == list(results)
    assert (len(others), others[1].top1) == (2, 0)
    assert pickle.loads(pickle.dumps(others))[0] == results[0]


class Elements(html.parser.HTMLParser):
    """The elements, their attributes and their texts."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.texts, self.images, self.widths = [], [], [], []
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag == "img":
            self.images.append(attributes["src"])
        self.widths += re.findall(r"width:([\d.]+)%", attributes.get("style", ""))

    def handle_data(self, data):
        self.texts.append(data)


def thumbnail(source):
    kind, _, content = source.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_notebook_shows_picture_names_and_bars(exported, tmp_path):
    path = save_picture(tmp_path / "<b>&.png", solid((250, 0, 10), 800, 400))
    classifier = Classifier(exported, backend=Means(), topk=2, class_names=["<script>", "b", "c & d", "e", "f"])
    result = classifier.predict(path)[0]
    shown = Elements(result._repr_html_())
    assert shown.texts == [str(path), "<script>", f"{result.scores[0]:.3f}", "c & d", f"{result.scores[1]:.3f}"]
    assert not {"script", "b"} & set(shown.tags)
    assert shown.widths == ["100.0", "0.0"]  # "scores" beyond 0 and 1
    small = thumbnail(*shown.images)
    assert small.size == (160, 80)
    assert np.abs(np.asarray(small).mean(axis=(0, 1)) - (250, 0, 10)).max() < 3
    assert len(result._repr_html_()) < 8000


@pytest.mark.parametrize("color", ["RGB", "BGR"])
def test_pictures_in_memory_are_shown_too(exported, color):
    pixels = solid((250, 0, 10))[..., :: 1 if color == "RGB" else -1]
    results = Classifier(exported, backend=Means()).predict(pixels, color=color)
    (source,) = Elements(results._repr_html_()).images
    assert np.abs(np.asarray(thumbnail(source)).mean(axis=(0, 1)) - (250, 0, 10)).max() < 3


def test_results_do_not_keep_pictures_in_memory(exported):
    classifier = Classifier(exported, backend=Means(), batch_size=1)
    results = list(classifier.predict([solid((index, 0, 0)) for index in range(9)], color="RGB"))
    gc.collect()
    assert [result.picture is None for result in results] == [True] * 5 + [False] * 4


def test_what_cannot_be_shown_is_left_out(tmp_path):
    assert Elements(UNREADABLE._repr_html_()).texts == ["b.png", "the file is empty"]
    assert Elements(Result(str(tmp_path / "gone.png"), [0], [0.5])._repr_html_()).images == []
    (tmp_path / "bad.png").write_bytes(b"bad")
    assert Elements(Result(str(tmp_path / "bad.png"), [0], [0.5])._repr_html_()).images == []
    assert Elements(Result("caf\udce9", [0], [0.5])._repr_html_()).texts[0] == r"caf\udce9"


def test_a_result_knows_its_picture():
    picture = Picture(3, b"bytes")
    result = Result(3, [0], [1.0]).of(picture)
    assert result.picture is picture
    assert pickle.loads(pickle.dumps(result)).picture is None
    assert result == Result(3, [0], [1.0])
