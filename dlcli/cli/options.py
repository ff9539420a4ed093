"""Typer commands built from dataclasses: each field is an option, so each option is defined once."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dlcli.cli.words import with_bare_values
from dlcli.core.config import AUTO, MAX_SEED, MAX_THREADS, FieldInfo, Layer, fields_of, option, resolve
from dlcli.core.console import Console
from dlcli.core.errors import DlError

Run = Callable[["Values"], int | None]

MARK = "+"
"""The mark of an advanced option on the page of `--help-all`."""


@dataclass(frozen=True)
class Common:
    """Options of every command."""

    json: bool = option(False, "print the answer as one JSON document", section="Output")
    quiet: bool = option(False, "print nothing but the answer", short="q")
    verbose: bool = option(False, "print more details", short="v")
    debug: bool = option(False, "show the traceback of an error")


ANSWERS_AS = {"serve": "predict"}
"""A command that takes the inference options of another: a server answers as `dl predict` does."""


@dataclass(frozen=True)
class Compute:
    """Options of the commands that run a model."""

    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps", metavar="DEVICE")
    threads: int | None = option(None, "CPU threads (default: all cores)", minimum=1, maximum=MAX_THREADS)
    seed: int = option(0, "random seed", minimum=0, maximum=MAX_SEED)


@dataclass(frozen=True)
class Argument:
    """A positional argument; with `many` it takes all remaining words."""

    name: str
    help: str
    is_required: bool = True
    many: bool = False


@dataclass(frozen=True)
class Described:
    """What a command is made of, for whatever tells of it: the grammar and the completion of words.

    Attributes:
        arguments: in order.
        fields: its options in the order of the help page.
        epilog: the paragraph below the options.
    """

    arguments: tuple[Argument, ...] = ()
    fields: tuple[FieldInfo, ...] = ()
    epilog: str | None = None


@dataclass(frozen=True)
class Values:
    """What the user typed: the arguments, and the given options by field name."""

    arguments: Mapping[str, Any]
    given: Mapping[str, Any]

    def resolve(self, config_class: type, *layers: Layer) -> Any:
        """Return a configuration from the layers, overridden by the typed options.

        Raises:
            UsageError: a value has the wrong type or is out of range.
        """
        return resolve(config_class, [*layers, self.layer(config_class)])

    def layer(self, config_class: type) -> Layer:
        """Return the typed options of one configuration."""
        names = {info.name for info in fields_of(config_class)}
        return Layer(None, {name: value for name, value in self.given.items() if name in names})

    def console(self) -> Console:
        """Return the console with the common options applied; it is mute in all but the first of several processes."""
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

    `--help` hides the advanced fields; `--help-all` shows all of them. The first of two fields with one name is the
    option; fields for other commands are ignored.

    Args:
        name: the name of the command.
        summary: one line for the help page.
        run: runs the command and returns the exit code, None for 0.
        arguments: the positional arguments, in order.
        configs: dataclasses of options.
        epilog: the paragraph below the options.
        defaults: defaults shown on the help page instead of the fields' own, by field name.
    """
    fields = options_of(name, (*configs, Common))

    def call(**typed: Any) -> int | None:
        del typed["help_all"]
        values = {key: typed.pop(key) for key in [argument.name for argument in arguments]}
        try:
            return run(Values(values, {key: value for key, value in typed.items() if value not in (None, [])}))
        except (
            BrokenPipeError
        ):  # not that of the answer, which is a ReaderGoneError; Typer would exit with 1 in silence
            raise DlError("a process that this one works with has ended", hint="run the command again") from None

    parameters = [_argument_parameter(argument) for argument in arguments] + [
        _option_parameter(info, (defaults or {}).get(info.name, info.default)) for info in fields
    ]
    has_more = any(info.option.is_advanced for info in fields)
    parameters.append(_parameter("help_all", Annotated[bool, _help_all_option(is_shown=has_more)], False))
    # Typer reads a function's signature; this one is generated from the dataclasses.
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
    app.command(name, cls=_Command, help=summary, epilog=epilog, context_settings=settings)(call)
    command = typer.main.get_command(app)
    assert isinstance(command, _Command)
    command.sections = {info.name: info.option.section for info in fields if info.option.section}
    command.advanced = frozenset(info.name for info in fields if info.option.is_advanced)
    command.described = Described(tuple(arguments), tuple(fields), epilog)
    if any(info.option.bare is not None for info in fields):
        command.complete = functools.partial(with_bare_values, fields=fields, configs=(*configs, Common))
    return command


def options_of(command: str, configs: Sequence[type]) -> list[FieldInfo]:
    """Return the fields of the configurations that are options of a command, without duplicate names."""
    found: dict[str, FieldInfo] = {}
    for info in (info for config in configs for info in fields_of(config)):
        if not info.option.commands or ANSWERS_AS.get(command, command) in info.option.commands:
            found.setdefault(info.name, info)
    return list(found.values())


