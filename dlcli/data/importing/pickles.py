"""Reading the pickles of published datasets without executing code from them.

A pickle can call any importable function. Here every name that it references is looked up in a table of inert
stand-ins, which only collect the parts of an array (shape, number type, bytes); numpy is called by this module, after
the parts are validated. A name outside the table is refused before anything is built.
"""

from __future__ import annotations

import math
import pickle
import re
from typing import IO, Any

import numpy as np

from dlcli.core.errors import DataError

_NUMBER_TYPE = re.compile(r"[biuf][1248]")
_BYTE_ORDERS = ("|", "<", ">", "=")
# What the unpickler raises on a damaged stream; its documentation gives no closed list ("other exceptions may also be
# raised").
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    ArithmeticError,
    MemoryError,
    RecursionError,
)


class _Piece:
    """A stand-in; it defines `__setstate__`, since otherwise BUILD could set attributes on it."""

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"{type(self).__name__.strip('_').lower()} takes no state")


class _Ndarray(_Piece):
    """Replaces the class `numpy.ndarray`, which pickles reference but never call."""


class _Dtype(_Piece):
    """Replaces `numpy.dtype("u1", align, copy)`; its state carries the byte order."""

    def __init__(self, code: Any, *_align_and_copy: Any) -> None:
        self.code = _text(code)
        self.byte_order = "|"

    def __setstate__(self, state: Any) -> None:
        _version, byte_order, subarray, names, fields, *_rest = state
        if not (subarray is None and names is None and fields is None):
            raise pickle.UnpicklingError("an array of structures")
        self.byte_order = _text(byte_order)

    def to_numpy(self) -> np.dtype[Any]:
        if not _NUMBER_TYPE.fullmatch(self.code) or self.byte_order not in _BYTE_ORDERS:
            raise pickle.UnpicklingError(f"an array of type {self.byte_order}{self.code}, not of plain numbers")
        return np.dtype(self.byte_order + self.code)


class _Array(_Piece):
    """Replaces `numpy.core.multiarray._reconstruct(...)`; its state carries everything."""

    def __init__(self, *_class_shape_and_code: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, is_fortran, raw = state
        self.state = (shape, dtype, "F" if is_fortran else "C", raw)

    def to_numpy(self) -> np.ndarray:
        shape, dtype, order, raw = self.state
        if not isinstance(dtype, _Dtype) or not isinstance(raw, (bytes, bytearray)):
            raise pickle.UnpicklingError("an array whose content is not bytes")
        number_type = dtype.to_numpy()
        if not isinstance(shape, tuple) or not all(type(length) is int and length >= 0 for length in shape):
            raise pickle.UnpicklingError(f"an array of shape {shape!r}")
        if math.prod(shape) * number_type.itemsize != len(raw):
            raise pickle.UnpicklingError(f"an array of shape {shape} in {len(raw)} bytes")
        return np.frombuffer(raw, number_type).reshape(shape, order=order)


class _FromBuffer(_Piece):
    """Replaces `numpy._core.numeric._frombuffer(raw, dtype, shape, order)` of pickle protocol 5."""

    def __new__(cls, raw: Any, dtype: Any, shape: Any, order: Any) -> Any:
        array = _Array()
        array.state = (shape, dtype, "F" if order == "F" else "C", raw)
        return array


class _Encode(_Piece):
    """Replaces `_codecs.encode(text, "latin1")`, as which Python 3 writes bytes in protocol 2."""

    def __new__(cls, text: Any, codec: Any) -> Any:
        if _text(codec) not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError(f"text encoded as {codec!r}")
        return _text(text).encode("latin-1")


class _EmptyBytes(_Piece):
    """Replaces `bytes()`, as which Python 3 writes empty bytes in protocol 2."""

    def __new__(cls) -> Any:
        return b""


_STAND_INS: dict[tuple[str, str], type[_Piece]] = {
    ("numpy", "ndarray"): _Ndarray,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
    ("_codecs", "encode"): _Encode,
    ("__builtin__", "bytes"): _EmptyBytes,
}


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise pickle.UnpicklingError(f"expected a string, found {value!r}")
    return value


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], where: str) -> None:
        super().__init__(stream, encoding="bytes")
        self.where = where

    def find_class(self, module: str, name: str) -> Any:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise DataError(
                f"{self.where}: refused: the pickle references {module}.{name}",
                hint="a dataset's batch holds only arrays, lists and strings; download it from its official page",
            )
        return stand_in


def load_numpy_dict(stream: IO[bytes], where: str) -> dict[bytes, Any]:
    """Return the dictionary in a pickle, with bytes as keys and read-only arrays.

    Reads pickles of Python 2 (the published CIFAR batches) and all protocols of current numpy.

    Args:
        stream: a buffered binary stream; the caller limits its size.
        where: name of the file, for messages.

    Raises:
        DataError: the pickle references anything other than arrays of plain numbers, is truncated, or holds no
            dictionary.
    """
    try:
        value = _Unpickler(stream, where).load()
        if not isinstance(value, dict):
            raise pickle.UnpicklingError(f"it holds a {type(value).__name__}, not a dictionary")
        return {
            key.encode() if isinstance(key, str) else key: item.to_numpy() if isinstance(item, _Array) else item
            for key, item in value.items()
        }
    except _DAMAGE as error:
        reason = "it is truncated" if isinstance(error, EOFError) or "truncated" in str(error) else str(error)
        raise DataError(
            f"{where}: not a pickled batch: {reason or type(error).__name__}",
            hint="the file is damaged or of another kind: extract it from the archive again",
        ) from None
