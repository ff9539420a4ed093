"""Small translators of every kind."""

from __future__ import annotations

import pytest
import torch

from dlcli.models.seq2seq.recurrent import Seq2Seq
from dlcli.models.seq2seq.transformer import TransformerTranslator

SOURCE, TARGET, WIDTH = 30, 23, 16

CASES = {
    "gru": (Seq2Seq, {}),
    "lstm, two layers": (Seq2Seq, {"cell": "lstm", "layers": 2}),
    "luong": (Seq2Seq, {"attention": "luong", "layers": 2}),
    "luong, lstm, fed": (Seq2Seq, {"attention": "luong", "cell": "lstm", "input_feeding": True}),
    "no attention": (Seq2Seq, {"attention": "none"}),
    "no attention, lstm": (Seq2Seq, {"attention": "none", "cell": "lstm", "layers": 2, "tied": False}),
    "transformer": (TransformerTranslator, {"layers": 2, "heads": 2}),
    "transformer, post": (TransformerTranslator, {"layers": 1, "heads": 4, "norm": "post", "positions": "learned"}),
    "transformer, rotary": (TransformerTranslator, {"layers": 2, "heads": 2, "positions": "rotary", "tied": False}),
}


def make(name, *, source_size=SOURCE, target_size=TARGET, **more):
    build, own = CASES[name]
    options = {"width": WIDTH, "dropout": 0.0, **own, **more}
    return build(source_size=source_size, target_size=target_size, **options)


@pytest.fixture(params=CASES)
def translator(request):
    """A translator of each kind, in evaluation mode."""
    torch.manual_seed(0)
    return make(request.param).eval()


@pytest.fixture
def pairs():
    """Source tokens (5, 7), their lengths, and target tokens (5, 6) that begin with the start token."""
    random = torch.Generator().manual_seed(1)
    lengths = torch.tensor([7, 1, 4, 2, 5])
    source = torch.randint(4, SOURCE, (5, 7), generator=random) * (torch.arange(7) < lengths[:, None])
    target = torch.randint(4, TARGET, (5, 6), generator=random)
    target[:, 0] = 1
    return source, lengths, target
