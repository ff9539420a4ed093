"""What a word of a line may become: commands, targets, runs, options, values. Torch-free, and never an error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dlcli.cli.commands import COMMANDS, load_command
from dlcli.core.config import AUTO, FieldInfo
from dlcli.core.errors import DlError

FILES, WORDS = "files", "words"
"""The first line of the answer: whether the shell adds names of files."""

MAX_HELP = 70
"""Characters of a description."""


@dataclass(frozen=True)
class Found:
    """What a word may become.

    Attributes:
        words: each with its description, "" for none.
        with_files: whether names of files fit too.
    """

    words: Sequence[tuple[str, str]] = ()
    with_files: bool = False


def print_candidates(words: Sequence[str]) -> int:
    """Print what the last of the words of a line may become, and return the exit code.

    The first line is `files` or `words`; each of the others is a word, a tab and its description.
    """
    found = Found(with_files=True)
    with suppress(DlError, OSError, ValueError):  # a damaged run, or half a word: the shell completes files
        found = candidates(words)
    lines = [FILES if found.with_files else WORDS]
    lines += ["\t".join([word, " ".join(text.split())[:MAX_HELP]]) for word, text in found.words if "\n" not in word]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def candidates(words: Sequence[str]) -> Found:
    """Return what the last word of a line may become; the words are those behind `dl`, up to the cursor."""
    words = _joined(words) or [""]
    *before, current = words
    if not before:
        root = [("--help", "show the help page"), ("--version", "show the version"), ("--help-json", "as JSON")]
        known = root if current.startswith("-") else [(name, summary) for name, (summary, _) in COMMANDS.items()]
        return _starting(Found(known), current)
    name, *rest = before
    if name not in COMMANDS:
        return Found(with_files=True)
    return _starting(_of_command(name, rest, current), current)


def _joined(words: Sequence[str]) -> list[str]:
    """Return the words with `--flag`, `=` and its value as one word; bash cuts words at `=`."""
    result: list[str] = []
    for index, word in enumerate(words):
        is_value = bool(result) and result[-1].startswith("--") and result[-1].endswith("=")
        follows = index > 0 and words[index - 1] == "="
        if result and result[-1].startswith("--") and (word == "=" or (is_value and follows)):
            result[-1] += word
        else:
            result.append(word)
    return result


def _starting(found: Found, current: str) -> Found:
    return Found(tuple((word, text) for word, text in found.words if word.startswith(current)), found.with_files)


def _of_command(name: str, rest: list[str], current: str) -> Found:
    try:
        described = load_command(name, rest).described
    except DlError:  # the line has a mistake, which is reported when it is run
        described = load_command(name, []).described
    fields = {f"--{info.flag}": info for info in described.fields}
    fields |= {f"-{info.option.short}": info for info in described.fields if info.option.short}
    flag, equals, _ = current.partition("=")
    if equals and flag in fields:
        found = _values(name, rest, fields[flag])
        return Found([(f"{flag}={word}", text) for word, text in found.words], found.with_files)
    previous = fields.get(rest[-1]) if rest else None
    is_ended = "--" in rest
    if previous is not None and previous.kind is not bool and not is_ended:
        found = _values(name, rest, previous)
        if previous.option.bare is None or found.words:
            return found
    if current.startswith("-") and not is_ended:
        return Found(list(_flags(described.fields, rest)))
    place = _num_arguments(rest, fields)
    arguments = described.arguments
    index = min(place, len(arguments) - 1)
    if index < 0 or (place > index and not arguments[index].many):
        return Found()
    return _ARGUMENTS.get(arguments[index].name, _files)()


def _num_arguments(rest: Sequence[str], fields: Mapping[str, FieldInfo]) -> int:
    """Return how many words are neither options nor values of options."""
    count, is_value = 0, False
    for word in rest:
        if is_value:
            is_value = False
        elif word.startswith("-") and word != "-":
            info = fields.get(word)
            is_value = info is not None and info.kind is not bool and info.option.bare is None
        else:
            count += 1
    return count


def _flags(fields: Iterable[FieldInfo], rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that a line does not have yet, everyday ones first."""
    for info in sorted(fields, key=lambda info: info.option.is_advanced):
        flag = f"--{info.flag}"
        if flag not in rest or info.is_list:
            yield flag, info.option.help
        if info.has_off:
            yield f"--no-{info.flag}", info.option.help
    yield "--help", "show the help page"
    yield "--help-all", "show every option"


