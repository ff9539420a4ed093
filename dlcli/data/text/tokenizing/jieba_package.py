"""jieba, imported quietly.

Torch-free and numpy-free.
"""

from __future__ import annotations

import warnings
from functools import cache
from types import ModuleType


@cache
def load_jieba() -> ModuleType:
    """Return the package (0.03 s); its dictionary is loaded by its first cut only.

    jieba imports `pkg_resources` where there is one, which warns whoever imports it, and old sources of its own warn
    of their escape sequences when they are compiled.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba
        import jieba.finalseg
    module: ModuleType = jieba
    return module
