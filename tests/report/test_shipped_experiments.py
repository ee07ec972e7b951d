"""The shipped experiments: they load, compare what they say they compare, and are affordable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from yolo_prune_check.report.claims.efforts import effort
from yolo_prune_check.report.site import EXPERIMENT_TAG
from yolo_prune_check.run import run
from yolo_prune_check.run.events import ScenarioFinished
from yolo_prune_check.run.finish import blank_record
from yolo_prune_check.spec import Scenario, load_spec

if TYPE_CHECKING:
    from tests.report.conftest import Build

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def scenarios() -> tuple[Scenario, ...]:
    return load_spec("experiments/order_and_schedule.prune.yaml").scenarios


def trained(scenario: Scenario) -> float:
    """Epochs of all images, over all steps."""
    tuning = scenario.fine_tune
    if tuning is None:
        return 0.0
    rounds = len(scenario.blocks or ()) if tuning.after == "each" else 1
    return rounds * tuning.epochs * tuning.fraction


def test_every_combination_has_five_seeds_and_is_asked_by_the_claims() -> None:
    found = scenarios()
    assert len(found) == 3 * 3 * 3 * 5
    assert {name for scenario in found for name in scenario.axes} == {"fine_tune", "order", "schedule", "seed"}
    assert {scenario.seed for scenario in found} == {0, 1, 2, 3, 4}
    assert all(EXPERIMENT_TAG in scenario.tags and scenario.data == "digits" for scenario in found)


def test_both_trainings_see_equally_many_images() -> None:
    after = {"each": set[float](), "last": set[float]()}
    for scenario in scenarios():
        if scenario.fine_tune is not None:
            after[scenario.fine_tune.after].add(trained(scenario))
    assert after["each"] == after["last"]
    assert len(after["each"]) == 1


def test_the_claims_read_from_records_how_much_is_trained(build: Build) -> None:
    for scenario in scenarios():
        blank = blank_record(scenario, verdict="safe", reasons=(), failures=(), agrees=True)
        steps = tuple(build.step(index) for index in range(len(scenario.blocks or ())))
        assert effort(replace(blank, steps=steps)) == pytest.approx(trained(scenario))


def test_it_can_be_predicted(tmp_path: Path) -> None:
    scenario, *_ = scenarios()
    *_, finished = run(scenario, work_dir=tmp_path, predict_only=True)
    assert isinstance(finished, ScenarioFinished)
    assert finished.record.verdict == "safe"
    assert [step.status for step in finished.record.steps] == ["predicted"] * 5
