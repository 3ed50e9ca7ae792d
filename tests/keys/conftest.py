import itertools

import pytest
from key_lab import make_home, open_lab

pytest.register_assert_rewrite("key_probe")  # so that a failed probe shows what was seen


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """What all labs read: pictures, configurations, trained weights, a bundle."""
    place = tmp_path_factory.mktemp("home")
    make_home(place)
    return place


@pytest.fixture
def new_lab(home, tmp_path):
    """Opens labs, each in a folder of its own."""
    numbers = itertools.count()

    def make():
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return open_lab(home, folder)

    return make
