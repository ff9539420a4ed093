"""Languages by their codes, and how a text's script tells which of them it can be in. Torch-free."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from dlcli.core.errors import UsageError

_HAN, _KANA, _LATIN = "CJK", ("HIRAGANA", "KATAKANA"), "LATIN"

SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "zh": (_HAN,),
    "ja": (_HAN, *_KANA),
    "ko": ("HANGUL", _HAN),
    **dict.fromkeys(("ru", "uk", "be", "bg", "mk", "kk", "ky", "mn", "tg"), ("CYRILLIC",)),
    "sr": ("CYRILLIC", _LATIN),
    "el": ("GREEK",),
    **dict.fromkeys(("ar", "fa", "ur", "ps"), ("ARABIC",)),
    **dict.fromkeys(("he", "yi"), ("HEBREW",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("DEVANAGARI",)),
    "bn": ("BENGALI",),
    "ta": ("TAMIL",),
    "te": ("TELUGU",),
    "th": ("THAI",),
    "lo": ("LAO",),
    "km": ("KHMER",),
    "my": ("MYANMAR",),
    "ka": ("GEORGIAN",),
    "hy": ("ARMENIAN",),
    "am": ("ETHIOPIC",),
}
"""Language -> its scripts, by the first word of its letters' names in Unicode; every other language has Latin ones."""

WITHOUT_BLANKS = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages that put no blanks between words."""

_THREE_LETTERS: Mapping[str, str] = {
    **dict.fromkeys(("cmn", "zho", "chi"), "zh"),
    **dict.fromkeys(("fra", "fre"), "fr"),
    **dict.fromkeys(("deu", "ger"), "de"),
    **dict.fromkeys(("pes", "fas"), "fa"),
    "eng": "en",
    "jpn": "ja",
    "kor": "ko",
    "rus": "ru",
    "ukr": "uk",
    "spa": "es",
    "ita": "it",
    "por": "pt",
    "nld": "nl",
    "ell": "el",
    "ara": "ar",
    "heb": "he",
    "tur": "tr",
    "pol": "pl",
}
ENGLISH_NAMES: Mapping[str, str] = {
    "zh": "chinese",
    "en": "english",
    "fr": "french",
    "de": "german",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "ru": "russian",
    "ja": "japanese",
    "ko": "korean",
}
"""Names that stand above columns, of languages that are often translated."""
_CODE = re.compile(r"[a-z]{2,3}")

MAX_SAMPLED = 2_000
"""Sentences that are looked at to tell the script of a column."""
_LEAST_SHARE = 0.3
_WEIGHT = 3
"""Of a Chinese character, since it says as much as some letters: 我爱Instagram is Chinese."""
_LEAST_KANA = 0.1
"""Japanese has at least this share of kana (usually half), Chinese less."""


def language_code(text: str) -> str:
    """Return the code of a language, of two letters where there is one: "zh" for "zh", "ZH", "zh-CN" and "cmn".

    Raises:
        ValueError: it does not look like one.
    """
    code = re.split("[-_]", text.strip().lower(), maxsplit=1)[0]
    if not _CODE.fullmatch(code):
        raise ValueError("not a language code, such as zh, en or fra")
    return _THREE_LETTERS.get(code, code)


def require_pair(source: str, target: str) -> tuple[str, str]:
    """Return the codes of the two languages.

    Raises:
        UsageError: one of them is no code, or they are the same.
    """
    codes = []
    for flag, text in (("source", source), ("target", target)):
        try:
            codes.append(language_code(text))
        except ValueError as error:
            raise UsageError(f"--{flag} {text[:40]!r}: {error}") from None
    if codes[0] == codes[1]:
        raise UsageError(
            f"--source and --target are both {codes[0]!r}", hint="name two languages: --source zh --target en"
        )
    return codes[0], codes[1]


@lru_cache(maxsize=2**16)
def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ", 1)[0].split("-", 1)[0] if character.isalpha() else ""


def letters_by_script(texts: Iterable[str]) -> Counter[str]:
    """Return the number of letters of each script ("LATIN", "CJK", ...) in the texts."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    counts: Counter[str] = Counter()
    for character, count in characters.items():
        if script := _script(character):
            counts[script] += count
    return counts


def is_possible(language: str, letters: Mapping[str, int]) -> bool:
    """Return whether texts with these letters, by script, can be in a language; texts without letters always can.

    A third of the letters must be of the language's scripts, which allows for foreign names. Kana tell Japanese from
    Chinese.
    """
    letters = {script: count * (_WEIGHT if script == _HAN else 1) for script, count in letters.items()}
    total = sum(letters.values())
    if not total:
        return True
    kana = sum(letters.get(script, 0) for script in _KANA) / total
    if (language == "zh" and kana >= _LEAST_KANA) or (language == "ja" and kana < _LEAST_KANA):
        return False
    return sum(letters.get(script, 0) for script in SCRIPTS.get(language, (_LATIN,))) >= _LEAST_SHARE * total


def script_names(letters: Mapping[str, int]) -> str:
    """Return the commonest script of some letters in words, such as "Latin letters"."""
    if not letters:
        return "no letters"
    name = max(letters, key=lambda script: letters[script])
    return "Chinese characters" if name == _HAN else f"{name.capitalize()} letters"
