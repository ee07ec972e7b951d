"""Finished records come from the cache, interrupted runs go on, and both only as long as nothing has changed."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.tiny import Recorder, write_data
from yolo_prune_check.confirm.latency import Latency
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run import engine, final, finish, run
from yolo_prune_check.run import step as step_module
from yolo_prune_check.run.events import Event, ScenarioFinished, StepFinished, StepStarted
from yolo_prune_check.run.record import Record, write_record
from yolo_prune_check.run.sidecar import sidecar_path
from yolo_prune_check.spec import Scenario, load_spec

PLAIN = """\
model: yolov8n.yaml
imgsz: 32
scenarios:
  - id: x
    blocks: [1, 3]
    layers: first
    select: {criterion: l1, ratio: 0.5}
"""
TUNED = """\
model: yolov8n.yaml
data: data/tiny.yaml
imgsz: 32
scenarios:
  - id: x
    steps: [{layer: 1.0, keep: 0-15}, {layer: 2.0, keep: '0-7,16-23'}]
    fine_tune: {epochs: 1, batch: 4, lr: 0.001}
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def scenario_of(text: str) -> Scenario:
    Path("x.prune.yaml").write_text(text, encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    return scenario


def finished(text: str, **how: Any) -> ScenarioFinished:
    *_, last = run(scenario_of(text), **how)
    assert isinstance(last, ScenarioFinished)
    return last


def kept_files() -> set[str]:
    (folder,) = (path for path in Path(".yolo-prune-check/x").iterdir())
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} - {".lock"}


def json_of(record: Record, name: str) -> str:
    write_record(record, Path(name))
    return Path(name).read_text("utf-8")


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("it ran")


def test_a_finished_scenario_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = finished(PLAIN)
    assert kept_files() == {"final.pt", "final.json", "record.json"}
    monkeypatch.setattr(engine, "load_baseline", refuse)
    events = list(run(scenario_of(f"# moved down\n{PLAIN}")))
    assert events == [ScenarioFinished(first.record, cached=True)]
    assert json_of(events[0].record, "a.json") == json_of(first.record, "b.json")
    with pytest.raises(AssertionError, match="it ran"):
        finished(PLAIN, rerun=True)
    with pytest.raises(AssertionError, match="it ran"):  # that was begun, so that the old result no longer stands
        finished(PLAIN)


@pytest.mark.parametrize(
    "change", ["spec", "checkpoint gone", "checkpoint changed", "sidecar gone", "predict only", "damaged"]
)
def test_it_runs_again_once_something_has_changed(change: str) -> None:
    record = finished(PLAIN).record
    assert record.checkpoint is not None
    text, how, shown = PLAIN, {}, Recorder()
    if change == "spec":
        text = PLAIN.replace("0.5", "0.25")
    elif change == "checkpoint gone":
        Path(record.checkpoint).unlink()
    elif change == "checkpoint changed":
        with Path(record.checkpoint).open("ab") as file:
            file.write(b"x")
    elif change == "sidecar gone":
        sidecar_path(Path(record.checkpoint)).unlink()
    elif change == "predict only":
        how = {"predict_only": True}
    else:
        (kept,) = Path().rglob("record.json")
        kept.write_text(kept.read_text("utf-8")[:-40], encoding="utf-8")
    assert not finished(text, progress=shown, **how).cached
    assert any("cannot be read" in line for line in shown.lines) is (change == "damaged")
    assert finished(text, **how).cached
    assert {"final.pt", "final.json"} <= kept_files()
    if change == "predict only":
        assert finished(PLAIN).cached  # predictions are kept beside


def test_nothing_is_kept_unless_asked_for() -> None:
    finished(PLAIN, keep=False)
    assert {path.name for path in Path(".yolo-prune-check").rglob("*") if path.is_file()} == {"final.pt", "final.json"}
    assert not finished(PLAIN, keep=False).cached


def test_what_was_refuted_or_refused_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text = PLAIN.replace("[1, 3]", "[77]") + "    expect: {error: unknown block}\n"
    assert finished(text).record.verdict == "refused"
    assert not finished(text).cached
    original = engine.make_record

    def refuted(state: Any, notes: tuple[str, ...], *, executed: bool) -> Record:
        state.disagreements.append("step 1: predicted one thing, observed another")
        return original(state, notes, executed=executed)

    monkeypatch.setattr(engine, "make_record", refuted)
    assert finished(PLAIN).record.agrees is False
    assert not finished(PLAIN).cached


