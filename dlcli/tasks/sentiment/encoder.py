"""A pretrained encoder from a Hugging Face folder: its sizes, its tokens, and its weights, for a text classifier.

A run keeps what an encoder needs beside its weights: the vocabulary, the tokenizer's specification, and the sizes and
the two tokens that frame a text as the asset "encoder". So only training reads the folder, also when it is resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from dlcli.core.errors import RunError, UsageError
from dlcli.data.text.form import TextForm
from dlcli.data.text.recoding import recoded
from dlcli.data.text.tokenizing.wordpiece_files import pieces_spec, read_pieces
from dlcli.data.text.vocabulary import Vocabulary
from dlcli.models.text.bert_config import BertSizes, read_sizes
from dlcli.tasks.sentiment.config import FRESH, SentimentConfig
from dlcli.tasks.sentiment.starting import STARTED

ASSET = "encoder"
BERT = "bert"


@dataclass(frozen=True)
class Encoder:
    """What a network is built with that starts from a pretrained encoder.

    Attributes:
        sizes: of the encoder.
        first, last: the tokens that frame a text.
    """

    sizes: BertSizes
    first: int
    last: int

    def options(self) -> dict[str, Any]:
        """Return the arguments of the network's builder."""
        return {**self.sizes.to_json(), "first": self.first, "last": self.last}

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value of the asset."""
        return {"sizes": self.sizes.to_json(), "first": self.first, "last": self.last}


def encoder_from_json(value: Any, vocab_size: int) -> Encoder | None:
    """Return the encoder of a run's asset; None if it has none.

    Raises:
        RunError: the asset is damaged.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) != {"sizes", "first", "last"}:
        raise RunError("the encoder that came with the model is damaged")
    frame = value["first"], value["last"]
    if not all(type(token) is int and 0 < token < vocab_size for token in frame):
        raise RunError("the encoder that came with the model is damaged: a token that is not in the vocabulary")
    return Encoder(BertSizes.from_json(value["sizes"]), *frame)


def take_encoder(config: SentimentConfig, form: TextForm) -> tuple[TextForm, Encoder | None]:
    """Return the texts in the tokens of the network, and the encoder if it starts from a pretrained one.

    Raises:
        UsageError: `--pretrained` is missing, or does not fit the network.
        DataError: the folder holds no BERT, or is damaged.
    """
    if config.model not in (BERT, *STARTED) and config.pretrained is not None:
        takers = " or ".join((BERT, *STARTED))
        raise UsageError(f"--pretrained: {config.model} has no pretrained weights", hint=f"choose --model {takers}")
    if config.model != BERT or config.pretrained == FRESH:
        return form, None
    if config.pretrained is None:
        raise UsageError(
            f"--model {BERT} starts from pretrained weights: --pretrained is missing",
            hint=f"add --pretrained DIR, a folder of Hugging Face, or --pretrained {FRESH} for random ones",
        )
    folder = Path(config.pretrained)
    sizes, pieces = read_sizes(folder), read_pieces(folder)
    own = form.tokenizer_spec()
    left_out = ["stop words are left in"] if own.get("stopwords") else []
    left_out += ["words are not stemmed"] if "stem" in own else []
    notes = [f"{config.model} reads whole texts: {' and '.join(left_out)}"] if left_out else []
    texts = recoded(form, pieces_spec(pieces, own), pieces.vocabulary, notes=notes)
    return texts, Encoder(sizes, *pieces.frame)


def load_encoder(networks: Iterable[nn.Module], folder: Path) -> list[str]:
    """Load the weights of a folder into networks that were built for it; return notes on those that are not there.

    Raises:
        DataError: the file of weights is missing or damaged.
        RunError: it is refused, or does not fit.
        UsageError: the package that reads it is not installed.
    """
    from dlcli.models.text.bert import Bert
    from dlcli.models.text.bert_weights import load_bert

    order, notes = read_pieces(folder).order, []
    for network in networks:
        assert isinstance(network, Bert)
        notes = load_bert(network, folder, order)
    return notes


def in_tokens_of(form: TextForm, spec: Mapping[str, Any], vocabulary: Vocabulary) -> TextForm:
    """Return prepared texts in the tokens of a run: tokenised again if its network has its own, else as they are."""
    return recoded(form, spec, vocabulary) if spec.get("name") == "wordpiece" else form
