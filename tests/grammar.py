"""The command lines in a text of shell, and whether `dl` takes them: they are parsed by its own grammar and not run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from dlcli.cli.app import UsageFault, build_app
from dlcli.cli.commands import COMMANDS, load_command
from dlcli.core.errors import DlError

ROOT = Path(__file__).parent.parent
SEPARATORS = frozenset({"&&", "||", "|", ";", "&", "(", ")", ";;", "|&", "{", "}", "\n"})
STARTERS = (["dl"], ["-m", "dlcli"], ["--module", "dlcli"])


def blocks_of(page: Path, kinds: tuple[str, ...] = ("sh", "console")) -> list[str]:
    """Return the fenced blocks of a page that hold shell, without prompts and, of a console, without output."""
    found = []
    for kind, body in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        if kind not in kinds:
            continue
        lines = body.replace("\\\n", "\\\0").splitlines() if kind == "console" else []
        typed = [line[2:] for line in lines if line.startswith("$ ")]
        found.append("\n".join(typed).replace("\\\0", "\\\n") if kind == "console" else body)
    return found


def commands_of(shell: str) -> Iterator[list[str]]:
    """Yield the words behind `dl` of each command line, those inside `$(...)` too, up to a redirection."""
    shell = re.sub(r"\\\n\s*", " ", shell)
    shell = re.sub(r"\$\{\w+:-([^{}]*)\}", r"\1", shell)  # a variable with a default
    shell = re.sub(r"(?m)(^|\s)#.*$", r"\1", shell)
    shell = re.sub(r"<<-?\s*'?(\w+)'?.*?^\1$", "", shell, flags=re.MULTILINE | re.DOTALL)
    for inner in re.findall(r"\$\(([^()]*)\)", shell):
        yield from commands_of(inner)
    for line in re.sub(r"\$\([^()]*\)", "VALUE", shell).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.commenters, lexer.whitespace_split = "", True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("&|;()<>"):
                yield from _behind_dl(words)
                words = []
            else:
                words.append(word)


def _behind_dl(words: list[str]) -> Iterator[list[str]]:
    while words and re.fullmatch(r"\w+=.*|if|then|do|else|!|time", words[0]):
        words = words[1:]
    for starter in STARTERS:
        places = [0] if starter == ["dl"] else range(len(words))
        for place in places:
            if words[place : place + len(starter)] == starter:
                yield words[place + len(starter) :]


def fault_of(words: list[str]) -> str:
    """Return why `dl` refuses a line, without running it; "" if it takes it.

    Options of a task are known only with its run: behind a run that is not there, any option is taken that some help
    page has.
    """
    if not words or words[0] in ("-h", "--help", "--version"):
        return ""
    name, *rest = words
    if name not in COMMANDS:
        return f"no command {name!r}"
    try:
        build_app()
        load_command(name, rest).make_context(name, list(rest), resilient_parsing=False)
    except SystemExit:
        return ""
    except DlError as error:
        return error.message
    except Exception as error:
        if not isinstance(error, UsageFault):
            if type(error).__name__ == "Exit":  # a help page
                return ""
            raise
        message = str(error.format_message())
        unknown = re.match(r"No such option:? '?(-{1,2}[\w-]+)", message)
        if unknown and unknown[1] in _known_flags():
            place = next(index for index, word in enumerate(rest) if word.split("=")[0] == unknown[1])
            # Whether it takes a value is not known either.
            faults = [fault_of([name, *rest[:place], *rest[place + count :]]) for count in (1, 2)]
            return min(faults, key=len)
        return message
    return ""


def _known_flags() -> set[str]:
    from dlcli.cli.pictures import pictures_of
    from dlcli.core.config import fields_of
    from dlcli.core.registry import TASKS, load_object

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    options = [load_object(spec.inference) for spec in TASKS.values() if spec.inference]
    options += [picture.options for spec in TASKS.values() for picture in pictures_of(spec).values()]
    flags = {f"--{info.flag}" for each in options for info in fields_of(each)}
    return flags | set(re.findall(r"--[a-z0-9][a-z0-9-]*", page)) | {"-k"}
