"""What `dl prepare` can be told about labelled text; apart from the readers, so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.data.text.tokenizing.tokenizer import TOKENIZERS


@dataclass(frozen=True)
class TextOptions:
    """What `dl prepare weibo`, `text-csv`, `text-tsv` and `text-jsonl` can be told."""

    text_column: str | None = option(
        None, "the column of texts: its name, or its number where there is no header (default: by its name)"
    )
    label_column: str | None = option(None, "the column of labels, likewise")
    tokenizer: str = option("jieba", "what cuts a text into tokens", choices=TOKENIZERS)
    min_count: int = option(2, "rarer tokens of the training texts are unknown ones", minimum=1)
    max_vocab: int = option(50_000, "tokens that are told apart, at most", minimum=3, maximum=5_000_000)
    stopwords: str | None = option(None, "words to leave out, one a line", metavar="FILE")
    strip_emoticons: bool = option(False, "take emoticons such as [哈哈] out of the texts")
    valid_fraction: float = option(0.1, "part of each class that becomes the validation split", minimum=0, maximum=0.9)
    test_fraction: float = option(0.1, "part of each class that becomes the test split", minimum=0, maximum=0.9)
    seed: int = option(0, "seed of the splits and of the order", minimum=0)
    max_bad: int = option(100, "broken rows that are skipped before it is an error", minimum=0, metavar="COUNT")
