"""Tracing sees what ran and leaves no trace itself."""

from __future__ import annotations

import copy
from collections import Counter

import pytest
import torch
from torch import nn

from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, Plan, Step
from yolo_prune_check.channels.planned import carry_out
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.sizes import Arithmetic, Axis, Dim, evaluate
from yolo_prune_check.channels.trace import trace_program
from yolo_prune_check.confirm import confirm
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model


@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_left_as_it_was(training: bool) -> None:
    model = load_model("yolov8n.yaml").train(training)
    model(torch.zeros(2, 3, 96, 96))  # fills the head's caches, which depend on the image size
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    state = copy.deepcopy(model.state_dict())
    ChannelGraph.trace(model, imgsz=64)
    for name, module in model.named_modules():
        assert module.training is training
        assert module.__dict__.keys() == before[name].keys()
        for key, value in before[name].items():
            if key not in ("_parameters", "_buffers", "_modules"):
                assert module.__dict__[key] is value, f"{name}.{key}"
        assert not module._forward_hooks, name
        assert not module._forward_pre_hooks, name
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[key]), key


def test_the_model_is_left_as_it_was_when_the_pass_fails() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(5, 4, 1)).train()
    with pytest.raises(UserError, match="to have 5 channels, but got 4"):
        trace_program(model, 8)
    assert model.training
    assert not torch.nn.modules.module._global_forward_hooks


def test_every_convolution_of_yolov8n_is_seen() -> None:
    program = graph_of().program
    count = Counter(op.target for op in program.ops)
    assert count["convolution"] == 64
    assert count["native_batch_norm"] == 57
    assert count["chunk"] == 9  # 8 C2f and the decoding of boxes


def test_sizes_read_from_a_shape_stay_symbolic() -> None:
    """DFL views by the number of anchors it finds, Detect by its own constants."""
    views = [op for op in graph_of().program.ops if op.target == "view" and op.module == "model.22.dfl"]
    size = views[0].args[1]
    assert isinstance(size[0], Axis)
    assert isinstance(size[3], Axis)
    assert size[1:3] == (4, 16)


