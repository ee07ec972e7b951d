"""Channels that a module reads which runs in training alone, such as an auxiliary head.

The traced pass, which is one of eval mode, does not see it. A model without these channels would run, and fail as soon
as it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from yolo_prune_check.channels.flow import trace_provenance
from yolo_prune_check.channels.interpret import Interpreter
from yolo_prune_check.channels.layers import GraphLayer, consumers_of, find_layers
from yolo_prune_check.channels.parameters import untouched
from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.provenance import ChannelRange


@dataclass(frozen=True)
class TrainingReader:
    """A layer that runs in training alone.

    Attributes:
        operator: The layer, in words.
        channels: What it reads of layers that also run otherwise.
    """

    operator: str
    channels: tuple[ChannelRange, ...]


def training_readers(program: Program, layers: dict[str, GraphLayer], trained: Program) -> tuple[TrainingReader, ...]:
    """Find them.

    Args:
        program: The traced pass.
        layers: Its layers.
        trained: A pass of the same model that goes the ways of training.
    """
    inside = find_layers(trained, consumers_of(trained))
    unruled = Interpreter(trained).run_untouched(untouched(trained)).unruled
    provenance, unvisited = trace_provenance(trained, inside, unruled), set(program.unvisited)
    found = []
    for consumer in provenance.consumers:
        name = consumer.weight.rpartition(".")[0]
        if name in unvisited:
            read = np.unique(consumer.channels[consumer.channels >= 0])
            known = tuple(part for part in provenance.channels.ranges(read) if part.layer in layers)
            if known:
                found.append(TrainingReader(f"the training-only layer {name}", known))
    return tuple(found)
