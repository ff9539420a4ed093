"""Annotated images as a collection of items to be compared."""

from __future__ import annotations

from pathlib import Path

from dlcli.data.annotated.form import open_annotated
from dlcli.data.collection import Collection, label_numbers
from dlcli.data.images.collection import image_collection


def collect_annotated(folder: Path) -> Collection:
    """Return annotated images, labelled by the classes that they show; see `FormSpec.collection`.

    Raises:
        DataError: the folder holds no annotated images, or does not fit its card.
    """
    form = open_annotated(folder)
    images = [image for split in form.splits() for image in form.of_split(split)]
    shown = [sorted({*(each.label for each in image.objects), *image.tags}) for image in images]
    names = [", ".join(form.card.classes[label] for label in labels) for labels in shown]
    files = [form.root / image.file for image in images]
    sizes = [len(form.of_split(split)) for split in form.splits()]
    return image_collection(form.root, form.splits(), sizes, files, names, label_numbers(names))
