"""Every key of the schema has a probe, and every probe passes; see `key_probe`."""

import key_probes_arch  # noqa: F401 - registers its probes, as the next ones do
import key_probes_data  # noqa: F401
import key_probes_deploy  # noqa: F401
import key_probes_global  # noqa: F401
import key_probes_optimizer  # noqa: F401
import key_probes_sections  # noqa: F401
import key_probes_transforms  # noqa: F401
import pytest
from key_probe import PROBES, probe, prove
from key_schema import every_key


def test_every_key_has_a_probe():
    keys = every_key()
    assert len(set(keys)) == len(keys)
    assert set(PROBES) == set(keys)


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(PROBES))
def test_changing_a_key_changes_behaviour(key, new_lab):
    prove(PROBES[key], new_lab)
