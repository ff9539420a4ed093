"""`dl eval RUN --baseline`: figures of simple models beside the run's."""

from __future__ import annotations

import json
from typing import Any

from dlcli.tasks.classification import baselines
from dlcli.tasks.classification.baselines import BASELINES


def test_classical_models_stand_beside_the_network_and_say_how_many_images_they_saw(dl: Any, bench: Any) -> None:
    bench.patch.setattr(baselines, "MAX_FITTED", 200)
    run = bench.run()
    shown = dl("eval", run.name, "--baseline", "--no-plots")
    assert (shown.code, shown.err.splitlines()[1:]) == (0, [])
    head, *rows = shown.out.split("\n\n")[0].splitlines()
    assert head.split() == ["metric", "value", *(word for name in BASELINES for word in name.split())]
    report = json.loads((run / "eval" / "test.json").read_text(encoding="utf-8"))
    assert list(report["baselines"]) == list(BASELINES)
    assert all(figures["num_training_images"] == 200 for figures in report["baselines"].values())
    assert all(figures["accuracy"] > 0.5 for figures in report["baselines"].values())
    assert [row.split()[0] for row in rows] == [*report["metrics"], "num_training_images"]
