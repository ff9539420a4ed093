"""Word vectors: only the vocabulary's rows, whatever of the known text formats the file is in."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.models.text.vectors import MAX_BAD, MAX_DIM, read_vectors

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


@pytest.mark.parametrize("head", [b"2 3\n", b"\xba\x16\x4f\x2f\x0c\0\0\0"])
@pytest.mark.parametrize("suffix", [".bin", ".gz"])
def test_binary_vectors_are_refused_with_the_way_to_text(tmp_path, head, suffix):
    path = tmp_path / f"vectors{suffix}"
    data = head + b"".join(word.encode() + b" " + np.array([1, 0.1, -2], "<f4").tobytes() for word in ("好", "坏"))
    path.write_bytes(gzip.compress(data) if suffix == ".gz" else data)
    with pytest.raises(DataError, match="binary vectors") as caught:
        read_vectors(path, WORDS)
    assert "save_word2vec_format" in str(caught.value.hint)


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(LINES, encoding="utf-8-sig")
    assert read_vectors(path, WORDS)[0].tolist() == [2, 3, 4]


def test_of_a_word_that_stands_twice_the_first_is_taken(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("好 1 2\n好 3 4\n", encoding="utf-8")
    assert read_vectors(path, WORDS)[1].tolist() == [[1, 2]]


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", ""])
def test_the_end_of_a_line_is_no_number(tmp_path, end):
    path = tmp_path / "vectors.txt"
    path.write_bytes(f"好 1 2 3{end}".encode())
    rows, values, size = read_vectors(path, WORDS)
    assert (rows.tolist(), values.tolist(), size) == ([2], [[1, 2, 3]], 3)


def test_a_vocabulary_that_the_file_has_none_of_gets_no_rows(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(LINES, encoding="utf-8")
    rows, values, size = read_vectors(path, ["<pad>", "<unk>", "else"])
    assert (rows.shape, rows.dtype, values.shape, values.dtype, size) == ((0,), np.int64, (0, 3), np.float32, 3)


@pytest.mark.parametrize(("count", "is_fine"), [(1, False), (2, True), (MAX_DIM, True), (MAX_DIM + 1, False)])
def test_a_vector_has_two_numbers_to_its_bound(tmp_path, count, is_fine):
    path = tmp_path / "vectors.txt"
    path.write_text(f"好{' 1' * count}\n坏{' 2' * count}\n", encoding="utf-8")
    if is_fine:
        assert read_vectors(path, WORDS)[1].shape == (2, count)
    else:
        with pytest.raises(DataError, match=r"vectors\.txt"):
            read_vectors(path, WORDS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt"):
        read_vectors(tmp_path / "none.txt", WORDS)


def test_a_hundred_broken_lines_are_borne(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("坏 9 9 9\n" + "好 x 2 3\n" * MAX_BAD + "好 1 2 3\n", encoding="utf-8")
    assert read_vectors(path, WORDS)[0].tolist() == [4, 2]
