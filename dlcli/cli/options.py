"""Dataclass fields to Typer options: a command is made from dataclasses, so each option is written once."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dlcli.core.config import AUTO, FieldInfo, Layer, fields_of, option, resolve
from dlcli.core.console import Console

Run = Callable[["Values"], int | None]


@dataclass(frozen=True)
class Common:
    """The options that every command has."""

    json: bool = option(False, "answer as one JSON document", section="Output")
    quiet: bool = option(False, "say nothing but the answer", short="q")
    verbose: bool = option(False, "say more", short="v")
    debug: bool = option(False, "show the traceback of a fault")


@dataclass(frozen=True)
class Compute:
    """The options of commands that compute."""

    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps")
    threads: int | None = option(None, "CPU threads (default: all cores)", minimum=1)
    seed: int = option(0, "seed of whatever is drawn at random", minimum=0)


@dataclass(frozen=True)
class Argument:
    """A positional argument. `many` takes all that follow."""

    name: str
    help: str
    is_required: bool = True
    many: bool = False


@dataclass(frozen=True)
class Values:
    """What the user typed: arguments, and the options that were given, by field name."""

    arguments: Mapping[str, Any]
    given: Mapping[str, Any]

    def resolve(self, config_class: type, *layers: Layer) -> Any:
        """Return a configuration: the layers, and over them what was typed.

        Raises:
            UsageError: a value is of the wrong type or out of range.
        """
        return resolve(config_class, [*layers, self.layer(config_class)])

    def layer(self, config_class: type) -> Layer:
        """Return what was typed of one configuration's options."""
        names = {info.name for info in fields_of(config_class)}
        return Layer(None, {name: value for name, value in self.given.items() if name in names})

    def console(self) -> Console:
        """Return the console that the common options ask for; of several processes only the first speaks."""
        common = self.resolve(Common)
        is_mute = "WORLD_SIZE" in os.environ and os.environ.get("RANK", "0") != "0"  # torchrun sets them
        return Console(
            is_quiet=common.quiet or is_mute, is_verbose=common.verbose, is_json=common.json, is_mute=is_mute
        )


def make_command(
    name: str,
    summary: str,
    run: Run,
    *,
    arguments: Sequence[Argument] = (),
    configs: Sequence[type] = (),
    epilog: str | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Any:
    """Return a Typer command whose options are the fields of `configs` and of `Common`.

    `defaults` are shown on the help page in place of the fields' own.
    """
    fields = [info for config in (*configs, Common) for info in fields_of(config)]

    def call(**typed: Any) -> int | None:
        values = {key: typed.pop(key) for key in [argument.name for argument in arguments]}
        return run(Values(values, {key: value for key, value in typed.items() if value not in (None, [])}))

    parameters = [_argument_parameter(argument) for argument in arguments] + [
        _option_parameter(info, (defaults or {}).get(info.name, info.default)) for info in fields
    ]
    # Typer reads a function's signature; this one is written by the dataclasses.
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
    app.command(name, cls=_Command, help=summary, epilog=epilog, context_settings=settings)(call)
    command = typer.main.get_command(app)
    assert isinstance(command, _Command)
    command.sections = {info.name: info.option.section for info in fields if info.option.section}
    return command


class _Command(TyperCommand):
    """A command whose help page has a heading wherever an option begins a section."""

    sections: Mapping[str, str] = {}

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options section by section."""
        records: dict[str, list[tuple[str, str]]] = {}
        heading = "Options"
        for parameter in self.get_params(ctx):
            is_argument = parameter.param_type_name == "argument"
            heading = self.sections.get(str(parameter.name), heading)
            record = parameter.get_help_record(ctx)
            if record is not None:
                records.setdefault("Arguments" if is_argument else heading, []).append(record)
        for title, lines in records.items():
            with formatter.section(title):
                formatter.write_dl(lines)


def _argument_parameter(argument: Argument) -> inspect.Parameter:
    info = typer.Argument(help=argument.help, metavar=argument.name.upper(), show_default=False)
    kind: Any = list[str] if argument.many else str
    if argument.is_required:
        return _parameter(argument.name, Annotated[kind, info])
    return _parameter(argument.name, Annotated[kind | None, info], None)


def _option_parameter(info: FieldInfo, default: Any) -> inspect.Parameter:
    flags = [f"--{info.flag}"]
    if info.kind is bool and info.default is True:
        flags = [f"--{info.flag}/--no-{info.flag}"]
    if info.option.short:
        flags.append(f"-{info.option.short}")
    kind: Any = list[info.kind] if info.is_list else info.kind  # type: ignore[name-defined]
    parser = _number_or_auto(info.kind) if info.option.may_be_auto else None
    shown = typer.Option(*flags, help=_help(info, default), metavar=_metavar(info), show_default=False, parser=parser)
    return _parameter(info.name, Annotated[kind | None, shown], None)


def _number_or_auto(kind: type) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return AUTO if text == AUTO else kind(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is neither a number of type {kind.__name__} nor {AUTO}") from None

    return parse


def _help(info: FieldInfo, default: Any) -> str:
    if info.kind is bool or default is None or default == () or default == "":
        return info.option.help
    return f"{info.option.help} [{default:g}]" if isinstance(default, float) else f"{info.option.help} [{default}]"


def _metavar(info: FieldInfo) -> str | None:
    if info.kind is bool:
        return None
    if info.option.metavar:
        return info.option.metavar
    if info.option.choices:
        return "|".join(info.option.choices)
    letter = {int: "N", float: "X", str: "TEXT"}[info.kind]
    return f"{letter}|{AUTO}" if info.option.may_be_auto else letter


def _parameter(name: str, annotation: Any, *default: Any) -> inspect.Parameter:
    given = default[0] if default else inspect.Parameter.empty
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=given, annotation=annotation)


def pick_target(rest: Sequence[str], known: Callable[[str], bool]) -> str | None:
    """Return the word of the command line that names the target, before options are known.

    `dl train --epochs 3 cifar10` and `dl train cifar10 --epochs 3` mean the same. A word that follows an option may be
    its value, so those that follow none are looked at first: the first that `known` recognises is the target; failing
    that, the first word that `known` recognises anywhere; failing that, the first word that follows no option.
    """
    words = [word for word in rest if not word.startswith("-")]
    free = [
        word
        for index, word in enumerate(rest)
        if not word.startswith("-") and (index == 0 or not rest[index - 1].startswith("-"))
    ]
    return next(filter(known, [*free, *words]), free[0] if free else None)


def flag_value(rest: Sequence[str], flag: str) -> str | None:
    """Return what a line gives for a flag, as `--flag VALUE` or `--flag=VALUE`, before options are known."""
    for index, word in enumerate(rest):
        if word == flag and index + 1 < len(rest):
            return rest[index + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None
