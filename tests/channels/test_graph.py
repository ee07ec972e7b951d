"""Layers, edges and groups of stock models."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.zoo import FAMILIES, TORCHVISION, build
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.rules import RULES
from yolo_prune_check.channels.tensors import Tensor
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import layers_of

SMALL = re.compile(r"\d[nt]\b|tiny")
SIZES = ("yolov8n.yaml", "yolov8s.yaml", "yolov8m.yaml", "yolov8l.yaml", "yolov8x.yaml")


@pytest.mark.parametrize("name", SIZES)
def test_all_sizes_are_understood(name: str) -> None:
    graph = graph_of(name)
    assert graph.unsupported == ()
    assert len(graph.layers) == sum(1 for module in stock(name).modules() if type(module).__name__ == "Conv2d")


@pytest.mark.parametrize(
    "name", [*(models[0] for models in FAMILIES.values() if SMALL.search(models[0])), *TORCHVISION]
)
def test_every_operator_of_every_family_has_a_rule_that_reproduces_it(name: str) -> None:
    """A rule that fails on the untouched model is not used: a defect in one would only freeze channels."""
    assert ChannelGraph.trace(build(name)).unsupported == ()


def test_groups_cover_every_channel_once() -> None:
    graph = graph_of()
    seen: Counter[tuple[str, int]] = Counter()
    for group in graph.groups:
        for member in group.members:
            assert member.stop - member.start == group.size
            seen.update((member.layer, channel) for channel in range(member.start, member.stop))
    assert set(seen.values()) == {1}
    assert len(seen) == sum(layer.out_channels for layer in graph.layers.values())


def test_a_residual_ties_the_second_half_of_the_chunk() -> None:
    """C2f of block 4: both bottlenecks add to the second half of cv1, the first half is free."""
    ties = {tuple(str(member) for member in group.members) for group in graph_of().groups}
    assert ("model.4.cv1.conv[32:64]", "model.4.m.0.cv2.conv[0:32]", "model.4.m.1.cv2.conv[0:32]") in ties
    assert ("model.4.cv1.conv[0:32]",) in ties


def test_neck_bottlenecks_have_no_residual() -> None:
    tied = [group for group in graph_of().groups if len(group.members) > 1]
    assert {member.layer.split(".")[1] for group in tied for member in group.members} == {"2", "4", "6", "8"}


def test_concat_slices_are_where_the_weights_read_them() -> None:
    """DESIGN fact 12: channels 0-7 of model.6.cv2 are inputs 256-263 of model.12.cv1."""
    edges = [
        edge
        for edge in graph_of().edges
        if edge.consumer == "model.12.cv1.conv" and edge.producer.layer == "model.6.cv2.conv"
    ]
    assert [(edge.producer.start, edge.position, edge.kind) for edge in edges] == [(0, 256, "direct")]


def test_every_kind_of_edge_of_yolov8_is_found() -> None:
    kinds = Counter(edge.kind for edge in graph_of().edges)
    assert kinds.keys() == {"direct", "split", "concat", "residual", "pool", "upsample", "head"}
    splits = [junction for junction in graph_of().junctions if junction.kind == "split"]
    assert [junction.operator for junction in splits] == [f"model.{i}:split" for i in (2, 4, 6, 8, 12, 15, 18, 21)]


def test_head_layers_are_frozen() -> None:
    graph = graph_of()
    last = {f"model.22.cv{branch}.{level}.2" for branch in (2, 3) for level in range(3)}
    assert set(graph.head_layers) == {*last, "model.22.dfl.conv"}
    frozen = {member.layer for group in graph.groups if group.frozen for member in group.members}
    assert frozen == set(graph.head_layers)


def test_batch_norms_belong_to_their_convolutions() -> None:
    for name, layer in graph_of().layers.items():
        expected = name.removesuffix(".conv") + ".bn" if name.endswith(".conv") and "dfl" not in name else None
        assert layer.norm == expected


def test_an_unknown_layer_is_refused_with_a_suggestion() -> None:
    with pytest.raises(
        UserError, match=r"no such Conv2d in the model: got 'model.2.cv1'. Did you mean model.2.cv1.conv"
    ):
        graph_of().layer("model.2.cv1")


@pytest.mark.parametrize(
    ("model", "address", "here"),
    [
        ("yolov8n.yaml", "2.0", "write 'model.2.cv1.conv'"),
        ("yolov8n.yaml", "2.3", "write 'model.2.m.0.cv2.conv'"),
        ("yolov8n.yaml", 2.1, "write 'model.2.cv2.conv'"),
        ("yolov8n.yaml", "2.4", "write a qualified name such as 'model.0.conv'"),
    ],
)
def test_an_address_is_refused_with_the_name_that_it_stands_for(model: str, address: Any, here: str) -> None:
    with pytest.raises(UserError) as caught:
        predict(graph_of(model), Plan([Step(address, range(8))], "local"))
    assert str(caught.value) == (
        f"no such Conv2d in the model: got '{address}'. Addresses work in specs and on the command line; here {here}."
    )


def test_every_address_of_a_model_whose_layers_all_run_is_resolved() -> None:
    for layer in layers_of(stock()):
        with pytest.raises(UserError, match=re.escape(f"here write '{layer.name}'.")):
            graph_of().layer(layer.address)


def test_an_address_beside_a_layer_that_did_not_run_is_not_guessed() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.idle, self.conv = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.conv(x)
            return result

    graph = ChannelGraph.trace(nn.Sequential(OrderedDict(model=nn.Sequential(Block()))), imgsz=8)
    with pytest.raises(UserError, match=r"here write a qualified name such as 'model\.0\.conv'"):
        graph.layer("0.0")


def test_image_size_changes_no_edge() -> None:
    other = ChannelGraph.trace(stock(), imgsz=160)
    assert other.edges == graph_of().edges
    assert other.groups == graph_of().groups


def test_chunks_ask_for_symmetry() -> None:
    (first, *_) = graph_of().symmetries
    assert first.operator == "chunk in model.2"
    assert [[str(part) for part in block] for block in first.blocks] == [
        ["model.2.cv1.conv[0:16]"],
        ["model.2.cv1.conv[16:32]"],
    ]


def test_a_rule_that_does_not_reproduce_the_trace_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be it wrong or at a loss: its operator is listed, and its inputs are frozen."""

    def at_a_loss(*arguments: object, **named: object) -> object:
        raise KeyError("what is this?")

    def wrong(x: Tensor, *arguments: object) -> Tensor:
        return Tensor((1, 1, 1, 1))

    plan = Plan([Step("model.0.conv", range(8))], "local")
    for rule in (at_a_loss, wrong):
        with monkeypatch.context() as patch:
            patch.setitem(RULES, "silu", rule)  # type: ignore[arg-type]  # the table is a dict
            graph = ChannelGraph.trace(stock())
            assert "silu in model.0.act" in graph.unsupported
            assert {hazard.code for hazard in predict(graph, plan).hazards} >= {"frozen-channel"}


def test_an_image_that_does_not_fit_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"the model does not run on an image of 100 x 100 pixels \(Sizes of tensors"):
        ChannelGraph.trace(stock(), imgsz=100)
