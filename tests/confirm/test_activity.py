"""Where a layer's channels are counted, and what counts as active."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.confirm.clipping import leak
from yolo_prune_check.confirm.observe import Observation, observe
from yolo_prune_check.confirm.structure import structure_of
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune.norms import norms_of
from yolo_prune_check.prune.reference import Reference


class Net(nn.Module):
    """Three convolutions of four channels, put together by a function; the second may be called more than once."""

    def __init__(self, run: Callable[[Net, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.norm, self.other = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, self.first(x))


def built(run: Callable[[Net, torch.Tensor], torch.Tensor]) -> Net:
    torch.manual_seed(0)
    return Net(run).eval()


def seen(model: nn.Module, plan: Plan | None = None) -> Observation:
    return observe(Reference.of_plan(model, plan or Plan()), model, 8)


@pytest.mark.parametrize(
    ("run", "length"),
    [
        (lambda net, x: x, 0),
        (lambda net, x: net.norm(x), 1),
        (lambda net, x: net.act(net.norm(x)), 2),
        (lambda net, x: net.norm(net.act(x)), 1),  # not the layer's own
        (lambda net, x: net.act(net.other(net.norm(x))), 1),
        (lambda net, x: net.norm(x) + x, 0),
        (lambda net, x: net.act(net.norm(x).mul_(2)), 1),
        (lambda net, x: torch.sigmoid(net.norm(x)), 2),
        (lambda net, x: (lambda y: y * torch.sigmoid(y))(net.norm(x)), 1),
        (lambda net, x: torch.abs(net.act(x)), 1),
        (lambda net, x: torch.max_pool2d(net.act(x), 2), 1),
        (lambda net, x: x.relu_().relu_(), 2),
    ],
)
def test_a_layer_emits_where_the_only_reader_is_no_norm_or_activation(
    run: Callable[[Net, torch.Tensor], torch.Tensor], length: int
) -> None:
    assert structure_of(built(run), 8).lengths["first"] == (length,)


def test_a_channel_that_varies_is_active_though_it_is_zero_on_every_probe() -> None:
    model = built(lambda net, x: net.second(net.act(x)))
    with torch.no_grad():
        model.first.weight[0], model.first.bias[0] = 1e-3, -1e3
        model.first.weight[1], model.first.bias[1] = 0, -1e-3  # the same for every image, and clipped
        model.first.weight[2], model.first.bias[2] = 0, 1e-3  # the same for every image, but not zero
    assert not model.act(model.first(torch.rand(9, 3, 8, 8)))[:, :2].any()
    assert seen(model).active["first"] == 3


@pytest.mark.parametrize("act", [nn.ReLU6, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh])
def test_only_what_never_varies_is_clipped_to_zero(act: Callable[[], nn.Module]) -> None:
    function = act()
    model = built(lambda net, x: function(x))
    with torch.no_grad():
        model.first.weight[0], model.first.bias[0] = 1e-3, -1e3
        model.first.weight[1], model.first.bias[1] = 0, -1e3
    assert seen(model).active["first"] == (4 if act is nn.Hardtanh else 3)  # which clips to -1


def test_what_varies_a_little_is_not_rounded_away() -> None:
    model = built(lambda net, x: net.act(net.second(net.act(x))))
    with torch.no_grad():
        model.second.weight.mul_(1e-9)
        model.second.bias.fill_(-1.0)
    assert seen(model).active["second"] == 4


def test_a_layer_that_is_called_twice_is_active_where_either_call_is() -> None:
    model = built(
        lambda net, x: torch.cat((net.second(x * torch.tensor([1.0, 0, 0, 0]).view(4, 1, 1)), net.second(x)), 1)
    )
    with torch.no_grad():
        model.second.weight.zero_()
        model.second.bias.zero_()
        model.second.weight[0, 0] = model.second.weight[1, 1] = 1
    assert seen(model).active == {"first": 4, "second": 2}  # the third is never called
    masked = seen(model, Plan([Step("second", [0])]))
    assert masked.max_abs_error is not None
    assert masked.max_abs_error > 0  # meant was another: channel 1 of the second call is gone there


def test_ports_of_an_add_in_place_are_those_before_it() -> None:
    def run(net: Net, x: torch.Tensor) -> torch.Tensor:
        y = net.second(x)
        y += x
        return y + 1

    model = built(run)
    with torch.no_grad():
        model.second.weight[:3] = model.second.bias[:3] = 0
    ports = {name: (port.channels, port.active) for name, port in seen(model).ports.items()}
    assert ports == {(":add", "in0"): (4, 1), (":add", "in1"): (4, 4), (":add", "out0"): (4, 4)}


def test_junctions_are_what_python_calls() -> None:
    def run(net: Net, x: torch.Tensor) -> torch.Tensor:
        stacked = torch.stack((x, x)).sum(0)
        pieces = [*torch.chunk(stacked, 2, dim=1), *x.split([1, 3], 1)]
        rows = torch.cat((x, x), 2)
        flat = torch.cat((x.flatten(2), x.flatten(2)), 1)
        return torch.concat(tensors=pieces, axis=1).mean() + rows.mean() + flat.mean()

    ports = seen(built(run)).ports
    assert {name: port.channels for (name, side), port in ports.items() if side == "in0"} == {
        ":split": 4,
        ":split#2": 4,
        ":cat": 2,
    }
    assert [port.channels for (name, _), port in ports.items() if name == ":split#2"] == [4, 1, 3]


def test_a_broken_pass_does_not_hide_a_second_reader() -> None:
    """The add that would read the first layer's output is not reached, but on the model before the plan it is."""
    model = built(lambda net, x: x + net.third(net.second(net.act(net.norm(x)))))
    with torch.no_grad():
        model.norm.weight[:2] = model.norm.bias[:2] = 0
    broken = built(model.run)
    broken.load_state_dict(model.state_dict())
    broken.second = nn.Conv2d(4, 2, 1)
    result = observe(Reference.of_plan(model, Plan([Step("second", [0, 1])], "local")), broken, 8)
    assert result.failure is not None
    assert result.active == {"first": 4, "second": 2}
    assert observe(None, broken, 8).active["first"] == 2


