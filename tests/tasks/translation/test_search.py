"""The search over steps finds what a slow decoder finds that computes everything again for every token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models.seq2seq.conftest import CASES, SOURCE, make

from dlcli.data.parallel.tokenizers import END, START
from dlcli.data.text.beam import length_penalty
from dlcli.export.eager import as_function
from dlcli.models.seq2seq.translator import EncoderGraph, StepGraph, as_candidates
from dlcli.tasks.translation.config import TranslationInference
from dlcli.tasks.translation.search import (
    ENCODER_INPUTS,
    ENCODER_OUTPUTS,
    MORE_TOKENS,
    NEVER_SAID,
    STEP_INPUTS,
    STEP_OUTPUTS,
    search,
)


def graphs_of(translator, target_size=12):
    step = StepGraph(translator, as_candidates(target_size)).eval()
    return {
        "encoder": as_function(EncoderGraph(translator).eval(), ENCODER_INPUTS, ENCODER_OUTPUTS),
        "step": as_function(step, STEP_INPUTS, STEP_OUTPUTS),
    }


def sharp(name, seed, **more):
    """Return a translator of random weights whose choices are not nearly uniform."""
    torch.manual_seed(seed)
    network = make(name, target_size=12, **more).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.7)
    return network


def sources(seed, count):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 6, count)
    source = random.integers(4, SOURCE, (count, int(lengths.max())))
    return {"source": source * (np.arange(source.shape[1]) < lengths[:, None]), "source_lengths": lengths}


def repeats(tokens, size):
    grams = [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]
    return len(set(grams)) < len(grams)


@torch.no_grad()
def slow_search(translator, source, inference):
    """Search one sentence, every hypothesis from its start for every token, over the whole vocabulary."""
    longest = int(np.ceil(inference.max_ratio * len(source))) + MORE_TOKENS
    going_on, complete = [((), 0.0)], []
    while going_on and len(complete) < inference.beam:
        found = []
        lengths = torch.tensor([len(source)] * len(going_on))
        memory = translator.encode(torch.tensor([source] * len(going_on)), lengths)
        logits = translator.decode(memory, lengths, torch.tensor([[START, *said] for said, _ in going_on]))[:, -1]
        for row, (said, total) in enumerate(going_on):
            for token, score in enumerate(logits[row].log_softmax(0).tolist()):
                is_repeat = inference.no_repeat and repeats((*said, token), inference.no_repeat)
                may_end = token != END or len(said) > 0
                if token not in NEVER_SAID and may_end and (token == END or not is_repeat):
                    found.append((-(total + score), row, token, said))
        found.sort()
        for negative, _, token, said in found[: inference.beam]:
            if token == END:
                complete.append((said, -negative / length_penalty(len(said) + 1, inference.length_penalty)))
        going_on = [((*said, token), -negative) for negative, _, token, said in found if token != END]
        going_on = going_on[: inference.beam]
        if len(complete) < inference.beam and going_on and len(going_on[0][0]) >= longest:
            penalty = length_penalty(longest, inference.length_penalty)
            complete += [(said, total / penalty) for said, total in going_on]
            break
    return sorted(complete, key=lambda entry: -entry[1])[: inference.nbest]


@settings(max_examples=18)
@given(
    name=st.sampled_from(sorted(CASES)),
    seed=st.integers(0, 10_000),
    beam=st.integers(1, 5),
    share=st.floats(0, 1),
    penalty=st.sampled_from([0.0, 0.6, 1.0]),
    no_repeat=st.sampled_from([0, 0, 1, 2]),
)
def test_the_search_equals_a_decoder_that_computes_everything_again(name, seed, beam, share, penalty, no_repeat):
    translator = sharp(name, seed)
    inference = TranslationInference(
        beam=beam,
        nbest=max(1, round(share * beam)),
        length_penalty=penalty,
        max_ratio=0.5,
        no_repeat=no_repeat,
    )
    batch = sources(seed, 3)
    found = search(graphs_of(translator), batch, inference)
    for row, length in enumerate(batch["source_lengths"].tolist()):
        expected = slow_search(translator, batch["source"][row, :length].tolist(), inference)
        tokens = [[token for token in line if token] for line in found["sentences"][row].tolist()]
        assert tokens[: len(expected)] == [list(said) for said, _ in expected]
        np.testing.assert_allclose(
            found["scores"][row][: len(expected)], [score for _, score in expected], rtol=1e-4, atol=1e-4
        )
        assert np.isneginf(found["scores"][row][len(expected) :]).all()


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_no_n_gram_is_repeated_where_that_is_asked_for(name):
    translator, batch = sharp(name, 3), sources(1, 12)
    free, strict = (
        search(graphs_of(translator), batch, TranslationInference(no_repeat=size, max_ratio=3.0))["sentences"][:, 0]
        for size in (0, 2)
    )
    assert any(repeats([token for token in line if token], 2) for line in free.tolist())
    assert not any(repeats([token for token in line if token], 2) for line in strict.tolist())


def test_a_sentence_alone_is_translated_as_in_a_batch():
    translator, batch = sharp("transformer", 5), sources(2, 6)
    inference = TranslationInference(beam=3, nbest=2)
    together = search(graphs_of(translator), batch, inference)
    for row, length in enumerate(batch["source_lengths"].tolist()):
        one = {"source": batch["source"][row : row + 1, :length], "source_lengths": batch["source_lengths"][row:][:1]}
        alone = search(graphs_of(translator), one, inference)
        width = alone["sentences"].shape[2]
        assert (together["sentences"][row, :, :width] == alone["sentences"][0]).all()
        assert not together["sentences"][row, :, width:].any()
        np.testing.assert_allclose(together["scores"][row], alone["scores"][0], rtol=1e-5)


def test_the_context_of_a_sentence_is_neither_copied_for_its_hypotheses_nor_kept_when_it_is_done():
    translator, batch = sharp("transformer", 5), sources(2, 6)
    graphs, seen = graphs_of(translator), []

    def step(arrays):
        seen.append({name: array.shape for name, array in arrays.items()})
        return graphs["step"](arrays)

    search({"encoder": graphs["encoder"], "step": step}, batch, TranslationInference(beam=3))
    for shapes in seen:
        count = shapes["source_lengths"][0]
        assert shapes["context"][0] == count
        assert shapes["last"] == (count, 3)
        assert shapes["state"][:2] == (count, 3)
    assert [shapes["state"][4] for shapes in seen] == list(range(len(seen)))  # a cache that grows by one token
    assert seen[0]["source_lengths"] == (6,)
    assert seen[-1]["source_lengths"][0] < 6
