"""Pascal VOC: one XML file for each image; lists of the splits in `ImageSets`; label maps as PNGs with a palette.

The folders may be VOC's (`Annotations`, `JPEGImages`), in any tree, several years side by side in a `VOCdevkit`, or any
folders with XML files and images. Pixel numbers count from 1, both ends inclusive; label maps hold class or object
numbers, and 255 for neither. Source: Everingham and Winn, "The PASCAL VOC Challenge 2012 Development Kit".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.core.wording import brief
from dlcli.data.annotated.folders import ImageIndex, base_name, is_image_name, split_of_path, stem_of
from dlcli.data.annotated.formats.voc_lists import Lists, is_map_name, read_lists
from dlcli.data.annotated.formats.voc_xml import Description, looks_like_voc, read_description
from dlcli.data.annotated.found import Found, FoundImage, Reading
from dlcli.data.walking import list_files

NAME = "voc"
SUMMARY = "Pascal VOC: XML files (Annotations) and images (JPEGImages)"

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""The classes of VOC's challenges, in the order of their palette."""

_MAPS = ("segmentationclass", "segmentationobject")
_SEARCHED_LEVELS = 3
_MAX_FOLDERS = 200  # that `matches` looks into
_MAX_ENTRIES = 2000  # of each


def matches(source: Path) -> bool:
    """Return whether there are files of VOC's kind at most three levels deep.

    That is an XML file, or a folder named `ImageSets` or `SegmentationClass`.
    """
    for number, (folder, files) in enumerate(_first_folders(source)):
        if number >= _MAX_FOLDERS:
            return False
        if Path(folder).name in ("ImageSets", "SegmentationClass"):
            return True
        xml = next((name for name in files if name.lower().endswith(".xml")), None)
        if xml is not None and looks_like_voc(Path(folder) / xml):
            return True
    return False


