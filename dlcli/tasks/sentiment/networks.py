"""The networks of text classification by name."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network


def _network(build: str, summary: str, source: str) -> Network:
    return Network(f"dlcli.models.text.{build}", summary, source)


READS_CHARACTERS = frozenset({"tfidf", "wide-deep"})
"""Networks that read the characters of a text beside its tokens."""

FITTED = frozenset({"tfidf"})
"""Networks that take characters and their numbers beside tokens and lengths."""

NETWORKS: Mapping[str, Network] = {
    "rnn": _network("recurrent:rnn", "a plain recurrent layer, its last state", "Elman 1990"),
    "gru": _network("recurrent:gru", "a gated recurrent layer, its last state", "Cho et al. 2014, arXiv:1406.1078"),
    "lstm": _network("recurrent:lstm", "long short-term memory, its last state", "Hochreiter & Schmidhuber 1997"),
    "lstm-attention": _network(
        "attention:LSTMAttention", "bidirectional LSTM, a weighted mean of its states", "Zhou et al. 2016, P16-2034"
    ),
    "textcnn": _network(
        "convolution:TextCNN", "filters over 3, 4 and 5 words, their maxima", "Kim 2014, arXiv:1408.5882"
    ),
    "textrcnn": _network("recurrent:TextRCNN", "bidirectional LSTM beside the words, maxima", "Lai et al. 2015, AAAI"),
    "dpcnn": _network("convolution:DPCNN", "a deep pyramid of convolutions", "Johnson & Zhang 2017, P17-1052"),
    "fasttext": _network(
        "bag:FastText", "mean of words, pairs and triples: the floor", "Joulin et al. 2016, arXiv:1607.01759"
    ),
    "tfidf": _network(
        "ngrams:TfIdfLinear", "linear on TF-IDF of characters, words and n-grams", "Salton & Buckley 1988"
    ),
    "wide-deep": _network(
        "wide:WideDeep",
        "linear on n-grams of characters and words, beside word vectors",
        "Cheng et al. 2016, arXiv:1606.07792",
    ),
    "transformer": _network(
        "transformer:TextTransformer",
        "encoder with attention, mean of its states",
        "Vaswani et al. 2017, arXiv:1706.03762",
    ),
    "bert": _network("bert:Bert", "BERT, its first token; --pretrained DIR", "Devlin et al. 2018, arXiv:1810.04805"),
}
