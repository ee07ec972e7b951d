"""Where the graph says that an adapter puts channels back, and what it knows of values on the way there."""

from __future__ import annotations

from tests.models import graph_of
from yolo_prune_check.channels.adapted import Adapted, adapted
from yolo_prune_check.channels.graph import ChannelGraph


def callers(graph: ChannelGraph, found: Adapted) -> list[str]:
    """Modules that return the value."""
    return [call.name for call in graph.program.calls if call.output in found.values]


def test_a_layer_with_an_activation_is_widened_where_it_emits() -> None:
    graph = graph_of()
    found = adapted(graph, graph.layers["model.1.conv"])
    assert (found.emits, found.narrow) == (True, ())
    assert callers(graph, found) == ["model.1.act", "model.1"]


def test_a_layer_by_itself_is_widened_where_it_returns() -> None:
    graph = graph_of()
    found = adapted(graph, graph.layers["model.22.cv2.0.2"])
    assert (found.emits, found.narrow) == (True, ())
    assert callers(graph, found)[0] == "model.22.cv2.0.2"


def test_what_a_batch_norm_returns_is_narrow_where_an_identity_comes_behind() -> None:
    """The batch norm and the Identity return one value; it is widened behind the second, which torchinfo shows."""
    graph = graph_of("yolo11n.yaml")
    found = adapted(graph, graph.layers["model.10.m.0.attn.qkv.conv"])
    assert found.emits
    assert callers(graph, found) == [f"model.10.m.0.attn.qkv{part}" for part in (".bn", ".act", "")]
    assert [graph.program.calls[index].name for index in found.narrow] == ["model.10.m.0.attn.qkv.bn"]