@pytest.mark.parametrize(
    ("run", "active"),
    [
        (lambda net, x: net.second(net.act(x).view(1, 4, 64)[..., None]), 4),
        (lambda net, x: (net.second if x.dtype == torch.float32 else net.third)(net.act(x)), 3),  # 0 on every image
    ],
    ids=["one image only", "another way in another precision"],
)
def test_a_model_that_is_particular_about_its_input(
    run: Callable[[Net, torch.Tensor], torch.Tensor], active: int
) -> None:
    model = built(run)
    with torch.no_grad():
        model.first.weight.fill_(1.0)
        model.first.bias.copy_(torch.tensor([-1e3, 0, 0, 0]))
    result = seen(model)
    assert result.failure is None
    assert result.active == {"first": active, "second": 4}


def test_what_varies_most_is_not_cancelled_when_it_is_made_to_vary_more() -> None:
    given = torch.tensor([3.0, 1.0, 0.5])
    second = leak(torch.ops.aten.relu.default, (torch.tensor([1.0, 0.9, 0.5]),), {}, given)
    assert second[0] != 0
    assert second[2] == 0.5


@pytest.mark.parametrize("how", [torch.amax, torch.amin, lambda x, dim, keepdim: torch.max(x, dim, keepdim)[0]])
def test_a_maximum_that_picks_a_zero_may_still_vary(how: Callable[..., torch.Tensor]) -> None:
    sign = -1.0 if how is not torch.amin else 1.0
    model = built(lambda net, x: torch.cat([how(part, dim=1, keepdim=True) for part in (x[:, :2], x[:, 2:])], 1))
    with torch.no_grad():
        model.first.weight.zero_()
        model.first.bias.zero_()
        model.first.weight[0] = sign
    ports = seen(model).ports
    assert [ports[":cat", side].active for side in ("in0", "in1")] == [1, 0]


def test_a_layer_is_a_conv2d_whose_weight_is_its_own() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), weight_norm(nn.Conv2d(4, 4, 1)), nn.Flatten(2), nn.Conv1d(4, 2, 1))
    result = seen(model)
    assert result.active == result.weight_norms == {"0": 4}
    with pytest.raises(UserError, match="no such Conv2d"):
        norms_of(model, ["1"])


def test_tensors_that_a_forward_makes_are_as_precise_as_the_pass() -> None:
    model = built(lambda net, x: net.second(net.act(x)) @ torch.eye(8) + net.third(torch.zeros(1, 4, 8, 8)))
    result = seen(model, Plan([Step("first", range(4))]))
    assert result.failure is None
    assert result.active == {"first": 4, "second": 4, "third": 4}
    assert result.max_abs_error == 0
    assert torch.get_default_dtype() == torch.float32
    broken = built(lambda net, x: net.act(x).view(7))
    assert observe(None, broken, 8).failure is not None
    assert torch.get_default_dtype() == torch.float32


def test_a_model_without_parameters_is_observed() -> None:
    model = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    result = seen(model)
    assert (result.failure, result.active, result.params, result.max_abs_error) == (None, {}, 0, 0)
    assert norms_of(model, []) == {}


@pytest.mark.parametrize("kind", [nn.MultiheadAttention, nn.TransformerEncoderLayer])
def test_constants_behind_attention_are_clipped_as_they_are(kind: type[nn.Module]) -> None:
    """PyTorch computes it in one operator, unless somebody watches: no pass may take another way than the others."""

    def run(net: Net, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        mixed = net.mix(tokens, tokens, tokens)[0] if kind is nn.MultiheadAttention else net.mix(tokens)
        return net.act(net.second(mixed.transpose(1, 2).reshape(x.shape)))

    model = built(run)
    model.mix = kind(4, 2, batch_first=True).eval()
    with torch.no_grad():
        model.second.weight[1:] = 0
        model.second.bias.copy_(torch.tensor([0, 1, -1, -1]))
    assert seen(model).active["second"] == 2