class _Command(TyperCommand):
    """A command whose help page has sections, and hides the advanced options unless all are requested.

    Attributes:
        sections: the headings, by the field of the first option below each.
        advanced: the fields that `--help` hides.
        shows_all: whether the page shows them too, each with a mark.
        described: what it is made of.
        complete: adds the values that were left out to the words of a line; None if every option needs its value.
    """

    sections: Mapping[str, str] = {}
    advanced: frozenset[str] = frozenset()
    shows_all: bool = False
    described: Described = Described()
    complete: Callable[[list[str]], list[str]] | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a line, completed."""
        return super().parse_args(ctx, self.complete(args) if self.complete is not None else args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options section by section."""
        records: dict[str, list[tuple[str, str]]] = {}
        heading = "Options"
        for parameter in self.get_params(ctx):
            is_argument = parameter.param_type_name == "argument"
            is_advanced = parameter.name in self.advanced
            heading = self.sections.get(str(parameter.name), heading)
            record = parameter.get_help_record(ctx)
            if record is None or (is_advanced and not self.shows_all):
                continue
            flags, text = record
            records.setdefault("Arguments" if is_argument else heading, []).append(
                (f"{MARK} {flags}" if is_advanced else flags, text)
            )
        for title, lines in records.items():
            with formatter.section(title):
                formatter.write_dl(lines)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the epilog, then a line on the hidden or marked options."""
        super().format_epilog(ctx, formatter)
        if self.advanced:
            count = len(self.advanced)
            more = (
                f"{MARK} marks options that `--help` hides."
                if self.shows_all
                else f"`--help-all` shows {count} more options."
            )
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(more)


def _help_all_option(*, is_shown: bool) -> Any:
    return typer.Option(
        "--help-all",
        help="Show every option and exit.",
        is_eager=True,
        callback=_show_all,
        hidden=not is_shown,
        show_default=False,
    )


def _show_all(context: typer.Context, wanted: bool) -> None:
    if wanted:
        assert isinstance(context.command, _Command)
        context.command.shows_all = True
        typer.echo(context.get_help())
        raise typer.Exit


def _argument_parameter(argument: Argument) -> inspect.Parameter:
    metavar = f"{argument.name.upper()}{'...' if argument.many else ''}"
    info = typer.Argument(help=argument.help, metavar=metavar, show_default=False)
    kind: Any = list[str] if argument.many else str
    if argument.is_required:
        return _parameter(argument.name, Annotated[kind, info])
    return _parameter(argument.name, Annotated[kind | None, info], None)


def _option_parameter(info: FieldInfo, default: Any) -> inspect.Parameter:
    flags = [f"--{info.flag}"]
    if info.kind is bool and info.has_off:
        flags = [f"--{info.flag}/--no-{info.flag}"]
    if info.option.short:
        flags.append(f"-{info.option.short}")
    kind: Any = list[info.kind] if info.is_list else info.kind  # type: ignore[name-defined]
    parser = _number_parser(info) if info.option.may_be_auto or info.may_be_list else None
    shown = typer.Option(*flags, help=_help(info, default), metavar=_metavar(info), show_default=False, parser=parser)
    return _parameter(info.name, Annotated[kind | None, shown], None)


def _number_parser(info: FieldInfo) -> Callable[[str], Any]:
    """Return a parser of a number, of `auto` or of numbers separated by commas, as the option allows."""

    def parse(text: str) -> Any:
        if info.option.may_be_auto and text == AUTO:
            return AUTO
        parts = text.split(",") if info.may_be_list else [text]
        try:
            numbers = tuple(info.kind(part) for part in parts)
        except ValueError:
            kinds = ["a whole number" if info.kind is int else "a number"]
            kinds += [f"{'whole ' if info.kind is int else ''}numbers separated by commas"] if info.may_be_list else []
            kinds += [AUTO] if info.option.may_be_auto else []
            *others, last = kinds
            listed = f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}" if others else last
            raise typer.BadParameter(f"{text!r} is not {listed}") from None
        return numbers if len(numbers) > 1 else numbers[0]

    return parse


def _help(info: FieldInfo, default: Any) -> str:
    if info.kind is bool or default is None or default == () or default == "":
        return info.option.help
    return f"{info.option.help} [{_as_typed(default)}]"


def _as_typed(value: Any) -> str:
    """Return a default as a user would type it."""
    if isinstance(value, tuple):
        return ",".join(map(_as_typed, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metavar(info: FieldInfo) -> str | None:
    if info.kind is bool:
        return None
    if info.option.metavar:
        return info.option.metavar
    if info.option.choices:
        return "|".join(info.option.choices)
    letter = {int: "N", float: "X", str: "TEXT"}[info.kind] + (",..." if info.may_be_list else "")
    return f"{letter}|{AUTO}" if info.option.may_be_auto else letter


def _parameter(name: str, annotation: Any, *default: Any) -> inspect.Parameter:
    given = default[0] if default else inspect.Parameter.empty
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=given, annotation=annotation)
