"""Verdicts, failures, hazards, counts and repairs of plans on YOLOv8n."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from benchmarks.zoo import build
from tests.examples import at_least
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import HAZARDS, Prediction
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune import prune
from yolo_prune_check.strategies import plans


def codes(prediction: Prediction) -> set[str]:
    return {hazard.code for hazard in prediction.hazards}


def one(layer: str, keep: object, execution: str = "local", mask: str = "silent") -> Prediction:
    return predict(graph_of(), Plan([Step(layer, keep)], execution, mask))  # type: ignore[arg-type]  # literals


def test_a_cut_layer_breaks_in_the_layer_that_reads_it() -> None:
    failure = one("model.1.conv", range(16)).failure
    assert failure is not None
    assert (failure.module, failure.kind, failure.expected, failure.got) == ("model.2.cv1.conv", "direct", "32", "16")
    assert failure.message == (
        "Given groups=1, weight of size [32, 32, 1, 1], expected input[1, 16, 16, 16] to have 32 channels, "
        "but got 16 channels instead"
    )


def test_a_residual_add_breaks_in_the_bottleneck() -> None:
    failure = one("model.2.m.0.cv2.conv", range(8)).failure
    assert failure is not None
    assert (failure.module, failure.kind) == ("model.2.m.0", "residual")
    assert failure.message == (
        "The size of tensor a (16) must match the size of tensor b (8) at non-singleton dimension 1"
    )


def test_one_channel_before_a_residual_add_runs_and_is_named() -> None:
    """DESIGN fact 7: nothing is raised, the channel is broadcast."""
    prediction = one("model.2.m.0.cv2.conv", [3])
    assert prediction.failure is None
    assert prediction.verdict == "unsafe"
    assert "broadcast-add" in codes(prediction)


def test_the_head_breaks_in_its_own_arithmetic() -> None:
    failure = one("model.22.cv3.0.2", range(40)).failure
    assert failure is not None
    assert failure.module == "model.22"
    assert "head-output-changed" in codes(one("model.22.cv3.0.2", range(40)))


def test_weight_masks_leave_phantoms_and_silent_masks_do_not() -> None:
    loud, silent = (one("model.1.conv", range(16), "mask", kind) for kind in ("weights", "silent"))
    assert (loud.verdict, loud.layers["model.1.conv"].active_out) == ("unsafe", 32)
    assert codes(loud) == {"phantom-channel"}
    assert "16 of 16 zeroed filters still emit a constant" in loud.hazards[0].message
    assert (silent.verdict, silent.layers["model.1.conv"].active_out) == ("safe", 16)
    assert silent.layers["model.2.cv1.conv"].active_in == 16
    assert silent.hazards == ()


def test_a_masked_channel_is_kept_alive_by_its_residual_partner() -> None:
    prediction = one("model.4.m.0.cv2.conv", range(20), "mask")
    assert prediction.verdict == "safe"
    assert codes(prediction) == {"kept-alive-by-residual"}
    assert prediction.hazards[0].message.startswith("12 masked channels stay alive behind model.4.m.0:add")


def test_masking_both_operands_silences_the_residual() -> None:
    """The group of DESIGN section 2: cv1's second half with both bottlenecks' outputs."""
    plan = Plan(
        [
            Step("model.4.cv1.conv", [*range(32), *range(42, 64)]),
            Step("model.4.m.0.cv2.conv", range(10, 32)),
            Step("model.4.m.1.cv2.conv", range(10, 32)),
        ]
    )
    prediction = predict(graph_of(), plan)
    assert prediction.hazards == ()
    adds = {(edge.operator, edge.port): edge.active_after for edge in prediction.edges if edge.kind == "residual"}
    assert adds["model.4.m.1:add", "out0"] == 22


@pytest.mark.parametrize("execution", ["mask", "local"])
def test_keeping_everything_is_a_no_op(execution: str) -> None:
    prediction = one("model.1.conv", range(32), execution)
    assert (prediction.verdict, codes(prediction)) == ("unsafe", {"no-op"})
    assert prediction.params == 3157200


def test_an_empty_plan_is_a_no_op() -> None:
    assert codes(predict(graph_of(), Plan())) == {"no-op"}


def test_masking_what_is_masked_already_is_a_no_op() -> None:
    plan = Plan([Step("model.1.conv", range(16))])
    again = ChannelGraph.trace(prune(stock(), plan, graph=graph_of()))
    assert codes(predict(again, plan)) == {"no-op"}
    assert codes(predict(again, Plan([Step("model.1.conv", range(15))]))) == set()


@pytest.mark.parametrize("execution", ["mask", "local"])
def test_keeping_nothing_is_named(execution: str) -> None:
    prediction = one("model.1.conv", [], execution)
    assert prediction.verdict == "unsafe"
    assert "empty-layer" in codes(prediction)


def test_odd_widths_are_warned_of() -> None:
    prediction = one("model.1.conv", range(13))
    assert [h.message for h in prediction.hazards if h.code == "unaligned-width"] == [
        "13 kept channels are no multiple of 8"
    ]


def test_mask_changes_neither_parameters_nor_macs() -> None:
    masked, whole = one("model.1.conv", range(16), "mask"), predict(graph_of(), Plan())
    assert (masked.params, masked.macs) == (whole.params, whole.macs) == (3157200, 43742624)


def test_local_parameters_are_those_of_the_cut_filters() -> None:
    assert 3157200 - one("model.1.conv", range(16)).params == 16 * (16 * 9) + 2 * 16


def test_an_adapter_fits_and_is_smaller_by_the_cut_filters() -> None:
    adapted, cut = one("model.1.conv", range(16), "adapter"), one("model.1.conv", range(16))
    masked = one("model.1.conv", range(16), "mask")
    assert adapted.verdict == "safe"
    assert adapted.failure is None
    assert adapted.params == cut.params
    assert adapted.layers["model.1.conv"].out_channels == 16
    assert adapted.layers["model.2.cv1.conv"] == masked.layers["model.2.cv1.conv"]
    assert adapted.edges == masked.edges


def test_a_channel_out_of_range_is_refused() -> None:
    with pytest.raises(UserError, match=r"model.1.conv: channel out of range: got 32. The layer has channels 0 to 31."):
        one("model.1.conv", [0, 32])


def test_two_steps_on_one_layer_keep_what_both_keep() -> None:
    both = Plan([Step("model.1.conv", range(20)), Step("model.1.conv", range(10, 32))])
    once = Plan([Step("model.1.conv", range(10, 20))])
    assert predict(graph_of(), both).layers == predict(graph_of(), once).layers


def test_weight_masks_are_repaired_by_silence() -> None:
    repair = one("model.1.conv", range(16), "mask", "weights").repair
    assert repair is not None
    assert repair.plan.mask == "silent"
    assert repair.drop == ()


def test_the_one_bad_step_is_dropped() -> None:
    steps = [Step("model.1.conv", range(16)), Step("model.22.cv3.0.2", range(40)), Step("model.3.conv", range(8))]
    repair = predict(graph_of(), Plan(steps)).repair
    assert repair is not None
    assert repair.drop == ("model.22.cv3.0.2",)
    assert repair.message == "Drop the step on model.22.cv3.0.2."


@at_least(60)
@given(data=st.data())
def test_following_the_repair_makes_a_plan_safe(data: st.DataObject) -> None:
    prediction = predict(graph_of(), data.draw(plans(graph_of())))
    assert (prediction.verdict == "safe") == (
        prediction.failure is None and all(HAZARDS[code].severity == "warning" for code in codes(prediction))
    )
    if prediction.repair is not None:
        assert predict(graph_of(), prediction.repair.plan).verdict == "safe"


@at_least(40)
@given(data=st.data())
def test_order_of_steps_changes_nothing(data: st.DataObject) -> None:
    plan = data.draw(plans(graph_of()))
    shuffled = Plan(data.draw(st.permutations(plan.steps)), plan.execution, plan.mask)
    one_way, other = predict(graph_of(), plan), predict(graph_of(), shuffled)
    assert (one_way.failure, one_way.layers, one_way.edges) == (other.failure, other.layers, other.edges)
    assert codes(one_way) == codes(other)


def test_predict_many_predicts_each() -> None:
    many = [Plan([Step("model.1.conv", range(count))], "local") for count in (8, 16, 32)]
    assert list(graph_of().predict_many(many)) == [predict(graph_of(), plan) for plan in many]


def test_weight_masks_on_the_head_are_repaired_by_silence_and_a_drop() -> None:
    steps = [Step("model.1.conv", range(16)), Step("model.22.cv3.0.2", range(40))]
    repair = predict(graph_of(), Plan(steps, "mask", "weights")).repair
    assert repair is not None
    assert (repair.plan.mask, repair.drop) == ("silent", ("model.22.cv3.0.2",))


def test_a_local_plan_is_repaired_by_removing_the_whole_group() -> None:
    """What is added to the channels goes with them."""
    keep = (*range(16), *range(32, 48))  # half of each half of the chunk
    repair = one("model.4.cv1.conv", keep).repair
    assert repair is not None
    assert repair.plan == Plan([Step("model.4.cv1.conv", keep)], "group")
    assert [str(part) for part in repair.extra] == ["model.4.m.0.cv2.conv[16:32]", "model.4.m.1.cv2.conv[16:32]"]
    assert "model.4.m.0.cv2.conv[16:32]" in repair.message


def test_a_message_counts_one_as_one() -> None:
    assert one("model.1.conv", range(32)).hazards[0].message == "the plan's only step removes no channel"
    assert (
        one("model.1.conv", range(1), "mask", "weights")
        .hazards[0]
        .message.endswith(": 1 channel is kept, 32 of 32 are active")
    )


def test_a_group_that_symmetry_gives_back_is_completed_in_the_other_half() -> None:
    """One half of a chunk cannot lose channels alone."""
    prediction = one("model.2.m.0.cv2.conv", range(8), "group")
    assert codes(prediction) == {"no-op"}
    assert prediction.hazards[0].message == "all 8 channels that the plan names are kept for symmetry"
    repair = prediction.repair
    assert repair is not None
    others = [number for number in range(32) if number not in range(8, 16)]
    added = Step("model.2.cv1.conv", others)
    assert repair.plan == Plan([*prediction.plan.steps, added], "group")
    assert [str(part) for part in repair.extra] == ["model.2.cv1.conv[8:16]", "model.2.cv1.conv[24:32]"]


def test_what_the_head_decodes_is_dropped_from_a_local_plan() -> None:
    steps = [Step("model.1.conv", range(16)), Step("model.22.cv3.0.2", range(40))]
    repair = predict(graph_of(), Plan(steps, "local")).repair
    assert repair is not None
    assert (repair.plan.execution, repair.drop) == ("group", ("model.22.cv3.0.2",))


def test_a_chunk_cut_at_another_border_is_named() -> None:
    """DESIGN fact 12: eight channels go, all from the first half, and the halves are 28 and 28 afterwards."""
    uneven = one("model.4.cv1.conv", range(8, 64))
    (hazard,) = [hazard for hazard in uneven.hazards if hazard.code == "uneven-split"]
    assert hazard.message == "model.4:split gives pieces of 28 and 28 channels; 24 and 32 belong there"
    even = one("model.4.cv1.conv", (*range(4, 32), *range(36, 64)))
    assert "uneven-split" not in codes(even)


def test_a_plan_that_runs_through_an_uneven_split_is_unsafe() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)
            self.last = nn.Linear(1, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first, second = self.conv(x).chunk(2, 1)
            result: torch.Tensor = self.last((first.mean((1, 2, 3)) - second.mean((1, 2, 3)))[:, None])
            return result

    graph = ChannelGraph.trace(Halves(), 8)
    for keep in ((0, 1, 4, 5, 6, 7), (0, 1, 2, 4, 5, 6)):
        prediction = predict(graph, Plan([Step("conv", keep)], "local"))
        assert prediction.failure is None
        assert ("uneven-split" in codes(prediction)) == (keep[2] == 4)
        assert prediction.verdict == ("unsafe" if codes(prediction) - {"unaligned-width"} else "safe")
        (many,) = graph.predict_many([Plan([Step("conv", keep)], "local")])
        assert many.verdict == prediction.verdict


def test_what_stays_for_symmetry_is_a_warning_where_something_goes() -> None:
    """Of 10 channels of one half and 2 of the other, 2 of each go."""
    graph = graph_of("yolov8n.yaml")
    keep = [channel for channel in range(32) if channel >= 18 or 10 <= channel < 16]
    prediction = predict(graph, Plan([Step("model.2.cv1.conv", keep)], "group"))
    assert prediction.verdict == "safe"
    (warning,) = [hazard for hazard in prediction.hazards if hazard.code == "kept-for-symmetry"]
    assert (warning.severity, warning.layer) == ("warning", "model.2.cv1.conv")
    assert warning.message == "8 of the 12 channels that the plan removes stay for symmetry"
    even = Plan([Step("model.2.cv1.conv", [*range(8), *range(16, 24)])], "group")
    assert "kept-for-symmetry" not in codes(predict(graph, even))
    half = predict(graph, Plan([Step("model.2.cv1.conv", range(16))], "group"))
    assert [hazard.code for hazard in half.hazards] == ["no-op"]


def test_a_gate_that_broadcasts_is_named() -> None:
    """One channel of a squeeze-and-excitation gate scales all channels of the map: nothing is raised."""
    graph = ChannelGraph.trace(build("mobilenet_v3_small", 0))
    prediction = predict(graph, Plan([Step("features.4.block.2.fc2", [0])], "local"))
    assert prediction.failure is None
    assert "broadcast-add" in codes(prediction)


class Picks(nn.Module):
    """Takes channels by their position, or mixes them, in one of several ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.conv, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(1 if how == "mean" else 4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        taken = {"slice": y[:, :4], "mean": y.mean(1, keepdim=True), "view": y.reshape(-1, 4, 8, 8).mean(0)[None]}
        result: torch.Tensor = self.last(taken[self.how])
        return result


@pytest.mark.parametrize("how", ["slice", "mean", "view"])
def test_channels_that_are_taken_by_position_make_a_local_plan_unsafe(how: str) -> None:
    """Nothing is raised, and the result is another."""
    graph = ChannelGraph.trace(Picks(how), 8)
    plan = Plan([Step("conv", range(4, 8))], "local")
    prediction = predict(graph, plan)
    assert prediction.failure is None
    assert prediction.verdict == "unsafe"
    assert graph.predict_many([plan])[0].verdict == "unsafe"
    assert "frozen-channel" in codes(prediction)


def test_a_model_without_convolutions_says_so() -> None:
    graph = ChannelGraph.trace(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), 8)
    with pytest.raises(UserError, match=r"no such Conv2d in the model: got 'x'. It has no Conv2d at all\."):
        predict(graph, Plan([Step("x", [0])]))
    with pytest.raises(UserError, match="no such Conv2d"):
        graph.predict_many([Plan([Step("x", [0])])])


def test_what_has_no_rule_is_unknown_from_there_on() -> None:
    class Glu(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.last(nn.functional.glu(self.conv(x), 1))
            return result

    prediction = predict(ChannelGraph.trace(Glu(), 8), Plan([Step("conv", range(6))], "local"))
    assert (prediction.verdict, prediction.failure) == ("unsafe", None)
    assert prediction.unknown == "no rule for operator glu: what it does with fewer channels is not known"
