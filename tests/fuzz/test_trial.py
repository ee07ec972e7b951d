"""One plan tried, many counted."""

from __future__ import annotations

import pytest

from tests.models import graph_of, stock
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.fuzz import trial
from yolo_prune_check.fuzz.ground import Ground, Way, layers_in, ways_of
from yolo_prune_check.fuzz.tally import Row, removed, shrunk_unsafe, smallest_unsafe, tally
from yolo_prune_check.fuzz.trial import Tried, trial_of, try_random_plans

HALF = Plan([Step("model.1.conv", range(16))], "local")
ALONE = Plan([Step("model.4.m.0.cv2.conv", [3])], "local")
MASKED = Plan([Step("model.1.conv", range(16))], "mask")
LOUD = Plan([Step("model.1.conv", range(16))], "mask", "weights")


@pytest.mark.parametrize(
    ("plan", "outcome", "why"),
    [
        (HALF, "breaks", "breaks in model.2.cv1.conv: Given groups=1"),
        (ALONE, "wrong", "broadcast-add in model.4.m.0: 1 channel"),
        (MASKED, "safe", ""),
        (LOUD, "wrong", "phantom-channel in model.1.conv: 16 of 16"),
    ],
)
def test_a_plan_is_predicted_and_confirmed(plan: Plan, outcome: str, why: str) -> None:
    tried = trial_of(stock(), graph_of(), execute=True)(plan)
    assert (tried.outcome, tried.agrees, tried.differences) == (outcome, True, ())
    assert tried.why.startswith(why)


def test_without_execution_nothing_is_known_of_agreement() -> None:
    tried = trial_of(stock(), graph_of(), execute=False)(HALF)
    assert (tried.outcome, tried.agrees) == ("breaks", None)


def test_a_crash_is_a_difference_that_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: object, **more: object) -> None:
        raise ZeroDivisionError("a defect\nof ours")

    monkeypatch.setattr(trial, "confirm", crash)
    tried = trial_of(stock(), graph_of(), execute=True)(MASKED)
    assert (tried.outcome, tried.agrees) == ("safe", False)
    assert tried.differences == ("observing it raised ZeroDivisionError: a defect of ours",)
    monkeypatch.setattr(trial, "predict", crash)
    tried = trial_of(stock(), graph_of(), execute=False)(MASKED)
    assert (tried.outcome, tried.agrees) == (None, False)
    assert tried.differences == ("predicting it raised ZeroDivisionError: a defect of ours",)


def test_bad_input_is_no_crash() -> None:
    with pytest.raises(UserError, match="channel out of range"):
        trial_of(stock(), graph_of(), execute=True)(Plan([Step("model.1.conv", [99])]))


def test_trying_ends_with_the_first_plan_that_is_refuted() -> None:
    ground, ways = Ground.of(graph_of()), ways_of(("mask",))

    def fourth_refuted(plan: Plan) -> Tried:
        asked.append(plan)
        return Tried(plan, "safe", "", len(asked) < 4)

    asked: list[Plan] = []
    done = list(try_random_plans(fourth_refuted, ground, ways, examples=10, max_steps=2, seed=0))
    assert [tried.agrees for tried in done] == [True, True, True, False]
    asked = [HALF] * 4
    assert (
        len(
            list(
                try_random_plans(
                    lambda plan: Tried(plan, "safe", "", True), ground, ways, examples=10, max_steps=2, seed=0
                )
            )
        )
        == 10
    )


def test_plans_are_counted_by_way() -> None:
    tried = [Tried(HALF, "breaks", "x", True), Tried(MASKED, "safe", "", False), Tried(LOUD, "wrong", "y", True)]
    assert tally(tried, ways_of(("mask", "local", "adapter"))) == (
        Row(Way("mask"), 1, 1, 0, 0, 0),
        Row(Way("mask", "weights"), 1, 0, 0, 1, 1),
        Row(Way("local"), 1, 0, 1, 0, 1),
        Row(Way("adapter"), 0, 0, 0, 0, 0),
    )
    predicted = [Tried(HALF, "breaks", "x", None), Tried(HALF, None, "", False, ("a crash",))]
    assert tally(predicted, (Way("local"),), executed=False) == (Row(Way("local"), 2, 0, 1, 0, None),)


def test_the_smallest_unsafe_plan_has_the_fewest_steps_then_removes_the_fewest_channels() -> None:
    widths = {"a": 8, "b": 8}
    whole = Tried(Plan([Step("a", range(8))]), "wrong", "no-op", True)
    two = Tried(Plan([Step("a", range(7)), Step("b", range(8))]), "breaks", "two steps", True)
    many = Tried(Plan([Step("a", range(2))]), "breaks", "six gone", True)
    few = Tried(Plan([Step("b", range(6))]), "wrong", "two gone", True)
    safe = Tried(Plan([Step("b", range(7))]), "safe", "", True)
    assert smallest_unsafe([whole, two, many, few, safe], widths) is few
    assert smallest_unsafe([whole, safe], widths) is None
    assert removed(two.plan, widths) == 1


@pytest.mark.parametrize(
    ("plan", "small"),
    [
        (
            Plan([Step("model.0.conv", range(0, 16, 2)), Step("model.1.conv", range(0, 32, 2))], "local"),
            Plan([Step("model.0.conv", range(1, 16))], "local"),
        ),
        (LOUD, Plan([Step("model.1.conv", range(1, 32))], "mask", "weights")),
        (ALONE, Plan([Step("model.4.m.0.cv2.conv", [31])], "local")),
    ],
)
def test_an_unsafe_plan_is_shrunk_to_what_is_unsafe_about_it(plan: Plan, small: Plan) -> None:
    graph = graph_of()
    trial = trial_of(stock(), graph, execute=False)
    widths = {name: layer.out_channels for name, layer in graph.layers.items()}
    first, found = trial(plan), shrunk_unsafe(trial(plan), trial, widths)
    assert found.plan == small
    assert found.outcome == first.outcome
    assert shrunk_unsafe(first, trial, widths) == found


def test_steps_that_only_together_are_unsafe_are_not_merged_unseen() -> None:
    twice = Plan([Step("a", [0, 1, 2]), Step("a", [0, 1])], "local")
    tried: list[Plan] = []

    def trial(plan: Plan) -> Tried:
        tried.append(plan)
        return Tried(plan, "breaks", "x", None) if len(plan.steps) > 1 else Tried(plan, "safe", "", None)

    assert shrunk_unsafe(trial(twice), trial, {"a": 4}).plan == twice
    assert len(tried) > 1


def test_layers_of_blocks_are_those_that_run() -> None:
    assert layers_in(stock(), graph_of(), [1, 2]) == (
        "model.1.conv",
        "model.2.cv1.conv",
        "model.2.m.0.cv1.conv",
        "model.2.m.0.cv2.conv",
        "model.2.cv2.conv",
    )
    with pytest.raises(UserError, match=r"^unknown block: got 77. The model has blocks 0 to 22\.$"):
        layers_in(stock(), graph_of(), [1, 77])
    with pytest.raises(UserError, match=r"^these blocks have no Conv2d to prune: got \[10\]\."):
        layers_in(stock(), graph_of(), [10])
