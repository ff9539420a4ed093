"""What a run records of the software and of the folder it was started in."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version

import pytest

from dlcli import __version__
from dlcli.engine.runs import environment
from dlcli.engine.runs.environment import git_revision, versions

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, in no repository, with no settings of git but its own."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*words):
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *author, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commit(folder):
    """The hash of the only commit of a repository in the current folder, with one file `code.py`."""
    git("init", "-q")
    (folder / "code.py").write_text("1\n")
    git("add", "code.py")
    git("commit", "-qm", "First")
    return git("rev-parse", "HEAD")


def test_the_versions_are_those_of_the_installed_packages():
    found = versions()
    assert list(found) == ["dlcli", "python", "torch", "numpy", "platform"]
    assert found["dlcli"] == __version__
    assert found["python"] == platform.python_version()
    assert found["torch"].partition("+")[0] == version("torch").partition("+")[0]
    assert found["numpy"] == version("numpy")
    assert platform.machine() in found["platform"]


def test_a_version_is_plain_text_for_json():
    """`torch.__version__` is a subclass of str, which is pickled as a class of torch."""
    assert {name: type(value) for name, value in versions().items()} == dict.fromkeys(versions(), str)


@needs_git
def test_a_clean_working_directory_has_the_whole_hash_of_its_commit(commit):
    assert git_revision() == commit
    assert len(commit) == 40


@needs_git
def test_a_folder_below_the_top_has_the_same_revision(commit, folder, monkeypatch):
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder / "inner")
    assert git_revision() == commit


@needs_git
@pytest.mark.parametrize("is_staged", [False, True])
def test_a_change_of_a_tracked_file_is_marked_whether_staged_or_not(commit, folder, is_staged):
    (folder / "code.py").write_text("2\n")
    if is_staged:
        git("add", "code.py")
    assert git_revision() == f"{commit}+"


@needs_git
def test_files_that_git_does_not_track_are_no_change(commit, folder):
    (folder / "runs").mkdir()
    (folder / "runs" / "log.txt").write_text("a run writes here\n")
    assert git_revision() == commit


@needs_git
def test_a_tag_leaves_the_hash_in_the_revision(commit, folder):
    """A tag can be moved, so its name alone names no revision."""
    git("tag", "-am", "Release", "v1")
    assert commit in str(git_revision())


@needs_git
@pytest.mark.parametrize("has_repository", [False, True], ids=["no repository", "no commit yet"])
def test_where_nothing_is_committed_there_is_no_revision(folder, has_repository):
    if has_repository:
        git("init", "-q")
    assert git_revision() is None


def test_a_machine_without_git_has_no_revision(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    assert git_revision() is None


def test_a_git_that_hangs_does_not_hold_up_a_training(monkeypatch):
    def hang(command, *, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(environment.subprocess, "run", hang)
    assert git_revision() is None
