"""The subject of `dl visualize`: a run, a network with ready weights or prepared data, opened lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.ready import find_run, open_ready
from dlcli.answering.run_data import data_if_there, data_of_run
from dlcli.core.config import Layer
from dlcli.core.errors import DataError, DlError, UsageError
from dlcli.core.files import is_folder
from dlcli.core.networks import get_owner
from dlcli.core.registry import TaskSpec, get_task, how_to_prepare, load_object
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.table import Table
from dlcli.data.inputs import input_test
from dlcli.engine.targets import DATA, resolve_target
from dlcli.visualize.subject import Input

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from dlcli.core.description import Description
    from dlcli.data.codec import Codec
    from dlcli.data.items import Embedded, Item
    from dlcli.engine.task import Task


def is_data(text: str) -> bool:
    """Return whether the user's word names a prepared folder, or a dataset in the usual place."""
    return any(is_folder(place) and (place / "dataset.json").exists() for place in (DATA / text, Path(text)))


class OpenedSubject:
    """See `dlcli.visualize.subject.Subject`; everything is opened on first use."""

    def __init__(
        self,
        text: str,
        inputs: Sequence[str],
        *,
        prefers_run: bool,
        is_image: bool = False,
        inference: Any,
        pretrained: str | None,
        report: Callable[[str], None],
    ) -> None:
        self._text = text
        self._inputs = inputs
        self._prefers_run = prefers_run
        self._is_image = is_image
        self._inference = inference
        self._pretrained = pretrained
        self._report = report
        self._embedded: dict[str, Embedded] = {}
        self._has_warned = False
        self.shown: list[str] = []
        """Texts in the pictures, besides the class names."""
        self.tables: list[Table] = []
        """Tables that belong to the pictures."""

    @property
    def is_run(self) -> bool:
        """Whether the picture is of a run or a network rather than of data."""
        return self._run is not None or self._pretrained is not None

    @property
    def words(self) -> Sequence[str]:
        return self._inputs

    @property
    def name(self) -> str:
        return self._run.name if self._run is not None else self._text

    @cached_property
    def _run_error(self) -> DlError | None:
        if self._is_image:
            return UsageError(f"{self._text} is an image file; this picture needs a run")
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
        is_wanted = self._prefers_run or not is_data(self._text)
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
        from dlcli.models.ensemble import members_of

        first, *others = members_of(network_of(self._loaded[0]))
        if others and not self._has_warned:
            self._report(f"{self.name} is an ensemble: this is the first of its {len(others) + 1} networks")
            self._has_warned = True
        return first.eval()

    def assets(self) -> Mapping[str, Any]:
        return self._loaded[1].assets

    def codec(self) -> Any:
        return self._codec

    def shows(self, texts: Iterable[str]) -> None:
        self.shown += texts

    def adds(self, table: Table) -> None:
        self.tables.append(table)

    def warns(self, text: str) -> None:
        self._report(text)

    def names(self) -> Sequence[str]:
        """Return the class names that the picture may show, as far as they are known without loading a network."""
        if self._is_image:
            return ()
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

        from dlcli.data.inputs import UniqueNames

        if not self._inputs:
            raise UsageError("this picture needs an input: name one", hint="`dl visualize PICTURE RUN INPUT...`")
        items, names = [], UniqueNames(set().__contains__)  # cat/1.jpg and dog/1.jpg are two pictures
        for source in self._codec.expand(self._inputs):
            encoded = self._codec.encode(source)
            if encoded.arrays is None:
                raise DataError(f"{source.name}: {encoded.error}")
            [(_, batch)] = self._codec.batches([encoded])
            arrays = {name: torch.from_numpy(array) for name, array in batch.items()}
            items.append(Input(names.of(source.name), source, arrays))
        return items

    def images(self) -> Iterator[tuple[str, str, np.ndarray]]:
        from dlcli.data.images.decoding import read_image
        from dlcli.data.inputs import UniqueNames

        names = UniqueNames(set().__contains__)
        for word in (self._text, *self._inputs):
            path = Path(word)
            if not path.is_file():
                raise DataError(f"{path}: {'a folder' if is_folder(path) else 'no such file'}", hint="name image files")
            yield path.name, names.of(word), read_image(path, channels=3)

    def embedded(self, split: str) -> Embedded:
        if split not in self._embedded:
            from dlcli.engine.compute.device import open_device
            from dlcli.engine.embedding import embed, head_of_task
            from dlcli.engine.task import network_of

            task = self._loaded[0]
            head_of_task(task, self.name)  # a run that cannot be drawn need not find its data
            self.data()
            device = open_device()
            device.place(network_of(task))
            self._embedded[split] = embed(task, task.loader(split), device, name=self.name)
        return self._embedded[split]

    def vectors(self, inputs: Sequence[Input]) -> np.ndarray:
        import numpy as np

        from dlcli.data.codec import EMBEDDING
        from dlcli.engine.compute.device import open_device
        from dlcli.engine.embedding import EmbeddingPredictor
        from dlcli.engine.task import network_of

        task, device = self._loaded[0], open_device()
        predictor = EmbeddingPredictor(task, device, name=self.name)
        device.place(network_of(task))
        arrays = [{name: tensor.numpy() for name, tensor in item.arrays.items()} for item in inputs]
        return np.concatenate([predictor.run(each)[EMBEDDING] for each in arrays])

    def items(self, split: str, rows: Sequence[int]) -> Sequence[Item]:
        from dlcli.engine.embedding import ShowsItems

        task = self._loaded[0]
        if not isinstance(task, ShowsItems):
            raise UsageError(f"{self.name}: its task cannot show items of its data")
        return task.items(split, rows)

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
        return (self._is_image or not is_beside_data) and input_test([*self._inputs, self._text])(path)

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
