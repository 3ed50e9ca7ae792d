"""The program of a network is the same file in every version of the library, with all its labels."""

import hashlib

import paddle
import pytest
from paddle.base import framework

from ppcls.arch import build_model
from ppcls.engine import exporter

# Of the programs that were written before a ReLU could be a part of the convolution before it; in those of SqueezeNet
# the ReLUs have moved since, from behind the concatenations to before them
DIGESTS = {
    "SqueezeNet1_1": "12dd9ecb099c567b9888eacefdfdc312f12272bd137cc84539ee0515b2a3a3db",
    "DLA46_c": "6c4bb499a1a9c9d1eaed5e68d8e8b23abb43bd28c68a26d1fc095fb2cda34017",
}


@pytest.mark.skipif(paddle.__version__ != "3.3.1", reason="another Paddle writes another file")
@pytest.mark.parametrize("name", DIGESTS)
def test_a_program_is_the_same_file_as_ever(name, tmp_path, monkeypatch):
    # Paddle numbers layers over all that a process has traced
    monkeypatch.setattr(framework, "_name_struct", framework.NameStruct())
    with paddle.utils.unique_name.guard():
        model = build_model(name, class_num=10)
        model.eval()
        exporter._save_program(model, tmp_path, (3, 224, 224))
    program = (tmp_path / "inference.json").read_bytes()
    assert hashlib.sha256(program).hexdigest() == DIGESTS[name]
