"""A run with a skip that tests/conftest.py does not list fails; the closing line stays the last one."""

import os

from helpers.checkout import ROOT
from helpers.new_process import new_python, with_checkout

CONFTEST = ROOT / "tests" / "conftest.py"
SKIPS = {
    "test_marked.py": "import pytest\n@pytest.mark.skip\ndef test_it(): pass\n",
    "test_inside.py": "import pytest\ndef test_it(): pytest.skip('no')\ndef test_other(): pass\n",
    "test_machine.py": (
        "import pytest\n@pytest.mark.skipif(True, reason='another Paddle writes another file')\ndef test_it(): pass\n"
    ),
    "test_file.py": "import pytest\npytest.importorskip('no_such_module')\n",
    "test_expected.py": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n",
}


def run(folder, allowed):
    text = CONFTEST.read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(f"{text}\nALLOWED_SKIPS.update(dict.fromkeys({allowed}, 'a reason'))\n")
    for name, content in SKIPS.items():
        (folder / name).write_text(content, encoding="utf-8")
    words = ["-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", folder]
    environment = with_checkout(PYTHONPATH=os.pathsep.join([str(ROOT / "tests"), str(ROOT)]))
    ran = new_python(*words, folder=ROOT, environment=environment)
    lines = ran.out.splitlines()
    assert lines[-1].startswith("===") and "1 passed, 4 skipped, 1 xfailed in" in lines[-1]
    return ran.code, [line for line in lines if line.endswith("and tests/conftest.py does not list it")]


def test_skips_fail_the_run_and_are_named(tmp_path):
    code, lines = run(tmp_path, ["test_inside.py::test_it"])
    assert code == 1
    assert sorted(line.split(":")[0] for line in lines) == [
        "FAILED test_expected.py", "FAILED test_file.py", "FAILED test_marked.py",
    ]  # fmt: skip


def test_a_run_whose_skips_are_all_listed_passes(tmp_path):
    listed = ["test_marked.py::test_it", "test_inside.py::test_it", "test_file.py", "test_expected.py::test_it"]
    assert run(tmp_path, listed) == (0, [])
