"""`dl visualize PICTURE RUN|DATA [INPUT...]`: pictures of a run or a dataset, as PNG files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.cli.glyphs import warn_of_missing_glyphs
from dlcli.cli.opening import data_if_there, data_of_run, inference_of_line, resolve_inference, run_of_line, task_of
from dlcli.cli.options import Argument, Common, Values, make_command
from dlcli.cli.pictures import Owned, all_pictures, find_picture, pictures_of
from dlcli.cli.ready import Ready, find_run, open_ready, pretrained_of_line
from dlcli.cli.targets import DATA, resolve_target
from dlcli.cli.words import pick_target
from dlcli.core.config import Layer, option
from dlcli.core.errors import DataError, DlError, UsageError, did_you_mean
from dlcli.core.files import is_folder
from dlcli.core.networks import get_owner
from dlcli.core.registry import TASKS, TaskSpec, all_tasks, get_task, how_to_prepare, load_object
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.data.inputs import input_test
from dlcli.visualize.pictures import PICTURES
from dlcli.visualize.subject import Input

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from dlcli.core.description import Description
    from dlcli.data.codec import Codec
    from dlcli.engine.task import Task


@dataclass(frozen=True)
class DrawOptions:
    """Options of `dl visualize` for every picture."""

    out: str | None = option(None, "the PNG file, or a folder for several (default: the run's plots/)", metavar="PATH")


def build(rest: list[str]) -> Any:
    """Return the command, with the options of the picture that the line names."""
    built_in = all_pictures()
    own = [picture.options for spec in TASKS.values() for picture in pictures_of(spec).values()]
    known_options = [DrawOptions, Ready, *own, *(found.picture.options for found in built_in.values())]
    name = pick_target(rest, built_in.__contains__, [*known_options, Common])
    arguments = [
        Argument("picture", " | ".join(built_in), is_required=False),
        Argument("subject", "a run (as for `dl eval`), or for `grid` and `lengths` prepared data", is_required=False),
        Argument("input", "images or texts, for pictures of inputs", False, True),
    ]
    if name is None:
        epilog = "; ".join(f"{key}: {found.picture.summary}" for key, found in built_in.items())
        return make_command("visualize", "Draw PNG files.", _no_picture, arguments=arguments, epilog=epilog)
    place = rest.index(name)
    others = [*rest[:place], *rest[place + 1 :]]
    found = find_picture(name, _task_of_line(others, known_options))
    if found is None:
        raise UsageError(f"no picture {name!r}", hint=did_you_mean(name, all_pictures(all_tasks().values())))
    picture = found.picture
    inference = inference_of_line(others, *known_options)

    def run(values: Values) -> None:
        _visualize(name, found, values, inference)

    summary = f"Draw {name}: {picture.summary}."
    configs = [picture.options, DrawOptions, Ready, *inference]
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
        is_data = spec is None and (_is_data(word) or is_folder(Path(word)))
        return resolve_target(word, None).spec if is_data else spec
    except DlError:
        return None


def _is_data(text: str) -> bool:
    """Return whether the user's word names a prepared folder, or a dataset in the usual place."""
    return any(is_folder(place) and (place / "dataset.json").exists() for place in (DATA / text, Path(text)))


def _no_picture(values: Values) -> None:
    del values
    raise UsageError("which picture?", hint=f"`dl visualize PICTURE RUN`, PICTURE one of {', '.join(all_pictures())}")


