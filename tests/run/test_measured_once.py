"""``measure: last`` and ``val_part``: fewer images and fewer measurements, and records that say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.run.test_kept import TUNED
from tests.train.tiny import Recorder, write_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.report import save_records, write_reports
from yolo_prune_check.run import run
from yolo_prune_check.run.content import content_key
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import Scenario, load_spec

UNTRAINED = TUNED.replace("    fine_tune: {epochs: 1, batch: 4, lr: 0.001}\n", "")
SKIPPED = f"""\
{UNTRAINED.partition("    steps")[0]}
    steps: [{{layer: 2.3, keep: [3]}}, {{layer: 1.0, keep: 0-15}}]
    execution: local
    on_mismatch: skip
    measure: last
    expect: {{verdict: unsafe, hazards: [broadcast-add]}}
"""
"""The last step would break what reads the layer, and is left out; the one before runs."""


@pytest.fixture(autouse=True)
def _with_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(tmp_path / "data", train=4, val=4)
    monkeypatch.chdir(tmp_path)


def scenario_of(text: str) -> Scenario:
    Path("x.prune.yaml").write_text(text, encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    return scenario


def record_of(text: str, shown: Recorder | None = None) -> Record:
    return run_scenario(scenario_of(text), work_dir=Path("work"), progress=shown or Recorder())


def measured(record: Record) -> list[tuple[bool, bool]]:
    return [(step.scores_pruned is not None, step.scores_tuned is not None) for step in record.steps]


def test_scores_only_before_the_first_and_after_the_last_step() -> None:
    every, once = Recorder(), Recorder()
    whole = record_of(UNTRAINED + "    val_part: 1/2\n", every)
    record = record_of(UNTRAINED + "    measure: last\n    val_part: 1/2\n", once)
    assert [title for title, _ in once.tasks].count("evaluate on 2 images") + 1 == [
        title for title, _ in every.tasks
    ].count("evaluate on 2 images") - 1  # the untouched model's are measured once
    assert measured(record) == [(False, False), (True, False)]
    assert measured(whole) == [(True, False), (True, False)]
    assert record.metrics == whole.metrics
    assert record.metrics.scores_after == record.steps[-1].scores_pruned
    assert (record.val_part, record.measure) == ("1/2", "last")
    save_records([record], Path("reports"))
    pages = write_reports([], Path("reports")).pages
    page = next(path for path in pages if path.name.startswith("x")).read_text(encoding="utf-8")
    assert "part 1/2 of the val images" in page
    assert "measured before the first and after the last step" in page


@pytest.mark.parametrize(
    ("after", "steps"),
    [("each", [(False, False), (False, True)]), ("last", [(False, False), (True, True)])],
)
def test_trained_models_are_measured_after_the_last_step_alone(after: str, steps: list[tuple[bool, bool]]) -> None:
    record = record_of(TUNED.replace("epochs: 1", f"epochs: 1, after: {after}") + "    measure: last\n")
    assert measured(record) == steps
    assert record.metrics.scores_after == record.steps[-1].scores_tuned is not None
    assert record.passed, record.failures


def test_where_the_last_step_is_skipped_the_last_one_carried_out_has_the_scores() -> None:
    record = record_of(SKIPPED)
    assert [step.status for step in record.steps] == ["pruned", "skipped"]
    assert measured(record) == [(True, False), (False, False)]
    assert record.metrics.scores_after == record.steps[0].scores_pruned


def test_records_depend_on_both() -> None:
    keys = {
        content_key(scenario_of(UNTRAINED + more), predict_only=False)
        for more in ("", "    val_part: 1/2\n", "    val_part: 2/2\n", "    measure: last\n")
    }
    assert len(keys) == 4
    assert json.loads(scenario_of(UNTRAINED + "    val_part: 2/2\n").model_dump_json())["val_part"] == "2/2"


def test_an_empty_part_ends_it_before_anything_is_done() -> None:
    shown = Recorder()
    with pytest.raises(UserError, match="the part of the val images is empty"):
        list(run(scenario_of(UNTRAINED + "    val_part: 5/5\n"), progress=shown))
    assert shown.tasks == []
