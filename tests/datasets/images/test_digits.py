"""scikit-learn's digits: embedded, stratified, seeded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dlcli.core.errors import DataError
from dlcli.data.images.form import open_images
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.images import digits
from dlcli.datasets.images.digits import DigitsImporter, DigitsOptions


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "digits"
    importer = DigitsImporter(DigitsOptions())
    card, _ = prepare_dataset(importer, None, folder, command="x", force=False, report=lambda _line: None)
    return card, folder


def test_every_digit_is_in_one_split_with_its_pixels(prepared):
    _, folder = prepared
    original = load_digits()
    form = open_images(folder)
    rows = []
    for split in ("train", "test"):
        packed = form.packed(split)
        for path, image, label in zip(form.files(split), packed.images, packed.labels, strict=True):
            row = int(path.stem)
            rows.append(row)
            assert label == original.target[row]
            np.testing.assert_array_equal(image[..., 0], np.rint(original.images[row] * 255 / 16))
    assert sorted(rows) == list(range(1797))


def test_the_file_is_read_without_importing_scikit_learn():
    code = "from dlcli.datasets.images import digits; digits._read_digits(); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", f"import sys; {code}"], check=False).returncode == 0


def test_a_package_without_the_file_reads_the_same_digits(monkeypatch):
    counts, labels = digits._read_digits()
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    for found, expected in zip(digits._read_digits(), (counts, labels), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_each_class_gives_a_fifth_to_the_test_split(prepared):
    card, _ = prepared
    for name in card.classes:
        total = card.counts["train"][name] + card.counts["test"][name]
        assert card.counts["test"][name] == round(0.2 * total)


def test_the_seed_decides_the_split(prepared, tmp_path):
    _, folder = prepared
    names = {}
    for seed in (0, 1):
        importer = DigitsImporter(DigitsOptions(seed=seed))
        prepare_dataset(importer, None, tmp_path / str(seed), command="x", force=False, report=lambda _line: None)
        names[seed] = open_images(tmp_path / str(seed)).names["test"]
    assert names[0] == open_images(folder).names["test"] != names[1]


def test_a_source_is_refused(tmp_path):
    with pytest.raises(DataError, match="takes no SOURCE"):
        DigitsImporter(DigitsOptions()).locate(tmp_path)
