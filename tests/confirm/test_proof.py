"""Rows of the proof: which there are, and what is no mistake."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from ultralytics.nn.tasks import DetectionModel

from benchmarks.zoo import randomise_norms
from tests.channels.architectures import double_of, graph_of_double
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.confirm import proof
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.prune.apply import carry_out, meant_by
from yolo_prune_check.run.proving import sizes_of

HALF = Plan([Step("model.1.conv", range(16))], "group")


class Net(nn.Module):
    """Convolutions, batch norms and a dropout, put together by functions."""

    def __init__(self, drop: float = 0.0) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.Conv2d(16, 8, 1)
        self.drop, self.last = nn.Dropout(drop), nn.Linear(8, 4)
        self.share = drop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.second(self.norm(self.first(x)).relu()).mean((2, 3))
        features = nn.functional.dropout(features, self.share, self.training)
        result: torch.Tensor = self.last(self.drop(features))
        return result


def net(drop: float = 0.0) -> tuple[nn.Module, ChannelGraph]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Net(drop).eval()
    randomise_norms(model, seed=0)
    return model, ChannelGraph.trace(model, imgsz=32)


def test_every_way_of_using_a_model_has_a_row() -> None:
    model, plan = stock(), HALF
    rows = prove(meant_by(model, plan, graph_of()), carry_out(model, plan, graph_of()), (64, 96), photographs)
    assert [row.name for row in rows] == [
        "eval, random image, 64 px",
        "eval, photographs, 64 px",
        "eval, random image, 96 px",
        "eval, photographs, 96 px",
        "fused, random image, 64 px",
        "forward for export, random image, 64 px",
        "gradients in train mode, 96 px",
        "parameters and buffers",
        "width attributes",
        "modules and settings",
    ]
    assert all(row.passed for row in rows)
    assert all(row.error is not None for row in rows[:-2])


def photographs(size: int) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("execution", ["group", "adapter"])
def test_what_is_dropped_at_random_in_training_is_no_mistake(execution: str) -> None:
    model, graph = net(drop=0.5)
    plan = Plan([Step("first", range(1, 16, 2))], execution)  # type: ignore[arg-type]
    rows = prove(meant_by(model, plan, graph), carry_out(model, plan, graph), (32,))
    # A module with an adapter inside is wider than its layer, so that nothing is said of its attributes.
    names = [
        "eval, random image, 32 px",
        "gradients in train mode, 32 px",
        "parameters and buffers",
        "width attributes",
        "modules and settings",
    ]
    assert [(row.name, row.passed) for row in rows] == [
        (name, True) for name in names[: 3 + 2 * (execution == "group")]
    ]


def test_an_adapter_behind_a_batch_norm_gives_its_parameters_no_other_name() -> None:
    model, graph = net()
    plan = Plan([Step("first", range(1, 16, 2))], "adapter")
    small = carry_out(model, plan, graph)
    assert "norm.0.weight" in dict(small.named_parameters())
    assert all(row.passed for row in prove(meant_by(model, plan, graph), small, (32,)))


def test_gradients_are_those_of_silent_channels_where_an_activation_makes_something_of_zero() -> None:
    """A squeeze and excitation's gate: a hard sigmoid of zero is one half, and the adapter gives zero."""
    name = "mobilenet_v3_small"
    model, graph = double_of(name), graph_of_double(name)
    plan = Plan([Step("features.5.block.2.fc2", range(1))], "adapter")
    rows = prove(meant_by(model, plan, graph), carry_out(model, plan, graph), (64,))
    assert [row.passed for row in rows] == [True] * 3, rows


def test_gradients_differ_where_a_layer_is_cut_off_from_learning() -> None:
    model, graph = net()
    plan = Plan([Step("first", range(1, 16, 2))], "group")
    small = carry_out(model, plan, graph)
    small.get_submodule("second").register_forward_pre_hook(lambda module, args: (args[0].detach(),))
    failed = [row for row in prove(meant_by(model, plan, graph), small, (32,)) if not row.passed]
    assert [(row.name, row.detail) for row in failed] == [
        ("gradients in train mode, 32 px", "first wrong at first.weight")
    ]


def test_other_outputs_are_other_shapes() -> None:
    model, graph = net()
    plan = Plan([Step("first", range(8))], "group")
    small = carry_out(model, plan, graph)
    setattr(small, "last", nn.Linear(8, 3))  # noqa: B010  # nn.Module is not typed for it
    row = prove(meant_by(model, plan, graph), small, (32,))[0]
    assert (row.passed, row.error, row.detail) == (False, None, "the outputs have other shapes than were meant")


