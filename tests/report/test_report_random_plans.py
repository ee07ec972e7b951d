"""What reports and the terminal tell of random plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.conftest import Build
from yolo_prune_check.report import (
    counterexample_path,
    save_records,
    scenario_failure_text,
    terminal_summary,
    write_reports,
)
from yolo_prune_check.report.random_plans import random_text
from yolo_prune_check.report.suite_page import scenario_part
from yolo_prune_check.report.tally import Tally
from yolo_prune_check.report.wording import advice, headline
from yolo_prune_check.run.fuzz_record import Counterexample, FuzzPlan, FuzzRecord, FuzzRow, FuzzStep
from yolo_prune_check.run.record import MetricsRecord, Record

SMALL = FuzzPlan("local", (FuzzStep("model.4.cv1.conv", 64, 63, "0-41,43-63"),), "breaks in model.4.m.0.cv1.conv: no")
DONE = FuzzRecord(
    examples=60,
    seed=3,
    max_steps=5,
    layers=64,
    rows=(FuzzRow("mask", 29, 18, 0, 11, 29), FuzzRow("local", 31, 1, 30, 0, 31)),
    smallest_unsafe=SMALL,
    counterexample=None,
)
FOUND = Counterexample(
    FuzzPlan("mask: weights", (FuzzStep("model.1.conv", 32, 0, ""),), "phantom-channel in model.1.conv: 32 emit"),
    ("active channels of model.1.conv: predicted 3, observed 32",),
    'model: "yolov8n-digits"\nscenarios: []\n',
)
REFUTED = replace(DONE, rows=(FuzzRow("mask", 4, 2, 0, 2, 3),), counterexample=FOUND)
PREDICTED = replace(DONE, rows=tuple(replace(row, agreed=None) for row in DONE.rows))


def record(build: Build, fuzz: FuzzRecord = DONE, id: str = "any", **more: object) -> Record:
    known: dict[str, object] = {
        "steps": (),
        "execution": "random",
        "metrics": MetricsRecord(),
        "blocks": None,
        "data": None,
        "tags": (),
        "spec": "specs/any.prune.yaml",
        "suite": "any",
        **more,
    }
    return build.record(id, fuzz=fuzz, **known)


def refuted(build: Build) -> Record:
    why = "random plan 4: active channels of model.1.conv: predicted 3, observed 32"
    return record(build, REFUTED, verdict="unsafe", passed=False, agrees=False, reasons=(why,), failures=(why,))


def test_the_part_of_a_page_counts_verdicts_and_shows_the_smallest_unsafe_plan(build: Build) -> None:
    part = scenario_part(record(build))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:2] == "| "]
    assert rows == [
        ["execution", "plans", "safe", "unsafe: breaks", "unsafe: runs and wrong", "as predicted"],
        ["`mask`", "29", "18", "0", "11", "29 of 29"],
        ["`local`", "31", "1", "30", "0", "31 of 31"],
        ["all", "60", "19", "30", "11", "60 of 60"],
    ]
    assert "**The smallest unsafe plan found**\n\n- execution `local`\n" in part
    assert "- `model.4.cv1.conv` keeps 63 of 64 channels: `0-41,43-63`" in part
    assert (
        "How: model `yolov8n-digits`, 128 px, 60 random plans of up to 5 steps, drawn from 64 layers of all blocks, "
        "seed 3." in part
    )
    assert "**All 60 random plans went as predicted.** Of them 19 are safe, 30 break the network, 11 run and" in part
    assert "accuracy" not in part


def test_a_refuted_plan_is_shown_with_its_spec(build: Build) -> None:
    part = scenario_part(refuted(build))
    assert "**A prediction for a random plan was refuted in `any`: a defect of this tool, please report it.**" in part
    assert "- `model.1.conv` keeps 0 of 32 channels\n" in part
    assert "- differs: active channels of model.1.conv: predicted 3, observed 32" in part
    assert f"```yaml\n{FOUND.spec}```" in part
    assert advice(refuted(build)).startswith("a prediction was refuted")


def test_what_was_only_predicted_is_not_called_confirmed(build: Build) -> None:
    only = record(build, PREDICTED, agrees=None)
    part = scenario_part(only)
    assert "**60 random plans were predicted, and nothing was carried out.**" in part
    assert "went as predicted" not in part
    assert [line.split("|")[-2].strip() for line in part.splitlines() if line.startswith("| all ")] == ["–"]
    assert advice(only) == "nothing: these are random plans that try this tool, and they were only predicted"
    assert Tally.of([only]).predictions == 0


def test_random_plans_are_no_plans_that_can_be_used(build: Build) -> None:
    plan = build.record("plan")
    assert headline([plan, record(build)]) == f"{headline([plan])} {headline([record(build)])}"
    assert advice(record(build)) == (
        "nothing: these are random plans that try this tool, and every prediction was confirmed"
    )
    tally = Tally.of([plan, record(build)])
    assert (tally.predictions, tally.confirmed, tally.unmeasured) == (61, 61, 0)
    assert (tally.fuzzed, tally.fuzzed_safe) == (1, 1)
    assert Tally.of([refuted(build)]).confirmed == 3


def test_long_lines_are_wrapped_on_a_terminal() -> None:
    every_other = ",".join(map(str, range(0, 128, 2)))
    plan = FuzzPlan("local", (FuzzStep("model.6.cv1.conv", 128, 64, every_other),), "breaks in model.6: " + "no " * 60)
    told = random_text(replace(DONE, smallest_unsafe=plan))
    assert max(map(len, told.splitlines())) <= 120
    assert "0, 2, 4, " in told


def test_the_front_page_and_the_terminal_count_them(build: Build, tmp_path: Path) -> None:
    write_reports([record(build)], tmp_path)
    index = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "| steps and random plans that went as predicted | 60 of 60 |" in index
    assert "safe, random plans that went as predicted" in index
    assert "60 random plans, all as predicted: 19 are safe, 30 break the network, 11 run and are not" in index
    assert "**random plan**: a plan drawn from a seed" in index
    assert "**`local`**" in index
    last = terminal_summary([record(build)]).splitlines()[-1]
    assert last == "1 scenario: 1 safe; 1 as expected, 0 not; 60 of 60 steps and random plans as predicted"


def test_a_failure_tells_the_plan_and_its_spec(build: Build) -> None:
    text = scenario_failure_text(refuted(build), "- id: any")
    assert "random plans:\n    model yolov8n-digits, 128 px\n" in text
    assert "    differs: active channels of model.1.conv: predicted 3, observed 32\n" in text
    assert 'the refuted plan as a spec:\n    model: "yolov8n-digits"\n' in text
    assert "resolved plan" not in text


def test_the_spec_of_a_refuted_plan_lies_beside_the_record_as_long_as_it_is_refuted(
    build: Build, tmp_path: Path
) -> None:
    (path,) = save_records([refuted(build)], tmp_path)
    spec = counterexample_path(path)
    assert (spec.parent, spec.name) == (path.parent, "any.prune.yaml")
    assert spec.read_text(encoding="utf-8") == FOUND.spec
    save_records([record(build)], tmp_path)
    assert not spec.exists()


@pytest.mark.parametrize(("tried", "words"), [(1, "The only random plan went"), (2, "All 2 random plans went")])
def test_few_plans_read_well(build: Build, tried: int, words: str) -> None:
    one = replace(DONE, rows=(FuzzRow("mask", tried, tried, 0, 0, tried),), smallest_unsafe=None)
    assert headline([record(build, one)]).startswith(f"**{words} as predicted.**")
    assert "smallest unsafe" not in scenario_part(record(build, one))
