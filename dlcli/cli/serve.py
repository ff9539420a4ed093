"""`dl serve MODEL...`: trained models over HTTP."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from dlcli.answering.opening import task_of
from dlcli.cli.inference import FEW_WORDS, INFERENCE_HELP, inference_of_line
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.cli.ready import Ready
from dlcli.core.config import fields_of
from dlcli.core.console import Console
from dlcli.core.cores import usable_cores
from dlcli.core.errors import UsageError
from dlcli.core.installing import extra
from dlcli.core.registry import TaskSpec, load_object
from dlcli.serve.log import own_stderr
from dlcli.serve.options import ServeOptions, check_options, is_loopback, resolved_token
from dlcli.serve.plan import Plan, plan_of, target_of
from dlcli.serve.signals import noting

PACKAGES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")


def build(rest: list[str]) -> Any:
    """Return the command, with the inference options of the tasks of all models that the line names."""
    words = [word if word.startswith("-") else target_of(word) for word in rest]
    found = [inference_of_line([word], ServeOptions) for word in words[:FEW_WORDS] if task_of(word) is not None]
    inference = tuple(dict.fromkeys(each for classes in found for each in classes))
    inference = inference or inference_of_line(words, ServeOptions)

    def run(values: Values) -> None:
        with own_stderr(), noting() as noted:
            _serve(values, inference, noted)

    return make_command(
        "serve",
        "Serve trained models over HTTP, with batches, metrics and a page to try them.",
        run,
        arguments=[
            Argument(
                "model", "runs or exported files, as for `dl predict`; NAME=MODEL or NAME@VERSION=MODEL", many=True
            )
        ],
        configs=[ServeOptions, Ready, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


def _serve(values: Values, inference: Sequence[type], noted: Set[int]) -> None:
    console = values.console()
    options, compute = values.resolve(ServeOptions), values.resolve(Compute)
    check_options(options)
    plan = plan_of(values.arguments["model"], options.default, options.share)
    pretrained = values.resolve(Ready).pretrained
    if pretrained is not None and len(plan.entries) > 1:
        raise UsageError("--pretrained: for one network alone", hint="serve the others from another process")
    _require_packages()
    specs = [spec for entry in plan.entries if (spec := task_of(entry.target, pretrained)) is not None]
    typed = _inference_of(values, inference, specs)
    from dlcli.serve.opener import Opener
    from dlcli.serve.running import Hooks, Running, address_of, open_socket

    threads = compute.threads
    if threads is None and options.workers > 1:
        threads = max(1, usable_cores() // options.workers)
    opener = Opener(compute.device, threads, typed, pretrained)
    listener = open_socket(options)
    address = address_of(listener, options)

    def ready() -> None:
        _announce(console, options, plan, address)

    try:
        if options.workers > 1:
            from dlcli.serve.workers import Supervisor

            Supervisor(options, opener, listener, console, compute.seed).serve(plan, ready)
        else:
            hooks = Hooks(ready, console.warn, console.say)
            Running(options, plan, opener, hooks, compute.seed).serve(listener, noted=noted)
    finally:
        listener.close()


def _inference_of(values: Values, classes: Sequence[type], specs: Sequence[TaskSpec]) -> dict[str, Any]:
    """Return the typed inference options by the name of the task; each task takes those that it knows.

    Raises:
        UsageError: no task knows one.
    """
    own = {spec.name: load_object(spec.inference) for spec in specs if spec.inference}
    known = {info.name for options in own.values() for info in fields_of(options)}
    for info in (info for options in classes for info in fields_of(options)):
        if specs and info.name in values.given and info.name not in known:
            names = ", ".join(dict.fromkeys(spec.name for spec in specs))
            raise UsageError(f"--{info.flag}: not an option of {names}", hint="`dl serve MODEL -h` shows its options")
    return {name: values.resolve(options) for name, options in own.items()}


def _announce(console: Console, options: ServeOptions, plan: Plan, address: str) -> None:
    if not is_loopback(options.host) and options.cert is None:
        console.warn("without --cert and --key, the token and all inputs cross the network in the clear")
    for entry in plan.entries:
        share = f", {plan.shares[entry.key]:.0%} of /predict" if entry.key in plan.shares else ""
        is_default = entry.key == plan.default and not plan.shares
        console.say(f"{entry.key}: {entry.target}{', the default' if is_default else share}")
    if resolved_token(options) is not None:
        console.say("requests need the header Authorization: Bearer TOKEN")
    console.say("Ctrl-C stops the server")
    if console.is_json:
        models = [{"name": entry.name, "version": entry.version} for entry in plan.entries]
        console.answer_json("serving", {"url": address, "models": models, "default": plan.default})
    else:
        console.answer(address)


def _require_packages() -> None:
    """Check that the packages of the extra are installed.

    Raises:
        UsageError: one is not.
    """
    from importlib.util import find_spec

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(f"dl serve needs {', '.join(missing)}", hint=extra("serve"))
