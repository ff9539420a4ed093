"""The restricted unpickler: reads what the datasets are, runs nothing."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.core.errors import DataError
from dlcli.data.importing.pickles import load_numpy_dict


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2's str, as the published batches have them."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_str(self, value):
        if len(value) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(value)]) + value)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = save_str


def dumps_python2(value):
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def load(data):
    return load_numpy_dict(io.BytesIO(data), "batch")


ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 12),
    np.arange(6, dtype=np.int64),
    np.arange(6, dtype=">i4"),
    np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    np.zeros((0, 3), np.uint8),
    np.array([True, False]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_python2_batch_reads_as_plain_pickle_does(array):
    data = dumps_python2({b"data": array, b"labels": [3, 1], b"filenames": [b"a.png", b"b" * 300]})
    loaded, expected = load(data), pickle.loads(data, encoding="bytes")
    assert loaded[b"data"].dtype.newbyteorder("=") == expected[b"data"].dtype
    np.testing.assert_array_equal(loaded.pop(b"data"), expected.pop(b"data"))
    assert loaded == expected


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_every_protocol_of_todays_numpy_is_read(array, protocol):
    loaded = load(pickle.dumps({"data": array, b"raw": b"\xff\x00"}, protocol=protocol))
    np.testing.assert_array_equal(loaded[b"data"], array)
    assert loaded[b"raw"] == b"\xff\x00"


class Calls:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {marker}",), "system"),
        (eval, ("open(r'{marker}', 'w')",), "eval"),
        (getattr, ("text", "upper"), "getattr"),
        (np.frompyfunc, (len, 1, 1), "frompyfunc"),
    ],
)
def test_a_call_is_refused_by_name_and_not_made(tmp_path, function, arguments, name):
    marker = tmp_path / "marker"
    filled = [text.format(marker=marker) if isinstance(text, str) else text for text in arguments]
    with pytest.raises(DataError, match=f"refused: the pickle references .*{name}"):
        load(pickle.dumps({b"data": Calls(function, *filled)}))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is truncated"),
        (b"not a pickle", "not a pickled batch"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({b"a": np.array(["text"])}), "not of plain numbers"),
        (pickle.dumps({b"a": np.array([{}], dtype=object)}), "array"),
        (pickle.dumps({b"a": np.zeros(2, [("x", "u1")])}), "structures|not of plain numbers"),
    ],
)
def test_other_content_is_refused_with_its_reason(data, reason):
    with pytest.raises(DataError, match=reason):
        load(data)


def test_array_that_promises_more_than_it_has_is_refused():
    data = dumps_python2({b"data": np.zeros((1, 77), np.uint8)})
    with pytest.raises(DataError, match="in 77 bytes"):
        load(data.replace(b"K\x01KM\x86", b"K\x02KM\x86"))


BATCH = dumps_python2({b"data": np.arange(24, dtype=np.uint8).reshape(2, 12), b"labels": [3, 1]})


@given(st.integers(0, len(BATCH) - 1))
def test_every_truncation_is_a_data_error(length):
    with pytest.raises(DataError):
        load(BATCH[:length])


def reserves_memory(data):
    """Return whether a memo index makes Python reserve gigabytes (python/cpython#115952) before anything is built."""
    try:
        return any("PUT" in code.name and (argument or 0) > 10_000 for code, argument, _ in pickletools.genops(data))
    except Exception:
        return False


@given(st.lists(st.tuples(st.integers(0, len(BATCH) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_anywhere_is_a_data_error_or_harmless(changes):
    damaged = bytearray(BATCH)
    for position, value in changes:
        damaged[position] = value
    if reserves_memory(bytes(damaged)):
        return
    with contextlib.suppress(DataError):
        assert isinstance(load(bytes(damaged)), dict)
