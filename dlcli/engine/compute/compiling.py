"""`--compile`: torch.compile for the network, in place, so that checkpoints keep their names."""

from __future__ import annotations

from torch import nn


def compile_network(model: nn.Module) -> None:
    """Let the model's forward be compiled when it is first called; a container's parts are compiled one by one.

    Modules, parameters and their names stay as they are: what is saved does not tell that it was compiled. Where there
    is no compiler, the first call fails, which `Device.computing` explains.
    """
    if isinstance(model, (nn.ModuleDict, nn.ModuleList)):
        for part in model.children():
            compile_network(part)
    else:
        model.compile()
