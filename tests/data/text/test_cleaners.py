"""Each kind of cleaning by examples, and together: twice is once, in linear time, whatever the text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.text.cleaners import CLEANERS, Cleaner, read_kinds

EXAMPLES = {
    "html": {
        "good<br /><br>but <b class='a>b'>long</b>": "good  but  long ",
        "a<!-- <b> \n -->b<!DOCTYPE html><?xml x?>c": "a b  c",
        "a<script>if (a<b) x();</script>b<STYLE type='x'>p {}</sTyle >c": "a b c",
        "a < b, 3<4 and x>y; I <3 you <": "a < b, 3<4 and x>y; I <3 you <",
        "a <!-- b": "a <!-- b",
        "a <script> b": "a   b",
        "《书》<书>": "《书》<书>",
        "&lt;b&gt;": "&lt;b&gt;",
    },
    "entities": {
        "&eacute;&#233;&#xE9; &lt;b&gt; R&amp;D &hellip;": "ééé <b> R&D …",
        "&amp;amp;lt;": "<",
        "AT&T &nosuch; &": "AT&T &nosuch; &",
        "&#0;&#8;": "\ufffd",
        f"&#{'9' * 5000};": f"&#{'9' * 5000};",
    },
    "accents": {
        "Café naïve Ångström Ǆ ﬁn": "Cafe naive Angstrom DZ fin",
        "e\u0301q\u0303": "eq",
        "й ё が 한국어 ά हिन्दी": "й ё が 한국어 ά हिन्दी",
        "ø ß ł æ 1² ①": "ø ß ł æ 1² ①",
    },
    "width": {"ＡＢＣ１２３！？～\u3000￥": "ABC123!?~ ¥", "好。ｶﾅ": "好。ｶﾅ"},
    "case": {"GREAT Straße ÉTÉ ΟΔΟΣ": "great straße été οδος"},
    "contractions": {
        "I can't, won’t and shan't.": "I cannot, will not and shall not.",
        "Can't stop: DON'T, isn't, mightn't've": "Cannot stop: DO not, is not, might not have",
        "We'll say they're what I've been, I'm sure": "We will say they are what I have been, I am sure",
        "let's see John's, he'd, it's, ain't, 'tis": "let us see John's, he'd, it's, ain't, 'tis",
        "I'll've gone; rock 'n' roll; o'clock": "I will have gone; rock 'n' roll; o'clock",
    },
}


@pytest.mark.parametrize(
    ("kind", "text", "expected"), [(kind, *pair) for kind, pairs in EXAMPLES.items() for pair in pairs.items()]
)
def test_each_kind_does_this_and_nothing_else(kind, text, expected):
    cleaner = Cleaner([kind])
    assert cleaner(text) == expected
    assert cleaner.changed == ({} if text == expected else {kind: 1})


def test_the_kinds_together():
    text = "I CAN'T say it&#39;s &lt;b&gt;Good&lt;/b&gt; at the Ｃａｆé<!-- x -->"
    cleaner = Cleaner(CLEANERS)
    assert cleaner(text) == "i cannot say it's  good  at the cafe "
    assert set(cleaner.changed) == set(CLEANERS)


PIECES = [
    *["&", "&amp;", "amp;", "&lt;", "lt", "&#60;", "&#894", "<", "<b", ">", "<b>", "</", "<!--", "-->", "<script>"],
    *[
        "</script>",
        "＜",
        "＞",
        "＆",
        "；",
        ";",
        "can",
        "n't",
        "'t",
        "'ll",
        "’ve",
        "let's",
        "\u0301",
        "\u0307",
        "\u0130",
    ],
    *["É", "ﬁ", "ŉ", "\u212a", "Ａ", "#", "9", "X", "RARR", '="', " "],
]
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.characters()), max_size=14).map("".join)


@settings(max_examples=200, deadline=None)
@given(text=texts, kinds=st.sets(st.sampled_from(sorted(CLEANERS))))
def test_cleaning_twice_is_cleaning_once(text, kinds):
    once = Cleaner(kinds)(text)
    again = Cleaner(kinds)
    assert again(once) == once
    assert not again.changed


@pytest.mark.parametrize("nested", ["&amp;" + "amp;" * 30 + "lt;b>x", "&" + "&#97;mp;#38;" * 30, "＆ａｍｐ；" * 9])
def test_what_is_made_to_be_nested_settles(nested):
    once = Cleaner(CLEANERS)(nested)
    assert Cleaner(CLEANERS)(once) == once


@pytest.mark.parametrize("piece", ["<a ", "<!--", "<a b='", "<style><script>", "&#38;amp;", "<a=\"<a='", "can't've"])
def test_malicious_texts_take_linear_time(piece):
    # Quadratic time would be about a minute each.
    assert Cleaner(CLEANERS)(piece * 10_000)


class _Text(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.text = ""

    def handle_data(self, data):
        self.text += "" if self.cdata_elem else data


def test_on_well_formed_markup_the_text_is_that_of_the_standard_library():
    page = (
        "<html><head><title>A page</title><style>p > b {}</style></head><body class='a \"b\"'>\n<p>One <i>fine</i> day,"
        " <a href=\"x?a=1\" title='1 > 2'>we</a> met.<br/><!-- no -->\n<script src=x>a < b && c > d</script>"
        "<p>End.</body>"
    )
    reference = _Text()
    reference.feed(page)
    assert Cleaner(["html"])(page).split() == reference.text.replace("Atitle", "A title").split()


def test_a_list_of_kinds_is_read_in_any_order():
    assert read_kinds(" case, html ,case") == read_kinds("html,case") == ("html", "case")
    assert read_kinds("") == ()
    with pytest.raises(ValueError, match="html"):
        read_kinds("case,htlm")
