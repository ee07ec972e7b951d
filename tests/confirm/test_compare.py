"""When prediction and observation agree, and every way in which they do not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Hazard, Mismatch, Prediction
from yolo_prune_check.confirm import confirm
from yolo_prune_check.confirm.compare import Confirmation, compare
from yolo_prune_check.confirm.meant import difference
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.prune.reference import Reference

SIZE = 16
HALF = Step("first", range(4))


class Net(nn.Module):
    """Three convolutions with a batch norm behind the first two, put together by a function."""

    def __init__(self, run: Callable[[Net, torch.Tensor], Any]) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)
        self.norm, self.other = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.run = run
        for norm in (self.norm, self.other):
            nn.init.normal_(norm.bias)

    def forward(self, x: torch.Tensor) -> Any:
        return self.run(self, torch.relu(self.norm(self.first(x))))


def plain(net: Net, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = net.last(x)
    return result


def built(run: Callable[[Net, torch.Tensor], Any] = plain) -> Net:
    torch.manual_seed(0)
    return Net(run).eval()


def told(prediction: Prediction, **changes: Any) -> Prediction:
    """The prediction with other details."""
    changed = replace(prediction.judgement, **changes)
    return Prediction(
        prediction.plan,
        prediction.imgsz,
        prediction.verdict,
        lambda: changed.failure,
        lambda _: changed,
        lambda _: None,
    )


def tried(model: nn.Module, plan: Plan) -> Confirmation:
    return confirm(model, plan, predict(ChannelGraph.trace(model, SIZE), plan))


def against(changes: dict[str, Any], verdict: Any = None) -> tuple[str, ...]:
    """What is said of a masked layer, when the true prediction has these details instead."""
    model, plan = built(), Plan([HALF])
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    assert confirm(model, plan, prediction).agrees
    changed = told(prediction, **changes)
    changed.verdict = verdict or changed.verdict
    return confirm(model, plan, changed).differences


def test_what_is_observed_but_not_predicted_is_a_difference() -> None:
    assert {line.partition(":")[0] for line in against({"shapes": {}})} == {
        *("output of ", "output of first", "output of norm", "output of last")
    }
    assert [line.partition(":")[0] for line in against({"layers": {}})] == [
        *("active channels of first", "active channels of last")
    ]


def test_a_verdict_follows_from_what_is_predicted() -> None:
    assert against({}, "unsafe") == ("verdict: predicted unsafe, though it runs and has no hazard",)
    odd = Hazard("broadcast-add", "error", "last", "")
    assert "verdict: predicted safe, though it runs and has broadcast-add" in against({"hazards": (odd,)})
    assert "verdict: predicted safe, though it runs and has no hazard" in against({"unknown": "no rule for x"})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_model_that_answers_no_number_is_wrong(number: float) -> None:
    model = built()
    wrong = copy.deepcopy(model)
    with torch.no_grad():
        wrong.last.weight.fill_(number)
    seen = difference(Reference.of_plan(model, Plan([HALF])), wrong, SIZE)
    assert seen.absolute == seen.relative == float("inf")


def test_infinite_scores_that_were_meant_are_equal() -> None:
    model = built(lambda net, x: net.last(x).where(x[:, :4] > 9, float("-inf")))
    assert difference(Reference(model), model, SIZE).relative == 0


def two_outputs(net: Net, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x, net.last(x.amax(1, keepdim=True).expand(-1, 8, -1, -1))


def test_outputs_of_other_shapes_are_not_safe() -> None:
    model, plan = built(two_outputs), Plan([HALF], "local")
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    result = confirm(model, plan, prediction)
    assert (result.observation.relative_error, prediction.verdict, result.differences) == (None, "unsafe", ())
    safe = told(prediction, hazards=(), unknown=None)
    safe.verdict = "safe"
    words = "verdict: predicted safe, observed that the outputs have other shapes than were meant"
    assert words in compare(safe, result.observation).differences


def test_inputs_of_the_last_block_of_other_shapes_do_not_hide_a_wrong_output() -> None:
    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(1)

    model = nn.Sequential(nn.Conv2d(3, 8, 1), Mean()).eval()
    plan = Plan([Step("0", range(4))], "local")
    pruned = nn.Sequential(nn.Conv2d(3, 4, 1), Mean()).eval()
    pruned[0].load_state_dict({name: tensor[:4] for name, tensor in model[0].state_dict().items()})
    seen = observe(Reference.of_plan(model, plan), pruned, SIZE)
    assert seen.max_abs_error is None
    assert seen.relative_error is not None
    assert seen.relative_error > 0.1


def unread(net: Net, x: torch.Tensor) -> torch.Tensor:
    net.other(net.second(x)).relu()
    result: torch.Tensor = net.last(x)
    return result


def test_a_phantom_that_nobody_reads_is_predicted_rightly() -> None:
    model, plan = built(unread), Plan([Step("second", range(4))], "mask", "weights")
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    assert "phantom-channel" in {hazard.code for hazard in prediction.hazards}
    result = confirm(model, plan, prediction)
    assert (result.differences, result.observation.relative_error) == ((), 0)


def test_a_wrong_result_needs_an_error_that_explains_it() -> None:
    model, plan = built(), Plan([HALF], "mask", "weights")
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    head = Hazard("head-output-changed", "error", "first", "")
    for hazards in ((), (head,)):
        changed = told(prediction, hazards=hazards)
        assert any(line.startswith("result: ") for line in confirm(model, plan, changed).differences)


@pytest.mark.parametrize("act", [nn.SiLU(), nn.SiLU(inplace=True), nn.Identity()])
def test_a_model_that_ends_in_its_pruned_layer(act: nn.Module) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), act).eval()
    nn.init.normal_(model[3].bias)  # type: ignore[arg-type]  # a tensor
    silent = tried(model, Plan([Step("2", range(4))]))
    assert (silent.differences, silent.max_abs_error) == ((), 0)
    loud = tried(model, Plan([Step("2", range(4))], mask="weights"))
    assert loud.agrees
    assert loud.max_abs_error != 0


def without_rule(net: Net, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = net.last(torch.logcumsumexp(net.second(x), 1))
    return result


def test_what_is_not_known_is_not_compared() -> None:
    model, plan = built(without_rule), Plan([Step("second", range(4))], "local")
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    assert prediction.unknown is not None
    assert prediction.failure is None
    result = confirm(model, plan, prediction)
    assert result.failure is not None
    assert result.differences == ()
    before = told(prediction, layers={**prediction.layers, "first": replace(prediction.layers["first"], active_out=7)})
    assert confirm(model, plan, before).differences == ("active channels of first: predicted 7, observed 8",)
    failing = told(prediction, failure=Mismatch("last", "direct", "8", "5", "other words"))
    assert "failure.got: predicted '5', observed '4'" in confirm(model, plan, failing).differences


class Complaining(nn.Module):
    """Refuses what is not eight channels wide, in words of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] != 8:
            raise ValueError("I would rather not.")
        return torch.logcumsumexp(x, 1)


