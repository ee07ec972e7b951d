"""A plan that shows something becomes as small as it can be while it still does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.fuzz.shrink import shrink, shrink_removed
from yolo_prune_check.strategies import plans

BIG = Plan([Step("a", range(3, 40)), Step("b", range(64)), Step("c", [1, 5, 9]), Step("a", range(20))], "local")


def test_what_always_shows_becomes_one_channel_of_one_layer() -> None:
    assert shrink(BIG, lambda plan: True) == Plan([Step("a", ())], "local")


def test_two_layers_that_are_both_needed_stay() -> None:
    plan = shrink(BIG, lambda plan: {"a", "c"} <= plan.kept().keys())
    assert plan == Plan([Step("a", ()), Step("c", ())], "local")


def test_a_layer_named_twice_is_named_once() -> None:
    plan = shrink(BIG, lambda plan: plan.kept().get("a") == tuple(range(3, 20)))
    assert plan == Plan([Step("a", range(3, 20))], "local")


def test_the_fewest_channels_that_show_it_are_left() -> None:
    assert shrink(BIG, lambda plan: 17 in plan.kept().get("b", ())) == Plan([Step("b", [17])], "local")
    assert shrink(BIG, lambda plan: len(plan.kept().get("b", ())) > 5) == Plan([Step("b", range(6))], "local")


def test_the_fewest_removed_channels_that_show_it_are_left() -> None:
    widths = {"a": 64, "b": 64, "c": 16}
    every_other = Plan([Step("a", range(0, 64, 2)), Step("b", range(0, 64, 2)), Step("a", range(32))], "local")
    assert shrink_removed(every_other, widths, lambda plan: len(plan.kept().get("b", range(64))) < 64) == Plan(
        [Step("b", range(1, 64))], "local"
    )
    seven = shrink_removed(every_other, widths, lambda plan: 7 not in plan.kept().get("a", (7,)))
    assert seven == Plan([Step("a", [*range(7), *range(8, 64)])], "local")


def test_no_more_plans_are_tried_than_the_budget_allows() -> None:
    asked = []

    def shows(plan: Plan) -> bool:
        asked.append(plan)
        return len(plan.kept().get("b", ())) == 64

    shrink(BIG, shows, budget=20)
    assert 0 < len(asked) <= 20
    assert len(set(asked)) == len(asked)


@given(data=st.data())
def test_it_ends_with_a_plan_that_shows_it_and_is_no_larger(data: st.DataObject) -> None:
    plan = data.draw(plans(graph_of()))
    least = data.draw(st.integers(0, sum(len(keep) for keep in plan.kept().values())))

    def shows(candidate: Plan) -> bool:
        return sum(len(keep) for keep in candidate.kept().values()) >= least

    small = shrink(plan, shows)
    assert shows(small)
    assert len(small.steps) <= len(plan.steps)
    assert (small.execution, small.mask) == (plan.execution, plan.mask)
    assert shrink(plan, shows) == small
