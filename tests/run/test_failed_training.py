"""A training that fails in a later step makes that step fail, and what was done until then stays on record.

One that makes the model worse fails nothing, and is told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.run.test_kept import TUNED
from tests.train.tiny import Recorder, write_data
from yolo_prune_check.cli.exits import exit_code
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run import step as step_module
from yolo_prune_check.run.record import Record
from yolo_prune_check.scores import MeanAveragePrecision
from yolo_prune_check.spec import load_spec
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.finetune import FineTuneResult, fine_tune
from yolo_prune_check.train.widths import RebuiltError


@pytest.fixture(autouse=True)
def _with_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(tmp_path / "data", train=4, val=2)
    monkeypatch.chdir(tmp_path)


def recorded(shown: Recorder) -> Record:
    Path("x.prune.yaml").write_text(TUNED, encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    return run_scenario(scenario, work_dir=Path("work"), progress=shown)


def test_a_training_that_diverges_in_the_second_step_fails_that_step(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[nn.Module] = []

    def second_with_nan(model: nn.Module, **how: Any) -> Any:
        begun.append(model)
        if len(begun) == 2:
            model = copied(model)
            nn.init.constant_(model.get_parameter("model.5.conv.weight"), torch.nan)
        return fine_tune(model, **how)

    monkeypatch.setattr(step_module, "fine_tune", second_with_nan)
    record = recorded(Recorder())
    assert [step.status for step in record.steps] == ["pruned", "failed"]
    assert record.steps[0].scores_tuned is not None
    assert record.steps[1].scores_pruned is not None
    diverged = "fine-tuning diverged in batch 1: the loss is nan. Choose a smaller learning rate than 0.001, or prune"
    assert (record.steps[1].reason or "").startswith(diverged)
    assert record.reasons[0].startswith(f"{record.steps[1].layer}: {diverged}")
    assert (record.verdict, record.agrees, record.checkpoint) == ("unsafe", True, None)
    assert (record.metrics.params_after, record.metrics.scores_after) == (None, None)
    assert exit_code([record]) == 1
    shown = Recorder()
    again = recorded(shown)  # the third training is not disturbed: only what failed is tried again
    assert "    goes on after step 1 of 2, where it was interrupted" in shown.lines
    assert (again.verdict, len(begun)) == ("safe", 3)
    assert again.steps[0] == record.steps[0]


@pytest.mark.parametrize("rebuilt", [False, True])
def test_whatever_fails_in_a_training_is_the_reason(rebuilt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = RebuiltError if rebuilt else TrainingError

    def fails(*_: Any, **__: Any) -> Any:
        raise kind("the training came to nothing", where="model.1", hint="Try another.")

    monkeypatch.setattr(step_module, "fine_tune", fails)
    record = recorded(Recorder())
    assert [step.status for step in record.steps] == ["failed"]
    assert record.reasons[0] == "model.1.conv: model.1: the training came to nothing. Try another."
    assert ("rebuilt-by-trainer" in [hazard.code for hazard in record.hazards]) is rebuilt
    assert record.verdict == "unsafe"


def test_an_evaluation_that_runs_out_of_memory_fails_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate, measured = step_module.evaluate, []

    def second_needs_too_much(*how: Any, **more: Any) -> Any:
        measured.append(1)
        if len(measured) == 2:
            raise TrainingError("an evaluation ran out of memory (CUDA out of memory)", hint="Choose a smaller batch.")
        return evaluate(*how, **more)

    monkeypatch.setattr(step_module, "evaluate", second_needs_too_much)
    record = recorded(Recorder())
    (step,) = record.steps
    assert (step.status, step.scores_tuned, step.regrown) == ("failed", None, 0)
    assert step.scores_pruned is not None
    assert record.reasons == (
        "model.1.conv: an evaluation ran out of memory (CUDA out of memory). Choose a smaller batch.",
    )


def test_a_training_that_makes_it_worse_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter((0.5, 0.4, 0.3, 0.35))

    def untrained(model: nn.Module, **_: Any) -> FineTuneResult:
        return FineTuneResult(copied(model), {}, epochs=1, seconds=0.0)

    monkeypatch.setattr(step_module, "fine_tune", untrained)
    monkeypatch.setattr(step_module, "evaluate", lambda *_, **__: MeanAveragePrecision(0.6, next(scores)))
    record = recorded(Recorder())
    assert record.verdict == "safe"
    assert record.notes[-1] == (
        "step 1, model.1.conv: training made it worse: mAP50-95 fell from 0.500 to 0.400; "
        "more epochs or a smaller learning rate may help"
    )
    assert not any("step 2" in note for note in record.notes)
