"""A dataset by its name: the source is named or fetched, the destination has a default, the line says what is there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.errors import UsageError
from dlcli.core.registry import DATASETS, DatasetSpec, load_object
from dlcli.engine.preparing import PrepareRequest, prepare_request, prepared_line, source_path
from dlcli.engine.targets import DATA


@dataclass(frozen=True)
class Options:
    """Of a dataset that can be fetched, or be named in two parts."""

    download: bool = False
    source: str | None = None
    target: str | None = None


class Importer:
    def download(self, folder: Path, report: Any) -> Path:
        del report
        return folder / "fetched"


SPEC = replace(DATASETS["cifar10"], name="words", page="https://example.org", source_options=("source", "target"))


def source_of(spec: DatasetSpec, text: str | None, options: Options) -> Path | None:
    return source_path(PrepareRequest(spec, options, text), Importer(), print)


def test_a_named_source_comes_before_a_download() -> None:
    assert source_of(SPEC, "here", Options(download=True)) == Path("here")
    assert source_of(SPEC, None, Options(download=True)) == DATA / ".downloads" / "fetched"


def test_options_may_name_the_source_in_its_place() -> None:
    assert source_of(SPEC, None, Options(target="b")) is None
    assert source_of(replace(SPEC, needs_source=False, source_options=()), None, Options()) is None


def test_without_a_source_all_ways_to_name_one_are_said() -> None:
    with pytest.raises(UsageError) as caught:
        source_of(SPEC, None, Options())
    assert caught.value.message == "dl prepare words: name the SOURCE (original: https://example.org)"
    assert caught.value.hint == "dl prepare words SOURCE, or --source DIR --target DIR, or --download"


def test_a_dataset_that_cannot_be_fetched_is_not_said_to_be() -> None:
    spec = replace(DATASETS["voc"], source_options=())
    with pytest.raises(UsageError) as caught:
        source_path(PrepareRequest(spec, load_object(spec.options)()), Importer(), print)
    assert caught.value.hint == "dl prepare voc SOURCE"


def test_a_dataset_that_can_be_fetched_has_the_option_and_the_means() -> None:
    for spec in DATASETS.values():
        options = load_object(spec.options)
        if "download" in vars(options()):
            assert callable(load_object(spec.importer)(options()).download), spec.name


def test_the_destination_is_the_usual_place_unless_another_is_named() -> None:
    assert PrepareRequest(SPEC, Options()).destination == DATA / "words"
    assert PrepareRequest(SPEC, Options(), out="elsewhere").destination == Path("elsewhere")


def test_what_is_prepared_is_counted_and_the_second_time_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = DATASETS["digits"]
    request = PrepareRequest(spec, load_object(spec.options)(), command="typed")
    card, is_new = prepare_request(request, print)
    assert (is_new, card.command) == (True, "typed")
    line = prepared_line(spec, card, is_new=True)
    assert line == f"prepared digits: {card.num_items('train'):,} train, {card.num_items('test'):,} test, 10 classes"
    again, is_new = prepare_request(request, print)
    assert (again, is_new) == (card, False)
    assert prepared_line(spec, again, is_new=False).startswith("already prepared digits: ")
    assert prepare_request(replace(request, force=True), print)[1]


def test_preparing_is_found_without_torch() -> None:
    program = "import sys, dlcli.engine.preparing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
