"""The pictures of language models: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.visualize.pictures import Picture

PICTURES: Mapping[str, Picture] = {}
