from __future__ import annotations

from dlcli.cli.export import stored_metadata


def test_what_only_a_file_has_is_stored_with_what_the_run_has() -> None:
    run = {"task": "detection", "assets": {"labels": ["cat"], "preprocess": {"canvas": None}}}
    plan = {"assets": {"preprocess": {"canvas": [64, 64]}, "limits": {"nms": "0.3"}}}
    assert stored_metadata(plan, run) == {
        "task": "detection",
        "assets": {"labels": ["cat"], "preprocess": {"canvas": [64, 64]}, "limits": {"nms": "0.3"}},
    }
