"""A page as one HTML file that needs no network.

The template is Jinja2's, which torch brings with it: it escapes every value unless told otherwise, whereas with
f-strings one forgotten call lets a class name that is a script run.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from dlcli.core.wording import printable
from dlcli.report.blocks import Page


def render(page: Page) -> str:
    """Return the page as HTML: styles, curves and pictures are inside, and it has no script."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = files("dlcli.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_cleaned
    )
    template = environment.from_string(here.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    style = Markup(here.joinpath("style.css").read_text(encoding="utf-8"))
    return template.render(page=page, style=style) + "\n"


def _cleaned(value: Any) -> Any:
    """Return a text with its control characters as escapes, line by line; anything else unchanged."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(printable(line) for line in value.split("\n"))
