"""Curves on a terminal."""

from __future__ import annotations

import re

from dlcli.visualize.terminal_curves import INKS, MARGIN, ROWS, curve_lines

RECORDS = [
    {"epoch": e, "loss": 4 / e, "val_loss": 5 / e, "train_accuracy": 0.1, "accuracy": e / 8, "lr": 1.0}
    for e in (1, 2, 3, 4)
]


def plain(line):
    return re.sub(r"\033\[[\d;]*m", "", line)


def test_losses_and_metrics_have_a_panel_with_their_last_values_and_bounds():
    lines = [plain(line) for line in curve_lines(RECORDS, 60)]
    assert len(lines) == 2 * (ROWS + 1)  # neither the learning rate nor the accuracy of training
    assert lines[0] == "loss  training 1.0000  validation 1.2500"
    assert lines[ROWS + 1] == "accuracy 0.5000"
    assert lines[1].startswith("   5.0000 ▀")
    assert lines[ROWS].startswith("   1.0000 ▀")
    assert {line.count("▀") for line in lines if "▀" in line} == {60 - MARGIN}


def test_a_falling_curve_starts_at_the_top_left_and_ends_at_the_bottom_right():
    (_, first, *_, last) = curve_lines([{"epoch": e, "loss": 5.0 - e} for e in (1, 2, 3)], 30)
    ink = "{};{};{}".format(*INKS[0])
    assert re.search(rf"4\.0000 \033\[38;2;{ink};48", first)
    assert last.rindex(ink) > len(last) - 60


def test_narrow_terminals_gaps_and_256_colours_are_no_matter():
    records = [{"epoch": 1, "loss": None}, {"epoch": 2, "loss": 1.0}, {"epoch": 3, "loss": None}]
    lines = curve_lines(records, 5, has_true_colour=False)
    assert len(lines) == ROWS + 1
    assert "2;" not in "".join(re.findall(r"\033\[38;(\d;)", "".join(lines)))
    assert curve_lines([{"epoch": 1, "loss": None}], 80) == []