def test_words_that_are_not_understood_are_reported_and_refute_unless_nothing_is_known_there() -> None:
    model = built()
    model.add_module("odd", Complaining())
    model.run = lambda net, x: net.last(net.odd(x))
    plan = Plan([HALF], "local")
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    assert prediction.unknown is not None
    result = confirm(model, plan, prediction)
    assert result.differences == ()
    assert result.failure == Mismatch("odd", "unread", "", "", "I would rather not.")
    refuted = confirm(model, plan, told(prediction, unknown=None))
    assert "predicted that it runs; observed that it breaks in odd: I would rather not." in refuted.differences


def hidden_before_a_break(net: Net, x: torch.Tensor) -> torch.Tensor:
    net.last(F.local_response_norm(net.other(x), 3))
    result: torch.Tensor = net.last(net.second(net.other(x)))
    return result


def test_what_an_operator_without_a_rule_hides_is_not_compared_even_if_the_model_breaks_later() -> None:
    model, plan = built(hidden_before_a_break), Plan([Step("second", range(4))], "local")
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    last = prediction.layers["last"]
    assert (last.active_out, last.hidden, prediction.layers["second"].hidden) == (None, True, False)
    result = confirm(model, plan, prediction)
    assert result.failure is not None
    assert (result.differences, result.observation.active["last"]) == ((), 4)
    counts = prediction.layers
    said = told(prediction, layers={**counts, "last": replace(last, hidden=False)})
    assert confirm(model, plan, said).differences == ("active channels of last: predicted None, observed 4",)


def test_what_is_hidden_is_reached_and_hidden_by_an_operator_without_a_rule_alone() -> None:
    model = built(lambda net, x: net.last(F.local_response_norm(net.second(x), 3)))
    plan = Plan([HALF], "local")
    prediction = predict(ChannelGraph.trace(model, SIZE), plan)
    assert prediction.failure is not None
    assert {name: (count.active_out, count.hidden) for name, count in prediction.layers.items()} == {
        "first": (4, False),
        "second": (None, False),
        "last": (None, False),
    }
    result = confirm(model, plan, prediction)
    assert result.differences == ()
    for name in ("second", "last"):
        said = told(prediction, layers={**prediction.layers, name: replace(prediction.layers[name], hidden=True)})
        words = f"active channels of {name}: predicted some number, observed None"
        assert confirm(model, plan, said).differences == (words,)
    whole = predict(ChannelGraph.trace(built(), SIZE), Plan([HALF]))
    assert not any(count.hidden or count.active_out is None for count in whole.layers.values())
    silent = {**whole.layers, "last": replace(whole.layers["last"], active_out=None)}
    words = "active channels of last: predicted None, observed 4"
    assert confirm(built(), Plan([HALF]), told(whole, layers=silent)).differences == (words,)


def test_a_count_is_hidden_in_the_calls_that_are_reached() -> None:
    model = built(lambda net, x: net.last(F.local_response_norm(net.last(net.second(x)).repeat(1, 2, 1, 1), 3)))
    graph = ChannelGraph.trace(model, SIZE)
    assert predict(graph, Plan()).layers["last"].hidden
    plan = Plan([Step("last", range(2))], "local")
    prediction = predict(graph, plan)
    assert (prediction.layers["last"].active_out, prediction.layers["last"].hidden) == (2, False)
    assert confirm(model, plan, prediction).differences == ()
