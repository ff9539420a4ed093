"""`dl visualize PICTURE RUN|DATA [INPUT...]`: pictures of a run or a dataset, as PNG files, or GIF files of several."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.answering.opening import task_of
from dlcli.cli.glyphs import warn_of_missing_glyphs
from dlcli.cli.inference import inference_of_line, resolve_inference, run_of_line
from dlcli.cli.options import Argument, Common, Values, make_command
from dlcli.cli.pictures import Owned, all_pictures, find_picture, pictures_of
from dlcli.cli.ready import Ready, pretrained_of_line
from dlcli.cli.showing import show_pictures
from dlcli.cli.subject import OpenedSubject, is_data
from dlcli.cli.words import pick_target
from dlcli.core.config import option
from dlcli.core.console import Console, format_table
from dlcli.core.errors import DataError, DlError, UsageError, did_you_mean
from dlcli.core.files import is_folder
from dlcli.core.registry import TASKS, TaskSpec, all_tasks, get_task
from dlcli.engine.targets import resolve_target
from dlcli.visualize.image_files import IMAGE
from dlcli.visualize.pictures import PICTURES, Picture
from dlcli.visualize.subject import Animation

SUFFIXES = (".png", ".gif")
"""Of a picture, and of an animation."""


@dataclass(frozen=True)
class DrawOptions:
    """Options of `dl visualize` for every picture."""

    out: str | None = option(None, "the file, or a folder for several (default: the run's plots/)", metavar="PATH")
    show: bool = option(False, "also draw the pictures in the terminal")


def build(rest: list[str]) -> Any:
    """Return the command, with the options of the picture that the line names."""
    built_in = all_pictures()
    own = [picture.options for spec in TASKS.values() for picture in pictures_of(spec).values()]
    known_options = [DrawOptions, Ready, *own, *(found.picture.options for found in built_in.values())]
    name = pick_target(rest, built_in.__contains__, [*known_options, Common])
    arguments = [
        Argument("picture", " | ".join(built_in), is_required=False),
        Argument(
            "subject",
            "a run (as for `dl eval`), for `grid`, `boxes` and some others prepared data, for `filters` an image",
            is_required=False,
        ),
        Argument("input", "images or texts, for pictures of inputs", False, True),
    ]
    if name is None:
        epilog = "; ".join(f"{key}: {found.picture.summary}" for key, found in built_in.items())
        return make_command("visualize", "Draw PNG and GIF files.", _no_picture, arguments=arguments, epilog=epilog)
    place = rest.index(name)
    others = [*rest[:place], *rest[place + 1 :]]
    found = find_picture(name, _task_of_line(others, known_options))
    if found is None:
        raise UsageError(f"no picture {name!r}", hint=did_you_mean(name, all_pictures(all_tasks().values())))
    picture = found.picture
    of_model = picture.subject != IMAGE
    inference = inference_of_line(others, *known_options) if of_model else ()

    def run(values: Values) -> None:
        _visualize(name, found, values, inference)

    summary = f"Draw {name}: {picture.summary}."
    configs = [picture.options, DrawOptions, *([Ready] if of_model else []), *inference]
    return make_command("visualize", summary, run, arguments=arguments, configs=configs)


def _task_of_line(rest: Sequence[str], options: Sequence[type]) -> TaskSpec | None:
    """Return the task of the run or data that a line draws; its own pictures take precedence.

    None for a line without a run or data, or with an error, which is reported when the command runs.
    """
    pretrained = pretrained_of_line(rest)
    word = run_of_line(rest, lambda word: _task_of(word, pretrained) is not None, *options)
    return _task_of(word, pretrained) if word is not None else None


def _task_of(word: str, pretrained: str | None) -> TaskSpec | None:
    spec = task_of(word, pretrained)
    try:
        names_data = spec is None and (is_data(word) or is_folder(Path(word)))
        return resolve_target(word, None).spec if names_data else spec
    except DlError:
        return None


def _no_picture(values: Values) -> None:
    del values
    raise UsageError("which picture?", hint=f"`dl visualize PICTURE RUN`, PICTURE one of {', '.join(all_pictures())}")


def _check_task(name: str, found: Owned, subject: OpenedSubject) -> None:
    """Check that the subject is for the task that the picture belongs to.

    Raises:
        UsageError: the run is of another task.
        DataError: the data is for another task.
    """
    if found.owner is None:
        return
    spec = subject.spec()
    is_of_data = not subject.is_run and get_task(found.owner).form == spec.form  # several tasks may learn from one form
    if found.owner == spec.name or is_of_data:
        return
    known = ", ".join([*pictures_of(spec), *PICTURES])
    fault = UsageError if subject.is_run else DataError
    raise fault(
        f"{name} is a picture of {found.owner}, but {subject.name} is of {spec.name}", hint=f"choose one of {known}"
    )


def _visualize(name: str, found: Owned, values: Values, inference: Sequence[type]) -> None:
    if values.arguments["picture"] != name:  # an option's value was mistaken for the picture
        raise UsageError(f"dl visualize {values.arguments['picture']}: name the picture before its options")
    picture = found.picture
    console = values.console()
    options = values.resolve(picture.options)
    output = values.resolve(DrawOptions)
    subject = _open_subject(name, picture, values, inference)
    _check_task(name, found, subject)
    table = picture.table(subject, options) if picture.table is not None else None
    if table is not None:
        if console.is_json:
            console.answer_json(table.name, {table.name: list(table.entries)})
        else:
            console.table(table.columns, table.rows)
        return
    drawn = list(picture.draw(subject, options))
    warn_of_missing_glyphs(console, [*subject.names(), *subject.shown])
    paths = _write_pictures(drawn, output.out, subject)
    if output.show:
        blocks = functools.partial(picture.blocks, subject) if picture.blocks is not None else None
        show_pictures(console, [content for _, content in drawn], blocks)
    _answer_paths(console, paths, subject)


def _open_subject(name: str, picture: Picture, values: Values, inference: Sequence[type]) -> OpenedSubject:
    """Return what the line draws.

    Raises:
        UsageError: the line does not name it.
    """
    text = values.arguments["subject"]
    is_image = picture.subject == IMAGE
    if text is None:
        hint = "an image file, or several" if is_image else "`dl runs` lists the runs"
        raise UsageError(f"dl visualize {name}: name a{'n' * is_image} {picture.subject}", hint=hint)
    pretrained = values.resolve(Ready).pretrained if not is_image else None
    return OpenedSubject(
        text,
        values.arguments["input"] or [],
        prefers_run=picture.subject == "RUN",
        is_image=is_image,
        inference=resolve_inference(values, inference, task_of(text, pretrained)) if inference else None,
        pretrained=pretrained,
        report=values.console().warn,
    )


def _write_pictures(drawn: Sequence[tuple[str, Any]], out: str | None, subject: OpenedSubject) -> list[Path]:
    """Write the pictures, each a stem and its content, and return the paths.

    Raises:
        UsageError: a path is that of an input, or does not suit the pictures.
    """
    from dlcli.visualize.animation import write_gif
    from dlcli.visualize.canvas import write_png

    paths = _paths([(stem, ".gif" if isinstance(each, Animation) else ".png") for stem, each in drawn], out, subject)
    for path in paths:
        if subject.holds(path):
            raise UsageError(f"--out {path}: an input, which is not replaced", hint="name another file or folder")
    for path, (_, content) in zip(paths, drawn, strict=True):
        if isinstance(content, Animation):
            write_gif(path, content)
        else:
            write_png(path, content)
    return paths


def _answer_paths(console: Console, paths: Sequence[Path], subject: OpenedSubject) -> None:
    """Print the paths; the tables that belong to the pictures go beside them."""
    if console.is_json:
        tables = {each.name: list(each.entries) for each in subject.tables}
        console.answer_json("visualize", {"pictures": [str(path) for path in paths], **tables})
        return
    for path in paths:
        console.answer(str(path))
    for each in subject.tables:  # beside the answer, so that its lines are paths alone
        for line in format_table(each.columns, each.rows):
            console.say(line)


def _paths(names: Sequence[tuple[str, str]], out: str | None, subject: OpenedSubject) -> list[Path]:
    """Return the files to write: `out` itself for one picture, else files in `out` or in the run's plots.

    Args:
        names: stem and suffix of each file.
        out: what `--out` says.
        subject: what is drawn.

    Raises:
        UsageError: `out` is a file for several pictures, or of the wrong format for one.
    """
    suffix = Path(out).suffix.lower() if out is not None else ""
    if out is not None and len(names) == 1 and not is_folder(Path(out)):
        if suffix in SUFFIXES and suffix != names[0][1]:
            what = "an animation is a GIF file" if names[0][1] == ".gif" else "a picture is a PNG file"
            raise UsageError(f"--out {out}: {what}", hint=f"name a file that ends in {names[0][1]}")
        return [Path(out)]
    if out is not None and suffix in SUFFIXES:
        raise UsageError(f"--out {out}: there are {len(names)} pictures", hint="name a folder")
    folder = Path(out) if out is not None else subject.plots()
    return [folder / (re.sub(r"[/\\:]+", "_", stem) + own) for stem, own in names]
