"""Cleaning by kind: markup, entities, accents, full-width forms, letter case, English contractions.

A tokenizer's specification names the kinds, so whatever reads a text cleans it alike. Cleaning twice is cleaning once:
prepared texts are stored cleaned, and a reader that cleans them again finds nothing to do. Torch-free.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dlcli.core.errors import RunError, did_you_mean
from dlcli.data.text.cleaning import NORMAL_FORM

VERSION = "1"
"""Increased when a kind gives another text."""

_MOST_PASSES = 8
"""Passes until nothing changes; real texts need two, and only nested entities (`&amp;amp;lt;`) need more."""

# The standard library's html.parser takes quadratic time in releases before August 2025 (CVE-2025-6069; 8 s for 12 kB
# of "<a "), and since then treats malformed markup differently, while a run must read equal tokens on every machine.
# On well-formed markup both find the same text.
_HIDDEN = re.compile(r"<!--|<(script|style)(?=[\s/>])[^<>]*>", re.IGNORECASE)
_ENDS = {
    "": re.compile("-->"),
    "script": re.compile(r"</script\s*>", re.IGNORECASE),
    "style": re.compile(r"</style\s*>", re.IGNORECASE),
}
_TAG = re.compile(r"""</?[A-Za-z](?:=\s*+(?:"[^"]*"|'[^']*')|[^<>])*+>|<[!?][^<>]*>""")


def without_markup(text: str) -> str:
    """Return the text with a space in place of each tag, comment and declaration, and of scripts and styles.

    A space, since `good<br>but` are two words. What is not closed is text, as in `a < b`.
    """
    if "<" not in text:
        return text
    pieces, start, place = [], 0, 0
    unclosed: set[str] = set()  # so that a search that failed once is not repeated: linear time
    while found := _HIDDEN.search(text, place):
        kind, place = (found[1] or "").lower(), found.end()
        end = None if kind in unclosed else _ENDS[kind].search(text, place)
        if end is None:
            unclosed.add(kind)
            continue
        pieces += [text[start : found.start()], " "]
        start = place = end.end()
    return _TAG.sub(" ", "".join(pieces) + text[start:])


# Longer numbers are no character; `html.unescape` fails on those of over 4,300 digits.
_ENTITY = re.compile(r"&(?:#[0-9]{1,9}(?![0-9])|#[xX][0-9A-Fa-f]{1,8}(?![0-9A-Fa-f])|[A-Za-z][A-Za-z0-9]{1,31});?")


def without_entities(text: str) -> str:
    """Return the text with characters in place of HTML's entities, by `html.unescape`: `&eacute;` is é."""
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff"
_LATIN_MARKS = re.compile(
    f"(?<=[A-Za-z\u00aa\u00ba\u00c0-\u024f\u0250-\u02af\u1e00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff])[{_MARKS}]+"
)
_LATIN_FORMS = re.compile("[\u00aa\u00ba\u0132\u0133\u013f\u0140\u0149\u017f\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06]")
"""Letters that are another letter or several by compatibility: ª, ĳ, ŉ, ſ, ǆ, the ligature ﬁ."""


def without_accents(text: str) -> str:
    """Return the text without marks on Latin letters, by the normal form KD: `Café` is Cafe, `ﬁn` is fin.

    Letters of other scripts keep theirs: й is no и, and が no か. Letters that are no composites (ø, ß, ł) stay.
    """
    if text.isascii():
        return text
    text = _LATIN_FORMS.sub(lambda found: unicodedata.normalize("NFKD", found[0]), text)
    return unicodedata.normalize("NFC", _LATIN_MARKS.sub("", unicodedata.normalize("NFD", text)))


_NARROW = {0x3000: " ", **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}} | dict(
    zip(range(0xFFE0, 0xFFE7), "¢£¬¯¦¥₩", strict=True)
)


def half_width(text: str) -> str:
    """Return the text with half-width letters, digits, marks and spaces for full-width ones: `Ａ１！` is A1!."""
    return text if text.isascii() else text.translate(_NARROW)


def lower_case(text: str) -> str:
    """Return the text in small letters, by `str.lower`.

    `casefold` would also write ss for ß, and capitals for Cherokee: spellings that no table of word vectors has.
    """
    return text.lower()


