"""Copy a model, whatever its modules hold."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def copied(model: Model) -> Model:
    """A deep copy, also of a module that holds a tensor which a hook computed from its parameters.

    PyTorch refuses to copy such a tensor, as ``torch.nn.utils.weight_norm`` leaves it. The hook computes it anew.
    """
    tensors = (item for module in model.modules() for item in vars(module).values() if isinstance(item, torch.Tensor))
    computed = {id(tensor): tensor.detach().clone() for tensor in tensors if not tensor.is_leaf}
    return deepcopy(model, computed)
