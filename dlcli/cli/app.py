"""The root command: lazily imported subcommands, and the one place that turns exceptions into exit codes."""

from __future__ import annotations

import errno
import io
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from dlcli.cli.commands import COMMANDS, load_command
from dlcli.cli.words import check_words
from dlcli.core.console import Console, ReaderGoneError, discard_stream
from dlcli.core.errors import DataError, DlError, ExitCode, UsageError, did_you_mean
from dlcli.core.interruption import Terminated, forget_signals

COMPLETE = "--complete"
"""What the scripts of `dl completion` call `dl` with, before the words of the line up to the cursor."""

# The base class of Typer's usage errors; Typer vendors click and exports only the subclasses.
UsageFault = typer.BadParameter.__mro__[2]


class LazyGroup(TyperGroup):
    """A group that knows each command's name and summary, and imports a command only when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the usual order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command as if nothing followed its name; None if it is unknown."""
        del ctx
        return load_command(cmd_name, []) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command for this line, since its options depend on its target.

        Raises:
            UsageError: there is no such command, or a word is empty.
        """
        del ctx
        name, rest = args[0], args[1:]
        if name not in COMMANDS:
            raise UsageError(f"no command {name!r}", hint=did_you_mean(name, COMMANDS))
        check_words(name, rest)
        return name, load_command(name, rest), rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (summary, _) in COMMANDS.items()])


def _show_version(wanted: bool) -> None:
    if wanted:
        from dlcli.core.version import __version__

        sys.stdout.write(f"dl {__version__}\n")
        raise typer.Exit


def _show_grammar(wanted: bool) -> None:
    if wanted:
        from dlcli.cli.grammar import grammar
        from dlcli.core.console import json_text

        sys.stdout.write(json_text(grammar()) + "\n")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="show the version"),
    help_json: bool = typer.Option(
        False, "--help-json", callback=_show_grammar, is_eager=True, help="print every command and option as JSON"
    ),
) -> None:
    """Deep learning from raw data to a trained, evaluated, exported and visualized model."""
    del version, help_json


def build_app() -> Any:
    """Return the root command."""
    app = typer.Typer(
        cls=LazyGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        epilog="Start with: dl train digits",
    )
    app.callback()(_root)
    return typer.main.get_command(app)


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; every exception ends here."""
    console = Console()
    if args[:1] == [COMPLETE]:
        from dlcli.cli.completing import print_candidates

        return print_candidates(args[1:])
    if isinstance(sys.stdout, io.TextIOWrapper):  # also for what Typer prints: no character ends a command
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app = build_app()
        if not args:
            sys.stderr.write(app.get_help(app.make_context("dl", ["-h"], resilient_parsing=True)) + "\n")
            return ExitCode.USAGE
        code = app.main(list(args), prog_name="dl", standalone_mode=False)
        sys.stdout.flush()
        if code == ExitCode.INTERRUPTED:
            console.error(["error: interrupted"])
        return int(code or 0)
    except Terminated:
        console.error(["error: terminated"])
        return ExitCode.TERMINATED
    except (ReaderGoneError, BrokenPipeError, SystemExit):  # Typer itself exits where it prints a help page
        discard_stream(sys.stdout)
        return ExitCode.DONE
    except Exception as error:
        if "--debug" in args:
            console.say("".join(traceback.format_exception(error)).rstrip())
        fault = _fault_of(error, args)
        console.error(fault.lines())
        return fault.exit_code
    finally:
        forget_signals()


def _fault_of(error: Exception, args: Sequence[str]) -> DlError:
    """Return what the user is told of an exception, with its exit code."""
    if isinstance(error, DlError):
        return error
    if isinstance(error, UsageFault):
        return _usage_fault(error, args)
    if isinstance(error, OSError):
        return _system_fault(error)
    text = f"internal error in dl: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    again = "run the command again with --debug for the traceback, and please report it"
    return DlError(text, hint="please report it, with the traceback above" if "--debug" in args else again)


def _usage_fault(error: Any, args: Sequence[str]) -> UsageError:
    message = " ".join(error.format_message().split())
    is_command = bool(args) and args[0] in COMMANDS
    hint = f"`dl {args[0]} -h` shows its arguments and options" if is_command else "`dl -h` lists the commands"
    return UsageError(f"{message[0].lower()}{message[1:]}", hint=hint)


def _system_fault(error: OSError) -> DataError:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return DataError(f"{where}the disk is full", hint="free some space and run the command again")
    access = "check that its folder exists, and that you may read and write there"
    hint = access if where else "`--debug` shows where it happened"
    return DataError(f"{where}{error.strerror or error}", hint=hint)
