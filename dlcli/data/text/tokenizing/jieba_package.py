"""jieba, imported without its warnings.

Imports neither torch nor numpy.
"""

from __future__ import annotations

import warnings
from functools import cache
from types import ModuleType


@cache
def load_jieba() -> ModuleType:
    """Return the package (0.03 s); its dictionary is loaded only by its first cut.

    jieba imports `pkg_resources` if available, which issues a deprecation warning, and jieba's older sources warn about
    invalid escape sequences when they are compiled.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba
        import jieba.finalseg
    module: ModuleType = jieba
    return module
