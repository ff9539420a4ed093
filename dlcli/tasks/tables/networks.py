"""The networks of the table tasks by name."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network

NETWORKS: Mapping[str, Network] = {
    "mlp": Network(
        "dlcli.models.tables.table_mlp:TableMLP",
        "a perceptron over binned numbers and embedded categories",
        "Gorishniy et al. 2022, arXiv:2203.05556",
    ),
}
