"""Word vectors: only the vocabulary's rows, whatever of the known text formats the file is in."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.models.text.vectors import read_vectors

WORDS = ["<pad>", "<unk>", "好", ". . .", "坏", "无"]
LINES = "好 1 2 3\n别 4 5 6\n. . . 7 8 9\n坏 -1 0.5 1e-2\n"


@pytest.mark.parametrize("header", ["", "4 3\n"])
@pytest.mark.parametrize("suffix", [".txt", ".gz"])
def test_the_rows_of_the_vocabulary_are_read(tmp_path, header, suffix):
    path = tmp_path / f"vectors{suffix}"
    data = (header + LINES).encode()
    path.write_bytes(gzip.compress(data) if suffix == ".gz" else data)
    rows, values, size = read_vectors(path, WORDS)
    assert (rows.tolist(), size) == ([2, 3, 4], 3)
    assert values.dtype == np.float32
    assert np.allclose(values, [[1, 2, 3], [7, 8, 9], [-1, 0.5, 0.01]])


def test_a_broken_line_is_passed_over_and_many_are_an_error(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("好 1 2 3\n坏 1 x 3\n无 nan 1 1\n坏 3 2 1\n", encoding="utf-8")
    assert read_vectors(path, WORDS)[0].tolist() == [2, 4]
    path.write_text("好 1 2 3\n" + "坏 x y z\n" * 200, encoding="utf-8")
    with pytest.raises(DataError, match="101 broken lines, the first is line 2"):
        read_vectors(path, WORDS)


@pytest.mark.parametrize("data", [b"", b"word\n", b"\x00" * 2_000_000, b"\x1f\x8b\x08"])
def test_what_holds_no_vectors_is_refused(tmp_path, data):
    path = tmp_path / "vectors.gz" if data.startswith(b"\x1f") else tmp_path / "vectors.txt"
    path.write_bytes(data)
    with pytest.raises(DataError):
        read_vectors(path, WORDS)
