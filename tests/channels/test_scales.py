"""Parameters with a number for each channel go with their channels: layer scales, shifts, slopes of a PReLU."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from random import Random

import pytest
import torch
from torch import nn
from ultralytics.nn.modules.block import A2C2f
from ultralytics.nn.tasks import DetectionModel, yaml_model_load

from benchmarks.agreement_store import Result
from benchmarks.trial import Trial
from benchmarks.zoo import randomise_norms
from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prunable import free_channels, removed_entries
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.prune.copied import copied


class Gamma(nn.Module):
    """A parameter of some shape, and what is done with it."""

    def __init__(self, shape: tuple[int, ...], use: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.gamma, self.use = nn.Parameter(torch.rand(shape) + 0.5), use

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.use(x, self.gamma)


class Net(nn.Module):
    """What is tried, between two convolutions."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.last = nn.Conv2d(3, 16, 3, 4, 1), between, nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.between(self.first(x)))
        return result


def last(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    return (x.permute(0, 2, 3, 1) * gamma).permute(0, 3, 1, 2)


def slopes(count: int) -> nn.PReLU:
    prelu = nn.PReLU(count)
    nn.init.uniform_(prelu.weight, 0.1, 0.9)
    return prelu


def twice(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    wide = gamma.view(1, -1, 1, 1)
    return x * wide + wide


def halves(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    high = gamma.unsqueeze(-1)
    return x * high.unsqueeze(-1) + x * high[..., None]


def written(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    wide = gamma.view(1, -1, 1, 1)
    x = x * wide
    wide.add_(1)
    return x


VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "as in A2C2f": lambda gamma: gamma.view(-1, gamma.shape[0], 1, 1),
    "view": lambda gamma: gamma.view(1, -1, 1, 1),
    "view of a size": lambda gamma: gamma.view(1, gamma.size(0), 1, 1),
    "view of numel": lambda gamma: gamma.view((1, gamma.numel(), 1, 1)),
    "view to three axes": lambda gamma: gamma.view(-1, 1, 1),
    "view of a view": lambda gamma: gamma.view(1, -1).view(1, gamma.shape[0], 1, 1),
    "reshape": lambda gamma: gamma.reshape(1, -1, 1, 1),
    "reshape of a size": lambda gamma: torch.reshape(gamma, (1, gamma.shape[0], 1, 1)),
    "index": lambda gamma: gamma[None, :, None, None],
    "short index": lambda gamma: gamma[:, None, None],
    "unsqueeze": lambda gamma: gamma.unsqueeze(-1).unsqueeze(-1),
    "view of a copy": lambda gamma: gamma.float().view(1, -1, 1, 1),
    "index and view": lambda gamma: gamma[None].view(1, -1, 1, 1),
}
"""Views of a number for each channel that follow how many there are."""


def scaled(view: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    return Gamma((16,), lambda x, gamma: x + view(gamma) * x.sin())


SCALES: dict[str, Callable[[], nn.Module]] = {
    "channels last": lambda: Gamma((16,), last),
    "of three axes": lambda: Gamma((16, 1, 1), lambda x, gamma: x * gamma),
    "of four axes": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: gamma * x),
    "in place": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x.mul_(gamma)),
    "a number for each pixel too": lambda: Gamma((16, 8, 8), lambda x, gamma: x * gamma),
    "added": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x + gamma),
    "subtracted": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: gamma - x),
    "scaled residual": lambda: Gamma((16, 1, 1), lambda x, gamma: x + gamma * x.sin()),
    **{f"viewed, {name}": partial(scaled, view) for name, view in VIEWS.items()},
    "viewed and added": lambda: Gamma((16,), lambda x, gamma: x + gamma.view(1, -1, 1, 1)),
    "viewed, in place": lambda: Gamma((16,), lambda x, gamma: x.mul_(gamma[:, None, None])),
    "slopes": lambda: slopes(16),
    "one slope": lambda: slopes(1),
}


