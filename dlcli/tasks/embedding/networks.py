"""The networks of word vectors by name."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network

SOURCE = "Mikolov et al. 2013, arXiv:1310.4546"
BAG = "cbow"
"""The network that predicts a word from its context."""

NETWORKS: Mapping[str, Network] = {
    "skipgram": Network(
        "dlcli.models.text.word_vectors:skipgram", "a word predicts each word around it; best for rare words", SOURCE
    ),
    BAG: Network(
        "dlcli.models.text.word_vectors:cbow", "the words around it predict a word; a third of the time", SOURCE
    ),
}
