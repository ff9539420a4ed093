import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jieba import finalseg

from dlcli.data.text.tokenizing import viterbi

han = st.characters(min_codepoint=viterbi.FIRST_HAN, max_codepoint=viterbi.LAST_HAN)
runs = st.one_of(
    st.text(han, min_size=1, max_size=30),
    st.text(st.sampled_from("哈呵啊的一了不"), min_size=1, max_size=30),  # ties: the same scores in another order
    st.text(
        st.sampled_from("覌苠霂僲葚廼珝炓龥鿕的"), min_size=1, max_size=12
    ),  # impossible at a beginning, or unknown
)


@settings(max_examples=200, deadline=None)
@given(runs)
def test_words_are_those_of_finalseg(run):
    assert list(viterbi.words_of(run)) == list(finalseg.cut(run))


@pytest.mark.parametrize("run", ["覌苠", "霂僲葚", "廼珝炓", "霂媞秄嬿"])
def test_a_run_may_begin_inside_a_word(run):
    states = finalseg.viterbi(run, "BMES", finalseg.start_P, finalseg.trans_P, finalseg.emit_P)[1]
    assert states[0] in "ME"
    begins, ends = viterbi.word_spans(np.array([*map(ord, run)]), np.array([0]), np.array([len(run)]))
    words = list(finalseg.cut(run))
    assert list(viterbi.words_of(run)) == words
    assert [run[begin:end] for begin, end in zip(begins, ends, strict=True)] == [w for w in words if len(w) > 1]


@settings(max_examples=100, deadline=None)
@given(st.lists(runs, max_size=12), st.integers(0, 3))
def test_runs_side_by_side_are_cut_as_each_alone(runs, gap):
    text = ("x" * gap).join(runs)
    codes = np.array([ord(character) for character in text], dtype=np.int64)
    lengths = np.array([len(run) for run in runs], dtype=np.int64)
    starts = np.cumsum(lengths + gap) - (lengths + gap)
    begins, ends = viterbi.word_spans(codes, starts, lengths)
    expected = [word for run in runs for word in viterbi.words_of(run) if len(word) > 1]
    assert [text[begin:end] for begin, end in zip(begins, ends, strict=True)] == expected
    assert (begins[1:] >= ends[:-1]).all()
