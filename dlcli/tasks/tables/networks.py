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
    "tabm": Network(
        "dlcli.models.tables.table_mlp:tabm",
        "perceptrons that share one set of weights through rank-1 adapters",
        "Gorishniy et al. 2024, arXiv:2410.24210",
    ),
    "realmlp": Network(
        "dlcli.models.tables.table_mlp:realmlp",
        "a wide perceptron over robustly scaled numbers and waves, with a long schedule",
        "Holzmueller et al. 2024, arXiv:2407.04491",
    ),
}

MEMBERS: Mapping[str, int] = {"tabm": 32}
"""The number of members of a network, if it is not 1: k of TabM's paper."""
