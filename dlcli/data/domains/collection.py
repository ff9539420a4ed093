"""The images of two domains as a collection of items to be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcli.data.collection import Collection
from dlcli.data.domains.form import open_domains
from dlcli.data.images.collection import image_collection


def collect_domains(folder: Path) -> Collection:
    """Return the images of two domains, labelled by their domain; see `FormSpec.collection`.

    Raises:
        DataError: the folder holds no two domains, or does not fit its card.
    """
    form = open_domains(folder)
    places = [(split, domain, form.files(split, domain)) for split in form.splits() for domain in (0, 1)]
    files = [file for _, _, found in places for file in found]
    labels = np.repeat([domain for _, domain, _ in places], [len(found) for _, _, found in places])
    sizes = [sum(len(found) for own, _, found in places if own == split) for split in form.splits()]
    names = [form.card.classes[label] for label in labels.tolist()]
    return image_collection(form.root, form.splits(), sizes, files, names, labels)
