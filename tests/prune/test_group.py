"""Execution ``group`` on real models: what it cuts, what it leaves, and what it refuses."""

from __future__ import annotations

import copy
import random
from math import inf

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.channels import carry_out as oracle
from tests.channels.architectures import double_of, graph_of_double
from tests.channels.test_removal import random_plan, refused
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.removal import Removal, find_removal
from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune.apply import carry_out, cuts_of, prune
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.cuts import Cuts
from yolo_prune_check.prune.group import remove
from yolo_prune_check.prune.second import second_forwards

MODELS = ("yolov8n.yaml", "yolov9t.yaml", "yolo11n.yaml", "yolo12n.yaml", "resnext50_32x4d", "densenet121")


def safe_plan(graph: ChannelGraph, draw: random.Random, most: int = 8) -> tuple[Plan, Removal]:
    """The first random plan that removes something and empties nothing."""
    while True:
        plan = random_plan(graph, draw, most)
        removal = find_removal(graph, plan)
        if not refused(removal) and not removal.hazards:
            return plan, removal


@pytest.mark.parametrize("name", MODELS)
def test_each_tensor_is_what_another_way_of_cutting_makes_it(name: str) -> None:
    """``tests/channels/carry_out.py`` slices row by row, and asks the modules which tensors they have."""
    model, graph, draw = double_of(name), graph_of_double(name), random.Random(name)
    for _ in range(2):
        plan, removal = safe_plan(graph, draw)
        small, other = carry_out(model, plan, graph), oracle.carry_out(model, removal)
        expected = other.state_dict()
        assert small.state_dict().keys() == expected.keys()
        for key, tensor in small.state_dict().items():
            assert tensor.shape == expected[key].shape, key
            assert torch.equal(tensor, expected[key]), key
        for before, one, two in zip(model.modules(), small.modules(), other.modules(), strict=True):
            assert type(one) is type(before)
            numbers = ("in_channels", "out_channels", "groups", "num_features", "in_features", "num_heads")
            assert [getattr(one, key, None) for key in numbers] == [getattr(two, key, None) for key in numbers]


def test_the_argument_is_untouched() -> None:
    model = copy.deepcopy(stock()).train()
    model.get_submodule("model.3").eval()
    handle = model.get_submodule("model.1").register_forward_hook(lambda *_: None)
    frozen = model.get_parameter("model.1.conv.weight").requires_grad_(False)
    before, held = copy.deepcopy(model.state_dict()), [dict(vars(module)) for module in model.modules()]
    plan = Plan([Step("model.1.conv", range(16)), Step("model.4.cv1.conv", [*range(28), *range(32, 60)])], "group")
    small = prune(model, plan, graph=graph_of())
    assert [vars(module) for module in model.modules()] == held
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert [module.training for module in small.modules()] == [module.training for module in model.modules()]
    assert len(small.get_submodule("model.1")._forward_hooks) == 1
    assert not small.get_parameter("model.1.conv.weight").requires_grad
    assert small.get_parameter("model.1.bn.weight").requires_grad
    assert not {tensor.data_ptr() for tensor in small.parameters()} & {
        tensor.data_ptr() for tensor in model.parameters()
    }
    assert frozen.shape[0] == 32
    handle.remove()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            Step("model.22.cv2.0.2", range(32)),
            r"the plan cannot be carried out by `group` \(head-output-changed\): 32 of 64 channels would be gone from "
            r"what the head decodes .*predict\(graph, plan\)\.repair is the smallest change",
        ),
        (
            Step("model.1.conv", ()),
            r"the plan cannot be carried out by `group` \(empty-layer\): 0 channels are kept",
        ),
        (
            Step("model.4.cv1.conv", range(8, 64)),
            r"the plan cannot be carried out by `group` \(no-op\): all 8 channels that the plan names are kept for "
            r"symmetry",
        ),
    ],
)
def test_an_unsafe_plan_is_refused(step: Step, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        prune(stock(), Plan([step], "group"), graph=graph_of())
    assert caught.value.where == step.layer


@pytest.mark.parametrize(
    ("name", "layer", "keep"),
    [
        ("yolov8n.yaml", "model.4.cv1.conv", [*range(4, 32), *range(36, 64)]),  # C2f
        ("yolov9t.yaml", "model.4.cv1.conv", [*range(4, 32), *range(36, 64)]),  # RepNCSPELAN4
    ],
)
def test_the_exporters_forward_cuts_where_the_halves_are_now(name: str, layer: str, keep: list[int]) -> None:
    """The bug that it mends: a C2f whose ``c`` is as it was runs, and fails in the exporter alone."""
    model, graph = stock(name), graph_of(name)
    plan = Plan([Step(layer, keep)], "group")
    image = probe_images(model, 64)
    small, without = carry_out(model, plan, graph), copied(model)
    remove(without, Cuts.of(find_removal(graph, plan)))
    with torch.no_grad():
        expected = tensors_of(small(image))
        assert all(torch.equal(one, two) for one, two in zip(tensors_of(without(image)), expected, strict=True))
        with second_forwards(without), pytest.raises(RuntimeError, match="split_sizes to sum exactly to 56"):
            without(image)
        with second_forwards(small):
            got = tensors_of(small(image))
    assert all(torch.equal(one, two) for one, two in zip(got, expected, strict=True))
    assert not any("forward" in vars(module) for module in (*small.modules(), *without.modules()))


def standing(graph: ChannelGraph, removal: Removal) -> list[Step]:
    """Steps for all that is gone, of which nothing is given back as long as there is anything else."""
    steps = []
    for name, cut in removal.layers.items():
        kept, width = set(cut.outputs.tolist()), graph.layers[name].out_channels
        if len(kept) < width:
            steps.append(Step(name, kept, [0.0 if channel in kept else -inf for channel in range(width)]))
    return steps


@settings(max_examples=12)
@given(draw=st.randoms(use_true_random=False), name=st.sampled_from(["yolov8n.yaml", "yolo11n.yaml"]))
def test_cutting_twice_is_cutting_at_once(draw: random.Random, name: str) -> None:
    model, graph = stock(name), graph_of(name)
    first, removal = safe_plan(graph, draw, most=4)
    more, _ = safe_plan(graph, draw, most=4)
    whole = Plan([*standing(graph, removal), *more.steps], "group")
    both = find_removal(graph, whole)
    assert not (both.stays & ~removal.stays).any()
    if refused(both):
        return
    before, after = cuts_of(model, first, graph), cuts_of(model, whole, graph)
    twice = copied(model)
    remove(twice, before)
    remove(twice, after.since(before))
    assert same(twice, carry_out(model, whole, graph))


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two models hold the same numbers, in tensors and in attributes."""
    tensors, expected = one.state_dict(), other.state_dict()
    numbers = [
        [
            {key: value for key, value in vars(module).items() if type(value) in (int, list)}
            for module in model.modules()
        ]
        for model in (one, other)
    ]
    return numbers[0] == numbers[1] and all(torch.equal(tensor, expected[name]) for name, tensor in tensors.items())


def test_a_model_keeps_the_order_of_its_numbers() -> None:
    model = stock().to(memory_format=torch.channels_last)
    plan = Plan([Step("model.1.conv", range(20)), Step("model.4.m.0.cv1.conv", range(9))], "group")
    small = carry_out(model, plan, ChannelGraph.trace(model))
    kernels = [weight for weight in small.parameters() if weight.dim() == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)
    assert any(not weight.is_contiguous() for weight in kernels)
