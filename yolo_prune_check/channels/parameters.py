"""The model's parameters as a plan leaves them, abstractly: shapes, vectors, and which filters are zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.plan import MaskKind
from yolo_prune_check.channels.program import BoolArray, Filter, FloatArray, Program
from yolo_prune_check.channels.tensors import Tensor

_NORM_VECTORS = ("weight", "bias", "running_mean", "running_var")


def untouched(program: Program) -> dict[str, Tensor]:
    """Every parameter and buffer that an operator reads, as traced."""
    parameters = {
        value.parameter: Tensor(value.shape, program.constants.get(value.id))
        for value in program.values
        if value.parameter is not None
    }
    for name, vector in program.vectors.items():
        parameters[name] = Tensor(vector.shape, vector=vector)
    for name, weight in program.filters.items():
        parameters[name] = replace(parameters[name], filter=weight)
    return parameters


def removed(keep: tuple[int, ...], width: int) -> BoolArray:
    """For each of a layer's channels, whether it goes."""
    gone = np.ones(width, dtype=np.bool_)
    gone[list(keep)] = False
    return gone


def masked(
    parameters: Mapping[str, Tensor], layer: GraphLayer, keep: tuple[int, ...], kind: MaskKind
) -> dict[str, Tensor]:
    """The layer's parameters with the filters of the channels that are not kept zeroed.

    For ``silent`` bias and batch-norm weight and bias are zeroed as well.
    """
    stays = ~removed(keep, layer.out_channels)
    weight = parameters[f"{layer.name}.weight"]
    changed = {}
    if weight.filter is not None:
        changed[f"{layer.name}.weight"] = replace(weight, filter=_zeroed(weight.filter, stays))
    if kind == "silent":
        names = [f"{layer.name}.bias"] if layer.bias else []
        names += [f"{layer.norm}.weight", f"{layer.norm}.bias"] if layer.norm else []
        for name in names:
            tensor = parameters.get(name)
            if tensor is not None and tensor.vector is not None:
                changed[name] = replace(tensor, vector=np.where(stays, tensor.vector, 0.0))
    return changed


def shrunk(parameters: Mapping[str, Tensor], layer: GraphLayer, keep: tuple[int, ...]) -> dict[str, Tensor]:
    """The layer's parameters and its batch norm's without the channels that are not kept."""
    rows = np.asarray(keep, dtype=np.int64)
    changed = {}
    weight = parameters[f"{layer.name}.weight"]
    if weight.filter is not None:
        kept = _rows(weight.filter, rows)
        changed[f"{layer.name}.weight"] = Tensor(kept.shape, filter=kept)
    for name in _vectors(layer):
        tensor = parameters.get(name)
        if tensor is not None and tensor.vector is not None:
            changed[name] = _vector(tensor.vector[rows])
    return changed


def narrowed(parameters: Mapping[str, Tensor], layer: GraphLayer, width: int) -> dict[str, Tensor]:
    """As ``shrunk`` to so many channels, whichever they are: shapes alone."""
    weight = f"{layer.name}.weight"
    changed = {weight: Tensor((width, *parameters[weight].shape[1:]))}
    return changed | {name: Tensor((width,)) for name in _vectors(layer) if name in parameters}


def _vectors(layer: GraphLayer) -> list[str]:
    names = [f"{layer.name}.bias"] if layer.bias else []
    return names + [f"{layer.norm}.{part}" for part in _NORM_VECTORS] if layer.norm else names


def _vector(numbers: FloatArray) -> Tensor:
    return Tensor(numbers.shape, vector=numbers)


def _zeroed(weight: Filter, stays: BoolArray) -> Filter:
    support = None if weight.support is None else weight.support & stays[:, None]
    values = None if weight.values is None else weight.values.zeroed(stays)
    return Filter(weight.shape, weight.live & stays, support, values)


def _rows(weight: Filter, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Filter:
    support = None if weight.support is None else weight.support[rows]
    values = None if weight.values is None else weight.values.picked(rows)
    return Filter((len(rows), *weight.shape[1:]), weight.live[rows], support, values)
