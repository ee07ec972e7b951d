"""A model without a list of blocks is shown by its top-level modules."""

from __future__ import annotations

import torchvision

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.cli.inspect.diagram import diagram
from yolo_prune_check.cli.inspect.document import document
from yolo_prune_check.cli.inspect.overview import overview
from yolo_prune_check.cli.inspect.parts import parts_of
from yolo_prune_check.cli.output import WIDTH


def test_top_level_modules_of_a_resnet() -> None:
    model = torchvision.models.resnet18(weights=None).eval()
    graph = ChannelGraph.trace(model, imgsz=64)
    parts = parts_of(model, graph)
    assert not parts.blocks
    by_name = {part.name: part for part in parts.all}
    assert [by_name[name].index for name in ("conv1", "bn1", "relu", "maxpool", "layer1.0")] == [0, 1, 2, 3, 4]
    assert by_name["layer1.0"].from_ == (3,)
    assert (by_name["layer2.0"].in_channels, by_name["layer2.0"].out_channels) == ((64,), 128)
    assert by_name["layer4.1"].feeds == (by_name["avgpool"].index,)
    assert by_name["fc"].from_ == (by_name["avgpool"].index,)  # the flatten between them belongs to no module
    assert sum(len(part.layers) for part in parts.all) == len(graph.layers)

    text = overview("resnet18", graph, parts)
    assert "TOP-LEVEL MODULES (THIS MODEL HAS NO LIST OF BLOCKS)" in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert [part["name"] for part in document("resnet18", graph, parts)["modules"]] == list(by_name)
    assert '    b4["layer1.0 BasicBlock<br/>64 channels"]' in diagram(parts).splitlines()
