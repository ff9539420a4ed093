"""Stems of English words by the library snowballstemmer, which is imported on use."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from dlcli.core.errors import RunError

STEMMERS = ("english",)
"""Languages whose words can be stemmed."""

_REMEMBERED = 2**16  # a text repeats its words; the stemmer takes some 20 microseconds


@cache
def stemmer_version() -> str:
    """Return the version of the library: another one may give other stems."""
    return version("snowballstemmer")


def stem_spec(language: str) -> dict[str, str]:
    """Return the JSON value by which a tokenizer's specification says how words are stemmed."""
    return {"language": language, "version": stemmer_version()}


def check_stem(value: Any) -> None:
    """Check that words can be stemmed as the JSON value of a specification says.

    Raises:
        RunError: the value is damaged, or of another version of the library.
    """
    if not isinstance(value, dict) or set(value) != {"language", "version"} or value["language"] not in STEMMERS:
        raise RunError(
            f"the specification of the tokenizer is damaged: stem must name one of {', '.join(STEMMERS)}",
            hint="prepare the data or train again",
        )
    if value["version"] != stemmer_version():
        wanted = str(value["version"])[:40]
        raise RunError(
            f"the words were stemmed by snowballstemmer {wanted}, but {stemmer_version()} is installed",
            hint=f"pip install snowballstemmer=={wanted}, or prepare the data and train again",
        )


@lru_cache(maxsize=_REMEMBERED)
def stem_word(word: str) -> str:
    """Return the stem of an English word in small letters; what is not ASCII, or has no stem, is returned unchanged.

    Source: Porter 2001, "Snowball: a language for stemming algorithms", its English stemmer ("Porter2").
    """
    if not word.isascii():
        return word
    # Python's own stemmer also where PyStemmer is installed, of which the version would differ.
    from snowballstemmer.english_stemmer import EnglishStemmer

    return EnglishStemmer().stemWord(word) or word
