"""Real models of many architectures in float64 with random batch norms, built once for each process."""

from __future__ import annotations

from functools import lru_cache

import torchvision
from torch import nn

from benchmarks.zoo import randomise_norms
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.load import load_model


@lru_cache
def double_of(name: str) -> nn.Module:
    """A stock Ultralytics YAML, or a torchvision model by name, with random weights."""
    model = load_model(name) if name.endswith(".yaml") else getattr(torchvision.models, name)(weights=None).eval()
    randomise_norms(model, seed=0)
    return model.double()


@lru_cache
def graph_of_double(name: str) -> ChannelGraph:
    """Its channel graph at 64 pixels."""
    return ChannelGraph.trace(double_of(name), imgsz=64)
