"""`dl models [NAME]`: the networks, and the inside of one."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import option
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import Network, TaskSpec, all_tasks, load_object


@dataclass(frozen=True)
class ModelsOptions:
    """At which size a network is looked at."""

    image_size: int | None = option(None, "side in pixels (default: the network's own)", minimum=1, maximum=4096)
    channels: int | None = option(None, "channels of the input", minimum=1, maximum=4)
    num_classes: int | None = option(None, "classes it tells apart", minimum=1)
    all: bool = option(False, "list torchvision's classifiers too")


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    arguments = [
        Argument("name", "show the layers, parameters, FLOPs and receptive field of this one", is_required=False)
    ]
    return make_command(
        "models", "List the networks, or look into one.", _models, arguments=arguments, configs=[ModelsOptions]
    )


def _models(values: Values) -> None:
    name = values.arguments["name"]
    options = values.resolve(ModelsOptions)
    if name is not None:
        _show(name, options, values)
        return
    console = values.console()
    rows = [(spec.name, name, network) for spec in all_tasks().values() for name, network in _networks(spec).items()]
    others: list[str] = []
    if options.all:
        from dlcli.models.zoo import classifier_names

        others = classifier_names()
    if console.is_json:
        models = [{"task": task, "name": name, **asdict(network)} for task, name, network in rows]
        models += [{"task": "classification", "name": name, "source": "torchvision"} for name in others]
        console.answer_json("models", {"models": models})
        return
    table = [[name, task, network.summary, network.source] for task, name, network in rows]
    table += [[name, "classification", "torchvision", ""] for name in others]
    console.table(["model", "task", "what it is", "source"], table)
    if not others:
        console.say("and any torchvision classifier by its name: `dl models --all`")


def _networks(spec: TaskSpec) -> dict[str, Network]:
    return dict(load_object(spec.networks))


def _show(name: str, options: ModelsOptions, values: Values) -> None:
    """Answer with the layers of one network.

    Raises:
        UsageError: there is no such network, or it does not take that size.
    """
    console = values.console()
    import torch

    from dlcli.models.summary import summarise
    from dlcli.models.zoo import build_torchvision, classifier_names

    own = {key: network for spec in all_tasks().values() for key, network in _networks(spec).items()}
    if name not in own and name not in classifier_names():
        raise UsageError(f"no network {name!r}", hint=did_you_mean(name, [*own, *classifier_names()]))
    network = own.get(name, Network("", "", "torchvision", image_size=224, num_classes=1000))
    size = options.image_size or network.image_size
    channels = options.channels or network.channels
    num_classes = options.num_classes or network.num_classes
    build = load_object(network.build) if name in own else functools.partial(build_torchvision, name)
    try:
        model = build(num_classes=num_classes, in_channels=channels, image_size=size)
        summary = summarise(model, torch.zeros(1, channels, size, size))
    except ValueError as error:
        raise UsageError(f"{name} at {size} pixels: {error}", hint="take another --image-size") from None
    field = summary.receptive_field
    if console.is_json:
        console.answer_json("model", {"name": name, "source": network.source, "image_size": size, **asdict(summary)})
        return
    rows = [
        [layer.name, layer.kind, " x ".join(map(str, layer.output_shape)), layer.parameters] for layer in summary.layers
    ]
    console.table(["layer", "kind", "output", "parameters"], rows)
    console.answer(
        f"\n{summary.parameters:,} parameters, {summary.multiply_adds / 1e6:,.1f} M multiply-adds at {size} x {size} px, "
        f"receptive field {f'{field} pixels' if field else 'the whole input'}; {network.source}"
    )
