"""Carrying plans out, and finding batch norms without asking the channel graph."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.models import graph_of, stock
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune import MaskSet, prune
from yolo_prune_check.prune.local import shrink
from yolo_prune_check.prune.norms import norms_of


def test_batch_norms_are_those_that_the_graph_knows() -> None:
    """Two independent ways, one by running the model and one by reading the trace, agree on every layer."""
    model, graph = stock(), graph_of()
    assert norms_of(model, graph.layers) == {name: layer.norm for name, layer in graph.layers.items()}
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_plain_module_without_names_to_go_by() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), nn.ReLU(), nn.BatchNorm2d(2))
    assert norms_of(model.train(), ["0", "2"], imgsz=8) == {"0": "1", "2": None}
    assert model[1].training


def test_what_is_no_convolution_is_refused() -> None:
    with pytest.raises(UserError, match=r"no such Conv2d in the model: got 'model\.1'"):
        norms_of(stock(), ["model.1"])


@pytest.mark.parametrize("execution", ["mask", "local"])
def test_the_argument_is_untouched(execution: str) -> None:
    model = copy.deepcopy(stock())
    before = copy.deepcopy(model.state_dict())
    prune(model, Plan([Step("model.1.conv", range(16))], execution), graph=graph_of())  # type: ignore[arg-type]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_local_narrows_the_layer_and_its_batch_norm_alone() -> None:
    keep = [1, 5, 30]
    pruned = prune(stock(), Plan([Step("model.1.conv", keep)], "local"), graph=graph_of())
    conv, norm = pruned.get_submodule("model.1.conv"), pruned.get_submodule("model.1.bn")
    assert (conv.out_channels, norm.num_features) == (3, 3)
    before = stock().state_dict()
    changed = set()
    for name, tensor in pruned.state_dict().items():
        if tensor.shape != before[name].shape:
            changed.add(name)
            assert torch.equal(tensor, before[name][keep]), name
    assert changed == {"model.1.conv.weight", *(f"model.1.bn.{part}" for part in (
        "weight", "bias", "running_mean", "running_var"))}  # fmt: skip


def test_plans_that_do_not_fit_the_model_are_refused() -> None:
    with pytest.raises(UserError, match="channel out of range"):
        prune(stock(), Plan([Step("model.1.conv", [99])]), graph=graph_of())
    with pytest.raises(UserError, match="no such Conv2d"):
        prune(stock(), Plan([Step("model.1.cov", [0])]), graph=graph_of())


class Wired(nn.Module):
    """Two convolutions and a batch norm, put together by a function."""

    def __init__(self, run: Callable[[Wired, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.norm = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, self.first(x))


def functional(net: Wired, x: torch.Tensor) -> torch.Tensor:
    norm = net.norm
    return torch.batch_norm(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, False, 0.1, 1e-5, False)


@pytest.mark.parametrize(
    ("run", "norms"),
    [
        (lambda net, x: net.second(net.norm(x)), {"first": "norm", "second": None}),
        (lambda net, x: net.second(net.norm(x) + x), {"first": None, "second": None}),
        (lambda net, x: net.norm(net.second(net.norm(x))), {"first": None, "second": None}),
        (lambda net, x: net.norm(x) + net.norm(net.second(x).relu()), {"first": None, "second": None}),
        (lambda net, x: net.norm(net.second(net.second(x))), {"first": None, "second": None}),
        (lambda net, x: net.norm(net.second(net.norm(net.second(x)))), {"first": None, "second": "norm"}),
        (lambda net, x: net.norm(x.relu()), {"first": None, "second": None}),
        (functional, {"first": "norm", "second": None}),
    ],
)
def test_a_batch_norm_belongs_to_the_layer_whose_output_only_it_reads(
    run: Callable[[Wired, torch.Tensor], torch.Tensor], norms: dict[str, str | None]
) -> None:
    assert norms_of(Wired(run), ["first", "second"], imgsz=8) == norms


def test_a_batch_norm_without_weight_is_a_layers_own_as_well() -> None:
    norm = nn.BatchNorm2d(4, affine=False)
    assert norm.running_mean is not None
    norm.running_mean.copy_(torch.arange(4.0))
    model = nn.Sequential(nn.Conv2d(3, 4, 1), norm, nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    assert norms_of(model, ["0"], imgsz=8) == {"0": "1"}
    norms = {"0": "1"}
    small = copy.deepcopy(model)
    shrink(small, Plan([Step("0", [1, 3])], "local"), norms)
    mean = small.get_submodule("1").running_mean
    assert mean.tolist() == [1, 3]
    MaskSet.from_plan(Plan([Step("0", [1, 3])]), norms).apply(model)
    image = torch.rand(1, 3, 8, 8)
    assert model[0](image).abs().amax((0, 2, 3)).ne(0).tolist() == [False, True, False, True]
    assert small[:2](image).shape == (1, 2, 8, 8)


@pytest.mark.parametrize("execution", ["mask", "local"])
def test_a_weight_that_another_layer_holds_as_well_stays_as_it_is_there(execution: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    model[1].weight = model[0].weight
    before = model[1].weight.detach().clone()
    pruned = prune(model, Plan([Step("0", [2])], execution))  # type: ignore[arg-type]
    assert torch.equal(pruned.get_parameter("1.weight"), before)
    assert int(pruned.get_parameter("0.weight").count_nonzero()) == 3
    assert model[1].weight is model[0].weight
