"""One walk: each file once, by whichever way; nothing that links do ends it."""

from __future__ import annotations

import os

import pytest

from dlcli.data.walking import list_files, skipped_note


@pytest.fixture
def place(tmp_path):
    """A folder with files in subfolders, and one beside it."""
    for name in ("root/b.txt", "root/a.txt", "root/deep/er/c.txt", "root/.hidden/d.txt", "root/.e.txt", "far/f.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "root"


def walk(folder):
    skipped = []
    return list_files(folder, skipped), [line.removeprefix(f"{folder}{os.sep}") for line in skipped]


def test_files_of_subfolders_come_sorted_and_hidden_ones_do_not(place):
    assert walk(place) == (["a.txt", "b.txt", "deep/er/c.txt"], [])


@pytest.mark.parametrize(
    ("link", "target", "more"),
    [
        ("x.txt", "../far/f.txt", ["x.txt"]),
        ("deep/x.txt", "../../far/f.txt", ["deep/x.txt"]),
        ("far", "../far", ["far/f.txt"]),
        ("x.txt", "a.txt", []),  # is listed already
        ("a", "deep", []),
        ("x.txt", ".hidden/d.txt", ["x.txt"]),  # as git-annex stores them
        ("x", ".hidden", ["x/d.txt"]),
    ],
)
def test_a_link_is_followed_unless_what_it_leads_to_is_listed(place, link, target, more):
    (place / link).symlink_to(target)
    assert walk(place) == (sorted(["a.txt", "b.txt", "deep/er/c.txt", *more]), [])


def test_two_links_to_one_file_or_folder_count_once(place):
    for name, target in (("y.txt", "../far/f.txt"), ("x.txt", "../far/f.txt"), ("z", "../far")):
        (place / name).symlink_to(target)
    files, skipped = walk(place)
    assert len(files) == 4 and not skipped


@pytest.mark.parametrize(
    ("link", "target", "reason"),
    [
        ("x", "x", "a link that leads back to itself"),
        ("x", "gone", "a broken link"),
        ("x", ".", "a link to a folder around it"),
        ("deep/er/x", "../..", "a link to a folder around it"),
        ("x", "/", "a link to a folder around it"),
    ],
)
def test_a_link_that_leads_nowhere_or_around_is_noted(place, link, target, reason):
    (place / link).symlink_to(target)
    assert walk(place) == (["a.txt", "b.txt", "deep/er/c.txt"], [f"{link}: {reason}"])


def test_two_folders_that_link_to_each_other_end(place):
    (place.parent / "far" / "back").symlink_to(place)
    (place / "far").symlink_to("../far")
    files, skipped = walk(place)
    assert files == ["a.txt", "b.txt", "deep/er/c.txt", "far/f.txt"]
    assert skipped == ["far/back: a link to a folder around it"]


def test_a_pipe_is_noted_and_not_opened(place):
    os.mkfifo(place / "x.png")
    assert walk(place)[1] == ["x.png: neither a file nor a folder"]


def test_no_folder_has_no_files(place):
    assert walk(place / "none") == ([], [])


def test_a_listing_of_plain_files_asks_nothing_of_each(place, monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("one more call for each of 100,000 files")

    before = os.path.realpath
    monkeypatch.setattr(os, "stat", refuse)
    calls = []
    monkeypatch.setattr(os.path, "realpath", lambda path: calls.append(path) or before(path))
    assert len(list_files(place, [])) == 3
    assert calls == [place]


def test_the_note_counts_and_names_the_first():
    assert skipped_note([]) == []
    assert skipped_note(["b: x"]) == ["1 entry was skipped, the first: b: x"]
    assert skipped_note(["b: x", "a: y"]) == ["2 entries were skipped, the first: a: y"]
