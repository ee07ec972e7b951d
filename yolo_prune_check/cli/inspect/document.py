"""``--json``: the same facts for machines. The structure is documented in docs/inspect.md and kept stable."""

from __future__ import annotations

from typing import Any

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.provenance import ChannelRange
from yolo_prune_check.channels.slices import slices_of
from yolo_prune_check.channels.ties import GroupIndex, ties_of
from yolo_prune_check.cli.equal import Block, Equal, equals_of
from yolo_prune_check.cli.inspect.counts import Counts
from yolo_prune_check.cli.inspect.equal_table import equals_on
from yolo_prune_check.cli.inspect.group_table import why_frozen
from yolo_prune_check.cli.inspect.layer import LayerFacts
from yolo_prune_check.cli.inspect.parts import Part, PartLayer, Parts

Json = dict[str, Any]


def document(model: str, graph: ChannelGraph, parts: Parts) -> Json:
    """The whole model."""
    index = GroupIndex.of(graph)
    ties = ties_of(graph, index)
    return {
        "model": model,
        "imgsz": graph.imgsz,
        "totals": {**vars(Counts.of(graph)), "edges": len(graph.edges)},
        "blocks" if parts.blocks else "modules": [_part(part) for part in parts.all],
        "layers": [_layer(layer, graph, index) for part in parts.all for layer in part.layers],
        "edges": [
            {
                "producer": _range(edge.producer),
                "consumer": edge.consumer,
                "kind": edge.kind,
                "port": edge.port,
                "position": edge.position,
            }
            for edge in graph.edges
        ],
        "slices": [
            {
                "consumer": item.consumer,
                "kind": item.kind,
                "port": item.port,
                "start": item.start,
                "stop": item.stop,
                "producers": [_range(part) for part in item.producers],
                "through": None if item.through is None else vars(item.through),
            }
            for item in slices_of(graph)
        ],
        "groups": [
            {
                "number": number + 1,
                "size": group.size,
                "members": [_range(member) for member in group.members],
                "ties": [vars(tie) for tie in ties.get(number, ())],
                "frozen": why_frozen(graph, group) or None,
            }
            for number, group in enumerate(graph.groups)
        ],
        "equals": [_equal(item) for item in equals_of(graph)],
        "unsupported": list(graph.unsupported),
        "unvisited": list(graph.unvisited),
    }


def _equal(item: Equal) -> Json:
    return {
        "operators": list(item.operators),
        "blocks": [_block(block) for block in item.blocks],
        "unit": item.unit or None,
        "units": [_block(unit) for unit in item.units],
        "only_units": item.only,
    }


def _block(block: Block) -> Json:
    return {"channels": [_range(part) for part in block.ranges], "fixed": block.fixed}


def _range(part: ChannelRange) -> Json:
    return {"layer": part.layer, "start": part.start, "stop": part.stop}


def _part(part: Part) -> Json:
    return {
        "index": part.index,
        "name": part.name,
        "type": part.type,
        "in_channels": list(part.in_channels),
        "out_channels": part.out_channels,
        "from": list(part.from_),
        "feeds": list(part.feeds),
        "layers": [layer.name for layer in part.layers],
    }


def _layer(layer: PartLayer, graph: ChannelGraph, index: GroupIndex) -> Json:
    known = graph.layers.get(layer.name)
    return {
        "address": layer.address,
        "name": layer.name,
        "in_channels": layer.in_channels,
        "out_channels": layer.out_channels,
        "kernel": None if known is None else list(known.kernel),
        "conv_groups": None if known is None else known.groups,
        "norm": None if known is None else known.norm,
        "groups": [number + 1 for number in index.of_layer(layer.name)],
    }


def layer_document(model: str, graph: ChannelGraph, facts: LayerFacts) -> Json:
    """One layer."""
    return {
        "model": model,
        "imgsz": graph.imgsz,
        "layer": {"address": facts.layer.address, "name": facts.layer.name, "block": facts.layer.block},
        "in_channels": facts.layer.in_channels,
        "out_channels": facts.layer.out_channels,
        "blocks": [part.index for part in facts.parts],
        "reached": [
            {
                "consumer": item.consumer,
                "kind": item.kind,
                "channels": [item.channels.start, item.channels.stop],
                "port": item.port,
                "position": item.position,
                "ends": item.ends,
                "path": list(item.path),
            }
            for item in facts.dependents.reached
        ],
        "groups": [
            {
                "number": item.number + 1,
                "channels": [[part.start, part.stop] for part in item.channels],
                "partners": [_range(part) for part in item.partners],
                "ties": [vars(tie) for tie in item.ties],
                "frozen": why_frozen(graph, item.group) or None,
            }
            for item in facts.dependents.memberships
        ],
        "equals": [
            {"channels": [[part.start, part.stop] for part in found], **_equal(item)}
            for item, found in equals_on(graph, facts.layer.name, equals_of(graph))
        ],
        "trial": None if facts.trial is None else {"keep": list(facts.trial)},
        "local": None if facts.local is None else _prediction(facts.local),
        "mask": None if facts.mask is None else _prediction(facts.mask),
    }


def _prediction(prediction: Prediction) -> Json:
    failure, repair = prediction.failure, prediction.repair
    return {
        "verdict": prediction.verdict,
        "failure": failure,
        "hazards": list(prediction.hazards),
        "repair": None if repair is None else repair.message,
        "active": {name: {"in": count.active_in, "out": count.active_out} for name, count in prediction.layers.items()},
    }
