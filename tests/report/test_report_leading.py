"""The best of several ways, and what is tied with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from yolo_prune_check.report.leading import leading
from yolo_prune_check.report.paired import Outcome


def outcomes(scores: Mapping[str, Sequence[float]]) -> dict[str, dict[int, Outcome]]:
    """Every score is of a model of its own."""
    return {
        name: {seed: Outcome(score, (name, seed)) for seed, score in enumerate(own)} for name, own in scores.items()
    }


def test_two_ways_are_told_apart_as_by_a_paired_t_test() -> None:
    found = leading(outcomes({"a": [0.50, 0.60, 0.70, 0.65], "b": [0.51, 0.63, 0.72, 0.66]}))
    assert found.leader == "b"
    from scipy.stats import ttest_rel

    expected = ttest_rel([0.51, 0.63, 0.72, 0.66], [0.50, 0.60, 0.70, 0.65]).pvalue
    assert found.p == pytest.approx(expected, rel=1e-4)
    assert found.tied == (() if expected < 0.05 else ("a",))


def test_what_seeds_have_in_common_is_no_chance() -> None:
    common = [0.0, 0.2, 0.4]
    scores = {name: [base + each for each in common] for name, base in (("a", 0.30), ("b", 0.31), ("c", 0.34))}
    scores["a"][0] += 0.001
    found = leading(outcomes(scores))
    assert (found.leader, found.tied) == ("c", ())


def test_what_is_far_behind_is_not_tied_however_many_there_are() -> None:
    """With three seeds, t-tests corrected for 25 comparisons would tie nearly everything."""
    chance = Random(2)
    scores = {f"near {i}": [0.83 + chance.gauss(0, 0.01) for _ in range(3)] for i in range(20)}
    scores |= {f"far {i}": [0.3 + chance.gauss(0, 0.1) for _ in range(3)] for i in range(5)}
    found = leading(outcomes(scores))
    assert found.leader.startswith("near")
    assert {name for name in found.tied if name.startswith("far")} == set()
    assert len(found.tied) == 19


@pytest.mark.parametrize("noisy", [0.01, 0.05])
def test_one_way_that_varies_more_is_not_best_by_that(noisy: float) -> None:
    chance, wins = Random(3), 0
    for _ in range(100):
        scores = {str(i): [chance.gauss(0.5, noisy if i == 0 else 0.01) for _ in range(3)] for i in range(6)}
        wins += not leading(outcomes(scores)).tied
    assert wins <= 9  # 5 are expected at most, give or take two standard deviations


def test_losers_with_ups_and_downs_make_no_tie_of_a_clear_lead() -> None:
    scores = {"a": [0.840, 0.841, 0.842], "b": [0.800, 0.801, 0.803]}
    assert leading(outcomes(scores)).tied == ()
    assert leading(outcomes({**scores, "c": [0.1, 0.5, 0.3], "d": [0.4, 0.2, 0.1]})).tied == ()


def test_ways_that_made_the_same_models_are_tied_and_count_once() -> None:
    known = outcomes({"a": [0.5, 0.52, 0.51], "b": [0.6, 0.61, 0.605]})
    alone = leading(known)
    assert alone.tied == ()
    twice = leading({**known, "c": known["b"], "d": known["a"]})
    assert twice.leader == "b"
    assert twice.tied == ("c",)
    assert twice.p == pytest.approx(1.0)


def test_seeds_that_change_nothing_are_one() -> None:
    same = {
        name: {seed: Outcome(score, name) for seed in range(3)} for name, score in (("a", 0.5), ("b", 0.6), ("c", 0.6))
    }
    found = leading(same)
    assert (found.leader, found.tied, found.tested, found.p) == ("b", ("c",), False, None)


def test_ways_without_chance_are_not_told_apart_by_that_of_others() -> None:
    fixed = {name: {seed: Outcome(score, name) for seed in range(3)} for name, score in (("a", 0.5), ("b", 0.6))}
    drawn = outcomes({"c": [0.40, 0.41, 0.42]})
    assert leading(fixed | drawn) == leading(fixed)
    assert not leading(fixed | drawn).tested
    alone = leading({"b": fixed["b"], **drawn})
    assert (alone.leader, alone.tied, alone.tested) == ("b", (), True)


def test_seeds_that_not_all_were_tried_with_tell_nothing() -> None:
    known = outcomes({"a": [0.5, 0.52, 0.51], "b": [0.6]})
    found = leading(known)
    assert (found.leader, found.tied, found.tested) == ("b", (), False)
    known["b"][1] = Outcome(0.62, "b again")
    assert leading(known).tested
    early = leading({"a": {0: Outcome(0.9, 1), 1: Outcome(0.5, 2), 2: Outcome(0.5, 3)}, "b": {0: Outcome(0.8, 4)}})
    assert early.leader == "a"  # with the only seed that both were tried with


def test_no_chance_at_all() -> None:
    found = leading(outcomes({"a": [0.5, 0.6], "b": [0.7, 0.8], "c": [0.7, 0.8]}))
    assert (found.leader, found.tied) == ("b", ("c",))


def test_the_tests_of_chance_are_loaded_only_where_they_are_used() -> None:
    code = "import sys, yolo_prune_check.report.leading; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
