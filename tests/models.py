"""Real models for tests, built once for each process. Copy before changing one."""

from __future__ import annotations

from functools import lru_cache

from torch import nn

from benchmarks.zoo import randomise_norms
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.load import load_model


@lru_cache
def stock(name: str = "yolov8n.yaml") -> nn.Module:
    """A stock model with random BatchNorms: a fresh one has no shift, which hides phantom channels."""
    model = load_model(name)
    randomise_norms(model, seed=0)
    return model


@lru_cache
def graph_of(name: str = "yolov8n.yaml", imgsz: int = 64) -> ChannelGraph:
    """Its channel graph."""
    return ChannelGraph.trace(stock(name), imgsz=imgsz)
