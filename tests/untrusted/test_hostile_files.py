"""Every attack of the zoo is refused, for its own reason, without running anything, quickly and in little memory."""

import copyreg
import os
import pickle
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import hostile_zoo as zoo
from ppcls.arch.weights.files import WeightsFile, read_weights
from ppcls.untrusted.unpickle import load_pickle
from ppcls.utils.errors import UserError

MEGABYTES = 100
DEEDS = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pickle.find_class", "socket.connect"}
_deeds = None


def _audit(event, arguments):
    if _deeds is not None and event in DEEDS:
        _deeds.append(event)


sys.addaudithook(_audit)


@pytest.fixture
def deeds(monkeypatch):
    """What Python reports to have been done, of what no file may do."""
    done = []
    monkeypatch.setattr(sys.modules[__name__], "_deeds", done)
    return done


@pytest.fixture
def extension():
    """A process in which a number in a pickle means os.system."""
    copyreg.add_extension("webbrowser", "open", 241)
    copyreg._extension_cache[241] = os.system
    yield
    copyreg.remove_extension("webbrowser", "open", 241)


def refusal(path):
    """The message about a file, after its name."""
    read = load_pickle if path.suffix == ".pdopt" else read_weights
    with pytest.raises(UserError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text[len(f"{path}: ") :]


def test_every_hostile_file_is_refused_for_its_own_reason_in_little_memory_and_nothing_runs(tmp_path, deeds, extension):
    files = zoo.all_files(tmp_path)
    assert len({file.id for file in files}) == len(files) >= 180
    wrong, large = {}, {}
    for file in files:
        path = tmp_path / file.name
        path.write_bytes(file.content)
        tracemalloc.start()
        text = refusal(path)
        megabytes = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        path.unlink()
        if megabytes > MEGABYTES:
            large[file.id] = f"{megabytes:.0f} MB"
        if not text.startswith(file.says) or "\n" in text or len(text) > 500:
            wrong[file.id] = text
        assert not (tmp_path / "canary").exists(), file.id
    assert wrong == {}
    assert large == {}
    assert deeds == []


def test_the_canary_and_the_audit_would_tell(tmp_path, deeds, extension):
    attacks = {file.id: file.content for file in zoo.all_files(tmp_path)}
    pickle.loads(attacks["os.system"])
    assert (tmp_path / "canary").exists()
    assert "os.system" in deeds and "pickle.find_class" in deeds
    assert pickle.loads(attacks["ext1"]) is os.system


@pytest.mark.parametrize("name", zoo.honest_files())
def test_a_file_cut_anywhere_is_refused(tmp_path, name):
    path, whole = tmp_path / name, zoo.honest_files()[name]
    path.write_bytes(whole)
    assert read_weights(path).arrays
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if name == "w.weights" and length > 20 and length % 4 == 0:
            assert len(read_weights(path).arrays["values"]) == (length - 20) // 4  # nothing in it says how many
        else:
            refusal(path)


@pytest.mark.parametrize("name", zoo.honest_files())
@given(data=st.data())
def test_a_file_with_other_bytes_is_weights_or_refused(tmp_path_factory, name, data):
    content = bytearray(zoo.honest_files()[name])
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)):
        content[place] = value
    path = tmp_path_factory.mktemp("changed") / name
    path.write_bytes(content)
    try:
        assert isinstance(read_weights(path), WeightsFile)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")


@given(
    head=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x04", zoo.dump(zoo.MAGIC), bytes(8) + b"{"]),
    tail=st.binary(max_size=60),
    suffix=st.sampled_from([".pdparams", ".pth", ".safetensors", ".weights"]),
)
def test_garbage_is_weights_or_refused(tmp_path_factory, head, tail, suffix):
    path = tmp_path_factory.mktemp("garbage") / f"w{suffix}"
    path.write_bytes(head + tail)
    try:
        assert isinstance(read_weights(path), WeightsFile)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")