@pytest.mark.parametrize("name", SCALES)
def test_numbers_go_with_their_channels(name: str) -> None:
    torch.manual_seed(0)
    model = Net(SCALES[name]()).double().eval()
    graph = ChannelGraph.trace(model, imgsz=32)
    plan = Plan([Step("first", [1, 2, 3, 7, 9, 10])], "group")
    removal = find_removal(graph, plan)
    assert (removal.hazards, removal.layers["last"].inputs.tolist()) == ((), [1, 2, 3, 7, 9, 10])
    small, image = carry_out(model, removal), torch.rand(1, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(small(image), masked(model, removal, graph.imgsz)(image), rtol=0, atol=1e-12)
    prediction = predict(graph, plan)
    assert (prediction.verdict, prediction.failure) == ("safe", None)
    assert prediction.params == sum(parameter.numel() for parameter in small.parameters())
    lost = removed_entries(graph, free_channels(graph))
    inside = [entries.all() for parameter, entries in lost.items() if parameter.startswith("between")]
    assert inside == ([] if name == "one slope" else [True])


FROZEN: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "divided by": (lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x / gamma), "div"),
    "made of a parameter": (lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x * (1 + gamma)), "mul"),
    "used twice": (lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x * gamma + gamma), "mul"),
    "and a constant is made of it": (lambda: Gamma((1, 16, 1, 1), lambda x, g: x * g + (1 + g).sum()), "mul"),
    "divided by how many they are": (lambda: Gamma((1, 16, 1, 1), lambda x, g: x * g / g.shape[1]), "div"),
    "viewed by a literal": (lambda: Gamma((16,), lambda x, g: x * g.view(1, 16, 1, 1)), "mul"),
    "viewed by a literal, inferred": (lambda: Gamma((16,), lambda x, g: x * g.view(-1, 16, 1, 1)), "mul"),
    "viewed by len": (lambda: Gamma((16,), lambda x, g: x * g.view(1, len(g), 1, 1)), "mul"),
    "viewed by arithmetic": (lambda: Gamma((16,), lambda x, g: x * g.view(1, g.shape[0] // 2 * 2, 1, 1)), "mul"),
    "viewed, then by a literal": (lambda: Gamma((16,), lambda x, g: x * g[None].view(1, 16, 1, 1)), "mul"),
    "viewed, divided by in place": (lambda: Gamma((16,), lambda x, g: x.div_(g.view(1, -1, 1, 1))), "div"),
    "viewed, divided by": (lambda: Gamma((16,), lambda x, g: x / g.view(1, -1, 1, 1)), "div"),
    "viewed, made of it": (lambda: Gamma((16,), lambda x, g: x * (1 + g.view(1, -1, 1, 1))), "mul"),
    "viewed as other numbers": (lambda: Gamma((16,), lambda x, g: x * g.view(torch.int32)[:, None, None]), "mul"),
    "viewed, of a written copy": (lambda: Gamma((16,), lambda x, g: x * g.clone().add_(1).view(1, -1, 1, 1)), "mul"),
    "one view used twice": (lambda: Gamma((16,), twice), "mul"),
    "two views": (lambda: Gamma((16,), lambda x, g: x * g.view(1, -1, 1, 1) + g.view(1, -1, 1, 1)), "mul"),
    "two views of a view": (lambda: Gamma((16,), halves), "mul"),
    "viewed, and a constant is made of it": (
        lambda: Gamma((16,), lambda x, g: x * g.view(1, -1, 1, 1) + g.view(1, -1).sum()),
        "mul",
    ),
    "viewed and read": (lambda: Gamma((16,), lambda x, g: x * g.view(1, -1, 1, 1) + g.mean()), "mul"),
    "viewed, and it gets an axis in place": (lambda: Gamma((16,), lambda x, g: x * g[:, None].unsqueeze_(-1)), "mul"),
    "viewed, and it gets two more axes in place": (
        lambda: Gamma((16,), lambda x, g: x * g.view(-1).unsqueeze_(-1).unsqueeze_(-1)),
        "mul",
    ),
    "viewed and written into": (lambda: Gamma((16,), written), "mul"),
    "viewed, divided by the size of the view": (
        lambda: Gamma((16,), lambda x, g: x * (wide := g.view(1, -1, 1, 1)) / wide.shape[1]),
        "mul",
    ),
    "divided by the size of a copy": (
        lambda: Gamma((1, 16, 1, 1), lambda x, g: x * (same := g.clone()) / same.numel()),
        "mul",
    ),
    "viewed, and its size is an option": (
        lambda: Gamma((16,), lambda x, g: torch.add(x, x * g.view(1, -1, 1, 1), alpha=g.shape[0])),
        "mul",
    ),
    "viewed where its size decides": (
        lambda: Gamma((16,), lambda x, g: x * g.view(1, -1, 1, 1) if g.shape[0] == 16 else x),
        "an `if` on sizes",
    ),
    "viewed, divided by how many they are": (
        lambda: Gamma((16,), lambda x, g: x * g.view(1, -1, 1, 1) / g.shape[0]),
        "div",
    ),
}


@pytest.mark.parametrize("name", FROZEN)
def test_other_uses_freeze(name: str) -> None:
    make, operator = FROZEN[name]
    graph = ChannelGraph.trace(Net(make()).eval(), imgsz=32)
    plan = Plan([Step("first", range(8))], "group")
    assert find_removal(graph, plan).stays.all()
    assert [hazard.message for hazard in predict(graph, plan).hazards if hazard.code == "frozen-channel"] == [
        f"8 of 16 channels cannot be removed: {operator} in {'the code of ' * ('sizes' in operator)}between needs them"
    ]


def test_a_view_by_the_width_of_the_image_freezes() -> None:
    """It is not known that both are equal."""
    model = Net(Gamma((16,), lambda x, gamma: x * gamma.view(1, x.shape[1], 1, 1))).eval()
    assert find_removal(ChannelGraph.trace(model, imgsz=32), Plan([Step("first", range(8))], "group")).stays.all()


def test_numbers_along_another_axis_stay() -> None:
    model = Net(Gamma((8,), lambda x, gamma: x * gamma.view(1, 1, 1, -1))).eval()
    removal = find_removal(ChannelGraph.trace(model, imgsz=32), Plan([Step("first", range(8))], "group"))
    assert (removal.hazards, removal.scales, removal.stays.sum()) == ((), {}, 16)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("keep", [[0], [1, 2, 3, 7, 9]], ids=["one", "some"])
def test_a_lone_cut_is_predicted_as_it_runs(view: Callable[[torch.Tensor], torch.Tensor], keep: list[int]) -> None:
    """The parameter stays as it is: PyTorch refuses the product, or repeats the one channel."""
    model = Net(scaled(view)).eval()
    graph = ChannelGraph.trace(model, imgsz=32)
    for execution in ("local", "mask", "adapter"):
        prediction = judge(graph, Plan([Step("first", keep)], execution))
        if execution != "local":
            assert prediction.failure is None
            continue
        x = torch.rand(1, len(keep), 8, 8)
        if prediction.failure is None:
            assert model.between(x).shape[1] == 16
            assert "broadcast-add" in [hazard.code for hazard in prediction.hazards]
        else:
            with pytest.raises(RuntimeError) as raised:
                model.between(x)
            assert (prediction.failure.module, prediction.failure.message) == (
                "between",
                str(raised.value).splitlines()[0],
            )


@pytest.mark.parametrize("name", [name for name in (*SCALES, *FROZEN) if "viewed" in name])
def test_a_trace_leaves_the_parameter(name: str) -> None:
    model = Net(SCALES[name]() if name in SCALES else FROZEN[name][0]()).eval()
    before = {key: (id(tensor), tensor.clone()) for key, tensor in model.state_dict(keep_vars=True).items()}
    ChannelGraph.trace(model, imgsz=32)
    after = model.state_dict(keep_vars=True)
    assert all(id(after[key]) == number and torch.equal(after[key], tensor) for key, (number, tensor) in before.items())


def test_a_lone_cut_breaks_at_the_slopes() -> None:
    """PyTorch's own words."""
    model = Net(slopes(16)).eval()
    failure = judge(ChannelGraph.trace(model, imgsz=32), Plan([Step("first", range(8))], "local")).failure
    assert failure is not None
    with pytest.raises(RuntimeError) as raised:
        model.between(torch.rand(1, 8, 8, 8))
    assert (failure.module, failure.message) == ("between", str(raised.value).splitlines()[0])


@lru_cache
def residual_yolo12() -> nn.Module:
    """YOLO12 with the blocks of its scales l and x, whose parameter code views before it multiplies, made narrow."""
    config = yaml_model_load("yolo12l.yaml")
    config["scales"]["l"] = [0.5, 0.25, 512]
    torch.manual_seed(0)
    model = DetectionModel(config, verbose=False).eval()
    randomise_norms(model, seed=0)
    for module in model.modules():
        if isinstance(module, A2C2f) and module.gamma is not None:
            nn.init.uniform_(module.gamma, 0.5, 1.5)
    return model


STAGES = ("model.5.conv", "model.6.cv2.conv", "model.7.conv", "model.8.cv2.conv")


def test_the_stages_of_yolo12_with_residuals_can_be_narrowed() -> None:
    model = copied(residual_yolo12()).double()
    graph = ChannelGraph.trace(model, imgsz=64)
    image, draw = torch.rand(1, 3, 64, 64, dtype=torch.float64), Random(0)
    plans = [Plan([Step(name, _some(graph, name, draw))], "group") for name in STAGES]
    for plan, block in zip(plans, ("model.6", "model.6", "model.8", "model.8"), strict=True):
        removal = find_removal(graph, plan)
        assert removal.hazards == ()
        assert f"{block}.gamma" in removal.scales
        small, full = carry_out(model, removal), masked(model, removal, graph.imgsz)
        with torch.no_grad():
            assert torch.allclose(small(image)[0], full(image)[0], rtol=0, atol=1e-9)
        prediction, again = predict(graph, plan), ChannelGraph.trace(small, imgsz=64)
        assert (prediction.verdict, prediction.failure, prediction.unknown) == ("safe", None, None)
        assert (prediction.params, prediction.macs) == (again.costs.params(), again.costs.macs())
    assert [prediction.verdict for prediction in graph.predict_many(plans)] == ["safe"] * len(plans)


def test_lone_cuts_and_masks_of_yolo12_with_residuals_do_what_is_predicted() -> None:
    model = residual_yolo12()
    trial, result, draw = Trial(model, ChannelGraph.trace(model, imgsz=64)), Result("yolo12", "local"), Random(0)
    for name in STAGES:
        for execution in ("local", "mask"):
            trial.run(Plan([Step(name, _some(trial.graph, name, draw))], execution), result)
        trial.run(Plan([Step(name, [3])], "local"), result)
    assert result.disagreements == []


def _some(graph: ChannelGraph, name: str, draw: Random) -> list[int]:
    width = graph.layers[name].out_channels
    return sorted(draw.sample(range(width), width // 2 + 3))
