import pytest

from ppcls.kernels import selection


@pytest.fixture(autouse=True)
def _selection_as_it_was(monkeypatch):
    monkeypatch.setattr(selection, "_selected", None)
