"""Pictures of what happens inside any network: `field` and `gradients`. Free of torch and numpy until one is drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.errors import UsageError
from dlcli.core.table import Table
from dlcli.visualize.map_layers import full_name, map_layers, prefix_of
from dlcli.visualize.subject import Drawn, Subject, require_images

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FieldOptions:
    """Options of `field`."""

    layer: str | None = option(None, "the layer; `list` shows them (default: the last)")


@dataclass(frozen=True)
class GradientOptions:
    """Options of `gradients`."""

    split: str = option("train", "the split of the data from which the batch is taken")


def draw_field(subject: Subject, options: FieldOptions) -> Drawn:
    """Yield the theoretical and the effective receptive field of a layer's middle unit."""
    import torch

    from dlcli.visualize import field

    model, example = subject.network(), require_images(subject.example())
    names = [layer.name for layer in map_layers(subject) if min(layer.shape[1:]) > 1]
    name = options.layer or next(reversed(names), None)
    layer = full_name(model, subject, name)
    if layer is None:
        raise UsageError("the network has no layer with a map of several units")
    images: list[Tensor]
    if subject.words:
        inputs = subject.inputs()
        images, picture = [item.tensor for item in inputs], inputs[0].picture
        if len({image.shape for image in images}) > 1:
            raise UsageError("the images differ in size for this network", hint="name images of one size")
        of_what = f"over {len(images)} image{'' if len(images) == 1 else 's'}"
    else:
        noise = field.noise_images(example)
        images, of_what = list(torch.split(noise, 1)), f"over {len(noise)} images of noise"
        grey = noise[0].byte().numpy().transpose(1, 2, 0)
        picture = grey.repeat(3 // grey.shape[2], axis=2)
    found = field.measure_field(model, images, layer)
    entry: dict[str, Any] = {"layer": name, "unit": list(found.unit), "shape": list(found.shape)}
    entry |= {"theoretical": found.theoretical, "box": list(found.box), "effective": found.effective}
    row = [name, " x ".join(map(str, found.shape)), found.theoretical, round(found.effective, 1)]
    columns = ["layer", "channels x height x width", "can see (pixels)", "matters (pixels)"]
    subject.adds(Table("field", columns, [row], [entry]))
    yield "field", field.draw_field(found, picture, title=f"{subject.name}, {name}", of_what=of_what)


def draw_gradients(subject: Subject, options: GradientOptions) -> Drawn:
    """Yield how large activations and gradients are in each layer, on the first batch of the run's data."""
    import torch

    from dlcli.models.ensemble import members_of
    from dlcli.visualize.gradients import draw_flow, measure_flow

    subject.run()  # a network's name has neither data nor trained weights
    task = subject.task()
    batch = next(iter(task.loader(options.split, training=options.split == "train").batches(0)), None)
    if batch is None:
        raise UsageError(f"--split {options.split}: no batch of data")

    def compute_loss() -> Tensor:
        update = next(iter(task.training_step(batch)))
        total: Tensor = sum(update.losses.values(), start=torch.zeros(()))
        return total

    model = members_of(task.model)[0]  # of an ensemble, whose first update is that of its first member
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of dropout
        flows = measure_flow(model.train(), compute_loss)
    if not flows:
        raise UsageError("the network has no layer with weights")
    prefix = prefix_of(model)
    flows = [type(flow)(**{**asdict(flow), "name": flow.name.removeprefix(prefix)}) for flow in flows]
    columns = ["layer", "kind", "activation", "gradient", "weight gradient", "weight"]
    rows = [[f.name, f.kind, f.activation, f.gradient, f.weight_gradient, f.weight] for f in flows]
    subject.adds(Table("flow", columns, rows, [asdict(flow) for flow in flows]))
    yield "gradients", draw_flow(flows, title=f"{subject.name}, one batch of {options.split}")
