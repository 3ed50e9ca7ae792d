"""Pictures by their http address, from a server on this machine."""

import pytest

from helpers.fickle_server import Answer, FickleServer
from ppcls.inference import Classifier
from ppcls.inference.golden import GOLDEN_PICTURE

PICTURE = GOLDEN_PICTURE.read_bytes()


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "PPCLS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def test_a_picture_by_address_scores_as_its_bytes_do(exported):
    classifier = Classifier(exported)
    expected = classifier.predict(PICTURE)[0]
    with FickleServer(Answer(PICTURE)) as server:
        address = f"{server.address}/cat.jpg"
        result = classifier.predict(address)[0]
        assert (result.source, result.scores) == (address, expected.scores)
        assert result._repr_html_().count("<img ") == 1  # of the bytes that came
        assert server.paths == ["/cat.jpg"]


def test_one_of_a_list_that_does_not_come_has_its_reason_in_its_place(exported):
    with FickleServer(Answer(status=404)) as server:
        first, bad, last = Classifier(exported).predict([PICTURE, server.address, PICTURE])
    assert (bad.source, bad.error) == (server.address, "cannot be downloaded: HTTP status 404 (Not Found)")
    assert "<img " not in bad._repr_html_()
    assert first.scores == last.scores != []


def test_an_answer_that_is_not_a_picture_is_refused_as_a_file_is(exported):
    with FickleServer(Answer(b"GIF89a")) as server:
        (result,) = Classifier(exported).predict([server.address])
    assert result.error and result.scores == []
