"""The networks of multi-label classification by name; see `dlcli.tasks.classes.image_networks`."""

from __future__ import annotations

from dlcli.tasks.classes.image_networks import NETWORKS, ZOO, default_sizes

__all__ = ["NETWORKS", "ZOO", "default_sizes"]
