from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.metrics.kernel_distance import frechet_distance, kernel_distance
from dlcli.models.images.published import is_installed
from dlcli.tasks import comparing


def test_without_weights_there_is_no_distance(monkeypatch):
    monkeypatch.setattr(comparing, "is_installed", lambda name: False)
    assert comparing.extractors_of(None) == {} and not comparing.has_lite0()


def test_distances_have_the_name_of_the_features_and_those_of_inception_the_fid_too():
    real, made = np.random.default_rng(0).normal(size=(2, 12, 5))
    found = kernel_distance(real, made)
    assert comparing.distances("kid_x", real, made) == {"kid_x": found.value, "kid_x_error": found.standard_error}
    assert comparing.distances("kid", real, made)["fid"] == frechet_distance(real, made)


def test_of_two_images_there_is_a_distance_and_no_error():
    real, made = np.random.default_rng(0).normal(size=(2, 2, 5))
    assert comparing.distances("kid_x", real, made).keys() == {"kid_x"}


@pytest.mark.slow
@pytest.mark.skipif(not is_installed("efficientnet_lite0"), reason="no weights of efficientnet_lite0")
def test_grey_images_have_the_features_of_their_colour_copies():
    extract = comparing.extractors_of(None)["kid_lite0"]
    grey = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), np.uint8)
    assert np.array_equal(extract(grey), extract(np.repeat(grey, 3, axis=1)))


def test_features_of_equal_images_are_computed_once():
    seen = []
    extract = comparing.once_for_equal(lambda images: seen.append(len(images)) or images.reshape(len(images), -1))
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 2, 2), np.uint8)
    for chosen, expected in (([0, 1, 2, 3], 4), ([2, 0, 2, 2, 1, 0], 3), ([3] * 50, 1)):
        assert np.array_equal(extract(images[chosen]), images[chosen].reshape(len(chosen), -1))
        assert seen.pop() == expected


def test_a_file_that_holds_no_inception_is_refused(tmp_path):
    with pytest.raises(DataError):
        comparing.extractors_of(str(tmp_path / "missing.pth"))
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"other\.pth"):
        comparing.extractors_of(str(tmp_path / "other.pth"))
