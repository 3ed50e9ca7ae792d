"""benchmarks/first_step.py, by a package whose calls are known."""

import importlib
import sys

import pytest

from helpers.checkout import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import first_step
finally:
    sys.path.remove(str(ROOT / "benchmarks"))

FILES = {
    "__init__": "",
    "run": (
        "from traced_pack import table, unused\n"
        "def main(count):\n"
        "    return last([table.take() for _ in range(count)])\n"
        "def last(found):\n"
        "    return found\n"
        "def after():\n"
        "    return 1\n"
    ),
    "table": (
        "def register(cls):\n    return cls\n"
        "@register\nclass Row:\n    size = [1 for _ in 'ab']\n"
        "def take():\n    return Row()\n"
    ),
    "unused": (
        "from traced_pack.table import register\nregister(int)\nSIZES = [1 for _ in 'ab']\ndef never():\n    pass\n"
    ),
}


def test_functions_count_until_the_last_one_returns_and_what_runs_on_import_does_not(tmp_path, monkeypatch):
    for name, text in FILES.items():
        file = tmp_path / "traced_pack" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with first_step.CallTrace(tmp_path / "traced_pack", ("traced_pack", "last")) as trace:
        run = importlib.import_module("traced_pack.run")
        with pytest.raises(first_step.LastCallDone):
            run.main(2)
        run.after()
    assert trace.called == {"run.py": {"main", "last"}, "table.py": {"take"}}
