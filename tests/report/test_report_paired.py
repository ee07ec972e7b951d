"""Differences, ties and the best: how often chance alone is taken for something, and that what is large is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.report.matrices import matrix
from tests.report.scored import precision
from yolo_prune_check.report.comparison.dependence import dependence_of
from yolo_prune_check.report.comparison.effects import effects_of, largest
from yolo_prune_check.report.comparison.matrix import Combination, Comparison, comparisons_of
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.paired import Condition, Difference, Outcome, compare, corrected
from yolo_prune_check.run.record import Record

if TYPE_CHECKING:
    from tests.report.conftest import Build

MATRICES = 200
AT_MOST = 0.08
"""Of 200 matrices 5 % are called different by chance, give or take two standard deviations (3 %)."""


def simulated(comparison: Comparison, chance: Random, better: str = "") -> Comparison:
    """The same matrix with scores that are normal noise of 0.01, which all of one seed share in part."""
    shared = {axis: chance.gauss(0, 0.01) for axis in ("0", "1", "2")}

    def scored(record: Record) -> Record:
        score = 0.5 + shared[record.axes["seed"]] + chance.gauss(0, 0.01)
        score += 0.3 if record.axes["select.criterion"] == better else 0.0
        return replace(record, metrics=replace(record.metrics, scores_after=precision(0.9, score)))

    drawn = tuple(Combination(each.values, tuple(map(scored, each.records))) for each in comparison.combinations)
    return replace(comparison, combinations=drawn)


def ways(build: Build, number: int) -> Comparison:
    axes = {"select.criterion": tuple("abcdefghi"[:number]), "seed": ("0", "1", "2")}
    (comparison,) = comparisons_of(matrix(build, axes, lambda _: 0.5))
    return comparison


@pytest.mark.parametrize("number", [2, 9])
def test_noise_has_no_winner_and_nothing_matters(number: int, build: Build) -> None:
    comparison, chance = ways(build, number), Random(1)
    winners = matter = 0
    for _ in range(MATRICES):
        drawn = simulated(comparison, chance)
        winners += Standing.of(drawn).winner is not None
        most = largest(effects_of(drawn, "select.criterion"))
        matter += most is not None and most.difference.is_clear
    assert winners <= AT_MOST * MATRICES
    assert matter <= AT_MOST * MATRICES


def test_a_large_effect_is_found(build: Build) -> None:
    comparison, chance = ways(build, 3), Random(1)
    found = [simulated(comparison, chance, better="b") for _ in range(20)]
    named = [winner.values for drawn in found if (winner := Standing.of(drawn).winner) is not None]
    assert set(named) == {("b",)}
    assert len(named) >= 18
    clear = [largest(effects_of(drawn, "select.criterion")) for drawn in found]
    assert sum(most is not None and most.difference.is_clear for most in clear) >= 18


def difference(*changes: float) -> Difference:
    """Of one pair for each seed."""
    return difference_by_seed(*((change,) for change in changes))


def difference_by_seed(*seeds: Sequence[float]) -> Difference:
    """Of several pairs for each seed."""
    first, second = dict[Condition, Outcome](), dict[Condition, Outcome]()
    for seed, changes in enumerate(seeds):
        for index, change in enumerate(changes):
            condition = Condition(seed, (("axis", str(index)),))
            first[condition] = Outcome(0.5, ("first", seed, index))
            second[condition] = Outcome(0.5 + change, ("second", seed, index))
    found = compare(first, second)
    assert found is not None
    return found


def noise(
    chance: Random, correlation: float, seeds: int = 3
) -> tuple[dict[Condition, Outcome], dict[Condition, Outcome]]:
    """Two ways that do not differ, with six pairs for each seed, of which the differences correlate."""
    first, second = dict[Condition, Outcome](), dict[Condition, Outcome]()
    for seed in range(seeds):
        shared = chance.gauss(0, 1)
        for row, column in product("abc", "xy"):
            change = 0.01 * (correlation**0.5 * shared + (1 - correlation) ** 0.5 * chance.gauss(0, 1))
            condition = Condition(seed, (("row", row), ("column", column)))
            first[condition] = Outcome(0.5, ("first", seed, row, column))
            second[condition] = Outcome(0.5 + change, ("second", seed, row, column))
    return first, second


@pytest.mark.parametrize("correlation", [0.0, 0.25, 0.5])
def test_what_pairs_of_a_seed_share_is_not_taken_for_an_effect(correlation: float) -> None:
    """Of pairs that correlate by 0.25 and 0.5, a test over pairs calls 23 % and 34 % different, instead of 5 %."""
    chance, clear, turning = Random(1), 0, 0
    for _ in range(MATRICES):
        first, second = noise(chance, correlation)
        found, dependence = compare(first, second), dependence_of(first, second)
        assert found is not None
        assert dependence is not None
        assert found.pairs == 18
        clear += found.is_clear
        turning += dependence.turns
    assert clear <= AT_MOST * MATRICES
    assert turning <= AT_MOST * MATRICES


def test_an_effect_that_turns_with_another_axis_is_told_with_its_values() -> None:
    chance, told = Random(1), 0
    for _ in range(20):
        first, second = noise(chance, 0.25)
        by = {"a": 0.05, "b": 0.0, "c": -0.05}
        second = {
            condition: replace(known, score=known.score + by[dict(condition.axes)["row"]])
            for condition, known in second.items()
        }
        found = dependence_of(first, second)
        assert found is not None
        assert found.axis == "row"
        assert [part.value for part in found.parts] == ["a", "b", "c"]
        assert found.highest is not None
        assert found.lowest is not None
        assert (found.highest.value, found.lowest.value) == ("a", "c")
        told += found.turns
    assert told >= 18


def test_an_effect_of_one_sign_does_not_turn() -> None:
    first, second = noise(Random(1), 0.25)
    second = {
        condition: replace(known, score=known.score + 0.1 + (0.3 if dict(condition.axes)["row"] == "a" else 0.0))
        for condition, known in second.items()
    }
    found = dependence_of(first, second)
    assert found is not None
    assert (found.axis, found.turns) == ("row", False)
    assert found.range == pytest.approx(0.3, abs=0.02)


def test_without_another_axis_and_without_other_seeds_nothing_turns() -> None:
    first, second = noise(Random(1), 0.0, seeds=1)
    once = dependence_of(first, second)
    assert once is not None
    assert not once.turns
    bare = {Condition(seed): Outcome(0.5, seed) for seed in range(3)}
    assert dependence_of(bare, {condition: replace(known, score=0.6) for condition, known in bare.items()}) is None


def test_each_seed_counts_once_with_the_mean_of_its_pairs() -> None:
    stats = pytest.importorskip("scipy.stats")
    found = difference_by_seed((0.01, 0.03, 0.05), (-0.02, 0.06, 0.02), (0.04, 0.05, 0.06))
    assert found.sample is not None
    assert found.sample.n == 3
    assert found.sample.mean == pytest.approx(0.1 / 3)
    assert found.p == pytest.approx(stats.ttest_1samp([0.03, 0.02, 0.05], 0).pvalue)
    assert (found.higher, found.pairs, found.pairs_higher) == (3, 9, 8)
    assert found.words.startswith("+0.033 ± 0.015 (3 seeds, 8 of 9 pairs higher, 95 % interval ")
    assert difference_by_seed((0.01, 0.03, 0.05)).p is None


def test_copies_count_once_within_a_seed_and_as_whole_seeds() -> None:
    def outcomes(score: float, *models: tuple[str, str, str]) -> dict[Condition, Outcome]:
        """By seed and schedule, a model each."""
        return {Condition(seed, (("schedule", schedule),)): Outcome(score, model) for seed, schedule, model in models}

    first = outcomes(0.5, ("0", "a", "p"), ("0", "b", "p"), ("1", "a", "p"), ("1", "b", "p"), ("2", "a", "r"))
    second = outcomes(0.6, ("0", "a", "q"), ("0", "b", "q"), ("1", "a", "q"), ("1", "b", "q"), ("2", "a", "s"))
    alike = {Condition("2", (("schedule", "b"),)): Outcome(0.5, "t")}
    found = compare(first | alike, second | alike)
    assert found is not None
    assert found.sample is not None
    assert (found.sample.n, found.pairs, found.equal, found.copies) == (2, 2, 1, 3)


def test_the_same_comparison_made_twice_is_one_test() -> None:
    one, other = replace(difference(0.1, 0.2), p=0.02), replace(difference(0.1, 0.3), p=0.04)
    assert [each.p for each in corrected([one, one, other])] == pytest.approx([0.04, 0.04, 0.04])


def test_p_and_interval_are_those_of_students_t() -> None:
    stats = pytest.importorskip("scipy.stats")
    changes = [0.01, 0.03, -0.01, 0.02, 0.04]
    found, known = difference(*changes), stats.ttest_1samp(changes, 0)
    interval = known.confidence_interval(0.95)
    assert found.p == pytest.approx(known.pvalue)
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert difference(0.1).p is None
    assert difference(0.1).interval is None
    assert difference(0.1, 0.1).p == 0.0
    assert compare({}, {Condition(0): Outcome(0.5, "x")}) is None


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    given = [replace(difference(0.1, 0.2), p=p) for p in (0.04, None, 0.01, 0.03)]
    assert [each.p for each in corrected(given)] == pytest.approx([0.06, None, 0.03, 0.06])


def test_twenty_seven_seeds_show_what_is_smaller_than_their_spread() -> None:
    chance = Random(3)
    found = difference(*(chance.gauss(0.014, 0.015) for _ in range(27)))
    assert found.sample is not None
    assert found.sample.spread is not None
    assert found.sample.mean < 2 * found.sample.spread
    assert found.is_clear
