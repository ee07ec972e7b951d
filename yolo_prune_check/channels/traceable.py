"""Modules that no pass can be recorded of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from yolo_prune_check.errors import UserError


def check_traceable(names: Mapping[nn.Module, str]) -> None:
    """Refuse a model that is compiled to TorchScript, or whose shapes are not known yet, in whole or in part.

    Args:
        names: Its modules by name.

    Raises:
        UserError: It is; the message names the module or parameter.
    """
    for module, name in names.items():
        if isinstance(module, torch.jit.ScriptModule):
            raise UserError(
                "a model compiled to TorchScript cannot be traced: its operators cannot be seen",
                value=f"{type(module).__name__} {name}".rstrip(),
                hint="Give the model as it was before torch.jit.script or torch.jit.trace.",
            )
        for part, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and is_lazy(tensor):
                raise UserError(
                    "a model whose layers do not know their widths yet cannot be traced",
                    value=f"{name}.{part}".removeprefix("."),
                    hint="Run it once on an image, as in model(torch.zeros(1, 3, 64, 64)), which initialises them.",
                )
