from __future__ import annotations

import gzip

import pytest

from dlcli.core.errors import DataError
from dlcli.data.importing.gzips import open_decompressed

CONTENT = bytes(range(256)) * 4096


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:])]
)
def test_a_file_reads_alike_plain_gzipped_and_in_two_members(tmp_path, pack):
    path = tmp_path / "file"
    path.write_bytes(pack(CONTENT))
    with open_decompressed(path, "hint") as stream:
        assert stream.read(3) == CONTENT[:3]
        assert stream.read() == CONTENT[3:]


def test_an_empty_file_is_empty(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with open_decompressed(path, "hint") as stream:
        assert stream.read() == b""


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_truncated_stream_is_a_data_error_with_the_hint(tmp_path, kept):
    packed, path = gzip.compress(CONTENT), tmp_path / "file"
    path.write_bytes(packed[: int(len(packed) * kept)])
    with pytest.raises(DataError, match="damaged") as caught, open_decompressed(path, "fetch it again") as stream:
        stream.read()
    assert caught.value.hint == "fetch it again"
    assert str(path) in str(caught.value)


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path):
    packed, path = bytearray(gzip.compress(CONTENT)), tmp_path / "file"
    packed[-6] ^= 1
    path.write_bytes(packed)
    with pytest.raises(DataError, match="damaged"), open_decompressed(path, "hint") as stream:
        stream.read()


def test_a_file_that_is_not_there_stays_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), open_decompressed(tmp_path / "nothing", "hint"):
        pass
