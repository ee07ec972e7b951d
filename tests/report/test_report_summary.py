"""What a terminal shows after a run and when a scenario fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yolo_prune_check.report import scenario_failure_text, stood_in, terminal_summary
from yolo_prune_check.run.record import MetricsRecord, not_started

if TYPE_CHECKING:
    from tests.report.conftest import Build


def test_the_summary_has_a_line_for_each_scenario_and_one_that_adds_up(build: Build) -> None:
    records = [build.unsafe("cut"), build.record("first", passed=False, failures=("mAP fell too far",))]
    lines = terminal_summary(records).splitlines()
    rows = [line for line in lines[2:-1] if not line.startswith(" ")]  # a long reason goes on in a second line
    assert len(rows) == len(records)
    assert rows[0].split()[:3] == ["✓", "sample::cut", "unsafe"]
    assert rows[1].split()[:3] == ["✗", "sample::first", "safe"]
    assert rows[1].endswith("mAP fell too far")
    assert lines[-1] == "2 scenarios: 1 safe, 1 unsafe; 1 as expected, 1 not; 2 of 2 steps as predicted"
    assert terminal_summary(records[::-1]) == "\n".join(lines)


def test_the_summary_stays_narrow(build: Build) -> None:
    records = [build.unsafe(verdict="partial", reasons=("word " * 60,))]
    lines = terminal_summary(records).splitlines()
    assert max(map(len, lines)) < 120
    assert len(lines) == 2 + 2 + 1
    assert lines[3].endswith("word…")


def test_the_reason_has_all_the_space_there_is_and_no_path(build: Build) -> None:
    words = "no such layer: got '99.0'. yolov8n-digits has the layers 0.0 to 22.10, and none of them is it."
    at = "specs/field_notes/sample.prune.yaml:38:7: "
    records = [build.record("x", verdict="refused", reasons=(at + words,)), not_started(build.record("y"), at + words)]
    lines = terminal_summary(records).splitlines()
    assert [line.count(words[:60]) for line in lines[2:-1]] == [1, 0, 1, 0]
    assert lines[3].endswith(words[-20:])
    assert max(map(len, lines)) < 120


def test_scenarios_that_could_not_be_started_are_rows_and_counted(build: Build) -> None:
    records = [build.record("first"), not_started(build.record("typo"), "a.prune.yaml:4: unknown block: got 77.")]
    lines = terminal_summary(records).splitlines()
    assert lines[3].split() == ["✗", "sample::typo", "not", "started", "–", "unknown", "block:", "got", "77."]
    assert lines[-1] == (
        "2 scenarios: 1 safe, 1 could not be started (bad input); 1 as expected, 0 not; 1 of 1 steps as predicted"
    )


def test_what_was_only_predicted_is_not_said_to_be_done(build: Build) -> None:
    steps = tuple(build.step(i, f"model.{i}.conv", status="predicted", agrees=None, active=None) for i in range(12))
    record = build.record(
        agrees=None, steps=steps, metrics=MetricsRecord(), unjudged=("max_map_drop", "max_latency_ratio")
    )
    lines = terminal_summary([record]).splitlines()
    start = "✓   sample::plan  safe       –               "
    assert lines[2] == f"{start}12 layers predicted, nothing carried out; max_map_drop, max_latency_ratio"
    assert lines[3] == f"{' ' * len(start)}not judged"
    assert lines[-1] == "1 scenario: 1 safe; 1 as expected, 0 not; nothing was carried out"


def test_layers_of_which_nothing_went_are_not_counted_as_cut(build: Build) -> None:
    steps = (build.step(), build.step(1, "model.2.cv1.conv", "2.0", kept=32))
    said = " ".join(terminal_summary([build.record(execution="group", steps=steps)]).split())
    assert "1 of 2 layers cut with what is tied to them, every operator fits" in said


def test_the_summary_says_where_l1_stood_in(build: Build) -> None:
    step = build.step(status="predicted", agrees=None, selection={"k": 16, "stand_in": "l1, ratio 0.5"})
    predicted = build.record(criterion="taylor", steps=(step,), agrees=None)
    assert stood_in([build.record()]) is None
    assert terminal_summary([build.record("other"), predicted]).splitlines()[-1] == (
        "note: in 1 scenario l1 stood in for taylor, which looks at images: a run chooses other channels"
    )


def test_the_summary_of_nothing_says_so() -> None:
    assert terminal_summary([]) == "no scenario was run"


def test_a_failure_shows_source_plan_comparison_and_reasons_in_this_order(build: Build) -> None:
    record = build.unsafe(passed=False, failures=("the verdict is unsafe, expected safe",), expected="verdict safe")
    shown = scenario_failure_text(record, "  - id: cut\n    execution: local\n")
    parts = ["- id: cut", "model.1.conv  1.0        16/32   failed", "breaks in model.2.cv1.conv", "verdict unsafe"]
    places = [shown.index(part) for part in parts]
    assert places == sorted(places)
    assert "verdict unsafe, expected verdict safe\n    - the verdict is unsafe, expected safe" in shown
    assert f"step 1 observed: model.2.cv1.conv: expected 32, got 16: {build.mismatch().message}" in shown
    assert record.rerun in shown


def test_a_failure_names_what_differs(build: Build) -> None:
    step = build.step(agrees=False, differences=("active channels: predicted 16, observed 17",))
    edges = (build.edge(), build.edge(port="in1", agrees=False, observed_active=9))
    record = build.record(passed=False, failures=("refuted",), agrees=False, steps=(step,), edges=edges)
    shown = scenario_failure_text(record, "")
    assert "step 1 differs: active channels: predicted 16, observed 17" in shown
    differing = shown.partition("edges that differ")[2]
    assert "in1" in differing
    assert "in0" not in differing


def test_a_failure_says_what_to_do_about_its_hazards(build: Build) -> None:
    record = build.record(
        passed=False, failures=("x",), hazards=(build.hazard(), build.hazard("no-op", severity="warning"))
    )
    shown = scenario_failure_text(record, "")
    assert "- phantom-channel in model.1.conv: 16 zeroed channels still emit a constant. Use `mask: silent`" in shown
    assert "no-op" not in shown


def test_a_plan_without_steps_is_shown_too(build: Build) -> None:
    shown = scenario_failure_text(build.record(steps=(), passed=False, failures=("not refused",)), "- id: x")
    assert "no layer" in shown
    assert "predicted and observed" not in shown
