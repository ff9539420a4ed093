"""SentencePiece's models: trained on texts, stored in base64, and never trusted (arXiv:1808.06226).

Imports sentencepiece on use.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Iterable
from typing import Any

from dlcli.core.errors import RunError, UsageError, first_line

SPECIAL_PIECES = ("<pad>", "<s>", "</s>", "<unk>")
"""The first pieces of every model, by id."""

MAX_PIECES = 1_000_000
MAX_MODEL_BYTES = 32 * 2**20
"""Of a model; one of 8,000 pieces has 130 kB."""

BLANK = "\u2581"
"""SentencePiece's sign for a blank."""

_COVERAGE = 0.9995
"""Of all characters, the share with a piece; rarer ones are spelled in bytes. SentencePiece's advice for Chinese."""
_MAX_SENTENCE_BYTES = 2**16


def train_pieces(texts: Iterable[str], vocab_size: int, has_blanks: bool, *, flag: str = "--vocab-size") -> bytes:
    """Return SentencePiece's model of texts; one thread, so that equal texts give equal bytes.

    Args:
        texts: the sentences.
        vocab_size: the largest number of pieces, among them 4 special ones and 256 bytes; fewer texts give fewer.
        has_blanks: whether a sentence begins as its other words do, behind a blank.
        flag: the option that set the size, for the message.

    Raises:
        UsageError: the size is too small for the characters and the bytes.
    """
    from sentencepiece import SentencePieceTrainer

    pad, start, end, unknown = range(len(SPECIAL_PIECES))
    options: dict[str, Any] = {
        "model_type": "bpe",
        "character_coverage": _COVERAGE,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": has_blanks,
        "hard_vocab_limit": False,
        "max_sentence_length": _MAX_SENTENCE_BYTES,
        "num_threads": 1,
        "minloglevel": 2,
        "pad_id": pad,
        "bos_id": start,
        "eos_id": end,
        "unk_id": unknown,
    }
    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=model, vocab_size=vocab_size, **options)
    except RuntimeError as error:
        least = re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error))
        if least is None:
            raise
        raise UsageError(
            f"{flag} {vocab_size}: the characters and bytes of the sentences alone are {int(least[1]):,}",
            hint=f"give a larger {flag}",
        ) from None
    return model.getvalue()


def check_model(model: bytes) -> None:
    """Check that bytes are a model such as `train_pieces` makes: plain pieces, and nothing that is run.

    Raises:
        RunError: they are not.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2  # its classes are made at import
    found = messages.ModelProto()
    try:
        found.ParseFromString(model)
    except DecodeError:
        raise _damaged("not a model of SentencePiece") from None
    kinds = {number: kind for kind, number in messages.ModelProto.SentencePiece.Type.items()}
    types = [kinds.get(piece.type) for piece in found.pieces[: len(SPECIAL_PIECES)]]
    if types != ["CONTROL", "CONTROL", "CONTROL", "UNKNOWN"] or len(found.pieces) > MAX_PIECES:
        raise _damaged("its first pieces are not padding, start, end and unknown")
    if found.trainer_spec.model_type != messages.TrainerSpec.BPE:
        raise _damaged("not a BPE model")
    if found.normalizer_spec.precompiled_charsmap or found.denormalizer_spec.precompiled_charsmap:
        raise _damaged("a model with a normalizer of its own")
    try:
        SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:  # such as a piece that is there twice
        raise _damaged(first_line(error)) from None


def encode_model(model: bytes) -> dict[str, str]:
    """Return the JSON values in which a model is stored: `model`, in base64, and its `sha256`."""
    return {"sha256": hashlib.sha256(model).hexdigest(), "model": base64.b64encode(model).decode()}


def decode_model(text: Any, digest: Any) -> bytes:
    """Return the model that `encode_model` stored as `model` and `sha256`; `check_model` looks at what it is.

    Raises:
        RunError: the text is too large, not in base64, or has another digest.
    """
    if not isinstance(text, str) or len(text) > 4 * MAX_MODEL_BYTES // 3 + 4:
        raise _damaged("no model of SentencePiece, or one that is too large")
    try:
        model = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise _damaged("the model is not in base64") from None
    if hashlib.sha256(model).hexdigest() != digest:
        raise _damaged("the model's SHA-256 differs")
    return model


def _damaged(why: str) -> RunError:
    return RunError(f"the tokenizer is damaged: {why}", hint="prepare the data or train again")