class Killed(BaseException):
    """Ends a run as Ctrl-C does, anywhere."""


def interrupted(monkeypatch: pytest.MonkeyPatch, scenario: Scenario, step: int) -> list[Event]:
    """The events of a run that is killed in the midst of a step."""
    original = step_module._measured

    def measured(state: Any, record: Any, index: int) -> Any:
        done = original(state, record, index)
        if index == step:
            raise Killed
        return done

    events: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(step_module, "_measured", measured)
        with pytest.raises(Killed):
            events.extend(run(scenario))  # which takes them one by one
    return events


@pytest.mark.parametrize("how", ["sessions", "skipped", "masks let go", "trained last", "group", "adapter"])
def test_an_interrupted_run_goes_on_and_ends_alike(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "masks let go":
        write_data(Path("data").absolute(), train=4, val=4)
        text = TUNED.replace("0.001}", "0.001, enforce_masks: false}")
    elif how == "trained last":
        write_data(Path("data").absolute(), train=4, val=4)
        text = TUNED.replace("0.001}", "0.001, after: last}")
    elif how == "skipped":
        steps = "steps: [{layer: 1.0, keep: 0-15}, {layer: 2.3, keep: [3]}, {layer: 4.3, keep: [3]}]"
        text = f"{PLAIN.partition('    blocks')[0]}    {steps}\n    execution: local\n    on_mismatch: skip\n"
    elif how in ("group", "adapter"):
        text = PLAIN.replace("[1, 3]", "[1, 2, 4]") + f"    execution: {how}\n"
        took = Latency(dense_ms=2.0, pruned_ms=1.0, batch=1, runs=20, threads=1, device="cpu")
        monkeypatch.setattr(finish, "latency", lambda *_: took)  # no two runs take the same time
        monkeypatch.setattr(final, "deployed", lambda *_, **__: ())  # of the file, which is compared below
    else:
        text = PLAIN.replace("[1, 3]", "[1, 2, 4]") + "    mask: weights\n    schedule: sessions\n"
    scenario, made = scenario_of(text), list[dict[str, torch.Tensor]]()
    record_of = engine.make_record

    def noted(state: Any, notes: tuple[str, ...], *, executed: bool) -> Record:
        made.append(state.model.state_dict())
        return record_of(state, notes, executed=executed)

    monkeypatch.setattr(engine, "make_record", noted)
    undisturbed = list(run(scenario, rerun=True))
    last = undisturbed[-1]
    assert isinstance(last, ScenarioFinished)
    assert (last.record.checkpoint is None) is (last.record.verdict == "unsafe") is (how in ("skipped", "masks let go"))
    run_at_all: list[int] = []
    original = engine.run_step
    monkeypatch.setattr(
        engine, "run_step", lambda state, index, target: run_at_all.append(index) or original(state, index, target)
    )
    next(iter(run(scenario, rerun=True)))  # begun, and left at once
    steps = len(last.record.steps)
    before = interrupted(monkeypatch, scenario, steps - 1)
    assert {"unfinished/state.json", f"unfinished/step-{steps - 1}.pt"} <= kept_files()
    assert f"unfinished/step-{steps - 2}.pt" not in kept_files()
    shown = Recorder()
    events = list(run(scenario, progress=shown))
    assert run_at_all == [*range(steps), steps - 1]
    went_on = f"    goes on after step {steps - 1} of {steps}, where it was interrupted"
    assert [line for line in shown.lines if "goes on" in line] == [went_on]
    assert events == undisturbed
    assert before == undisturbed[: len(before)]
    assert json_of(events[-1].record, "a.json") == json_of(last.record, "b.json")  # type: ignore[union-attr]
    weights, again = made
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    if last.record.checkpoint is not None:
        saved = load_model(last.record.checkpoint).state_dict()
        assert all(torch.equal(value, saved[name]) for name, value in weights.items())
    assert not any("unfinished" in name or name.endswith(".tmp") for name in kept_files())


def test_steps_that_no_longer_fit_are_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, scenario_of(PLAIN), 1)
    other = [event for event in run(scenario_of(PLAIN.replace("0.5", "0.25"))) if isinstance(event, StepFinished)]
    assert [event.step.kept for event in other] == [24, 48]
    interrupted(monkeypatch, scenario_of(PLAIN), 1)
    (model,) = Path().rglob("step-1.pt")
    model.write_bytes(b"damaged")
    shown = Recorder()
    events = list(run(scenario_of(PLAIN), progress=shown))
    assert sum(isinstance(event, StepStarted) for event in events) == 2
    assert any("step-1.pt is not the file that was saved" in line for line in shown.lines)


