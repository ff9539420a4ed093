"""`dl models [NAME]`: the networks, and the inside of one."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import option
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import Network, TaskSpec, all_tasks, load_object

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class ModelsOptions:
    """At which size a network is looked at."""

    image_size: int | None = option(None, "image side in pixels (default: the network's)", minimum=1, maximum=4096)
    channels: int | None = option(None, "input channels", minimum=1, maximum=4)
    num_classes: int | None = option(None, "number of classes", minimum=1)
    all: bool = option(False, "also list torchvision's classifiers")


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    arguments = [Argument("name", "network to show: layers, parameters, FLOPs, receptive field", is_required=False)]
    return make_command(
        "models", "List the networks, or show one.", _models, arguments=arguments, configs=[ModelsOptions]
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
        from dlcli.models.images.zoo import classifier_names

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
    from dlcli.models.images.zoo import build_torchvision, classifier_names
    from dlcli.models.summary import summarise

    owners = {key: spec for spec in all_tasks().values() for key in _networks(spec)}
    if name in owners:
        network = _networks(owners[name])[name]
        build = load_object(network.build)
    elif name in classifier_names():
        network = Network("", "", "torchvision", image_size=224, num_classes=1000)
        build = functools.partial(build_torchvision, name)
    else:
        raise UsageError(f"no network {name!r}", hint=did_you_mean(name, [*owners, *classifier_names()]))
    size = options.image_size or network.image_size
    if network.image_size is None:
        model, example = _without_images(name, owners[name], options)
        summary = summarise(model, example)
    else:
        try:
            model, example = _of_images(build, network, options)
            summary = summarise(model, example)
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
    counts = f"\n{summary.parameters:,} parameters, {summary.multiply_adds / 1e6:,.1f} M multiply-adds"
    if network.image_size is not None:
        counts += f" at {size} px, receptive field {f'{field} pixels' if field else 'the whole input'}"
    console.answer(f"{counts}; {network.source}")


def _of_images(build: Any, network: Network, options: ModelsOptions) -> tuple[nn.Module, Tensor]:
    """Return a network of images and an input of the size that was asked for."""
    import torch

    size = options.image_size or network.image_size or 0
    channels = options.channels or network.channels
    num_classes = options.num_classes or network.num_classes
    model = build(num_classes=num_classes, in_channels=channels, image_size=size)
    return model, torch.zeros(1, channels, size, size)


def _without_images(name: str, spec: TaskSpec, options: ModelsOptions) -> tuple[nn.Module, Tensor]:
    """Return a network of something else, as its task makes it, and an input.

    Raises:
        UsageError: a size of images was asked for.
    """
    if options.image_size or options.channels or options.num_classes:
        raise UsageError(f"{name} takes no images", hint=f"dl models {name}")
    from dlcli.engine.task import network_of

    task = load_object(spec.task).from_network(name)
    plan = task.export_plan()
    return network_of(task), plan.example[plan.inputs[0]]
