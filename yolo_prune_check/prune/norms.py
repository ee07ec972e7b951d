"""Which batch norm takes a convolution's output: found by running the model.

The channel graph knows it as well, but what carries a plan out must not ask what predicted it: a mistake of the graph
would then be made twice, and agree with itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from yolo_prune_check.errors import UserError

_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


def norms_of(model: nn.Module, layers: Iterable[str], *, imgsz: int = 64) -> dict[str, str | None]:
    """Find the batch norm that is fed by each of these convolutions.

    Args:
        model: A model that runs. It is left as it was, but for what its head caches from the last image size.
        layers: Qualified names of ``Conv2d`` modules.
        imgsz: Size of the image that is run, in pixels.

    Returns:
        For each layer the qualified name of its batch norm, or None if no batch norm reads its output directly.

    Raises:
        UserError: A layer is no ``Conv2d`` of the model.
    """
    modules = dict(model.named_modules())
    found: dict[str, str | None] = {}
    made: dict[int, tuple[str, torch.Tensor]] = {}  # the tensors are kept, so that no other gets their id

    def remember(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: torch.Tensor) -> None:
            made[id(output)] = name, output

        return hook

    def look_up(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            if id(args[0]) in made:
                found[made[id(args[0])][0]] = name

        return hook

    handles = []
    training = {module: module.training for module in model.modules()}
    try:
        for name in layers:
            if not isinstance(modules.get(name), nn.Conv2d):
                raise UserError("no such Conv2d in the model", value=name)
            found[name] = None
            handles.append(modules[name].register_forward_hook(remember(name)))
        for name, module in modules.items():
            if isinstance(module, _NORMS):
                handles.append(module.register_forward_pre_hook(look_up(name)))
        parameter = next(model.parameters())
        model.eval()
        with torch.no_grad():
            model(torch.zeros(1, 3, imgsz, imgsz, device=parameter.device, dtype=parameter.dtype))
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in training.items():
            module.training = mode
    return found
