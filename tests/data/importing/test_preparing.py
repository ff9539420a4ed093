"""Preparing is all or nothing, idempotent, and never touches what is not ours."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

import dlcli
from dlcli.core.config import option
from dlcli.core.errors import DataError
from dlcli.data.card import Card, read_card
from dlcli.data.importing.preparing import options_of, prepare_dataset


@dataclass(frozen=True)
class ToyOptions:
    size: int = option(1, "a number")
    download: bool = option(False, "fetch")


class ToyImporter:
    def __init__(self, options=None, fault=None):
        self.options = options or ToyOptions()
        self.fault = fault
        self.written = 0

    def locate(self, source):
        return [source]

    def write(self, files, folder, report):
        self.written += 1
        (folder / "train").mkdir()
        (folder / "train" / "copy").write_bytes(files[0].read_bytes())
        if self.fault is not None:
            raise self.fault
        return Card("images", "toy", ("a",), {"train": {"a": 1}}, {"channels": 1})

    def space_needed(self, files):
        return 7_000_000


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "original" / "file"
    path.parent.mkdir()
    path.write_bytes(b"first")
    return path


def prepare(importer, source, destination, *, force=False):
    return prepare_dataset(importer, source, destination, command="dl x", force=force, report=lambda _line: None)


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_card_says_where_it_came_from(tmp_path, source):
    card, is_new = prepare(ToyImporter(), source, tmp_path / "data" / "toy")
    assert is_new and read_card(tmp_path / "data" / "toy") == card
    assert card.details == {"channels": 1, "options": {"size": 1}}
    assert card.command == "dl x" and card.version == dlcli.__version__
    sha256 = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"
    assert card.sources == ({"file": "file", "bytes": 5, "sha256": sha256},)
    assert names(tmp_path / "data") == ["toy"] and names(source.parent) == ["file"]


def test_the_same_again_does_nothing(tmp_path, source):
    importer = ToyImporter()
    first, _ = prepare(importer, source, tmp_path / "toy")
    assert prepare(importer, source, tmp_path / "toy") == (first, False)
    assert importer.written == 1


def test_a_changed_source_option_or_force_makes_it_anew(tmp_path, source):
    destination = tmp_path / "toy"
    prepare(ToyImporter(), source, destination)
    source.write_bytes(b"second")
    assert prepare(ToyImporter(), source, destination)[1]
    assert (destination / "train" / "copy").read_bytes() == b"second"
    assert prepare(ToyImporter(ToyOptions(size=2)), source, destination)[1]
    assert prepare(ToyImporter(ToyOptions(size=2)), source, destination, force=True)[1]
    assert not prepare(ToyImporter(ToyOptions(size=2, download=True)), source, destination)[1]
    assert names(tmp_path) == ["original", "toy"]


@pytest.mark.parametrize("fault", [ValueError("bug"), DataError("bad file"), KeyboardInterrupt()])
def test_a_failed_run_leaves_nothing_and_the_old_one_stands(tmp_path, source, fault):
    with pytest.raises(type(fault)):
        prepare(ToyImporter(fault=fault), source, tmp_path / "data" / "toy")
    assert names(tmp_path / "data") == []
    prepare(ToyImporter(), source, tmp_path / "data" / "toy")
    with pytest.raises(type(fault)):
        prepare(ToyImporter(fault=fault), source, tmp_path / "data" / "toy", force=True)
    assert names(tmp_path / "data") == ["toy"]
    assert (tmp_path / "data" / "toy" / "train" / "copy").read_bytes() == b"first"


def test_a_full_disk_names_the_folder_and_the_space(tmp_path, source):
    fault = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DataError, match="toy: the disk is full") as caught:
        prepare(ToyImporter(fault=fault), source, tmp_path / "data" / "toy")
    assert "7 MB are needed" in caught.value.details[0]
    assert names(tmp_path / "data") == []


def test_another_fault_of_the_disk_is_a_data_error(tmp_path, source):
    with pytest.raises(DataError, match="Input/output error"):
        prepare(ToyImporter(fault=OSError(errno.EIO, "Input/output error")), source, tmp_path / "toy")


def test_what_is_not_ours_is_left_alone(tmp_path, source):
    destination = tmp_path / "photos"
    destination.mkdir()
    (destination / "mine.png").write_bytes(b"mine")
    with pytest.raises(DataError, match="no prepared dataset"):
        prepare(ToyImporter(), source, destination, force=True)
    assert names(destination) == ["mine.png"]
    with pytest.raises(DataError, match="is a file"):
        prepare(ToyImporter(), source, destination / "mine.png", force=True)


def test_an_empty_folder_is_taken(tmp_path, source):
    (tmp_path / "toy").mkdir()
    assert prepare(ToyImporter(), source, tmp_path / "toy")[1]
    assert names(tmp_path) == ["original", "toy"]


def test_a_foreign_card_is_no_licence_to_replace(tmp_path, source):
    destination = tmp_path / "toy"
    destination.mkdir()
    (destination / "dataset.json").write_text(json.dumps({"title": "somebody's"}))
    with pytest.raises(DataError, match="not a dataset card"):
        prepare(ToyImporter(), source, destination, force=True)
    assert names(destination) == ["dataset.json"]


def test_source_and_destination_must_not_lie_in_each_other(tmp_path, source):
    for destination in (source, source.parent, source / "data"):
        with pytest.raises(DataError, match="overlap"):
            prepare(ToyImporter(), source, destination)
    folder = source.parent
    with pytest.raises(DataError, match="overlap"):
        prepare(ToyImporter(), folder, folder / "data")
    assert names(folder) == ["file"]


def test_a_linked_folder_is_replaced_where_it_points(tmp_path, source):
    (tmp_path / "disk" / "toy").mkdir(parents=True)
    (tmp_path / "toy").symlink_to(tmp_path / "disk" / "toy", target_is_directory=True)
    prepare(ToyImporter(), source, tmp_path / "toy")
    assert (tmp_path / "toy").is_symlink() and (tmp_path / "disk" / "toy" / "dataset.json").is_file()


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.skipif(os.name == "nt", reason="leftovers go by age there")
def test_leftovers_of_dead_runs_are_removed_and_those_of_living_ones_kept(tmp_path, source):
    parent = tmp_path / "data"
    for name in (f".toy.{dead_pid()}.partial", f".toy.{os.getppid()}.partial", ".toy.x.partial", ".other.1.partial"):
        (parent / name).mkdir(parents=True)
    prepare(ToyImporter(), source, parent / "toy")
    assert names(parent) == sorted([f".toy.{os.getppid()}.partial", ".toy.x.partial", ".other.1.partial", "toy"])


@pytest.mark.skipif(os.name == "nt", reason="leftovers go by age there")
def test_a_dataset_that_was_only_moved_aside_comes_back(tmp_path, source):
    importer = ToyImporter()
    prepare(importer, source, tmp_path / "toy")
    (tmp_path / "toy").rename(tmp_path / f".toy.{dead_pid()}.old")
    assert not prepare(importer, source, tmp_path / "toy")[1]
    assert importer.written == 1


def test_a_folder_as_source_is_known_by_its_listing(tmp_path, source):
    class FolderImporter(ToyImporter):
        def write(self, files, folder, report):
            return super().write([files[0] / "file"], folder, report)

    importer = FolderImporter()
    assert prepare(importer, source.parent, tmp_path / "toy")[1]
    assert not prepare(importer, source.parent, tmp_path / "toy")[1]
    (source.parent / "more").write_bytes(b"")
    assert prepare(importer, source.parent, tmp_path / "toy")[1]


def test_download_is_not_an_option_of_the_form():
    assert options_of(ToyImporter(ToyOptions(size=3, download=True))) == {"size": 3}
