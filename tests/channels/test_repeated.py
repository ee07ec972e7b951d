"""A convolution that is called several times: what its calls read goes together, and so does what they make."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.channels.shrink import shrunk_parameters


class Pyramid(nn.Module):
    """Two levels that share a tower, as RetinaNet's do; each level may have batch norms of its own."""

    def __init__(self, *, normed: bool, groups: int = 1) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 2, 1)
        self.tower, self.last = nn.Conv2d(16, 16, 3, 1, 1, groups=groups), nn.Conv2d(16, 4, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(16) if normed else nn.Identity() for _ in range(2)])

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        fine = self.fine(x).relu()
        levels = [fine, self.coarse(fine).relu()]
        return [self.last(norm(self.tower(x)).relu()) for norm, x in zip(self.norms, levels, strict=True)]


def pyramid(*, normed: bool, groups: int = 1) -> Pyramid:
    torch.manual_seed(0)
    model = Pyramid(normed=normed, groups=groups).double().eval()
    for norm in model.norms:
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.bias, 0.5, 1.5)
            nn.init.uniform_(norm.running_mean, 0.5, 1.5)
    return model


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("groups", [1, 4, 16])
@pytest.mark.parametrize("layer", ["fine", "coarse", "tower"])
def test_levels_that_share_a_tower_lose_the_same_channels(layer: str, groups: int, normed: bool) -> None:
    model = pyramid(normed=normed, groups=groups)
    graph = ChannelGraph.trace(model, imgsz=32)
    plan = Plan([Step(layer, range(8))], "group")
    if groups == 4:  # whole groups of the tower: what it reads and makes
        plan = Plan([Step("tower", range(8)), Step("fine", range(8))], "group")
    removal = find_removal(graph, plan)
    assert removal.hazards == ()
    assert not removal.stays.all()
    assert (len(removal.layers["tower"].inputs) == 8) == (groups > 1 or layer != "tower")
    small, image = carry_out(model, removal), torch.rand(1, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        pairs = zip(small(image), masked(model, removal, graph.imgsz)(image), strict=True)
        assert all(torch.allclose(got, expected, rtol=0, atol=1e-12) for got, expected in pairs)
    assert predict(graph, plan).verdict == "safe"
    assert graph.costs.params(shrunk_parameters(graph, removal)) == sum(p.numel() for p in small.parameters())


class Recurrent(nn.Module):
    """A convolution that reads what it makes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.again(self.again(self.first(x).relu()).relu()).relu())
        return result


def test_what_a_convolution_makes_and_reads_again_goes_with_what_it_reads_first() -> None:
    model = Recurrent().double().eval()
    graph = ChannelGraph.trace(model, imgsz=32)
    removal = find_removal(graph, Plan([Step("first", range(3))], "group"))
    cut = removal.layers["again"]
    assert (cut.inputs.tolist(), cut.outputs.tolist()) == ([0, 1, 2], [0, 1, 2])
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        got, expected = carry_out(model, removal)(image), masked(model, removal, graph.imgsz)(image)
    assert torch.allclose(got, expected, rtol=0, atol=1e-12)


class Mixed(nn.Module):
    """A convolution that reads channels in one call, and the image in another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.both, self.last = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.both(x) + self.both(self.first(x)))
        return result


def test_what_meets_the_image_stays() -> None:
    graph = ChannelGraph.trace(Mixed(), imgsz=32)
    removal = find_removal(graph, Plan([Step("first", range(2))], "group"))
    assert [hazard.message for hazard in removal.hazards] == [
        "1 of 3 channels cannot be removed: convolution in both needs them"
    ]
    assert find_removal(graph, Plan([Step("both", range(2))], "group")).hazards == ()


def test_what_the_model_returns_of_such_a_convolution_stays() -> None:
    graph = ChannelGraph.trace(pyramid(normed=False), imgsz=32)
    assert find_removal(graph, Plan([Step("last", range(2))], "group")).stays.all()


def test_a_bias_that_is_added_in_every_step_of_a_recurrence_is_no_convolution_s() -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.steps, self.last = nn.Conv2d(3, 8, 1), nn.GRU(8, 8, batch_first=True), nn.Conv2d(8, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.steps(self.first(x).flatten(2).transpose(1, 2))[0]
            result: torch.Tensor = self.last(y.transpose(1, 2)[..., None])
            return result

    graph = ChannelGraph.trace(Steps().eval(), imgsz=4)
    assert predict(graph, Plan([Step("last", range(2))])).verdict == "unsafe"  # it is the output
    assert predict(graph, Plan([Step("first", range(4))])).verdict == "safe"
