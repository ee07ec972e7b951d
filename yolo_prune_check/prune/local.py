"""Execution ``local``: shrink a layer and its batch norm, and nothing else. What people try first."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from yolo_prune_check.channels.plan import Plan


def shrink(model: nn.Module, plan: Plan, norms: Mapping[str, str | None]) -> None:
    """Remove the channels that the plan does not keep from its layers and their batch norms, in place.

    Args:
        model: Model whose modules are narrowed; nothing that consumes the channels is.
        plan: Steps with qualified names of ``Conv2d`` modules.
        norms: For each layer the qualified name of its batch norm, or None.
    """
    for name, keep in plan.kept().items():
        conv = model.get_submodule(name)
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"{name} is a {type(conv).__name__}, not a Conv2d")
        if len(keep) == conv.out_channels:
            continue
        rows = torch.tensor(keep, dtype=torch.long, device=conv.weight.device)
        narrow_filters(conv, rows)
        norm = norms.get(name)
        if norm is not None:
            narrow_norm(model.get_submodule(norm), rows)


def narrow_filters(conv: nn.Conv2d, rows: torch.Tensor) -> None:
    """Keep these filters of a convolution, ``rows`` being their indices."""
    conv.weight = _rows(conv.weight, rows)
    if conv.bias is not None:
        conv.bias = _rows(conv.bias, rows)
    conv.out_channels = len(rows)


def narrow_norm(norm: nn.Module, rows: torch.Tensor) -> None:
    """Keep these channels of a batch norm."""
    if not isinstance(norm, (nn.BatchNorm2d, nn.SyncBatchNorm)):
        raise TypeError(f"expected a batch norm, got a {type(norm).__name__}")
    if norm.affine:
        norm.weight, norm.bias = _rows(norm.weight, rows), _rows(norm.bias, rows)
    if norm.running_mean is not None and norm.running_var is not None:
        norm.running_mean, norm.running_var = norm.running_mean[rows].clone(), norm.running_var[rows].clone()
    norm.num_features = len(rows)


def _rows(parameter: torch.Tensor, rows: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(parameter.detach()[rows].clone(), requires_grad=parameter.requires_grad)