def _first_folders(source: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield folders, outer ones first, each with the names of its first files."""
    level = [str(source)]
    for _ in range(_SEARCHED_LEVELS + 1):
        below: list[str] = []
        for folder in level:
            files: list[str] = []
            try:
                with os.scandir(folder) as entries:
                    for _, entry in zip(range(_MAX_ENTRIES), entries, strict=False):
                        if entry.is_dir() and not entry.name.startswith("."):
                            below.append(entry.path)
                        else:
                            files.append(entry.name)
            except OSError:
                continue
            yield folder, files
        level = sorted(below)[:_MAX_FOLDERS]


def read(source: Path, options: Reading) -> Found:
    """Return the images that the XML files, lists and label maps of a folder describe.

    Args:
        source: the folder.
        options: `images` if the images are elsewhere; `task` "boxes" reads the lists of `ImageSets/Main` alone, "masks"
            and "semantic" those of `ImageSets/Segmentation`; both otherwise.

    Raises:
        DataError: there are no such files.
    """
    if not source.is_dir():
        raise DataError(f"{source}: no such folder", hint="SOURCE is the folder around Annotations and JPEGImages")
    years = [_Year.of(root, source, options) for root in _years(source) or [source]]
    images = [image for year in years for image in year.images()]
    notes = tuple(note for year in years for note in year.notes)
    if not images:
        raise DataError(
            f"{source}: no annotations of Pascal VOC",
            details=["looked for: Annotations/*.xml, JPEGImages/*.jpg, or *.xml beside images", *map(brief, notes[:2])],
            hint="name the folder that holds the XML files",
        )
    has_maps = any(image.label_map is not None for image in images)
    return Found(tuple(images), notes=notes, palette=_palette(source, images) if has_maps else ())


def _years(folder: Path, levels: int = _SEARCHED_LEVELS) -> list[Path]:
    """Return the folders with VOC's lists or annotations, at most three levels deep, sorted."""
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if any(path.name in ("Annotations", "ImageSets") for path in below):
        return [folder]
    return [year for path in below[:_MAX_FOLDERS] for year in _years(path, levels - 1)] if levels else []


@dataclass
class _Year:
    """The files of a folder of VOC; `prefix` stands before their names in messages, `place` before their splits."""

    root: Path
    place: str
    prefix: str
    xml: list[str]
    index: ImageIndex
    image_names: list[str]
    maps: dict[str, ImageIndex]
    lists: Lists
    notes: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, root: Path, source: Path, options: Reading) -> _Year:
        names = list_files(root, [])
        pictures = [name for name in names if is_image_name(name)]
        photos = [name for name in pictures if not is_map_name(name)]
        maps = {
            kind: ImageIndex(root, [name for name in pictures if kind in name.lower().split("/")[:-1]])
            for kind in _MAPS
        }
        elsewhere = options.images or (None if photos else source)
        if elsewhere is not None:
            photos = []
            found = [name for name in list_files(elsewhere, []) if is_image_name(name) and not is_map_name(name)]
            index = ImageIndex(elsewhere, found)
            names = [*(name for name in names if not is_image_name(name)), *found]
        else:
            index = ImageIndex(root, photos)
        xml = [name for name in names if name.lower().endswith(".xml")]
        place = "" if root == source else f"{root.relative_to(source).as_posix()}/"
        prefix = f"{root.name}/" if place else ""
        lists = read_lists(root, names, options.task)
        return cls(root, place, prefix, xml, index, photos, maps, lists, [f"{prefix}{note}" for note in lists.notes])

    def images(self) -> Iterator[FoundImage]:
        """Yield the images: those of the lists if there are any, else those of all XML files, and the rest."""
        yield from self._listed() if self.lists.splits else self._unlisted()
        self._note(self.strangers, "the label map of another image of this name, not used for both")

    def _listed(self) -> Iterator[FoundImage]:
        xml_of = {_without_xml(name): name for name in reversed(self.xml)}
        index = ImageIndex(self.root, sorted(xml_of))
        used: dict[str, Path | None] = {}  # XML file -> its photo
        lost: list[str] = []
        for name, split in self.lists.splits.values():
            found = index.find_name(name)
            if (index if found is not None else self.index).is_elsewhere(name):
                lost.append(name)
                continue
            xml, photo = xml_of[found] if found is not None else "", self.index.find(name, found or name)
            if xml in used:
                if photo in (None, used[xml]):  # listed by another path, too
                    continue
                xml = ""
            described = self._describe(xml) if xml else None
            if xml:
                used[xml] = photo
            if not xml or described is not None:
                yield self._image(xml, name, described, split)
        self._note(lost, "listed in ImageSets, but no file of this name is in that folder, not used")
        self._note(sorted(map(base_name, set(self.xml) - used.keys())), "in no list of ImageSets, not used")

    def _note(self, names: Sequence[str], what: str) -> None:
        if names:
            self.notes.append(f"{self.prefix}{names[0]}: {what}; {len(names):,} such")

    def _unlisted(self) -> Iterator[FoundImage]:
        used = set()
        for xml in self.xml:
            described = self._describe(xml)
            image = self._image(xml, _without_xml(xml), described, split_of_path(self.place + xml))
            used.add(image.path)  # also of a damaged file: what an image shows is then unknown, not nothing
            if described is not None:
                yield image
        for name in self.image_names:
            if self.root / name not in used:
                yield self._image("", name, None, split_of_path(self.place + name))

    def _describe(self, xml: str) -> Description | None:
        try:
            return read_description(self.root / xml)
        except DataError as error:
            self.notes.append(f"{self.prefix}{base_name(xml)}: {error.message}, left out")
            return None

    def _image(self, xml: str, name: str, described: Description | None, split: str) -> FoundImage:
        """Return an image.

        Args:
            xml: its XML file, "" if there is none.
            name: its name where the XML file names none that exists.
            described: what the XML file says.
            split: its split.
        """
        path = self.index.find(_beside(name, described.filename), xml) if described and described.filename else None
        path = path or self.index.find(name, xml or name)
        if path is None:
            path = self.root / "JPEGImages" / (base_name(described.filename if described else name) or "unnamed")
        class_map, object_map = (self._map_of(kind, name, xml or name, path) for kind in _MAPS)
        is_described = described is not None or class_map is not None or self.lists.has_tags
        return FoundImage(
            path,
            f"{self.prefix}{base_name(xml)}" if xml else name if is_described else "",
            split,
            described.objects if described is not None else (),
            described.size if described is not None else None,
            () if described is not None else self.lists.tags_of(name),
            class_map,
            object_map,
        )

    def _map_of(self, kind: str, name: str, near: str, path: Path) -> Path | None:
        """Return the label map of an image: the nearest of its name, unless that is nearer to another image."""
        found = self.maps[kind].find_name(name, near)
        if found is None:
            return None
        nearest = self.index.find(found.rpartition(".")[0], found)
        if nearest != path and stem_of(path.name) == stem_of(found):
            self.strangers.append(found)
            return None
        return self.root / found


def _beside(name: str, base: str) -> str:
    """Return a name without folders in those of another one, so that of several images the right one is found."""
    folder = name.rpartition("/")[0]
    return f"{folder}/{base}" if folder and base == base_name(base) else base


def _without_xml(name: str) -> str:
    return name[: -len(".xml")]


def _palette(source: Path, images: Sequence[FoundImage]) -> tuple[str, ...]:
    """Return the class of each index of the label maps.

    They stand in `class_names.txt` (labelme) or `labelmap.txt` (CVAT) where there is one; else they are VOC's, if no
    object has another class, else the objects' classes, sorted.
    """
    for name in ("class_names.txt", "labelmap.txt"):
        path = source / name
        if path.is_file() and path.stat().st_size < 2**20:
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            names = [line.split(":")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
            names = [each for each in names if each not in ("__ignore__",)]
            return tuple("" if each.strip("_").casefold() == "background" else each for each in names)
    named = {each.name.strip() for image in images for each in image.objects} - {""}
    return ("", *(CLASSES if named <= set(CLASSES) else sorted(named)))
