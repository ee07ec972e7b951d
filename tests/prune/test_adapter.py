"""Execution ``adapter``: where channels are put back, and that the model is an ordinary one afterwards."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn
from ultralytics.nn.modules.conv import Conv

from benchmarks.zoo import randomise_norms
from tests.channels.architectures import double_of, graph_of_double
from tests.models import graph_of, stock
from yolo_prune_check.channels.adapted import adapted
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.confirm import confirm
from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.prune.apply import carry_out, meant_by, prune
from yolo_prune_check.prune.scatter import ChannelScatter, Scattering


class Net(nn.Module):
    """A convolution, a batch norm, what comes behind them, and a reader."""

    def __init__(self, act: nn.Module, run: Callable[[Net, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.bn, self.act = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), act
        self.other, self.norm, self.last = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.run(self, x))
        return result


def once(net: Net, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = net.act(net.bn(net.conv(x)))
    return result


def shared(net: Net, x: torch.Tensor) -> torch.Tensor:
    """The activation is applied to two layers, as in torchvision's ResNets."""
    result: torch.Tensor = net.act(net.norm(net.other(net.act(net.bn(net.conv(x))))))
    return result


def functional(net: Net, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.silu(net.bn(net.conv(x)))


def bare(net: Net, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = net.conv(x)
    return result.relu()


def read_before(net: Net, x: torch.Tensor) -> torch.Tensor:
    """What the batch norm returns is added to what the activation makes of it."""
    normed = net.bn(net.conv(x))
    result: torch.Tensor = net.act(normed) + normed
    return result


def built(act: nn.Module, run: Callable[[Net, torch.Tensor], torch.Tensor]) -> tuple[nn.Module, ChannelGraph]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Net(act, run).eval()
    randomise_norms(model, seed=0)
    return model, ChannelGraph.trace(model, imgsz=16)


def places(model: nn.Module) -> list[str]:
    """Modules behind which channels are scattered; a layer that does so itself."""
    found = [name.rpartition(".")[0] for name, item in model.named_modules() if isinstance(item, ChannelScatter)]
    return found + [name for name, item in model.named_modules() if isinstance(item, Scattering)]


@pytest.mark.parametrize(
    ("act", "run", "place"),
    [
        (nn.SiLU(), once, "act"),
        (nn.Identity(), once, "bn"),  # it is one more reader of what the batch norm returns
        (nn.ReLU(), once, "act"),
        (nn.ReLU(inplace=True), once, "bn"),  # what it was given has another name, under which it may be read
        (nn.ReLU(), shared, "bn"),
        (nn.SiLU(), functional, "bn"),
        (nn.SiLU(), read_before, "bn"),
        (nn.Identity(), bare, "conv"),
    ],
    ids=["SiLU", "Identity", "ReLU", "in place", "shared", "functional", "read before", "no module"],
)
def test_channels_are_put_back_behind_the_last_module_that_passes_them_on(
    act: nn.Module, run: Callable[[Net, torch.Tensor], torch.Tensor], place: str
) -> None:
    model, graph = built(act, run)
    plan = Plan([Step("conv", [0, 3, 4, 7])], "adapter")
    small = prune(model, plan, graph=graph)
    assert places(small) == [place]
    found = adapted(graph, graph.layers["conv"])
    assert {call.name for call in graph.program.calls if call.is_leaf and call.output in found.values} >= {place}
    assert confirm(model, plan, predict(graph, plan), graph=graph).differences == ()
    assert all(row.passed for row in prove(meant_by(model, plan, graph), small, (16,)))


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolo11n.yaml", "densenet121"])
def test_the_graph_knows_the_places_of_all_layers(name: str) -> None:
    """Two ways, one by running the model and one by reading the trace, agree on every layer."""
    model, graph = double_of(name), graph_of_double(name)
    layers = {layer: item for layer, item in graph.layers.items() if item.out_channels > 1 and item.groups == 1}
    plan = Plan([Step(layer, range(item.out_channels - 1)) for layer, item in layers.items()], "adapter")
    small = carry_out(model, plan, graph)
    expected = []
    for layer in layers.values():
        values = adapted(graph, layer).values
        named = [call.name for call in graph.program.calls if call.is_leaf and call.output == values[0]]
        expected.append(named[-1])
    assert sorted(places(small)) == sorted(expected)


PLAN = Plan([Step("model.1.conv", range(16)), Step("model.4.m.0.cv2.conv", [0]), Step("model.22.cv2.0.2", range(9))],
            "adapter")  # fmt: skip


def outputs(model: nn.Module) -> list[torch.Tensor]:
    with torch.no_grad():
        return tensors_of(model(probe_images(model, 64)))


def test_the_model_is_copied_and_saved_as_any_other() -> None:
    small = prune(stock(), PLAN, graph=graph_of())
    file = io.BytesIO()
    torch.save(small, file)
    file.seek(0)
    for other in (copy.deepcopy(small), torch.load(file, weights_only=False)):
        assert all(torch.equal(one, two) for one, two in zip(outputs(other), outputs(small), strict=True))
    state = small.state_dict()
    assert state["model.1.act.1.source"].shape == (32,)
    assert state["model.22.cv2.0.2.source"].shape == (64,)


def test_an_identity_for_an_activation_is_where_a_blocks_channels_are_put_back() -> None:
    model = nn.Sequential(Conv(3, 8, 3, act=False), nn.Conv2d(8, 4, 1)).eval()
    graph, plan = ChannelGraph.trace(model, imgsz=16), Plan([Step("0.conv", [0, 3, 4, 7])], "adapter")
    assert places(prune(model, plan, graph=graph)) == ["0.act"]
    assert confirm(model, plan, predict(graph, plan), graph=graph).differences == ()


def fused(name: str, *ends: str) -> Check:
    """The proof's row after ``fuse()``, with all layers adapted whose names end so."""
    model, graph = stock(name), graph_of(name)
    layers = [layer for layer in graph.layers if layer.endswith(ends)]
    plan = Plan([Step(layer, range(graph.layers[layer].out_channels // 2)) for layer in layers], "adapter")
    rows = {row.name: row for row in prove(meant_by(model, plan, graph), carry_out(model, plan, graph), (64,))}
    row = rows.pop("fused, random image, 64 px")
    assert all(other.passed for other in rows.values())
    return row


def test_the_model_is_fused_as_any_other() -> None:
    assert fused("yolov8n.yaml", ".m.0.cv1.conv", ".cv2.0.1.conv", ".7.conv").passed


def test_a_second_adapter_in_a_block_leaves_the_first() -> None:
    model = torchvision.models.resnet18(weights=None).eval()
    randomise_norms(model, seed=0)
    graph = ChannelGraph.trace(model, imgsz=32)
    plan = Plan([Step("layer1.0.conv1", range(9)), Step("layer1.0.conv2", range(5))], "adapter")
    small = carry_out(model, plan, graph)
    assert places(small) == ["layer1.0.bn1", "layer1.0.bn2"]
    assert confirm(model, plan, predict(graph, plan), graph=graph).differences == ()
    assert all(row.passed for row in prove(meant_by(model, plan, graph), small, (32,)))
