"""``yolo-prune-check inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from yolo_prune_check.cli.image_size import is_image_size
from yolo_prune_check.cli.output import say, say_json
from yolo_prune_check.plugin.names import TRUST


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .pt, a model .yaml or a shipped name.")],
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer",
            metavar="LAYER",
            help="Show only what depends on this layer and by which path. LAYER is an address (block.index), or the "
            "qualified name of a Conv2d or of the module around it.",
        ),
    ] = None,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the blocks as a Mermaid flowchart, which Markdown pages render.")
    ] = False,
    imgsz: Annotated[
        int,
        typer.Option(
            "--imgsz",
            callback=is_image_size,
            help="Image size at which it is traced, a multiple of 32 from 32 to 1280.",
        ),
    ] = 64,
    trust_checkpoint: Annotated[bool, typer.Option("--trust-checkpoint", help=TRUST)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a model's blocks, the edges between its layers, and which channels can only be removed together.

    Example:  yolo-prune-check inspect yolov8n-digits --layer 4.0
    """
    if mermaid and (layer is not None or as_json):
        other = "--json" if layer is None else "--layer"
        raise typer.BadParameter(f"It cannot be combined with {other}.", param_hint="'--mermaid'")
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.cli.inspect.diagram import diagram
    from yolo_prune_check.cli.inspect.document import document, layer_document
    from yolo_prune_check.cli.inspect.layer import describe_layer, examine
    from yolo_prune_check.cli.inspect.overview import overview
    from yolo_prune_check.cli.inspect.parts import parts_of
    from yolo_prune_check.model.addresses import find_layer
    from yolo_prune_check.model.load import load_model

    loaded = load_model(model, trust=trust_checkpoint)
    wanted = None if layer is None else find_layer(loaded, layer)  # before tracing: a typing error is told at once
    graph = ChannelGraph.trace(loaded, imgsz=imgsz)
    parts = parts_of(loaded, graph)
    if wanted is not None:
        facts = examine(graph, parts, wanted)
        if as_json:
            say_json(layer_document(model, graph, facts))
        else:
            say(describe_layer(model, graph, parts, facts))
    elif mermaid:
        say(diagram(parts))
    elif as_json:
        say_json(document(model, graph, parts))
    else:
        say(overview(model, graph, parts))
