"""Which prepared form a folder is in."""

from __future__ import annotations

from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.core.registry import FormSpec, all_forms, find_form, load_object
from dlcli.data.card import read_card


def form_of(folder: Path) -> FormSpec | None:
    """Return the form that a folder is in, by its card or else by what lies in it; None for one that is not known.

    Raises:
        DataError: the card is damaged, or there is none and no form is like this.
    """
    card = read_card(folder)
    if card is not None:
        return find_form(card.form)
    forms = [form for form in all_forms().values() if form.matches]
    for form in forms:
        if load_object(form.matches)(folder):
            return form
    raise DataError(
        f"{folder}: neither prepared data nor a folder to train on as it is",
        details=[f"looked for {form.summary}" for form in forms],
        hint="`dl prepare DATASET SOURCE` prepares data; `dl datasets` lists what it knows",
    )
