"""`--compile`: torch.compile for the network, in place, so that the names in checkpoints stay the same."""

from __future__ import annotations

from torch import nn

from dlcli.models.ensemble import HasMembers


def compile_network(model: nn.Module) -> None:
    """Compile the model's forward at its first call; parts of a container and members of an ensemble are separate.

    Modules, parameters and their names do not change, so a checkpoint does not depend on compilation. If there is no
    compiler, the first call fails, which `Device.computing` turns into a clear error.
    """
    if isinstance(model, (nn.ModuleDict, nn.ModuleList, HasMembers)):
        for part in model.children():
            compile_network(part)
    else:
        model.compile()
