"""Whatever a forward pass writes, appends or draws, the model and the random numbers are as they were after tracing."""

from __future__ import annotations

import copy
import random
from collections import defaultdict, deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from yolo_prune_check.channels.trace import trace_program
from yolo_prune_check.errors import UserError


class _Remembers(nn.Module):
    """Everything that a module may keep between passes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.child = nn.Conv2d(3, 4, 1), nn.Identity()
        self.register_buffer("ema", torch.arange(8.0))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("var", torch.ones(4))
        self.plain = torch.ones(4)
        self._seen: list[Any] = [1]
        self.recent: deque[Any] = deque([1], maxlen=2)
        self.by_name: defaultdict[str, list[int]] = defaultdict(list, {"a": [1]})
        self.nested = {"b": [1, {"c": {2}}]}
        self.meter = SimpleNamespace(count=0, values=[1])

    def write(self, y: torch.Tensor) -> None:
        """What each of the nets below changes in itself."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        self.write(y)
        return y


class _Slice(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self.ema[:4] = y.mean((0, 2, 3)) + 1
        self.ema[5] = 7


class _FirstRow(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self.ema[:1] += 1


class _FlatView(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self.ema.view(-1).copy_(torch.ones(8))


class _ParameterData(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self.conv.weight.data.mul_(2)


class _NewData(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self.conv.weight.data = self.conv.weight.data * 2


class _Plain(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self.plain += 1
        self.plain[0] = y.sum()


class _Statistics(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        nn.functional.batch_norm(y + 1, self.mean, self.var, training=True)


class _Written(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        torch.add(self.plain, 1, out=self.plain)
        torch._foreach_add_([self.ema], 1.0)


class _Containers(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self._seen.append(2)
        self.recent.append(2)
        self.recent.append(3)
        self.by_name["a"].append(2)
        self.by_name["new"].append(2)
        self.nested["b"][1]["c"].add(3)  # type: ignore[index]
        self.meter.count += 1
        self.meter.values.append(2)


class _Registers(_Remembers):
    def write(self, y: torch.Tensor) -> None:
        self.child.register_buffer("late", torch.zeros(1))


@pytest.mark.parametrize(
    "kind",
    [
        _Slice,
        _FirstRow,
        _FlatView,
        _ParameterData,
        _NewData,
        _Plain,
        _Statistics,
        _Written,
        _Containers,
        _Registers,
    ],
)
def test_what_a_pass_remembers_is_put_back(kind: type[_Remembers]) -> None:
    model = kind().eval()
    state, plain = copy.deepcopy(model.state_dict()), model.plain.clone()
    trace_program(model, 8)
    assert model.state_dict().keys() == state.keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    assert torch.equal(model.plain, plain)
    assert (model._seen, list(model.recent), model.by_name) == ([1], [1], {"a": [1]})
    assert model.nested == {"b": [1, {"c": {2}}]}
    assert model.meter == SimpleNamespace(count=0, values=[1])


def test_a_pass_that_fails_is_put_back_as_well() -> None:
    class Fails(_Remembers):
        def write(self, y: torch.Tensor) -> None:
            self.ema[:4] = 7
            raise ValueError("no")

    model = Fails().eval()
    with pytest.raises(UserError, match="no"):
        trace_program(model, 8)
    assert torch.equal(model.ema, torch.arange(8.0))


def test_random_numbers_are_drawn_as_if_nothing_had_run() -> None:
    class Draws(_Remembers):
        def write(self, y: torch.Tensor) -> None:
            torch.rand(3)
            random.random()
            np.random.rand()

    def drawn() -> tuple[float, float, float]:
        return float(torch.rand(())), random.random(), float(np.random.rand())

    def seeded() -> None:
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)

    seeded()
    expected = drawn()
    model = Draws().eval()
    seeded()
    trace_program(model, 8)
    assert drawn() == expected
