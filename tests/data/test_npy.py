"""Numpy's files: read back as written, and None whatever else lies there."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.npy import load_npy, load_npz

ARRAY = np.arange(24, dtype=np.int32).reshape(4, 6)


def as_bytes(save, *args, **kwargs):
    stream = io.BytesIO()
    save(stream, *args, **kwargs)
    return stream.getvalue()


NPY, NPZ = as_bytes(np.save, ARRAY), as_bytes(np.savez, one=ARRAY, two=ARRAY[0])
PICKLED = as_bytes(np.save, np.array([{}, 1], dtype=object), allow_pickle=True)
CLAIMS_MORE = NPY.replace(b"(4, 6)", b"(4, 9)")
CLAIMS_ALL = NPY.replace(b"(4, 6), }" + 11 * b" ", b"(9999999999999, 6)} ")
assert NPY != CLAIMS_MORE != CLAIMS_ALL != NPY
assert len(CLAIMS_ALL) == len(NPY)


@pytest.mark.parametrize("is_mapped", [False, True])
@pytest.mark.parametrize("array", [ARRAY, np.zeros((0, 3)), np.array(5.0), np.array([True, False])])
def test_an_array_is_read_as_it_was_written(tmp_path, array, is_mapped):
    np.save(tmp_path / "a.npy", array)
    found = load_npy(tmp_path / "a.npy", is_mapped=is_mapped)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)
    assert isinstance(found, np.memmap) == is_mapped


def test_a_copy_outlives_its_file_and_can_be_written(tmp_path):
    np.save(tmp_path / "a.npy", ARRAY)
    found = load_npy(tmp_path / "a.npy")
    (tmp_path / "a.npy").unlink()
    found += 1
    np.testing.assert_array_equal(found, ARRAY + 1)


def test_arrays_of_an_archive_come_by_name(tmp_path):
    (tmp_path / "a.npz").write_bytes(NPZ)
    found = load_npz(tmp_path / "a.npz")
    assert found.keys() == {"one", "two"}
    np.testing.assert_array_equal(found["one"], ARRAY)
    np.testing.assert_array_equal(found["two"], ARRAY[0])


@pytest.mark.parametrize(
    "content", [b"", b"no array", NPY[:-1], NPY[:40], NPY[:7], NPZ, PICKLED, CLAIMS_MORE, CLAIMS_ALL]
)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_what_is_no_array_is_none(tmp_path, content, is_mapped):
    (tmp_path / "a.npy").write_bytes(content)
    assert load_npy(tmp_path / "a.npy", is_mapped=is_mapped) is None


@pytest.mark.parametrize("content", [b"", b"no archive", NPZ[:-1], NPZ[:100], NPY, PICKLED])
def test_what_is_no_archive_is_none(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert load_npz(tmp_path / "a.npz") is None


def test_an_archive_with_a_damaged_member_is_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("one.npy", NPY)
        archive.writestr("two.npy", PICKLED)
    assert load_npz(tmp_path / "a.npz") is None


def test_a_file_that_is_missing_or_a_folder_is_none(tmp_path):
    for load in (load_npy, load_npz):
        assert load(tmp_path / "missing.npy") is None
        assert load(tmp_path) is None


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 127), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_header_raises(tmp_path_factory, place, noise):
    path = tmp_path_factory.getbasetemp() / "noise.npy"
    path.write_bytes(NPY[:place] + noise + NPY[place + len(noise) :])
    found = load_npy(path)
    assert found is None or isinstance(found, np.ndarray)
    assert load_npz(path) is None
