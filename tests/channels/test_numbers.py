"""The numbers of a weight are read from the model when they are asked for."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.zoo import build, randomise_norms
from tests.models import stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.numbers import Numbers
from yolo_prune_check.channels.plan import MaskKind, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.rules.convolution import convolution
from yolo_prune_check.channels.tensors import Tensor
from yolo_prune_check.channels.weights import filter_of
from yolo_prune_check.confirm import confirm


@pytest.mark.parametrize(
    ("name", "steps", "mask"),
    [
        (
            "shufflenet_v2_x1_0",
            [Step("stage3.7.branch2.5", range(58)), Step("stage4.0.branch1.0", [155])],
            "silent",
        ),
        ("googlenet", [Step("inception5a.branch2.0.conv", [])], "weights"),
        ("yolov6n.yaml", [Step("model.2.0.conv", [])], "weights"),
    ],
)
def test_a_dense_convolution_of_constants_is_computed(name: str, steps: list[Step], mask: MaskKind) -> None:
    model = build(name)
    randomise_norms(model, 0)
    plan = Plan(steps, "mask", mask)
    found = confirm(model, plan, predict(ChannelGraph.trace(model, 64), plan))
    assert found.agrees, found.differences


def test_nothing_is_known_of_a_weight_that_was_written_into() -> None:
    weight = nn.Parameter(torch.arange(6.0).reshape(3, 2))
    numbers = Numbers.of(weight)
    rows = np.array([2, 0])
    assert numbers.at(rows).tolist() == [[4, 5], [0, 1]]
    assert numbers.zeroed(np.array([True, True, False])).at(rows).tolist() == [[0, 0], [0, 1]]
    assert numbers.picked(rows, np.array([[1], [0]])).at(np.array([0, 1])).tolist() == [[5], [0]]
    assert pickle.loads(pickle.dumps(numbers)).at(rows).tolist() == [[4, 5], [0, 1]]
    with torch.no_grad():
        weight[0, 0] = 7
    assert np.isnan(numbers.at(rows)).all()
    assert np.isnan(pickle.loads(pickle.dumps(numbers)).at(rows)).all()


def test_tracing_copies_no_weight() -> None:
    model = stock()
    graph = ChannelGraph.trace(model, 64)
    for name, weight in graph.program.filters.items():
        assert weight.values is not None
        assert weight.values.source.data_ptr() == model.get_parameter(name).data_ptr(), name


@pytest.mark.parametrize(
    ("groups", "kernel", "stride", "padding", "dilation"), [(1, 2, 2, 0, 1), (2, 3, 2, 1, 1), (2, 3, 1, 2, 2)]
)
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_of_constants(
    transposed: bool, groups: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    rows, columns = (4, 3) if transposed else (6, 4 // groups)
    x, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((1, 4, 5, 6), (rows, columns, kernel, kernel), (3 * groups if transposed else 6,))
    )
    where = [stride] * 2, [padding] * 2, [dilation] * 2, transposed, [0, 0], groups
    found = convolution(
        Tensor(tuple(x.shape), x.numpy()),
        Tensor(tuple(weight.shape), filter=filter_of(weight)),
        Tensor(tuple(bias.shape), vector=bias.numpy()),
        *where,
    )
    made = torch.convolution(x, weight, bias, *where)
    assert found.shape == tuple(made.shape)
    assert found.state is not None
    np.testing.assert_allclose(found.state, made.numpy(), rtol=1e-12, atol=1e-12)
