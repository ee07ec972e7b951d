"""``yolo-prune-check inspect``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from yolo_prune_check.cli.image_size import is_image_size
from yolo_prune_check.cli.output import heading, say, say_json, table

if TYPE_CHECKING:
    from yolo_prune_check.channels.edges import Edge
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.channels.groups import Group
    from yolo_prune_check.model.blocks import Block

_MEMBERS = 3
"""Ranges of a group that are printed before the rest is only counted."""


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .pt, a model .yaml or a shipped name.")],
    imgsz: Annotated[
        int,
        typer.Option(
            "--imgsz",
            callback=is_image_size,
            help="Image size at which it is traced, a multiple of 32 from 32 to 1280.",
        ),
    ] = 64,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a model's blocks, the edges between its layers, and which channels can only be removed together.

    Example:  yolo-prune-check inspect yolov8n-digits
    """
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.model.blocks import blocks_of
    from yolo_prune_check.model.load import load_model

    loaded = load_model(model)
    blocks = blocks_of(loaded)
    graph = ChannelGraph.trace(loaded, imgsz=imgsz)
    widths = block_widths(graph, blocks)
    if as_json:
        say_json(_as_json(model, graph, blocks, widths))
        return
    say(heading(f"Blocks of {model}", _block_table(blocks, widths)))
    say(heading("Layers, by the address that specs use", _layer_table(graph, blocks)))
    say(heading(f"Edges: {_kinds(graph.edges)}", _edge_table(graph.edges)))
    say(heading("Groups: channels that can only be removed together", _group_table(graph.groups)))
    if graph.unsupported:
        say(heading("Operators without a rule, which freeze what flows in", "\n".join(graph.unsupported)))


def block_widths(graph: ChannelGraph, blocks: tuple[Block, ...]) -> dict[int, int | None]:
    """Channels that each block puts out, by index, the image as -1; None where that is no feature map."""
    widths: dict[int, int | None] = {-1: graph.program.values[graph.program.image].shape[1]}
    outputs = {call.name: call.output for call in graph.program.calls}
    for block in blocks:
        value = outputs.get(f"model.{block.index}")
        shape = graph.program.values[value].shape if value is not None else ()
        widths[block.index] = shape[1] if len(shape) == 4 else None
    return widths


def _block_table(blocks: tuple[Block, ...], widths: dict[int, int | None]) -> str:
    rows: list[list[str | int]] = [
        [
            block.index,
            block.type,
            " + ".join(_width(widths[source]) for source in block.from_),
            _width(widths[block.index]),
            len(block.layers),
            ", ".join("image" if source < 0 else str(source) for source in block.from_),
            ", ".join(map(str, block.feeds)) or "output",
        ]
        for block in blocks
    ]
    return table(["block", "type", "in", "out", "Conv2d", "from", "feeds"], rows)


def _width(width: int | None) -> str:
    return "–" if width is None else str(width)


def _layer_table(graph: ChannelGraph, blocks: tuple[Block, ...]) -> str:
    rows: list[list[str | int]] = []
    for layer in (layer for block in blocks for layer in block.layers):
        known = graph.layers.get(layer.name)
        kind = "not run" if known is None else "depthwise" if known.depthwise else f"{'×'.join(map(str, known.kernel))}"
        rows.append([layer.address, layer.name, layer.in_channels, layer.out_channels, kind])
    return table(["address", "layer", "in", "out", "kernel"], rows)


def _kinds(edges: tuple[Edge, ...]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in Counter(edge.kind for edge in edges).most_common())


def _edge_table(edges: tuple[Edge, ...]) -> str:
    rows = [
        [
            str(edge.producer),
            edge.consumer,
            edge.kind,
            f"in{edge.port}[{edge.position}:{edge.position + _length(edge)}]",
        ]
        for edge in edges
    ]
    return table(["channels", "consumer", "kind", "operand"], rows)


def _length(edge: Edge) -> int:
    return edge.producer.stop - edge.producer.start


def _group_table(groups: tuple[Group, ...]) -> str:
    rows: list[list[str | int]] = []
    for group in groups:
        shown = ", ".join(str(member) for member in group.members[:_MEMBERS])
        more = len(group.members) - _MEMBERS
        rows.append(
            [
                group.size,
                shown + (f" and {more} more" if more > 0 else ""),
                f"no: {group.frozen.removeprefix('flows into ')}" if group.frozen else "yes",
            ]
        )
    return table(["size", "members", "removable"], rows)


def _as_json(
    model: str, graph: ChannelGraph, blocks: tuple[Block, ...], widths: dict[int, int | None]
) -> dict[str, object]:
    return {
        "model": model,
        "imgsz": graph.imgsz,
        "blocks": [
            {
                "index": block.index,
                "type": block.type,
                "in_channels": [widths[source] for source in block.from_],
                "out_channels": widths[block.index],
                "from": list(block.from_),
                "feeds": list(block.feeds),
                "layers": list(block.layers),
            }
            for block in blocks
        ],
        "edges": list(graph.edges),
        "groups": list(graph.groups),
        "unsupported": list(graph.unsupported),
    }
