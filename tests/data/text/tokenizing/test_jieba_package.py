"""jieba is imported once, quietly, and with the module that holds its model of unknown words."""

from __future__ import annotations

import sys
import warnings

import pytest

from dlcli.data.text.tokenizing.jieba_package import load_jieba


@pytest.fixture
def not_yet_imported(monkeypatch):
    """Forget jieba for one test; afterwards the modules are those that others hold."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "jieba"]:
        monkeypatch.delitem(sys.modules, name)
    return load_jieba.__wrapped__


def test_every_call_returns_the_one_package():
    assert load_jieba() is load_jieba()
    assert load_jieba().__name__ == "jieba"


def test_the_model_of_unknown_words_comes_with_it():
    finalseg = load_jieba().finalseg
    assert set(finalseg.start_P) == set(finalseg.trans_P) == set(finalseg.emit_P) == set("BMES")


def test_what_the_import_warns_of_reaches_nobody_and_later_warnings_do(not_yet_imported, monkeypatch):
    import builtins

    real = builtins.__import__

    def noisy(name, *arguments):
        if name == "jieba":
            warnings.warn("pkg_resources is deprecated", UserWarning, stacklevel=2)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", noisy)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        not_yet_imported()
        warnings.warn("of someone else", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["of someone else"]
