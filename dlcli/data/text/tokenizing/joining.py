"""Words of a sentence, and the sentence of words again: where blanks stand beside punctuation. Torch-free.

A contraction is a word and its ending ("don", "'t"); a number with its points and commas is one word, and so is a
hyphenated one; any other character that is neither letter nor digit is a word by itself. Blanks follow the rules of
Moses' detokenizer.perl (quotes open and close by turns), reduced to what these words need.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlcli.data.text.tokenizing.pieces import BLANK

_WORD = re.compile(
    r"\d+(?:[.,:]\d+)+"  # 3,000 and 10:30
    r"|(?<=[^\W_])'[^\W\d_]+(?:-\w+)*"  # the ending of a contraction
    r"|(?<![^\W_])(?:[^\W\d_]\.){2,}"  # p.m.
    r"|\w+(?:-\w+)*"
    r"|\.{2,}"
    r"|[^\w\s]"
)
_ENDING = re.compile(r"'[^\W\d_]+(?:-\w+)*")
_TO_THE_LEFT = frozenset(".,?!;:%)]}»…°")
_TO_THE_RIGHT = frozenset("([{«$£€¥#¿¡")
_QUOTES = frozenset("\"'")
_BOTH = "/"  # without blanks on both sides


def split_words(text: str) -> list[str]:
    """Return the words and the punctuation of a sentence in a language with blanks between words."""
    return _WORD.findall(text)


def join_words(words: Sequence[str]) -> str:
    """Return the sentence of words and punctuation, with blanks as they are usually set."""
    pieces: list[str] = []
    open_quotes: set[str] = set()
    is_glued = True  # no blank before the next word
    for word in words:
        if word in _QUOTES:
            closes = word in open_quotes
            open_quotes ^= {word}
            if not is_glued and not closes:
                pieces.append(" ")
            is_glued = not closes
        elif word == _BOTH:
            is_glued = True
        else:
            is_left = word[0] in _TO_THE_LEFT or (_ENDING.fullmatch(word) is not None and bool(pieces))
            if not is_glued and not is_left:
                pieces.append(" ")
            is_glued = word in _TO_THE_RIGHT
        pieces.append(word)
    return "".join(pieces)


_NEEDS_BLANK = re.compile(r"[^\W\u3000-\u9fff\uf900-\ufaff]")


def join_unspaced(words: Sequence[str]) -> str:
    """Return the sentence of words in a language without blanks: there is one only between two foreign words."""
    pieces: list[str] = []
    for word in words:
        if pieces and _NEEDS_BLANK.match(word) and _NEEDS_BLANK.match(pieces[-1][-1]):
            pieces.append(" ")
        pieces.append(word)
    return "".join(pieces)


def join_tokens(name: str, tokens: Sequence[str]) -> str:
    """Return tokens as a text for people; blanks that a tokenizer does not keep are set as they usually are.

    Args:
        name: the tokenizer, one of `dlcli.data.text.tokenizing.tokenizer.TOKENIZERS`.
        tokens: what it made of a text, or a network that was trained on such.
    """
    if name == "bpe":
        from dlcli.data.text.tokenizing.piece_tokens import join_pieces

        return join_pieces(tokens)
    if name in ("char", "spaced-char"):
        return "".join(tokens).replace(BLANK, " ")
    if name in ("whitespace", "words"):
        return " ".join(tokens)
    return (join_words if name == "word-punct" else join_unspaced)(tokens)
