"""Pages say how a failure comes about and what would make the plan safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yolo_prune_check.report.suite_page import scenario_part
from yolo_prune_check.report.summary import scenario_failure_text
from yolo_prune_check.run.record import RemovalRecord, RepairRecord

if TYPE_CHECKING:
    from tests.report.conftest import Build

PATH = ("model.4.cv1.conv", "chunk[1]", "model.4.m.0 add")
REPAIR = RepairRecord("Drop the step on model.1.conv.", ("model.1.conv",), (), "local", "silent")


def test_a_failing_step_shows_its_path_and_its_repair(build: Build) -> None:
    failure = build.mismatch(path=PATH)
    page = scenario_part(build.unsafe(steps=(build.broken(failure=failure, repair=REPAIR),)))
    assert "  - how it gets there: `model.4.cv1.conv` → `chunk[1]` → `model.4.m.0 add`\n" in page
    assert page.count("how it gets there") == 1
    assert "  - what would make it safe: Drop the step on model.1.conv.\n" in page


def test_an_observation_without_a_path_still_equals_its_prediction(build: Build) -> None:
    step = build.broken(predicted_failure=build.mismatch(path=PATH), observed_failure=build.mismatch())
    assert "as predicted to the letter" in scenario_part(build.unsafe(steps=(step,)))


def test_a_plan_that_runs_and_is_unsafe_shows_the_repair_of_the_whole_plan(build: Build) -> None:
    extra = RepairRecord("Remove more.", (), (RemovalRecord("model.3.conv", (1, 2)),), "local", "silent")
    steps = (build.step(0, repair=REPAIR), build.step(1, "model.2.cv1.conv", "2.0", repair=extra))
    page = scenario_part(build.record(verdict="unsafe", steps=steps, hazards=(build.hazard(),)))
    assert "**Repair**: what would make it safe: Remove more." in page
    assert REPAIR.message not in page


def test_a_safe_plan_shows_neither(build: Build) -> None:
    page = scenario_part(build.record())
    assert "how it gets there" not in page
    assert "make it safe" not in page


def test_the_terminal_shows_them_too(build: Build) -> None:
    failure = build.mismatch(path=PATH)
    said = scenario_failure_text(build.unsafe(steps=(build.broken(failure=failure, repair=REPAIR),)), "")
    assert "step 1 how it gets there: model.4.cv1.conv → chunk[1] → model.4.m.0 add" in said
    assert "step 1 what would make it safe: Drop the step on model.1.conv." in said
