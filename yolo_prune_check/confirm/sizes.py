"""What torchinfo says of a forward pass: shapes, parameters and multiply-accumulates.

``torchinfo.summary`` spends most of its time on arranging a table. Its arithmetic of one module is used here instead,
on every module as it returns, in the very pass that is watched.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchinfo.layer_info import LayerInfo

from yolo_prune_check.confirm.probe import tensors_of


class Sizes:
    """Collects, module by module.

    Attributes:
        shapes: Output shapes by module that returns a tensor (not a list or dict of tensors), one for each time it ran.
        macs: Multiply-accumulates of all modules without children, biases and batch norms included.
    """

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
        self.macs = 0

    def left(self, name: str, module: nn.Module, output: Any) -> None:
        """Take note of a module whose forward returned."""
        if not tensors_of(output):
            return
        info = LayerInfo(name, module, 0)
        info.output_size, _ = LayerInfo.calculate_size(output, None)
        if isinstance(output, torch.Tensor):
            self.shapes[name] = (*self.shapes.get(name, ()), tuple(info.output_size))
        if info.output_size and info.is_leaf_layer:  # torchinfo has no number for a result without axes
            info.calculate_macs()
            self.macs += int(info.macs)


def parameter_count(model: nn.Module) -> int:
    """Parameters of the whole model, shared ones counted once."""
    info = LayerInfo("", model, 0)
    info.calculate_num_params()
    return int(info.num_params)
