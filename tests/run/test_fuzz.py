"""Scenarios of random plans, from YAML to record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.wrong import make_silu_wrong
from tests.models import graph_of, stock
from yolo_prune_check.channels.plan import Plan, Step, as_ranges
from yolo_prune_check.errors import UserError
from yolo_prune_check.fuzz.trial import Tried
from yolo_prune_check.progress import progress
from yolo_prune_check.prune.unread import unread_attributes
from yolo_prune_check.run import run
from yolo_prune_check.run.counterexample import spec_text
from yolo_prune_check.run.events import Event, PlanTried, ScenarioFinished, ScenarioStarted
from yolo_prune_check.run.fuzz import FuzzTask, fuzz
from yolo_prune_check.run.fuzz_record import FuzzRecord
from yolo_prune_check.run.record import Record, read_record, write_record
from yolo_prune_check.spec import load_spec

SPEC = "model: yolov8n-digits\nimgsz: 32\nscenarios:\n  - id: x\n    fuzz: {{{}}}\n"


def events_of(tmp_path: Path, fields: str, *, predict_only: bool = False, more: str = "") -> list[Event]:
    spec = tmp_path / "x.prune.yaml"
    spec.write_text(SPEC.format(fields) + more, encoding="utf-8")
    (scenario,) = load_spec(spec).scenarios
    return list(run(scenario, work_dir=tmp_path / "work", predict_only=predict_only, keep=False))


def record_of(tmp_path: Path, fields: str, *, predict_only: bool = False, more: str = "") -> Record:
    last = events_of(tmp_path, fields, predict_only=predict_only, more=more)[-1]
    assert isinstance(last, ScenarioFinished)
    return last.record


def test_every_plan_is_an_event_and_the_last_one_carries_the_record(tmp_path: Path) -> None:
    started, *tried, finished = events_of(tmp_path, "examples: 6, blocks: [1, 2], executions: [local, mask]")
    assert isinstance(started, ScenarioStarted)
    assert started.layers[0] == "model.1.conv"
    plans = [event for event in tried if isinstance(event, PlanTried)]
    assert [(plan.index, plan.total, plan.agrees) for plan in plans] == [(index, 6, True) for index in range(6)]
    assert isinstance(finished, ScenarioFinished)
    record = finished.record
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, True)
    assert record.reasons == ("all 6 random plans went as predicted",)
    assert (record.execution, record.criterion, record.blocks, record.data) == ("random", "random", (1, 2), None)
    assert record.fuzz is not None
    assert [row.execution for row in record.fuzz.rows] == ["mask", "mask: weights", "local"]
    assert (record.fuzz.layers, record.fuzz.tried, record.fuzz.agreed) == (5, 6, 6)
    for row in record.fuzz.rows:
        members = [plan for plan in plans if plan.execution == row.execution]
        outcomes = [plan.outcome for plan in members]
        assert (row.tried, row.safe, row.breaks, row.wrong) == (
            len(members), outcomes.count("safe"), outcomes.count("breaks"), outcomes.count("wrong"),
        )  # fmt: skip
    assert not (tmp_path / "work").exists()


def test_the_same_spec_gives_the_same_record_and_another_seed_another_one(tmp_path: Path) -> None:
    fields = "examples: 25, executions: [local], max_steps: 2"
    one = record_of(tmp_path, fields, predict_only=True)
    assert record_of(tmp_path, fields, predict_only=True) == one
    other = record_of(tmp_path, f"{fields}, seed: 1", predict_only=True)
    assert one.fuzz is not None
    assert other.fuzz is not None
    assert other.fuzz.smallest_unsafe != one.fuzz.smallest_unsafe


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    record = record_of(tmp_path, "examples: 5", predict_only=True)
    write_record(record, tmp_path / "x.json")
    assert read_record(tmp_path / "x.json") == record


def test_predicted_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yolo_prune_check.fuzz.trial.confirm", None)
    record = record_of(tmp_path, "examples: 3", predict_only=True)
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, None)
    assert record.reasons == ("all 3 random plans were predicted; nothing was carried out",)
    assert record.fuzz is not None
    assert record.fuzz.agreed is None


def test_a_refuted_prediction_fails_and_its_plan_runs_as_a_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolo_prune_check.run.baseline import _load

    _load.cache_clear()
    make_silu_wrong(monkeypatch)
    record = record_of(tmp_path, "examples: 30, executions: [mask]")
    assert (record.verdict, record.passed, record.agrees) == ("unsafe", False, False)
    assert record.fuzz is not None
    found = record.fuzz.counterexample
    assert found is not None
    assert found.plan.execution == "mask: weights"
    assert [(step.kept, step.keep) for step in found.plan.steps] == [(0, "")]
    assert record.fuzz.agreed == record.fuzz.tried - 1
    assert record.failures[0].startswith("a prediction was refuted, which is a defect of this tool: random plan ")
    assert "keeps no channel under mask: weights: active channels of" in record.failures[0]
    spec = tmp_path / "found.prune.yaml"
    spec.write_text(found.spec, encoding="utf-8")
    (scenario,) = load_spec(spec).scenarios
    *_, finished = run(scenario, work_dir=tmp_path)
    assert isinstance(finished, ScenarioFinished)
    assert finished.record.agrees is False
    assert set(found.differences) <= set(finished.record.steps[-1].differences)
    _load.cache_clear()  # it knows the graph that was traced under the wrong rule


def test_what_does_not_fit_the_model_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.prune\.yaml:5:20: unknown block: got 99\. The model has blocks 0 to 22\."):
        events_of(tmp_path, "blocks: [99]")
    refused = record_of(tmp_path, "blocks: [10]", more="    expect: {error: have no Conv2d}\n")
    assert (refused.verdict, refused.passed) == ("refused", True)
    ran = record_of(tmp_path, "examples: 1", more="    expect: {error: have no Conv2d}\n", predict_only=True)
    assert ran.failures == ("expected a refusal with “have no Conv2d”, but the scenario ran",)


def test_random_plans_are_carried_out_in_every_way(tmp_path: Path) -> None:
    record = record_of(tmp_path, "examples: 8")
    assert record.fuzz is not None
    assert [row.execution for row in record.fuzz.rows] == ["mask", "mask: weights", "local", "group", "adapter"]
    assert (record.verdict, record.fuzz.tried, record.fuzz.agreed) == ("safe", 8, 8)
    assert {row.execution for row in record.fuzz.rows if row.tried} >= {"group", "adapter"}


def test_model_and_graph_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """One loaded model and one traced graph for all plans."""
    model, graph = stock(), graph_of()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    unread_attributes(model, graph, Plan([], "group"))  # the forwards for export are traced once for each graph
    monkeypatch.setattr("yolo_prune_check.channels.graph.ChannelGraph.trace", None)
    task = FuzzTask("yolov8n.yaml", examples=4, seed=0, max_steps=2)
    *tried, record = fuzz(model, graph, task, progress(quiet=True))
    assert all(isinstance(each, Tried) and each.agrees for each in tried)
    assert isinstance(record, FuzzRecord)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("channels", "text"), [((), ""), ((3,), "3"), ((0, 1, 2), "0-2"), ((0, 2, 3, 4, 9), "0,2-4,9")]
)
def test_channels_as_specs_write_them(channels: tuple[int, ...], text: str) -> None:
    assert as_ranges(channels) == text


@pytest.mark.parametrize("mask", ["silent", "weights"])
def test_a_plan_is_written_out_as_a_spec_and_read_back(tmp_path: Path, mask: str) -> None:
    plan = Plan([Step("model.1.conv", [0, 1, 2, 9]), Step("model.2.cv1.conv", ()), Step("model.1.conv", [2, 9])],
                "mask", mask)  # type: ignore[arg-type]  # a kind of mask  # fmt: skip
    text = spec_text(
        plan, model='odd "name": x', trust=True, imgsz=64, verdict="unsafe", seed=3, differences=["a:\nb # c"]
    )
    assert "#   a: b # c\n" in text
    spec = tmp_path / "it.prune.yaml"
    spec.write_text(text, encoding="utf-8")
    (scenario,) = load_spec(spec).scenarios
    assert scenario.steps is not None
    assert {step.layer: step.keep for step in scenario.steps} == plan.kept()
    assert (scenario.model, scenario.mask, scenario.expect.verdict) == ('odd "name": x', mask, "unsafe")