def test_dims_compute_like_integers() -> None:
    dim = Dim(12, Axis(7, 1))
    for result, number in ((dim * 2, 24), (2 * dim, 24), (dim // 5, 2), (dim - 3, 9), (20 - dim, 8), (dim % 5, 2)):
        assert result == number
        assert isinstance(result, Dim)
        assert evaluate(result.expression, lambda value, axis: 12) == number
    assert isinstance((dim * 2).expression, Arithmetic)
    assert evaluate((dim // 4 + 1).expression, lambda value, axis: 20) == 6
    assert not isinstance(dim / 2, Dim)


def test_attributes_are_constants_and_chunks_are_not() -> None:
    """``split((c, c))`` bakes its sizes in, ``chunk(2)`` follows the tensor: DESIGN fact 14."""

    class Cuts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            first, second = y.chunk(2, 1)
            third, fourth = y.split((4, 4), 1)
            result: torch.Tensor = first + second + third + fourth
            return result

    targets = [op.target for op in trace_program(Cuts(), 8).ops]
    assert targets.count("chunk") == 1
    assert targets.count("split_with_sizes") == 1


def test_tracing_a_half_precision_model() -> None:
    model = copy.deepcopy(stock()).half()
    assert ChannelGraph.trace(model, imgsz=32).layers.keys() == graph_of().layers.keys()


def test_lists_and_buffers_that_a_pass_changes_are_put_back() -> None:
    class Remembers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.seen: list[torch.Tensor] = [torch.zeros(2)]
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen.append(x)
            self.count += 1
            result: torch.Tensor = self.conv(x)
            return result

    model = Remembers()
    seen, first, count = model.seen, model.seen[0], model.count
    trace_program(model, 8)
    assert model.seen is seen
    assert len(seen) == 1
    assert seen[0] is first
    assert model.count is count
    assert float(count) == 0


def test_writing_through_a_view_is_noticed() -> None:
    """``y[:, :2] = 1`` changes ``y``, which ATen only sees as a copy into a slice of it."""

    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.last = nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            y[:, :2] = y[:, :2].sigmoid()
            result: torch.Tensor = self.last(y)
            return result

    program = trace_program(Writes(), 8)
    last = next(op for op in program.ops if op.module == "last")
    maker = next(op for op in program.ops if last.inputs[0] in op.outputs)
    assert maker.target == "slice_scatter"


def test_matmul_flatten_and_reshape_stay_whole() -> None:
    class Mixes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x).flatten(2)
            result: torch.Tensor = (y.transpose(1, 2) @ y).reshape(1, -1)
            return result

    ops = trace_program(Mixes(), 8).ops
    assert [op.target for op in ops] == ["convolution", "flatten", "transpose", "matmul", "reshape"]
    assert ops[-1].args[1] == (1, -1)


def test_names_that_a_line_unpacks_into_are_counted() -> None:
    """``a, b = x.chunk(2, 1)`` fails where there is one piece; ``list(x.chunk(2, 1))`` does not."""

    class Unpacks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first, second = self.conv(x).chunk(2, 1)
            pieces = list(first.chunk(2, 1))
            result: torch.Tensor = second + pieces[-1]
            return result

    model = Unpacks()
    chunks = [op for op in trace_program(model, 8).ops if op.target == "chunk"]
    assert [op.unpacked for op in chunks] == [2, None]
    failure = predict(ChannelGraph.trace(model, 8), Plan([Step("conv", [0])], "local")).failure
    assert failure is not None
    assert (failure.kind, failure.message) == ("split", "not enough values to unpack (expected 2, got 1)")


def test_assertions_on_sizes_are_recorded() -> None:
    class Asserts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.conv(x)
            assert y.shape[1] % 4 == 0, "channels must come in fours"
            assert y.shape[0] == 1
            return y * y.shape[1]

    model = Asserts()
    graph = ChannelGraph.trace(model, 8)
    assert [op.args[3] for op in graph.program.ops if op.target == "assert"] == ["channels must come in fours"]
    failure = predict(graph, Plan([Step("conv", range(7))], "local")).failure
    assert failure is not None
    assert (failure.expected, failure.message) == ("a multiple of 4", "channels must come in fours")
    assert predict(graph, Plan([Step("conv", range(4))], "local")).failure is None


class _WritesParts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = y.new_zeros(1, 8, *x.shape[2:])
        z[:, :4, 1:-1] = y[:, :, 1:-1]
        z[:, 4:] = self.b(x)
        result: torch.Tensor = self.last(z)
        return result


class _Circular(nn.Sequential):
    def __init__(self) -> None:
        circular = nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")
        super().__init__(nn.Conv2d(3, 8, 1), circular, nn.SiLU(), nn.Conv2d(8, 4, 1))


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (_WritesParts, Step("b", [0])),
        (_WritesParts, Step("a", [])),
        (_Circular, Step("0", [1])),
    ],
)
@pytest.mark.parametrize("execution", ["mask", "local"])
def test_what_is_written_into_a_fresh_tensor_is_followed(
    kind: type[nn.Module], step: Step, execution: Execution
) -> None:
    model = kind().eval()
    graph = ChannelGraph.trace(model, 16)
    assert len(graph.layers) == 3
    assert graph.unsupported == ()
    if execution == "local" and not step.keep:
        step = Step(step.layer, [0, 1])
    plan = Plan([step], execution, "silent") if execution == "mask" else Plan([step], execution)
    found = confirm(model, plan, predict(graph, plan))
    assert found.agrees, found.differences


def test_where_a_result_goes_is_no_operand() -> None:
    class WritesOut(_WritesParts):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y, z = self.a(x), torch.zeros(1, 4, *x.shape[2:])
            torch.add(y, self.b(x), out=z)
            result: torch.Tensor = self.last(torch.cat([y, z], 1))
            return result

    graph = ChannelGraph.trace(WritesOut(), 16)
    add = next(junction for junction in graph.junctions if junction.op.target == "add")
    assert [port.name for port in add.ports] == ["in0", "in1", "out0"]
    prediction = predict(graph, Plan([Step("b", [])], "mask", "silent"))
    assert prediction.layers["last"].active_in == 8
    prediction = predict(graph, Plan([Step("a", []), Step("b", [])], "mask", "silent"))
    assert prediction.layers["last"].active_in == 0


def test_a_constant_is_what_it_was_when_it_was_read() -> None:
    class Fills(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y, ones = self.conv(x), torch.ones(1, 4, 1, 1)
            z = y * ones
            ones.zero_()
            result: torch.Tensor = z + ones
            return result

    program = trace_program(Fills(), 8)
    held = [float(program.constants[op.inputs[1]].max()) for op in program.ops if op.target in ("mul", "add")]
    assert held == [1, 0]


def test_bounds_computed_from_a_size_follow_it() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(8, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            half = y.shape[1] // 2
            result: torch.Tensor = self.last(torch.cat([y[:, :half], self.b(y[:, half:])], 1)) + y[:, half - 1, None]
            return result

    model = Halves().eval()
    plan = Plan([Step("a", range(4))], "local")
    found = confirm(model, plan, predict(ChannelGraph.trace(model, 16), plan))
    assert found.agrees, found.differences


class _Chooses(nn.Module):
    """Runs another layer where the width is another."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.wide, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        if y.shape[1] > 7:
            y = self.wide(y)
        result: torch.Tensor = self.last(y)
        return result


class _Checks(_Chooses):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        z = self.wide(y)
        result: torch.Tensor = self.last(z + y if z.shape == y.shape else z)
        return result


@pytest.mark.parametrize(("kind", "layer"), [(_Chooses, "a"), (_Checks, "wide")])
def test_a_comparison_with_another_outcome_leaves_the_rest_unknown(kind: type[nn.Module], layer: str) -> None:
    graph = ChannelGraph.trace(kind().eval(), 16)
    plan = Plan([Step(layer, range(4))], "local")
    changes = carry_out(graph, plan)
    result = graph.interpreter.rerun(graph.baseline, changes.parameters)
    assert result.unknown is not None
    assert "test_trace.py" in result.unknown
    assert predict(graph, plan).verdict == "unsafe"
    masked = Plan([Step(layer, range(4))], "mask")
    assert graph.interpreter.rerun(graph.baseline, carry_out(graph, masked).parameters).unknown is None


def test_sizes_that_a_head_remembers_do_not_decide() -> None:
    model = load_model("yolov8n.yaml").eval()
    with torch.no_grad():
        model(torch.zeros(1, 3, 64, 64))
    graph = ChannelGraph.trace(model, 64)
    plan = Plan([Step("model.15.cv2.conv", range(32))], "group")
    assert predict(graph, plan).verdict == "safe"
    assert not [op for op in graph.program.ops if op.target == "branch" and op.module == "model.22"]


class _Splits(_Chooses):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = torch.split(self.a(x), 4, 1)
        return first + second


class _Unbinds(_Chooses):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b, c, d = self.a(x)[:, ::2].unbind(1)
        return torch.stack([a, b, c, d])


class _Transposes(_Chooses):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.linear(self.a(x).flatten(2).transpose(1, 2))
        return result


@pytest.mark.parametrize("kind", [_Splits, _Unbinds, _Transposes])
def test_what_python_and_linear_layers_say_of_a_misfit(kind: type[nn.Module]) -> None:
    model = kind().eval()
    plan = Plan([Step("a", range(4))], "local")
    prediction = predict(ChannelGraph.trace(model, 16), plan)
    assert prediction.failure is not None
    found = confirm(model, plan, prediction)
    assert found.agrees, found.differences
