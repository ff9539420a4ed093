"""What numpy raises at files that are no arrays, or say of themselves what cannot be."""

from __future__ import annotations

import zipfile
from tokenize import TokenError

UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    OverflowError,
    MemoryError,
    SyntaxError,
    RecursionError,
    TokenError,
    zipfile.BadZipFile,
)
"""The four before the last come from numpy's reader of headers (numpy 2.4)."""