def test_what_killed_writers_left_is_cleared_away() -> None:
    finished(PLAIN)
    (folder,) = Path(".yolo-prune-check/x").iterdir()
    (folder / "unfinished").mkdir()
    (folder / ".final.pt.abc.tmp").write_bytes(b"half")
    (folder / "unfinished/.state.json.abc.tmp").write_bytes(b"half")
    (folder / "fine-tune-abc/weights").mkdir(parents=True)
    (folder / "deploy-abc/deploy-def").mkdir(parents=True)
    finished(PLAIN, rerun=True)
    assert kept_files() == {"final.pt", "final.json", "record.json"}


def test_a_run_waits_for_another_process_that_runs_the_same() -> None:
    finished(PLAIN)
    (folder,) = Path(".yolo-prune-check/x").iterdir()
    holds = f"""
        import sys
        from filelock import FileLock
        with FileLock({str(folder / ".lock")!r}):
            print("held", flush=True)
            sys.stdin.readline()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(holds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"

        class LetGo(Recorder):
            def line(self, text: str) -> None:
                super().line(text)
                other.kill()  # its lock goes with it

        shown = LetGo()
        assert finished(PLAIN, progress=shown).cached
    assert [line for line in shown.lines if "waiting for another process" in line]


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "load_baseline", refuse)
    Path("file").write_text("in the way")
    with pytest.raises(
        UserError, match=r"file/x/x-\w+: pruned models cannot be saved there \(Not a directory\)\. Run in"
    ):
        finished(PLAIN, work_dir=Path("file"))


def test_a_user_error_is_no_result() -> None:
    with pytest.raises(UserError, match="unknown block"):
        finished(PLAIN.replace("[1, 3]", "[77]"))
    assert not kept_files() & {"record.json"}


def test_the_kept_record_names_its_key_and_its_files() -> None:
    record = finished(PLAIN + "    schedule: sessions\n").record
    (kept,) = Path().rglob("record.json")
    content = json.loads(kept.read_text("utf-8"))
    assert record.checkpoint is not None
    final_files = {record.checkpoint, str(sidecar_path(Path(record.checkpoint)))}
    assert set(content["files"]) == {*final_files, *(step.checkpoint for step in record.steps)}
    assert all(len(value) == 64 for value in (content["key"], *content["files"].values()))


def test_predicting_in_between_leaves_an_interrupted_run_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, scenario_of(PLAIN), 1)
    assert finished(PLAIN, predict_only=True).record.agrees is None
    shown = Recorder()
    assert not finished(PLAIN, progress=shown).cached
    assert "    goes on after step 1 of 2, where it was interrupted" in shown.lines


def test_what_training_kept_under_another_key_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, scenario_of(PLAIN), 0)
    assert "unfinished/key" in kept_files()
    (folder,) = Path(".yolo-prune-check/x").iterdir()
    kept = folder / "unfinished/fine-tune.state"
    kept.write_bytes(b"of the first step")
    interrupted(monkeypatch, scenario_of(PLAIN), 0)
    assert kept.exists()
    interrupted(monkeypatch, scenario_of(PLAIN.replace("0.5", "0.25")), 0)
    assert not kept.exists()


def test_a_second_run_in_the_same_thread_is_told_to_wait_for_the_first() -> None:
    first = iter(run(scenario_of(PLAIN)))
    next(first)
    with pytest.raises(UserError, match="this scenario is being run here already"):
        next(iter(run(scenario_of(PLAIN))))
    first.close()  # type: ignore[attr-defined]
    assert finished(PLAIN).record.verdict == "safe"
