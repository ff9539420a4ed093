"""Stems of English words by the library snowballstemmer, which is imported on use."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.metadata import version

STEMMERS = ("english",)
"""Languages whose words can be stemmed."""

_REMEMBERED = 2**16  # a text repeats its words; the stemmer takes some 20 microseconds


@cache
def stemmer_version() -> str:
    """Return the version of the library: another one may give other stems."""
    return version("snowballstemmer")


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
