"""What the importers of two domains share: their folders and names, and the files that can be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlcli.core.errors import DataError, UsageError
from dlcli.core.wording import printable
from dlcli.data.domains.folders import LETTERS, domain_names
from dlcli.data.domains.writer import FoundImage, Placed, inspect_image
from dlcli.data.images.each import are_large, for_each
from dlcli.data.images.pixels import leak_warning
from dlcli.data.importing.names import check_class_names
from dlcli.data.walking import list_files
from dlcli.datasets.domains.options import DomainsOptions, read_names

_MAX_NAMED = 20


def locate_folders(source: Path | None, options: DomainsOptions, name: str) -> list[Path]:
    """Return the folder that holds both domains, or the folder of each.

    Raises:
        DataError: a folder is missing, or both are the same.
        UsageError: there is no source, or one too many.
    """
    if (options.a is None) != (options.b is None):
        raise UsageError("--a and --b must be given together", hint=f"dl prepare {name} --a DIR --b DIR")
    if options.a is None or options.b is None:
        if source is None:
            raise UsageError(
                f"dl prepare {name}: name the SOURCE", hint=f"dl prepare {name} SOURCE, or --a DIR --b DIR"
            )
        folders = [source]
    elif source is not None:
        raise UsageError(f"{source}: SOURCE cannot be combined with --a and --b", hint="leave out one or the other")
    else:
        folders = [Path(options.a), Path(options.b)]
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
    real = [folder.resolve() for folder in folders]
    if len(real) == 2 and (real[0].is_relative_to(real[1]) or real[1].is_relative_to(real[0])):
        what = "the same folder" if real[0] == real[1] else "one folder lies in the other"
        raise DataError(f"--a {folders[0]} and --b {folders[1]}: {what}", hint="name two folders of images")
    return folders


def space_of(files: Sequence[Path]) -> int:
    """Return roughly how many bytes the images of folders take."""
    return sum((folder / name).stat().st_size for folder in files for name in list_files(folder, []))


def name_domains(files: Sequence[Path], options: DomainsOptions) -> tuple[tuple[str, str], str]:
    """Return the names of the domains and that of the dataset.

    The names are given, or in the name of the one folder (`apple2orange`), or those of the two; else A and B.

    Raises:
        DataError: a given name cannot be that of a folder.
    """
    names = [printable(folder.resolve().name) for folder in files]
    if options.names is not None:
        first, second = check_class_names(read_names(options.names), "--names")
        classes = (first, second)
    elif len(names) == 1:
        classes = domain_names(names[0])
    else:
        try:
            first, second = check_class_names(names, "--a and --b")
            classes = (first, second)
        except DataError:
            classes = LETTERS
    return classes, names[0] if len(names) == 1 else "2".join(classes)


def read_files(paths: Sequence[Path], root: Path, max_bad: int) -> tuple[dict[Path, FoundImage], list[str]]:
    """Return the files that can be used by path, and notes on the others: how many, and the first with their reasons.

    Raises:
        DataError: they are more than `max_bad`.
    """
    results = for_each(_inspect, paths, are_large=bool(paths) and are_large(paths))
    bad = [(path, result) for path, result in zip(paths, results, strict=True) if isinstance(result, str)]
    if len(bad) > max_bad:
        raise DataError(
            f"{root}: {counted(len(bad), 'file')} cannot be used, more than --max-bad {max_bad}",
            details=[f"first: {printable(str(bad[0][0]))}: {bad[0][1]}"],
            hint="remove them, or allow more with --max-bad",
        )
    notes = [f"left out: {counted(len(bad), 'file')} that cannot be used"] if bad else []
    notes += [f"left out {printable(_below(path, root))}: {reason}" for path, reason in bad[:_MAX_NAMED]]
    found = {path: result for path, result in zip(paths, results, strict=True) if isinstance(result, FoundImage)}
    return found, notes


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 file" or "2 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _inspect(path: Path) -> FoundImage | str:
    try:
        return inspect_image(path)
    except DataError as error:
        return error.message


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def require_both(items: Sequence[Placed], where: Sequence[Path], bad: Sequence[Path] = ()) -> None:
    """Check that each domain has a training image.

    Args:
        items: the images of all domains and splits.
        where: the folder of each domain's training images, for the message.
        bad: the files that cannot be used.

    Raises:
        DataError: one has none.
    """
    for domain, folder in enumerate(where):
        if not any(each.domain == domain and each.split == "train" for each in items):
            own = [path for path in bad if path.is_relative_to(folder)]
            raise DataError(
                f"{folder}: no image that can be used, and training needs some of both domains",
                details=[
                    f"{counted(len(own), 'file')} cannot be used, the first: "
                    f"{printable(_below(path, folder))}: {_inspect(path)}"
                    for path in own[:1]
                ],
                hint=f"put images of the domain into {folder}",
            )


def single_notes(items: Sequence[Placed], classes: Sequence[str]) -> list[str]:
    """Return a note for each domain of a single training image."""
    counts = [sum(each.domain == domain and each.split == "train" for each in items) for domain in (0, 1)]
    return [
        f"{name} has a single training image, which is all that can be learned of it"
        for name, count in zip(classes, counts, strict=True)
        if count == 1
    ]


def shared_notes(items: Sequence[Placed], classes: Sequence[str]) -> list[str]:
    """Return a note on files that are in both domains, byte for byte; none if there are none.

    Raises:
        DataError: all files of a domain are in the other one too.
    """
    digests = [{each.image.sha256 for each in items if each.domain == domain} for domain in (0, 1)]
    shared = digests[0] & digests[1]
    if not shared:
        return []
    if len(shared) == min(map(len, digests)):
        smaller = classes[0] if len(digests[0]) <= len(digests[1]) else classes[1]
        raise DataError(
            f"all images of {smaller} are in the other domain too, byte for byte",
            hint="name two folders of different images",
        )
    first = min(str(each.image.path) for each in items if each.image.sha256 in shared)
    count = "1 image is" if len(shared) == 1 else f"{len(shared):,} images are"
    return [f"{count} in both domains, byte for byte: the first is {printable(first)}"]


def leak_notes(items: Sequence[Placed]) -> list[str]:
    """Return a note on files that are in train and test, byte for byte; none if there are none."""
    train, test = ({each.image.sha256 for each in items if each.split == split} for split in ("train", "test"))
    return list(leak_warning("train", "test", len(train & test)))