def _check_task(name: str, found: Owned, subject: _Opened) -> None:
    """Check that the subject is for the task that the picture belongs to.

    Raises:
        UsageError: the run is of another task.
        DataError: the data is for another task.
    """
    if found.owner is None:
        return
    spec = subject.spec()
    if found.owner == spec.name:
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
    out = values.resolve(DrawOptions).out
    if values.arguments["subject"] is None:
        raise UsageError(f"dl visualize: name a {picture.subject}", hint="`dl runs` lists the runs")
    text, pretrained = values.arguments["subject"], values.resolve(Ready).pretrained
    subject = _Opened(
        text,
        values.arguments["input"] or [],
        prefers_run=picture.subject == "RUN",
        inference=resolve_inference(values, inference, task_of(text, pretrained)),
        pretrained=pretrained,
        report=console.warn,
    )
    _check_task(name, found, subject)
    table = picture.table(subject, options) if picture.table is not None else None
    if table is not None:
        if console.is_json:
            console.answer_json(table.name, {table.name: list(table.entries)})
        else:
            console.table(table.columns, table.rows)
        return
    from dlcli.visualize.canvas import write_png

    drawn = list(picture.draw(subject, options))
    warn_of_missing_glyphs(console, [*subject.names(), *subject.shown])
    paths = _paths([stem for stem, _ in drawn], out, subject)
    for path in paths:
        if subject.holds(path):
            raise UsageError(f"--out {path}: an input, which is not replaced", hint="name another file or folder")
    for path, (_, image) in zip(paths, drawn, strict=True):
        write_png(path, image)
    if console.is_json:
        console.answer_json("visualize", {"pictures": [str(path) for path in paths]})
    else:
        for path in paths:
            console.answer(str(path))


def _paths(stems: Sequence[str], out: str | None, subject: _Opened) -> list[Path]:
    """Return the files to write: `out` itself for one picture, else files in `out` or in the run's plots."""
    if out is not None and len(stems) == 1 and not is_folder(Path(out)):
        return [Path(out)]
    if out is not None and Path(out).suffix.lower() == ".png":
        raise UsageError(f"--out {out}: there are {len(stems)} pictures", hint="name a folder")
    folder = Path(out) if out is not None else subject.plots()
    return [folder / (re.sub(r"[/\\:]+", "_", stem) + ".png") for stem in stems]


