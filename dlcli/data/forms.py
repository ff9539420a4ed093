"""Which prepared form a folder is in."""

from __future__ import annotations

from pathlib import Path

from dlcli.core.registry import FormSpec, all_forms, find_form, load_object
from dlcli.data.card import read_card


def form_of(folder: Path) -> FormSpec | None:
    """Return the form that a folder is in, by its card or else by what lies in it; None for one that is not known.

    A folder without a card that is like no form is the first's of those that need no card: opening it says what is
    missing.

    Raises:
        DataError: the card is damaged.
    """
    card = read_card(folder)
    if card is not None:
        return find_form(card.form)
    forms = [form for form in all_forms().values() if form.matches]
    return next((form for form in forms if load_object(form.matches)(folder)), forms[0])
