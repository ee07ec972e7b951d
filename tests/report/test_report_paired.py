"""Differences, ties and the best: how often chance alone is taken for something, and that what is large is found."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.report.matrices import matrix
from tests.report.scored import precision
from yolo_prune_check.report.comparison.effects import effects_of, largest
from yolo_prune_check.report.comparison.matrix import Combination, Comparison, comparisons_of
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.paired import Difference, Outcome, compare, corrected
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
    found = compare(
        {index: Outcome(0.5, ("first", index)) for index in range(len(changes))},
        {index: Outcome(0.5 + change, ("second", index)) for index, change in enumerate(changes)},
    )
    assert found is not None
    return found


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
    assert compare({}, {"a": Outcome(0.5, "x")}) is None


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    given = [replace(difference(0.1, 0.2), p=p) for p in (0.04, None, 0.01, 0.03)]
    assert [each.p for each in corrected(given)] == pytest.approx([0.06, None, 0.03, 0.06])


def test_twenty_seven_pairs_show_what_is_smaller_than_their_spread() -> None:
    chance = Random(3)
    found = difference(*(chance.gauss(0.014, 0.015) for _ in range(27)))
    assert found.sample is not None
    assert found.sample.spread is not None
    assert found.sample.mean < 2 * found.sample.spread
    assert found.is_clear