class _Opened:
    """See `dlcli.visualize.subject.Subject`; everything is opened on first use."""

    def __init__(
        self,
        text: str,
        inputs: Sequence[str],
        *,
        prefers_run: bool,
        inference: Any,
        pretrained: str | None,
        report: Callable[[str], None],
    ) -> None:
        self._text = text
        self._inputs = inputs
        self._prefers_run = prefers_run
        self._inference = inference
        self._pretrained = pretrained
        self._report = report
        self.shown: list[str] = []
        """Texts in the pictures, besides the class names."""

    @property
    def is_run(self) -> bool:
        """Whether the picture is of a run or a network rather than of data."""
        return self._run is not None or self._pretrained is not None

    @property
    def name(self) -> str:
        return self._run.name if self._run is not None else self._text

    @cached_property
    def _run_error(self) -> DlError | None:
        if self._pretrained is not None:
            return UsageError(f"{self._text} is a network, and this picture needs a run", hint="`dl runs` lists them")
        try:
            find_run(self._text)
        except DlError as error:
            return error
        return None

    @cached_property
    def _run(self) -> RunDir | None:
        # A dataset's name also refers to its newest run; which of the two is meant depends on the picture.
        is_wanted = self._prefers_run or not _is_data(self._text)
        return resolve_run(self._text) if is_wanted and self._run_error is None else None

    @cached_property
    def _loaded(self) -> tuple[Task, Description]:
        from dlcli.engine.compute.device import open_device
        from dlcli.engine.runs.restore import load_task

        open_device("cpu")
        if self._pretrained is not None:
            return open_ready(self._text, self._pretrained, report=self._report, inference=self._inference)
        run = self.run()
        return load_task(run, data=data_if_there(run.info(), None), inference=self._inference)

    @cached_property
    def _codec(self) -> Codec:
        description = self._loaded[1]
        codec: Codec = load_object(description.spec.codec)(description.assets, self._inference)
        return codec

    def spec(self) -> TaskSpec:
        """Return the task of the run or the network, or the task for the data."""
        if self._pretrained is not None:
            return get_owner(self._text)
        if self._run is None and not self._prefers_run:
            return resolve_target(self._text, None).spec
        return get_task(self.run().entry("task"))

    def run(self) -> RunDir:
        if self._run is None:
            raise self._run_error or UsageError(f"{self._text} is prepared data; this picture needs a run")
        return self._run

    def network(self) -> nn.Module:
        from dlcli.engine.task import network_of

        return network_of(self._loaded[0]).eval()

    def assets(self) -> Mapping[str, Any]:
        return self._loaded[1].assets

    def codec(self) -> Any:
        return self._codec

    def shows(self, texts: Iterable[str]) -> None:
        self.shown += texts

    def names(self) -> Sequence[str]:
        """Return the class names that the picture may show, as far as they are known without loading a network."""
        if self._run is not None:
            names = self._run.read_json("labels.json") if (self._run.path / "labels.json").exists() else []
            return [str(name) for name in names]
        if self._pretrained is not None:
            return [str(name) for name in self.assets().get("labels", [])]
        from dlcli.data.card import read_card

        card = read_card(self.data())
        return card.classes if card is not None else ()

    def example(self) -> Tensor:
        task = self._loaded[0]
        graph = task.export_plan().graphs[0]
        return graph.example[graph.inputs[0]][:1]

    def inputs(self) -> Sequence[Input]:
        import torch

        from dlcli.data.inputs import stem_of

        if not self._inputs:
            raise UsageError("this picture needs an input: name one", hint="`dl visualize PICTURE RUN INPUT...`")
        items = []
        for source in self._codec.expand(self._inputs):
            encoded = self._codec.encode(source)
            if encoded.arrays is None:
                raise DataError(f"{source.name}: {encoded.error}")
            [(_, batch)] = self._codec.batches([encoded])
            arrays = {name: torch.from_numpy(array) for name, array in batch.items()}
            items.append(Input(stem_of(source.name), source, arrays))
        return items

    def data(self) -> Path:
        if self._run is not None:
            return data_of_run(self._run.info(), None)
        if self._pretrained is not None:
            raise UsageError(f"{self._text} is a network, and this picture needs data", hint="name a run, or the data")
        target = resolve_target(self._text, None)
        if not is_folder(target.data):
            raise DataError(
                f"{target.data}: no prepared data there", hint=f"run {how_to_prepare(target.dataset, 'DATASET')}"
            )
        return target.data

    def holds(self, path: Path) -> bool:
        """Return whether a path is that of an input, of the run or of the data."""
        if self._run is not None:
            return self._run.holds(path) or input_test(self._inputs)(path)
        if self._pretrained is not None:
            return input_test([*self._inputs, self._pretrained])(path)
        is_beside_data = path.resolve().parent == Path(self._text).resolve()
        return not is_beside_data and input_test([*self._inputs, self._text])(path)

    def plots(self) -> Path:
        """Return the default folder of the pictures: the run's plots, or for data the current folder."""
        return self._run.folder("plots") if self._run is not None else Path()

    def training_samples(self) -> np.ndarray:
        from dlcli.engine.compute.device import open_device
        from dlcli.engine.evaluate import draw_samples

        task = self.task()
        samples = draw_samples(task, open_device("cpu"))
        picture = samples.picture if samples is not None else None
        if picture is None and task.card is not None:
            raise UsageError("this picture needs images, but the training data has none")
        if picture is None:
            raise DataError(f"{self.name}: the training data is missing", hint="prepare it where the run was trained")
        return picture

    def task(self, **changes: Any) -> Task:
        from dlcli.engine.request import resolve_request
        from dlcli.engine.runs.restore import describe_run

        task: Task
        if self._run is None:
            data = self.data()  # a network has none
            target = resolve_target(self._text, None)
            request = resolve_request(target.spec, target.dataset, data, [Layer(None, changes)])
            task = load_object(target.spec.task).from_data(request.config, request.train, request.data)
        elif changes:
            description, data = describe_run(self._run), data_of_run(self._run.info(), None)
            changed = replace(description, config={**description.config, **changes})
            configs = changed.configs(str(self._run.config_file))
            task = load_object(description.spec.task).from_assets(*configs, description.assets, data)
        else:
            task = self._loaded[0]
        return task
