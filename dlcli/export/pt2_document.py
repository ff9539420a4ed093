"""What the documents of a torch.export file may hold, so that loading it runs nothing but operators on tensors.

`torch.export.load` passes parts of these documents to Python: the expressions of sizes to `sympify`, which evaluates
them, guards to `exec`, names of nodes to generated code, and the targets of nodes to `getattr` from `torch` on, where
`torch.os.system` is found as well. So each text is held against what an exported network needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

NAME = re.compile(r"[\w.+\-]{0,300}")
"""Names of values, weights and devices, versions, and modes such as "floor": no call can be written with these."""

TEXT = re.compile(r"[\w.+\- ,>]{0,300}")
"""Texts that an operator takes, such as the equation of `einsum`; they become quoted."""

SIZES = re.compile(r"[\w\s+\-*/(),<>=.']{1,1000}")
WORD = re.compile(r"'[^']*'|[\w.]+")
SYMBOL = re.compile(r"'?[a-z]{1,4}\d+'?|\d+|\d+\.\d+|'\d+\.\d+'")
FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """
        FloorDiv ModularIndexing Where PythonMod Mod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural
        FloatPow FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt
        RoundDecimal ToFloat Identity Add Mul Pow Max Min Eq Ne Ge Gt Le Lt And Or Not Abs Integer Rational Float Symbol
        int_oo oo True False positive nonnegative integer precision
        """,
    )
)
"""Words in the expression of a size."""

OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)\.(\w+)")
SCALARS = re.compile(
    r"_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|math\.(ceil|floor|trunc|sqrt)|torch\.(sym_(int|float|max|min|not|ite|sum)|_sym_sqrt)"
)
FILES = frozenset(("from_file", "save", "load", "_test_parallel_materialize"))
"""ATen's operators that read a file."""

REFUSED = frozenset(("as_graph", "as_custom_obj", "as_operator", "custom_obj", "token"))
CONTAINERS = frozenset(("builtins.tuple", "builtins.list", "builtins.dict", None))


class UnsafeError(Exception):
    """A file holds something that is not loaded; the message says what, to follow "holds"."""


def check_graph(document: Any, namespaces: Collection[str]) -> set[str]:
    """Examine the document of a graph, and return the namespaces of its operators beside torch's own.

    Args:
        document: the content of `models/model.json`.
        namespaces: those that operators may come from, beside `aten`.

    Raises:
        UnsafeError: it holds what could run code.
        KeyError, TypeError, AttributeError, ValueError: it is no graph.
    """
    if document.get("guards_code"):
        raise UnsafeError("code that checks its inputs")
    found = {_check_target(node["target"], namespaces) for node in document["graph_module"]["graph"]["nodes"]}
    _check(document, "document")
    return found & set(namespaces)


def _check_target(target: Any, namespaces: Collection[str]) -> str:
    if not isinstance(target, str):
        raise UnsafeError("a node without a name of its operator")
    match = OPERATOR.fullmatch(target)
    if match and match[1] in {"aten", *namespaces} and match[2] not in FILES and "__" not in match[3]:
        return match[1]
    if SCALARS.fullmatch(target):
        return ""
    raise UnsafeError(f"the operator {target[:80]!r}")


def _check(value: Any, key: str) -> None:
    """Examine a value and all values in it; `key` is the name that it has in its document."""
    if key in REFUSED and value is not None:
        raise UnsafeError(f"a value of the kind {key!r}")
    if isinstance(value, dict):
        if key == "metadata" and value:
            raise UnsafeError("notes on the code that it comes from")
        for name, inner in value.items():
            # What is known of the range of a size, such as 32 times a symbol, is under its expression.
            (_check_size if key == "range_constraints" else _check_name)(name)
            _check(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, key)
    elif isinstance(value, str):
        if key == "expr_str":
            _check_size(value)
        elif key in ("in_spec", "out_spec"):
            _check_containers(json.loads(value))
        elif key in ("as_string", "as_strings"):
            if not TEXT.fullmatch(value):
                raise UnsafeError(f"the text {value[:80]!r}")
        else:
            _check_name(value)


def _check_name(text: str) -> None:
    if not NAME.fullmatch(text):
        raise UnsafeError(f"the name {text[:80]!r}")


def _check_size(text: str) -> None:
    words = WORD.findall(text)
    if not SIZES.fullmatch(text) or not all(word in FUNCTIONS or SYMBOL.fullmatch(word) for word in words):
        raise UnsafeError(f"the size {text[:80]!r}")


def _check_containers(value: Any) -> None:
    """Examine how arguments are put into containers: torch imports the module of a type that it does not know."""
    if isinstance(value, dict):
        if value.get("type", None) not in CONTAINERS:
            raise UnsafeError(f"a container of the type {str(value['type'])[:80]!r}")
        for inner in value.values():
            _check_containers(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_containers(inner)
    elif isinstance(value, str) and value not in (*CONTAINERS, "null", "[]"):
        raise UnsafeError(f"a container with {value[:80]!r}")


def check_weights(config: Mapping[str, Any]) -> set[str]:
    """Examine the list of weights or constants, and return the names of the members that hold them as plain bytes.

    Raises:
        UnsafeError: one of them is a pickle.
        KeyError, TypeError, AttributeError: it is no such list.
    """
    _check(config, "weights")
    names = set()
    for entry in config["config"].values():
        if entry["use_pickle"] is not False or not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
            raise UnsafeError("weights as a pickle, a program that can do anything")
        names.add(entry["path_name"])
    return names
