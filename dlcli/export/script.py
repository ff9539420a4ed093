"""The script beside an exported file: answers inputs as `dl predict` does, with numpy, ONNX Runtime and Pillow alone.

A task's own part is a module (`TaskSpec.script`) that imports what tasks share from `dlcli.export.scripts`; here they
become one file, so that what users get is code that is checked and tested like any other.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

from dlcli.core.installing import FROM_SOURCE

MARK = "Written by `dl export`"
"""Stands in every page and script that an export wrote: only those are replaced."""

MAX_CARD_BYTES = 2**20

_OWN = "dlcli."
"""What a part imports from here becomes part of the script: such modules import no more than the script may."""

_CALLING = f'''"""Answer inputs with the exported model beside this script: `python SCRIPT INPUT...`.

This model's inputs are read by dl itself. {FROM_SOURCE}
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve()
MODEL = HERE.parent if (HERE.parent / "model.json").is_file() else HERE.with_suffix("")

if importlib.util.find_spec("dlcli") is None:
    sys.exit("this model needs dl to read its inputs. {FROM_SOURCE}")
sys.exit(subprocess.call([sys.executable, "-m", "dlcli", "predict", str(MODEL), *sys.argv[1:], "--jsonl"]))
'''


def is_own(path: Path) -> bool:
    """Return whether a page or a script was written by an export, and not by a person."""
    try:
        with path.open("rb") as stream:
            return MARK.encode() in stream.read(MAX_CARD_BYTES)
    except OSError:
        return False


def script_text(reference: str) -> str:
    """Return the script of a task, as one file.

    Args:
        reference: "module:function", the task's own part, `TaskSpec.script` or `TaskSpec.short_script`; "" for a script
            that calls dl.
    """
    if not reference:
        return _marked(_CALLING, "dl")
    imports: set[str] = set()
    bodies: list[str] = []
    docstring = _join(reference.partition(":")[0], imports, bodies, set())
    plain = sorted(line for line in imports if line.startswith("import "))
    named = sorted(imports - set(plain))
    own = [line for line in (*plain, *named) if re.match(r"(import|from) (numpy|onnxruntime|PIL)\b", line)]
    standard = [line for line in (*plain, *named) if line not in own]
    head = f'"""{docstring}"""\n\n' + "\n".join([*standard, "", *own])
    return _marked(
        head + "\n\n" + "\n\n\n".join(body.strip("\n") for body in bodies) + "\n",
        "pip install onnxruntime numpy pillow",
    )


def _marked(text: str, needs: str) -> str:
    return f"# {MARK}. Needs: {needs}\n{text}"


def _join(module: str, imports: set[str], bodies: list[str], seen: set[str]) -> str:
    """Add the imports and the code of a module, after those of what it shares, and return its docstring."""
    seen.add(module)
    source = _source(module)
    tree = ast.parse(source)
    last = 0
    for node in tree.body:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        last = node.end_lineno or last
        shared = node.module if isinstance(node, ast.ImportFrom) and node.module else ""
        if not shared.startswith(_OWN):
            imports.add(ast.unparse(node))
        elif shared not in seen:
            _join(shared, imports, bodies, seen)
    lines = source.splitlines()[last:]
    bodies.append("\n".join(re.sub(r"  # noqa: .*", "", line) for line in lines))
    return ast.get_docstring(tree, clean=False) or ""


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, module
    return Path(spec.origin).read_text(encoding="utf-8")
