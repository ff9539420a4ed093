"""`dl models [NAME|RUN|FILE]`: the list of networks, or the layers of one, of a run, or of a model file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import option
from dlcli.core.networks import networks_of, zoo_names, zoos
from dlcli.core.registry import all_tasks


@dataclass(frozen=True)
class ModelsOptions:
    """Options of `dl models`."""

    image_size: int | None = option(None, "image side in pixels (default: the network's)", minimum=1, maximum=4096)
    channels: int | None = option(None, "input channels", minimum=1, maximum=4)
    num_classes: int | None = option(None, "number of classes", minimum=1, maximum=100_000)
    all: bool = option(False, "also list torchvision's classifiers")


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    arguments = [
        Argument("name", "network, run or model file to look into: its layers and their cost", is_required=False)
    ]
    return make_command(
        "models", "List the networks, or show one.", _models, arguments=arguments, configs=[ModelsOptions]
    )


def _models(values: Values) -> None:
    name = values.arguments["name"]
    options = values.resolve(ModelsOptions)
    if name is not None:
        from dlcli.cli.layers import show_layers

        show_layers(name, {name: value for name, value in vars(options).items() if name != "all"}, values.console())
        return
    console = values.console()
    rows = [(spec.name, name, net) for spec in all_tasks().values() for name, net in networks_of(spec).items()]
    others = [(spec.name, name, zoo) for spec, zoo in zoos() for name in zoo_names(zoo)] if options.all else []
    if console.is_json:
        models = [{"task": task, "name": name, **asdict(network)} for task, name, network in rows]
        models += [{"task": task, "name": name, "source": zoo.source} for task, name, zoo in others]
        console.answer_json("models", {"models": models})
        return
    table = [[name, task, network.summary, network.source] for task, name, network in rows]
    table += [[name, task, zoo.source, ""] for task, name, zoo in others]
    console.table(["model", "task", "what it is", "source"], table)
    if not options.all:
        for _, zoo in zoos():
            console.say(f"and any of the {zoo.summary} by name: `dl models --all`")
