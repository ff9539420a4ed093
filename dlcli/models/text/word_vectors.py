"""Word vectors that predict neighbouring words: skip-gram and continuous bag of words.

Source: Mikolov et al. 2013, arXiv:1301.3781 (the two networks) and arXiv:1310.4546 (negative sampling).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.text.masking import new_embedding

PAD = 0


class Cosines(nn.Module):
    """The cosine between vectors of length 1 and every word's vector."""

    def forward(self, vectors: Tensor, units: Tensor) -> Tensor:
        """Return (N, V) for (N, D) vectors and (V, D) words, both of length 1 or 0."""
        return vectors @ units.T


class WordQueries(nn.Module):
    """Answers sums of words, such as "king - man + woman": their vector, and its cosine with every word.

    The vectors of words are brought to length 1 before they are summed (arXiv:1301.3781, section 4).
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.head = Cosines()

    def forward(self, tokens: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, D) vectors of length 1, and (N, V) cosines; words without a vector have zeros.

        Args:
            tokens: (N, T) int64.
            signs: (N, T) float32 the factor of each word; 0 for padding.
        """
        units = F.normalize(self.embedding.weight, dim=1)
        words = F.normalize(F.embedding(tokens, self.embedding.weight), dim=2)
        vectors = F.normalize((words * signs[..., None]).sum(1), dim=1, eps=1e-6)
        return vectors, self.head(vectors, units)


class WordVectors(nn.Module):
    """Two vectors for each word: one with which it predicts, which is its vector, and one by which it is predicted.

    Args:
        vocab_size: V, padding and unknown words included.
        embedding_dim: D.
        sparse: give gradients only to the rows that a batch uses.
    """

    def __init__(self, *, vocab_size: int, embedding_dim: int = 128, sparse: bool = False) -> None:
        super().__init__()
        self.queries = WordQueries(new_embedding(vocab_size, embedding_dim, sparse=sparse))
        self.contexts = new_embedding(vocab_size, embedding_dim, sparse=sparse)
        with torch.no_grad():  # as in word2vec's code
            self.embedding.weight.uniform_(-0.5 / embedding_dim, 0.5 / embedding_dim)
            self.embedding.weight[PAD] = 0
            self.contexts.weight.zero_()

    @property
    def embedding(self) -> nn.Embedding:
        """The words' vectors."""
        return self.queries.embedding

    def forward(self, tokens: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors and cosines of sums of words; see `WordQueries`."""
        vectors, cosines = self.queries(tokens, signs)
        return vectors, cosines

    def pair_scores(self, bags: Tensor, targets: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logit of each target, (P,), and of its noise, (P, K); -inf for noise that is padding.

        Args:
            bags: (P, B) int64 words whose mean vector predicts, padded with 0.
            targets: (P,) int64.
            noise: (P, K) int64, padded with 0.
        """
        count = (bags != PAD).sum(1, keepdim=True).clamp(min=1)
        predicting = self.embedding(bags).sum(1) / count
        words = self.contexts(torch.cat([targets[:, None], noise], dim=1))
        logits = torch.bmm(words, predicting[..., None])[..., 0]
        return logits[:, 0], logits[:, 1:].masked_fill(noise == PAD, float("-inf"))


def pair_losses(targets: Tensor, noise: Tensor) -> Tensor:
    """Return the loss of negative sampling of each pair, (P,) float32 (arXiv:1310.4546, equation 4).

    Args:
        targets: (P,) logits of the words that occurred.
        noise: (P, K) logits of drawn words; -inf for none.
    """
    return F.softplus(-targets.float()) + F.softplus(noise.float()).sum(1)


def skipgram(*, vocab_size: int, embedding_dim: int = 128, sparse: bool = False) -> WordVectors:
    """Return word vectors in which a word predicts each word of its context."""
    return WordVectors(vocab_size=vocab_size, embedding_dim=embedding_dim, sparse=sparse)


def cbow(*, vocab_size: int, embedding_dim: int = 128, sparse: bool = False) -> WordVectors:
    """Return word vectors in which the mean of a context predicts the word."""
    return WordVectors(vocab_size=vocab_size, embedding_dim=embedding_dim, sparse=sparse)
