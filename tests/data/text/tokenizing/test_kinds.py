import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.text.tokenizing.kinds import KINDS, kind_of, split_units, without_units

UNITS = {
    "emoticon": ["[哈哈]", "[din害羞]", "[照相?]", "[r]"],
    "url": ["http://t.cn/z8Aqpfb", "HTTPS://Example.org/a?b=c&d=1#e", "www.example.org"],
    "mention": ["@小明", "@J_zen", "@Style-Cafe", "@张国彦123"],
    "hashtag": ["#带着微博去旅行#", "#假期 半夜秀PPT#", "#word", "#话题"],
}


@pytest.mark.parametrize(("kind", "unit"), [(kind, unit) for kind, units in UNITS.items() for unit in units])
def test_a_unit_is_one_piece_of_its_kind_alone_and_in_a_text(kind, unit):
    assert kind_of(unit) == kind
    assert list(split_units(f"{unit} 说 {unit}。")) == [(unit, kind), (" 说 ", None), (unit, kind), ("。", None)]
    assert KINDS[kind].fullmatch(unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "哈哈",
        "[]",
        "[ 哈 ]",
        "[哈\n哈]",
        "[" + "哈" * 13 + "]",
        "@",
        "#",
        "##",
        "C#",
        "&#39;",
        "a@b.org",
        "http",
        "http://",
    ],
)
def test_what_is_no_unit_is_text(text):
    assert kind_of(text) is None
    assert all(kind is None for _, kind in split_units(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("看http://t.cn/zl1cJm8[哈哈]", ["http://t.cn/zl1cJm8", "[哈哈]"]),
        ("（http://t.cn/zl1），见www.a.cn。", ["http://t.cn/zl1", "www.a.cn"]),
        ("See http://a.org/b. Then", ["http://a.org/b"]),
        ("[[哈哈]]", ["[哈哈]"]),
        ("[哈[嘻嘻]", ["[嘻嘻]"]),
        ("hello@小明：好", ["@小明"]),
        ("写给me@site.org吧", []),
        ("#一# 和 #二#", ["#一#", "#二#"]),
        ("#一 #二#", ["#一", "#二#"]),
        ("#一\n二#", ["#一"]),
        ("[哈\0哈]@a\ud800b", ["@a"]),
    ],
)
def test_units_end_where_they_should(text, found):
    assert [piece for piece, kind in split_units(text) if kind] == found


@given(st.text(st.one_of(st.sampled_from("[]@#:/.hwtp \n\0哈a1_-"), st.characters()), max_size=60))
def test_nothing_is_lost_and_kinds_agree(text):
    split = list(split_units(text))
    assert "".join(piece for piece, _ in split) == text
    assert all(kind_of(piece) == kind for piece, kind in split if kind is not None)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part",
    ["[", "@", "#", "#a", "# a", "[哈", "@a", "a@a", "h", "http", "http://", "http://.", "www.", "w", "#\n", "@-", "."],
)
@pytest.mark.parametrize("start", ["", "[", "@", "#", "http://", "www."])
def test_hostile_repetition_is_read_in_linear_time(start, part):
    text = start + part * (100_000 // len(part))
    assert sum(len(piece) for piece, _ in split_units(text)) == len(text)


def test_a_space_stands_in_place_of_a_unit_that_is_left_out():
    assert without_units("[哈哈]a[b c]d [泪]", {"emoticon"}) == " a[b c]d  "
    assert without_units("[哈哈]@小明 好", {"mention"}) == "[哈哈]  好"
    assert without_units("[哈哈]", ()) == "[哈哈]"