_WHOLE = {"can": "cannot", "won": "will not", "shan": "shall not"}
_WHOLE_FORMS = re.compile(r"\b(can|won|shan)['’]t\b", re.IGNORECASE)
_NOT = re.compile(
    r"\b(are|could|did|does|do|had|has|have|is|might|must|need|ought|should|was|were|would|dare)n['’]t\b",
    re.IGNORECASE,
)
_SUFFIXES = {"ll": "will", "re": "are", "ve": "have", "m": "am"}
_SUFFIX = re.compile(r"(?<=[A-Za-z])['’](ll|re|ve|m)\b", re.IGNORECASE)
_LET = re.compile(r"\b(let)['’]s\b", re.IGNORECASE)


def without_contractions(text: str) -> str:
    """Return the text with English contractions written out: can't is cannot, don't do not, we'll we will.

    The negated auxiliaries and the clitics of verbs are those of Huddleston & Pullum 2002, "The Cambridge Grammar of
    the English Language", chapter 3, sections 1.9 and 2. Forms with several readings stay as they are: 's (is, has or
    a genitive), 'd (had or would) and ain't. A capital stays at the beginning: Can't is Cannot.
    """
    if "'" not in text and "’" not in text:
        return text
    text = _WHOLE_FORMS.sub(lambda found: found[1][0] + _WHOLE[found[1].lower()][1:], text)
    text = _NOT.sub(r"\1 not", text)
    text = _SUFFIX.sub(lambda found: f" {_SUFFIXES[found[1].lower()]}", text)
    return _LET.sub(r"\1 us", text)


CLEANERS: Mapping[str, Callable[[str], str]] = {
    "entities": without_entities,
    "width": half_width,
    "html": without_markup,
    "case": lower_case,
    "accents": without_accents,
    "contractions": without_contractions,
}
"""Kind -> its function, in the order in which they are applied: entities and full-width forms may spell a tag."""


def read_kinds(text: str) -> tuple[str, ...]:
    """Return the kinds in a list such as `html,case`, in the order of `CLEANERS`.

    Raises:
        ValueError: one is unknown.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in CLEANERS:
            raise ValueError(f"no kind of cleaning {name[:40]!r}; {did_you_mean(name, CLEANERS)}")
    return ordered(names)


def ordered(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds in the order in which they are applied, each once."""
    wanted = frozenset(kinds)
    return tuple(kind for kind in CLEANERS if kind in wanted)


def cleaning_spec(kinds: Iterable[str]) -> dict[str, Any]:
    """Return the JSON value by which a tokenizer's specification says how texts are cleaned."""
    return {"kinds": list(ordered(kinds)), "version": VERSION}


def check_cleaning(value: Any) -> None:
    """Check that texts can be cleaned as the JSON value of a specification says.

    Raises:
        RunError: the value is damaged, or of another version.
    """
    again = "prepare the data or train again"
    if not isinstance(value, dict) or set(value) != {"kinds", "version"}:
        raise RunError("the specification of the tokenizer is damaged: clean must have kinds and version", hint=again)
    kinds = value["kinds"]
    if not isinstance(kinds, list) or not all(isinstance(kind, str) and kind in CLEANERS for kind in kinds):
        raise RunError("the specification of the tokenizer is damaged: an unknown kind of cleaning", hint=again)
    if value["version"] != VERSION:
        raise RunError(
            f"the texts were cleaned by version {str(value['version'])[:40]}, but this is version {VERSION}",
            hint=f"use the version of dlcli that made it, or {again}",
        )


class Cleaner:
    """Cleans texts by the kinds given; calling it twice is calling it once.

    Attributes:
        changed: kind -> how many texts it has changed.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        self.changed: Counter[str] = Counter()
        self._steps = [(kind, CLEANERS[kind]) for kind in ordered(kinds)]

    def __call__(self, text: str) -> str:
        """Return the cleaned text, in Unicode's normal form."""
        if not self._steps:
            return text
        changed: set[str] = set()
        text = _normal(text)
        for _ in range(_MOST_PASSES):
            before, text = text, self._pass(text, changed)
            if text == before:
                break
        else:  # made to be nested: markup ends here, so that what is left settles
            before = ""
            text = text.replace("&", " ").replace("<", " ")
            while text != before:
                before, text = text, self._pass(text, changed)
        self.changed.update(changed)
        return text

    def _pass(self, text: str, changed: set[str]) -> str:
        """Apply every kind once, and note those that change the text."""
        for kind, step in self._steps:
            after = step(text)
            if after != text:
                changed.add(kind)
                text = _normal(after)
        return text


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize(NORMAL_FORM, text)
