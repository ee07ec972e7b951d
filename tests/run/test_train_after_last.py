"""``fine_tune.after: last`` trains once, when every step is over, and never loses the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.run.test_kept import TUNED
from tests.train.tiny import Recorder, write_data
from yolo_prune_check.model.load import load_model
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.run import run
from yolo_prune_check.run import step as step_module
from yolo_prune_check.run.events import ScenarioFinished, StepFinished
from yolo_prune_check.run.limited import _HowFar
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import Scenario, load_spec
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.finetune import fine_tune

LAST = TUNED.replace("epochs: 1", "epochs: 1, after: last")
SESSIONS = f"""\
{LAST.partition("    steps")[0]}
    blocks: [1, 2]
    layers: first
    select: {{criterion: l1, ratio: 0.5}}
    fine_tune: {{epochs: 1, after: last, batch: 4}}
    schedule: sessions
"""
SKIPPED = f"""\
{LAST.partition("    steps")[0]}
    steps: [{{layer: 2.3, keep: [3]}}, {{layer: 1.0, keep: 0-15}}]
    fine_tune: {{epochs: 1, after: last, batch: 4}}
    execution: local
    on_mismatch: skip
    expect: {{verdict: unsafe, hazards: [broadcast-add]}}
"""
"""The last step would break what reads the layer, and is left out; the one before runs."""


@pytest.fixture(autouse=True)
def _with_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(tmp_path / "data", train=4, val=2)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """For each training, how many filters of layers 1.0 and 2.0 are not zero when it begins."""
    begun: list[list[int]] = []

    def noted(model: nn.Module, **how: Any) -> Any:
        weights = [model.get_submodule(name).weight for name in ("model.1.conv", "model.2.cv1.conv")]
        begun.append([int((weight.flatten(1) != 0).any(1).sum()) for weight in weights])  # type: ignore[operator]
        return fine_tune(model, **how)

    monkeypatch.setattr(step_module, "fine_tune", noted)
    return begun


def scenario_of(text: str) -> Scenario:
    Path("x.prune.yaml").write_text(text, encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    return scenario


def record_of(text: str, shown: Recorder | None = None) -> Record:
    return run_scenario(scenario_of(text), work_dir=Path("work"), progress=shown or Recorder())


def test_it_trains_once_on_all_that_was_pruned(trained: list[list[int]]) -> None:
    record = record_of(SESSIONS)
    assert trained == [[16, 16]]
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, True), record.failures
    first, last = record.steps
    assert (first.scores_tuned, first.regrown, last.regrown) == (None, None, 0)
    assert last.scores_pruned is not None
    assert last.scores_tuned == record.metrics.scores_after is not None
    assert record.fine_tune == "1 epoch after the last step, batch 4"
    sessions = [load_model(str(step.checkpoint)).state_dict()["model.9.cv1.conv.weight"] for step in record.steps]
    assert record.checkpoint is not None
    final = load_model(record.checkpoint).state_dict()["model.9.cv1.conv.weight"]
    assert torch.equal(sessions[1], final)
    assert not torch.equal(sessions[0], final)


def test_where_the_last_step_is_skipped_training_follows_the_last_that_was_not(trained: list[list[int]]) -> None:
    far = _HowFar()
    events = list(run(scenario_of(SKIPPED)))
    told = [event.step for event in events if isinstance(event, StepFinished)]
    assert [(step.index, step.status, step.scores_tuned is None) for step in told] == [
        (0, "pruned", True), (1, "skipped", True), (0, "pruned", False),
    ]  # fmt: skip
    for event in events:
        far.note(event)
    last = events[-1]
    assert isinstance(last, ScenarioFinished)
    assert trained == [[32, 32]]
    assert last.record.steps == tuple(far.steps)
    assert last.record.passed, last.record.failures
    assert last.record.steps[0].scores_tuned == last.record.metrics.scores_after is not None


def test_a_training_after_skipped_steps_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise TrainingError("the training came to nothing", where="model.1", hint="Try another.")

    with monkeypatch.context() as patch:
        patch.setattr(step_module, "fine_tune", fails)
        record = record_of(SKIPPED)
    assert [step.status for step in record.steps] == ["failed", "skipped"]
    assert record.reasons[0].endswith("model.1: the training came to nothing. Try another.")
    assert record.metrics.scores_after is None
    shown = Recorder()
    again = record_of(SKIPPED, shown)
    assert "    goes on after step 1 of 2, where it was interrupted" in shown.lines
    assert [step.status for step in again.steps] == ["pruned", "skipped"]
    assert again.steps[0].scores_tuned is not None
