"""A final model that is there can be used: it has been checked, has its sidecar, and is that of the latest run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.killed_run import sidecar_of
from tests.test_atomic import small_files
from tests.train.tiny import Recorder
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.latency import Latency
from yolo_prune_check.errors import UserError
from yolo_prune_check.run import engine, final, finish, run
from yolo_prune_check.run.events import ScenarioFinished
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import load_spec

PLAIN = """\
model: yolov8n-digits
imgsz: 32
scenarios:
  - id: x
    steps: [{layer: 1.0, keep: 0-15}]
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finished(text: str, **how: Any) -> ScenarioFinished:
    Path("x.prune.yaml").write_text(text, encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    *_, last = run(scenario, **how)
    assert isinstance(last, ScenarioFinished)
    return last


def left() -> set[str]:
    return {path.name for path in Path(".yolo-prune-check").rglob("*") if path.is_file()} - {".lock"}


def test_an_unsafe_plan_that_runs_leaves_no_model() -> None:
    assert finished(PLAIN).record.verdict == "safe"
    assert left() == {"final.pt", "final.json", "record.json"}
    record = finished(PLAIN + "    mask: weights\n    expect: {verdict: unsafe}\n").record
    assert (record.verdict, record.passed, [step.status for step in record.steps]) == ("unsafe", True, ["pruned"])
    assert record.checkpoint is None
    assert left() == {"record.json"}
    assert finished(PLAIN + "    mask: weights\n    expect: {verdict: unsafe}\n").cached


def test_a_model_whose_proof_fails_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finish, "prove_final", lambda _: (Check("equal", False, 1.0, "it differs"),))
    record = finished(PLAIN + "    execution: adapter\n", keep=False).record
    assert (record.verdict, record.agrees, record.checkpoint) == ("safe", False, None)
    assert left() == set()


def test_the_model_of_an_earlier_plan_goes_when_another_is_begun() -> None:
    finished(PLAIN)
    assert "final.pt" in left()
    finished(PLAIN.replace("0-15", "0-7"), predict_only=True)
    assert {"final.pt", "final.json"} <= left()  # nothing is carried out in its place
    with pytest.raises(UserError, match="no such data set"):
        finished(PLAIN.replace("imgsz", "data: none.yaml\nimgsz"))
    assert not left() & {"final.pt", "final.json"}


def test_a_full_disk_at_the_end_is_told_and_leaves_no_half_model() -> None:
    with small_files(1_000_000), pytest.raises(UserError) as caught:
        finished(PLAIN, keep=False)
    assert caught.value.what == "the file cannot be written (File too large)"
    assert caught.value.where is not None
    assert caught.value.where.endswith("/final.pt")
    assert [path for path in Path(".yolo-prune-check").rglob("*") if path.is_file()] == []


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that are carried out from now on."""
    ran: list[int] = []
    original = engine.run_step
    monkeypatch.setattr(
        engine, "run_step", lambda state, index, target: ran.append(index) or original(state, index, target)
    )
    return ran


def timed(monkeypatch: pytest.MonkeyPatch, pruned_ms: float) -> None:
    took = Latency(dense_ms=2.0, pruned_ms=pruned_ms, batch=1, runs=20, threads=1, device="cpu")
    monkeypatch.setattr(finish, "latency", lambda *_: took)


def test_a_latency_that_is_judged_is_measured_again_and_the_steps_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    text, ran = PLAIN + "    expect: {max_latency_ratio: 1}\n", counted(monkeypatch)
    passed = []
    for pruned_ms in (3.0, 1.0, 3.0):
        timed(monkeypatch, pruned_ms)
        shown = Recorder()
        last = finished(text, progress=shown)
        assert not last.cached
        passed.append(last.record.passed)
        assert {"final.pt", "final.json", "state.json"} <= left()
        (final_model,) = Path().rglob("final.pt")
        assert sidecar_of(final_model)["record"]["passed"] is last.record.passed
    assert passed == [False, True, False]
    assert ran == [0]
    assert [line for line in shown.lines if "goes on" in line] == [
        "    goes on after step 1 of 1: what follows the steps is done again"
    ]
    assert not finished(PLAIN).cached  # another scenario
    assert "state.json" not in left()


def test_a_file_that_cannot_be_used_elsewhere_is_not_left_and_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text, ran = PLAIN + "    execution: group\n", counted(monkeypatch)
    timed(monkeypatch, 1.0)
    records: list[Record] = []
    for row in (Check("reload", False, None, "no answer"), Check("reload", True), Check("reload", False)):
        monkeypatch.setattr(final, "deployed", lambda *_, row=row, **__: (row,))
        last = finished(text)
        records.append(last.record)
        assert last.cached is (len(records) == 3)
        assert ("final.pt" in left()) is ("final.json" in left()) is bool(records[-1].checkpoint)
    assert records[0].failures == ("the saved file: reload: no answer",)
    assert (records[0].checkpoint, records[1].passed) == (None, True)
    assert records[1] == records[2]
    assert ran == [0]
    assert not left() & {"state.json"}
