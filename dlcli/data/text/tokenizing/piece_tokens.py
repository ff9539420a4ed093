"""The pieces of a SentencePiece model as tokens; what has no piece is spelled in bytes, so that nothing is unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from dlcli.data.text.tokenizing.kinds import CONTROL, without_units
from dlcli.data.text.tokenizing.pieces import BLANK, SPECIAL_PIECES, check_model, decode_model

_UNSEEN = re.compile(f"[{CONTROL}]")
_BYTES = re.compile(r"(?:<0x[0-9A-F]{2}>)+")


class PieceTokens:
    """See `dlcli.data.text.tokenizing.tokenizer.Tokenizer`.

    Args:
        spec: with `model` and `sha256`, as `pieces.encode_model` stores them.
        normal: what a text undergoes before it is tokenised.

    Raises:
        RunError: the model is damaged or not one of ours.
    """

    def __init__(self, spec: dict[str, Any], normal: Callable[[str], str]) -> None:
        self.spec = spec
        self._normal = normal
        self._model = decode_model(spec["model"], spec["sha256"])
        check_model(self._model)
        self._stripped = frozenset(spec["strip"])
        self._left_out = frozenset(spec["stopwords"])

    @cached_property
    def _processor(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_proto=self._model)

    def entries(self) -> list[str]:
        """Return all pieces but the special ones, in the order of their ids."""
        count = self._processor.get_piece_size()
        return [self._processor.id_to_piece(number) for number in range(len(SPECIAL_PIECES), count)]

    def tokens(self, text: str) -> list[str]:
        return self.tokens_of_all([text])[0]

    def tokens_of_all(self, texts: Sequence[str]) -> list[list[str]]:
        encoded = self._processor.encode([self._clean(text) for text in texts], out_type=str, num_threads=1)
        if not self._left_out:
            return list(encoded)
        return [[piece for piece in pieces if piece not in self._left_out] for pieces in encoded]

    def _clean(self, text: str) -> str:
        text = without_units(self._normal(text), self._stripped)
        return " ".join(_UNSEEN.sub("", text).split())


def join_pieces(pieces: Sequence[str]) -> str:
    """Return the text of pieces; bytes that are no UTF-8, as a network may say them, become a replacement sign."""
    text = _BYTES.sub(lambda found: _decoded(found[0]), "".join(pieces))
    return text.replace(BLANK, " ").strip()


def _decoded(spelled: str) -> str:
    return bytes(int(number, 16) for number in re.findall("[0-9A-F]{2}", spelled.replace("0x", ""))).decode(
        "utf-8", "replace"
    )
