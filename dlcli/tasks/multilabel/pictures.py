"""The pictures of a multi-label classifier."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.tasks.classes.cam import CAM
from dlcli.visualize.pictures import Picture

PICTURES: Mapping[str, Picture] = {"cam": CAM}
