"""The one spelling of a sentence, when preparing and when predicting: normal form, blanks, quotes, punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from dlcli.core.errors import RunError
from dlcli.data.parallel.languages import WITHOUT_BLANKS, language_code
from dlcli.data.text.cleaning import clean_text

NORMAL_FORMS = ("nfkc", "nfc")

_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]")
"""Without width: control characters, soft hyphens, marks of direction; not the joiners of Persian and Hindi."""

_QUOTES = str.maketrans("‘’‚‛“”„‟", "''''\"\"\"\"")
_BEFORE = re.compile(r" +(?:(?=,)|(?=[.;:?!]+(?:[ \"']|$)))")
_BEFORE_IN_FRENCH = re.compile(r" +(?:(?=,)|(?=\.+(?:[ \"']|$)))")
"""French sets a blank before ; : ? and !."""
_BEHIND_COMMA = re.compile(r"(?<=[^\W\d]),(?=[^\W\d])")

_CJK = (
    "\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # characters
    "\uff01\uff0c\uff1a\uff1b\uff1f"  # full-width punctuation
)
_BESIDE_CJK = re.compile(f"(?<=[{_CJK}]) | (?=[{_CJK}])")
_NARROW = re.compile(r"(?<![A-Za-z0-9])[,:;?!]|[,:;?!](?![A-Za-z0-9])")
_WIDE = str.maketrans(",:;?!", "，：；？！")
_HAS_CJK = re.compile(f"[{_CJK}]")


@dataclass(frozen=True)
class Cleaning:
    """How the sentences of one language are spelled; `clean` twice is `clean` once.

    In every language: Unicode's normal form, single blanks, nothing without width. Where blanks set words apart:
    straight quotes, no blank before punctuation (French has one before ; : ? and !), one behind a comma between words.
    In Chinese and Japanese: full-width , : ; ? and !, except between Latin letters or digits, and no blanks beside
    characters; letters and digits are half-width, by the normal form NFKC.

    Attributes:
        language: its code.
        normal_form: one of `NORMAL_FORMS`.
        is_lower: whether letters become small.
    """

    language: str
    normal_form: str = "nfkc"
    is_lower: bool = False

    def clean(self, text: str) -> str:
        """Return the text in the one spelling; "" if nothing can be seen."""
        text = self._normal(clean_text(text))
        if self.is_lower:
            text = self._normal(text.lower())
        if not text.isprintable():  # nothing that a pattern needs to look for, in most texts
            text = _UNSEEN.sub("", text)
        text = " ".join(text.split())
        if self.language in ("zh", "ja"):
            if _HAS_CJK.search(text):
                text = _NARROW.sub(lambda match: match[0].translate(_WIDE), text)
            return clean_text(_BESIDE_CJK.sub("", text))
        if self.language in WITHOUT_BLANKS:
            return clean_text(text)
        is_ascii = text.isascii()
        before = _BEFORE_IN_FRENCH if self.language == "fr" else _BEFORE
        text = before.sub("", text if is_ascii else text.translate(_QUOTES))
        if "," in text:
            text = _BEHIND_COMMA.sub(", ", text)
        return text if is_ascii else clean_text(text)

    def _normal(self, text: str) -> str:
        if text.isascii():
            return text
        return unicodedata.normalize("NFC" if self.normal_form == "nfc" else "NFKC", text)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that a card, a run and an export store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the cleaning in a JSON value.

        Raises:
            RunError: the value is damaged.
        """
        try:
            if not isinstance(value, Mapping) or set(value) != {"language", "normal_form", "is_lower"}:
                raise ValueError("it must have language, normal_form and is_lower")
            language, form, is_lower = value["language"], value["normal_form"], value["is_lower"]
            if not isinstance(language, str) or language_code(language) != language:
                raise ValueError("no language")
            if form not in NORMAL_FORMS or not isinstance(is_lower, bool):
                raise ValueError("no such normal form, or no choice of case")
        except ValueError as error:
            raise RunError(
                f"the cleaning of a tokenizer is damaged: {error}", hint="prepare the data or train again"
            ) from None
        return cls(language, form, is_lower)
