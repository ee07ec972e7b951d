"""The proof rejects every deliberate mistake in a pruned model, and names the place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import nn
from ultralytics.nn.modules.block import A2C2f
from ultralytics.nn.modules.conv import Conv

from benchmarks.zoo import randomise_norms
from tests.confirm.faults import (
    EVAL,
    FROZEN,
    NUMBERS,
    OTHERS,
    PARTS,
    SHIFTED,
    Corruption,
    Fault,
    at,
    attribute,
    ordered,
    tensors,
    v8_plan,
)
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.model.load import load_model
from yolo_prune_check.prune.apply import carry_out, meant_by
from yolo_prune_check.prune.reference import Reference

SIZES = (64, 96)
Ground = tuple[nn.Module, nn.Module, Reference]
"""The untouched model, the pruned one, and what was meant."""


def pruned(model: nn.Module, graph: ChannelGraph, plan: Plan) -> Ground:
    assert judge(graph, plan).verdict == "safe"
    return model, carry_out(model, plan, graph), meant_by(model, plan, graph)


@lru_cache
def v8() -> Ground:
    """A YOLOv8n with random batch norms."""
    return pruned(stock(), graph_of(), v8_plan(graph_of()))


@lru_cache
def trained() -> Ground:
    """The shipped model: trained numbers, which no one asks to be trained any more."""
    model = load_model("yolov8n-digits")
    graph = ChannelGraph.trace(model, imgsz=64)
    return pruned(model, graph, v8_plan(graph))


@lru_cache
def v11() -> Ground:
    """A YOLO11n that has lost keys and values of its attention, and channels of a depthwise convolution."""
    gone = {*range(16), *range(128, 144), *range(64, 72), *range(192, 200)}
    steps = [
        Step("model.10.m.0.attn.qkv.conv", sorted({*range(256)} - gone)),
        Step("model.10.cv1.conv", [*range(16, 128), *range(144, 256)]),
        Step("model.23.cv3.0.0.1.conv", range(8, 80)),
    ]
    return pruned(stock("yolo11n.yaml"), graph_of("yolo11n.yaml"), Plan(steps, "group"))


@lru_cache
def scaled() -> Ground:
    """An attention block with a layer scale, as YOLO12's larger models have it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(Conv(3, 64, 3, 8), A2C2f(64, 64, 1, True, 1, residual=True), nn.Conv2d(64, 4, 1)).eval()
        assert isinstance(model[1].gamma, nn.Parameter)
        nn.init.uniform_(model[1].gamma, 0.5, 1.5)
    randomise_norms(model, seed=0)
    graph = ChannelGraph.trace(model, imgsz=64)
    return pruned(model, graph, Plan([Step("0.conv", range(8, 64))], "group"))


def proof_of(ground: Ground, corrupt: Corruption | None = None) -> tuple[Check, ...]:
    full, small, meant = ground
    wrong = copy.deepcopy(small)
    if corrupt is not None:
        corrupt(wrong, full)
    return prove(meant, wrong, SIZES)


def rejected(ground: Ground, fault: Fault) -> None:
    rows = proof_of(ground, fault.corrupt)
    failed = [row for row in rows if not row.passed]
    assert [(row.name, row.detail) for row in failed[:1]] == [(fault.row, fault.detail)]


@pytest.mark.parametrize("fault", [*NUMBERS, *SHIFTED, *OTHERS], ids=lambda fault: fault.name)
def test_a_mistake_is_found_where_it_was_made(fault: Fault) -> None:
    rejected(v8(), fault)


@pytest.mark.parametrize("fault", [*NUMBERS[::2], FROZEN], ids=lambda fault: fault.name)
def test_a_mistake_is_found_in_trained_numbers(fault: Fault) -> None:
    rejected(trained(), fault)


_ATTENTION = "model.10.m.0.attn"


def query_for_value(count: int) -> list[int]:
    """Of a head with 16 queries, 16 keys and 56 values the first query and the first value exchanged."""
    return [32, *range(1, 32), 0, *range(33, count)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(
            "a query and a value exchanged",
            ordered([f"{_ATTENTION}.qkv.conv", f"{_ATTENTION}.qkv.bn"], query_for_value),
            at(f"{_ATTENTION}.pe.conv"),
        ),
        Fault(
            "a depthwise convolution's groups as they were",
            attribute("model.23.cv3.0.1.0.conv", "groups", 80),
            "it raises: Given groups=80, expected weight to be at least 80 at dimension 0, but got weight of size "
            "[72, 1, 3, 3] instead",
        ),
        Fault(
            "another scale of attention",
            attribute(_ATTENTION, "scale", 0.5),
            at(f"{_ATTENTION}.proj.conv"),
        ),
    ],
    ids=lambda fault: fault.name,
)
def test_a_mistake_in_attention_is_found(fault: Fault) -> None:
    rejected(v11(), fault)


def test_a_layer_scale_of_a_removed_channel_is_found() -> None:
    def corrupt(small: nn.Module, full: nn.Module) -> None:
        small.get_parameter("1.gamma").data[0] = full.get_parameter("1.gamma")[7]

    rejected(scaled(), Fault("layer scale", corrupt, at("2")))


def test_a_reference_whose_filters_alone_are_zeroed_is_another_model() -> None:
    """The field notes' masks: batch norms turn the zeroed filters into constants, which whoever reads them adds."""
    full, small, meant = v8()
    plan = Plan([Step("model.1.conv", range(0, 32, 2))], "mask", "weights")
    rows = prove(replace(meant, model=carry_out(full, plan, graph_of())), small, SIZES)
    assert [(row.passed, row.detail) for row in rows[:2]] == [(False, at("model.2.m.0.cv1.conv"))] * 2


@pytest.mark.parametrize("ground", [v8, trained, v11, scaled])
def test_a_model_without_a_mistake_passes_every_row(ground: Callable[[], Ground]) -> None:
    rows = proof_of(ground())
    assert all(row.passed for row in rows), rows
    assert rows[0].name == EVAL
    assert max(row.error or 0 for row in rows) < 1e-11


def test_whether_parameters_are_to_be_trained_is_no_mistake() -> None:
    def corrupt(small: nn.Module, full: nn.Module) -> None:
        small.requires_grad_(False)
        small.get_parameter("model.22.cv2.0.2.weight").requires_grad_(True)

    assert all(row.passed for row in proof_of(v8(), corrupt))


def test_the_mistakes_are_many_and_each_changes_something() -> None:
    assert len({fault.name for fault in (*NUMBERS, *SHIFTED, *OTHERS)}) >= 24
    assert tensors(v8()[1], "model.1.bn").keys() >= {*PARTS}
