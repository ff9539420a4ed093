"""What an option's value may be, where a list of names does not say it."""

from __future__ import annotations

import pytest

from dlcli.core.config import Layer, resolve
from dlcli.core.errors import UsageError
from dlcli.tasks.detection.config import CACHES, DetectionConfig


@pytest.mark.parametrize("cache", CACHES)
def test_images_are_cached_where_the_option_says(cache: str) -> None:
    assert resolve(DetectionConfig, [Layer(None, {"cache": cache})]).cache == cache


def test_a_cache_of_features_is_refused_with_its_reason_and_an_unknown_one_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"^--cache: .* twice the memory of its pixels .* cache the images"):
        resolve(DetectionConfig, [Layer(None, {"cache": "features"})])
    with pytest.raises(UsageError, match=r"x\.toml: cache: 'rom' is none of ram, disk, none"):
        resolve(DetectionConfig, [Layer("x.toml", {"cache": "rom"})])
