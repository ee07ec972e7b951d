"""Choosing the channels of a layer by what they are worth with all that is tied to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.select.choose import Choice
from yolo_prune_check.select.ranking import Scores, best, keep_count
from yolo_prune_check.select.weights import silent_channels
from yolo_prune_check.select.worth import group_worth, groups_of
from yolo_prune_check.spec.schema import HALF, Select


def tied_layers(graph: ChannelGraph, model: nn.Module, names: Collection[str]) -> list[Layer]:
    """The layers of a model that have channels tied to those of some layers, these among them."""
    own = np.unique(np.concatenate([groups_of(graph, name) for name in names]))
    known = (layer for layer in layers_of(model) if layer.name in graph.layers)
    return [layer for layer in known if np.isin(groups_of(graph, layer.name), own).any()]


def choose_with_ties(
    graph: ChannelGraph,
    model: nn.Module,
    name: str,
    select: Select,
    scores: Mapping[str, Scores],
    present: Mapping[str, Collection[int]],
) -> Choice:
    """Keep the best of each bundle of dependency groups that a layer has channels in, the same share of each.

    Bundles are not compared with each other: channels that more layers are tied to would look more important for that
    alone. What earlier steps took of a bundle counts; channels that were masked are kept last.

    Args:
        graph: Of the untouched model.
        model: The model to choose on.
        name: The layer.
        select: Criterion and share.
        scores: Of the channels that the model has, for all layers that are tied to this one.
        present: Which these are, for the same layers, in the numbering of the untouched model.

    Returns:
        In the numbering of the untouched model.
    """
    own, bundles = groups_of(graph, name), _bundles_of(graph, name)
    width = len(own)
    full = {each: _in_full(found, present[each], graph.layers[each].out_channels) for each, found in scores.items()}
    worth = group_worth(graph, full, select.criterion)[own]
    layer = next(layer for layer in layers_of(model) if layer.name == name)
    silent = _in_full(silent_channels(model, layer), present[name], width).astype(np.bool_)
    there, kept = np.isin(np.arange(width), list(present[name])), list[int]()
    for bundle in np.unique(bundles).tolist():
        left = np.flatnonzero((bundles == bundle) & there)
        count = keep_count(int((bundles == bundle).sum()), select.share or HALF)
        kept += left[list(best(worth[left], count, last=silent[left]))].tolist()
    details = {"k": len(kept), "silent": int(silent.sum())}
    if not there.all():
        details["gone"] = int((~there).sum())
    return Choice(tuple(sorted(kept)), tuple(np.where(there, worth, -np.inf).tolist()), details)


def _bundles_of(graph: ChannelGraph, layer: str) -> np.typing.NDArray[np.int64]:
    """[channels] of a layer: the number of each one's bundle in ``graph.groups``."""
    sizes = [bundle.size for bundle in graph.groups]
    numbers: np.typing.NDArray[np.int64] = np.repeat(np.arange(len(sizes)), sizes)[groups_of(graph, layer)]
    return numbers


def _in_full(
    values: np.typing.NDArray[np.generic], present: Collection[int], width: int
) -> np.typing.NDArray[np.float64]:
    """Numbers of the channels that are left as numbers of all: 0 of what is gone."""
    found = np.zeros(width)
    found[list(present)] = values
    return found