def _values(command: str, rest: list[str], info: FieldInfo) -> Found:
    """Return the values of an option: its choices, names that are known, or files."""
    option = info.option
    more = [(AUTO, "")] if option.may_be_auto else []
    if option.choices:
        return Found([(choice, "") for choice in option.choices])
    if info.name == "model":
        return Found(_networks(command, rest))
    metavar = option.metavar or ""
    if metavar == "RUN":
        return _runs()
    own = _NAMED.get(info.name)
    if own is not None:
        return Found([(word, "") for word in own()])
    parts = metavar.strip("[]").split("|")
    more += [(part, "") for part in parts if part.islower() and len(parts) > 1]
    return Found(more, with_files=bool({"DIR", "FILE", "PATH"} & set(parts)))


def _networks(command: str, rest: list[str]) -> list[tuple[str, str]]:
    """Return the networks of the task that a line trains; of every task if it names none."""
    from dlcli.core.registry import TASKS, load_object
    from dlcli.engine.targets import resolve_target

    specs = list(TASKS.values())
    fields = {f"--{info.flag}": info for info in load_command(command, []).described.fields}
    targets = [word for index, word in enumerate(rest) if _num_arguments(rest[: index + 1], fields) == 1]
    with suppress(DlError):
        specs = [resolve_target(targets[0], None).spec] if targets else specs
    found: dict[str, str] = {}
    for spec in specs:
        for name, network in load_object(spec.networks).items():
            found.setdefault(name, network.summary)
    return list(found.items())


def _optimizers() -> Iterable[str]:
    from dlcli.core.train_config import OPTIMIZERS

    return OPTIMIZERS


def _schedules() -> Iterable[str]:
    from dlcli.core.train_config import SCHEDULES

    return SCHEDULES


def _formats() -> Iterable[str]:
    from dlcli.cli.export import ExportOptions
    from dlcli.core.config import fields_of

    [info] = [info for info in fields_of(ExportOptions) if info.name == "format"]
    return info.option.choices or (info.option.metavar or "").split("|")


_NAMED: Mapping[str, Callable[[], Iterable[str]]] = {
    "optimizer": _optimizers,
    "schedule": _schedules,
    "format": _formats,
    "device": lambda: ("auto", "cpu", "cuda", "mps"),
}
"""The values of options whose names are known, but whose values may also be other words."""


def _files() -> Found:
    return Found(with_files=True)


def _runs() -> Found:
    """Return the names of the runs in ./runs, the newest first; what else a RUN may be is a file."""
    from dlcli.core.run_dir import RUNS

    folders = [path.parent for path in RUNS.glob("*/run.json")]
    names = [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)]
    words = [*((name, "a run") for name in names), *([("latest", "the newest run")] if names else [])]
    return Found(words, with_files=True)


def _prepared() -> list[tuple[str, str]]:
    from dlcli.engine.targets import DATA

    return [(path.parent.name, "prepared data") for path in sorted(DATA.glob("*/dataset.json"))]


def _targets() -> Found:
    from dlcli.core.registry import DATASETS, TASKS

    words = {name: f"task: {spec.summary}" for name, spec in TASKS.items()}
    words |= {name: f"dataset: {spec.summary}" for name, spec in DATASETS.items()}
    return Found([*words.items(), *((name, text) for name, text in _prepared() if name not in words)], with_files=True)


def _datasets() -> Found:
    from dlcli.core.registry import DATASETS

    return Found([(name, spec.summary) for name, spec in DATASETS.items()])


def _pictures() -> Found:
    from dlcli.cli.pictures import all_pictures

    return Found([(name, found.picture.summary) for name, found in all_pictures().items()])


def _subjects() -> Found:
    found = _runs()
    return Found([*found.words, *_prepared()], with_files=True)


def _shells() -> Found:
    from dlcli.cli.completion import SCRIPTS

    return Found([(name, "") for name in SCRIPTS])


def _network_names() -> Found:
    return Found(_networks("train", []), with_files=True)


_ARGUMENTS: Mapping[str, Callable[[], Found]] = {
    "target": _targets,
    "dataset": _datasets,
    "run": _runs,
    "model": _runs,
    "name": _network_names,
    "picture": _pictures,
    "subject": _subjects,
    "shell": _shells,
}
"""What stands in the place of an argument, by its name; files for one that is not here."""
