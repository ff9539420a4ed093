"""Finding the prepared form of a folder."""

from __future__ import annotations

from pathlib import Path

from dlcli.core.registry import FormSpec, all_forms, find_form, load_object
from dlcli.data.card import read_card


def form_of(folder: Path) -> FormSpec | None:
    """Return the form of a folder, by its card or else by its content; None if the card names an unknown form.

    Later forms are tried first: a folder of annotated images also looks like one of images by class. A folder without a
    card that matches no form is treated as the first form that needs no card, since opening it then reports what is
    missing.

    Raises:
        DataError: the card is damaged.
    """
    card = read_card(folder)
    if card is not None:
        return find_form(card.form)
    forms = [form for form in all_forms().values() if form.matches]
    return next((form for form in reversed(forms) if load_object(form.matches)(folder)), forms[0])
