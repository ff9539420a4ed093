"""A task, its form and its dataset as a package of its own: a third number from two.

This module is what the entry points load, so it names the code and imports none of it.
"""

from dlcli.core.registry import DatasetSpec, FormSpec, TaskSpec

FORM = FormSpec(
    name="numbers",
    summary="three numbers a row: train.csv, test.csv",
    open="dl_toy.dataset:read_numbers",
    findings="dl_toy.dataset:examine_numbers",
    task="toy",
)

TASK = TaskSpec(
    name="toy",
    summary="tell a third number from two",
    form="numbers",
    default_dataset="toy-data",
    config="dl_toy.options:ToyConfig",
    recipe="dl_toy.options:recipe",
    task="dl_toy.task:ToyTask",
    codec="dl_toy.codec:ToyCodec",
    networks="dl_toy.options:NETWORKS",
)

DATASET = DatasetSpec(
    name="toy-data",
    summary="the plane 3a - 2b + 1 under noise (embedded)",
    form="numbers",
    task="toy",
    importer="dl_toy.dataset:ToyImporter",
    options="dl_toy.options:ToyDataOptions",
    needs_source=False,
)