def test_neither_model_is_changed() -> None:
    model, graph = net(drop=0.5)
    plan = Plan([Step("first", range(8))], "group")
    small, meant = carry_out(model, plan, graph).train().requires_grad_(False), meant_by(model, plan, graph)
    drawn, before = torch.random.get_rng_state(), copy.deepcopy([small.state_dict(), meant.model.state_dict()])
    prove(meant, small, (32,))
    assert torch.equal(drawn, torch.random.get_rng_state())
    assert all(module.training for module in small.modules())
    assert not any(parameter.requires_grad for parameter in small.parameters())
    for state, held in zip((small.state_dict(), meant.model.state_dict()), before, strict=True):
        assert all(torch.equal(tensor, held[name]) for name, tensor in state.items())


def test_gradients_that_are_no_numbers_are_no_small_ones() -> None:
    fine, broken = {"a": torch.ones(2)}, {"a": torch.tensor([1.0, float("nan")])}
    assert proof._apart(fine, fine).relative == 0
    found = proof._apart(fine, broken)
    assert (found.relative, found.first) == (float("inf"), "a")


@pytest.mark.parametrize("both", [False, True])
def test_what_fusing_makes_of_adapters_in_branches_is_not_called_equal(both: bool) -> None:
    """RepConv adds the kernels of its two branches; an adapter in one of them is lost."""
    name = "model.4.cv2.0.m.0.cv1"
    model, graph = stock("yolov9t.yaml"), graph_of("yolov9t.yaml")
    branches = [f"{name}.conv1.conv", *([f"{name}.conv2.conv"] if both else [])]
    plan = Plan([Step(branch, range(graph.layers[branch].out_channels // 2)) for branch in branches], "adapter")
    rows = {row.name: row for row in prove(meant_by(model, plan, graph), carry_out(model, plan, graph), (64,))}
    fused = rows.pop("fused, random image, 64 px")
    lost = f"fuse() loses the adapter behind {name}.conv1.act"
    assert (fused.passed, fused.error) == (None, None)
    assert fused.detail.startswith("fuse() raises: " if not both else lost), fused.detail
    assert fused.detail.endswith("use the model unfused")
    assert all(row.passed for row in rows.values())


class Careless(DetectionModel):
    """Its ``fuse`` leaves all adapters where they are, and one bias that is not the model's."""

    def fuse(self, verbose: bool = True) -> Careless:
        super().fuse(verbose=verbose)
        self.get_parameter("model.2.cv1.conv.bias").data += 0.1
        return self


def test_what_fusing_makes_wrong_of_a_model_that_keeps_its_adapters_is_wrong() -> None:
    model, graph = stock(), graph_of()
    plan = Plan([Step("model.1.conv", range(16))], "adapter")
    small = carry_out(model, plan, graph)
    small.__class__ = Careless
    rows = {row.name: row for row in prove(meant_by(model, plan, graph), small, (64,))}
    fused = rows.pop("fused, random image, 64 px")
    assert (fused.passed, fused.detail) == (False, "first wrong at model.2.m.0.cv1.conv")
    assert all(row.passed for row in rows.values())


@pytest.mark.parametrize(("name", "size"), [("yolo11n-cls.yaml", 32), ("yolo26n-p6.yaml", 64)])
def test_gradients_are_compared_where_a_batch_norm_sees_more_than_one_number_of_an_image(name: str, size: int) -> None:
    """At one stride of the model they are nothing but the noise of sums: right models were called wrong."""
    model, graph = stock(name), graph_of(name)
    plan = Plan([Step("model.2.cv2.conv", range(1, graph.layers["model.2.cv2.conv"].out_channels, 2))], "group")
    rows = prove(meant_by(model, plan, graph), carry_out(model, plan, graph), sizes_of(model, size))
    assert [row.name for row in rows if row.name.startswith("gradients")] == [f"gradients in train mode, {2 * size} px"]
    assert all(row.passed for row in rows), rows


def moved(name: str) -> Callable[[nn.Module], None]:
    return lambda model: model.state_dict()[name].view(-1)[:1].add_(0.5)


def hurried(model: nn.Module) -> None:
    model.get_submodule("model.2.cv1.bn").momentum = 0.9  # type: ignore[assignment]  # a number, not a module


@pytest.mark.parametrize(
    ("corrupt", "where"),
    [
        (moved("model.23.cv4_sigma.0.bias"), "model.23.cv4_sigma.0.bias"),
        (moved("model.23.flow_model.loc"), "model.23.flow_model.loc"),
        (hurried, "model.2.cv1.bn.eps and momentum"),
    ],
)
def test_what_only_training_reads_is_compared(corrupt: Callable[[nn.Module], None], where: str) -> None:
    name = "yolo26n-pose.yaml"
    model, graph = stock(name), graph_of(name)
    plan = Plan([Step("model.1.conv", range(16))], "group")
    small = carry_out(model, plan, graph)
    corrupt(small)
    rows = prove(meant_by(model, plan, graph), small, (64,))
    assert ("parameters and buffers", f"first wrong at {where}") in [(row.name, row.detail) for row in rows]
