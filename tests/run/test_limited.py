"""A runaway ends as a verdict with its reason, in time, and leaves no process behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.train.tiny import Recorder, write_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.report import scenario_failure_text, write_reports
from yolo_prune_check.run import run
from yolo_prune_check.run.events import (
    Event,
    PlanTried,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
)
from yolo_prune_check.run.limited import _HowFar
from yolo_prune_check.run.messages import TaskBegan, TaskEnded
from yolo_prune_check.run.record import Record, StepRecord
from yolo_prune_check.spec import Scenario, load_spec

RUNAWAY = """\
model: yolov8n.yaml
imgsz: 1280
scenarios:
  - id: x
    blocks: [1, 2, 3, 4, 5, 6, 7, 8]
    layers: all
    select: {criterion: l1, ratio: 0.5}
"""
MEASURED = """\
model: yolov8n.yaml
data: data/tiny.yaml
imgsz: 32
scenarios:
  - id: x
    steps: [{layer: 1.0, keep: 0-15}, {layer: 2.0, keep: '0-7,16-23'}]
"""
DEPLOYED = """\
model: yolov8n-digits
imgsz: 32
scenarios:
  - {id: x, execution: group, steps: [{layer: 1.0, keep: 0-15}], limits: {seconds: 300}}
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def scenario_of(text: str) -> Scenario:
    Path("x.prune.yaml").write_text(text, encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    return scenario


def events_of(text: str, on_event: Callable[[Event], object] | None = None, **how: Any) -> list[Event]:
    events = []
    for event in run(scenario_of(text), **how):
        events.append(event)
        if on_event is not None:
            on_event(event)
    return events


def record_of(event: Event) -> Record:
    assert isinstance(event, ScenarioFinished)
    return event.record


def own_processes() -> list[psutil.Process]:
    """Processes of scenarios that this one has started."""
    return [each for each in psutil.Process().children() if any("run.child" in part for part in command_of(each))]


def command_of(process: psutil.Process) -> list[str]:
    """How a process was started; nothing of one that has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_scenario_that_takes_too_long_is_stopped() -> None:
    begin = time.monotonic()
    record = record_of(events_of(RUNAWAY + "    limits: {seconds: 2}\n")[-1])
    assert 2 <= time.monotonic() - begin < 20
    assert (record.verdict, record.passed, record.agrees) == ("stopped", False, None)
    assert record.reasons == ("stopped after 2 s, while its model was loaded and traced: the limit is 2 s",)
    assert record.failures == ("the verdict is stopped, expected safe",)
    assert own_processes() == []
    assert {path.name for path in Path(".yolo-prune-check").rglob("*") if path.is_file()} <= {".lock"}


def test_a_scenario_that_takes_too_much_memory_is_stopped_as_it_may_expect() -> None:
    text = RUNAWAY + "    limits: {memory_mb: 150}\n    expect: {verdict: stopped}\n"
    record = record_of(events_of(text, keep=False)[-1])
    assert (record.verdict, record.passed, record.failures) == ("stopped", True, ())
    assert record.reasons[0].startswith("stopped above 150 MB of memory, ")
    assert record.reasons[0].endswith(": the limit is 150 MB")
    assert own_processes() == []


def test_limits_that_hold_change_nothing_and_a_process_that_dies_is_told_and_goes_on(tmp_path: Path) -> None:
    write_data(tmp_path / "data", train=4, val=4)
    free = events_of(MEASURED, work_dir=tmp_path / "work")
    text = MEASURED + "    limits: {seconds: 300, memory_mb: 8000}\n"

    def kill(event: Event) -> None:
        if isinstance(event, StepFinished) and event.step.index == 0:
            (process,) = own_processes()
            process.kill()

    shown = Recorder()
    died = events_of(text, kill, work_dir=tmp_path / "work", progress=shown)
    record = record_of(died[-1])
    assert (record.verdict, record.passed, record.agrees, len(record.steps)) == ("stopped", False, True, 1)
    assert record.reasons[0].startswith("stopped as its process died, ")
    assert record.reasons[0].endswith("it was ended by SIGKILL, as the system does when memory runs out")
    assert ("evaluate on 4 images", 4) in shown.tasks
    again = events_of(text, work_dir=tmp_path / "work", progress=shown)
    assert "    goes on after step 1 of 2, where it was interrupted" in shown.lines
    assert again == free
    assert record_of(free[-1]).agrees
    cached = events_of(
        text, lambda _: pytest.fail("was started") if own_processes() else None, work_dir=tmp_path / "work"
    )
    assert cached == [ScenarioFinished(record_of(free[-1]), cached=True)]


def test_errors_of_the_process_are_raised_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = RUNAWAY.replace("1280", "32").replace("[1, 2, 3, 4, 5, 6, 7, 8]", "[1]") + "    limits: {seconds: 300}\n"
    with pytest.raises(UserError, match=r"^x\.prune\.yaml:5:14: unknown block: got 99\."):
        events_of(plain.replace("[1]", "[99]"))
    package = tmp_path / "ultralytics"  # found before the real one, in the other process
    package.mkdir()
    (package / "yolov8n.yaml").write_text("not read any more\n")
    (package / "__init__.py").write_text("raise OSError('a broken installation')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match=r"(?s)the scenario's process failed:.*OSError: a broken installation"):
        events_of(plain, keep=False)
    assert own_processes() == []


def test_the_process_does_not_outlive_the_one_that_started_it(tmp_path: Path) -> None:
    scenario_of(RUNAWAY + "    limits: {seconds: 300}\n")
    command = [sys.executable, "-m", "yolo_prune_check", "run", "x.prune.yaml", "--report-dir", "out"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as starter:
        try:
            children = wait_for(lambda: psutil.Process(starter.pid).children())
        finally:
            starter.kill()
    assert wait_for(lambda: not any(child.is_running() for child in children))


def test_what_the_process_started_ends_with_it_when_it_is_killed() -> None:
    started: list[psutil.Process] = []

    def kill() -> None:
        started.append(stopped_file_check(psutil.Process()))
        (process,) = own_processes()
        process.kill()

    try:
        record = record_of(events_of(DEPLOYED, progress=AtFileCheck(kill))[-1])
        assert record.reasons[0].startswith("stopped as its process died, after step 1 of 1 (use the saved file ")
        (file,) = Path().rglob("final.pt")  # aside, as it is being checked
        assert file.parent.name.startswith("deploy-")
        assert wait_for(lambda: has_ended(started[0]), 10)
    finally:
        end(started)
    next(iter(run(scenario_of(DEPLOYED.replace("seconds: 300", "seconds: 0.01")))))
    assert [path for path in Path().rglob("*") if path.name.startswith(("deploy-", "final."))] == []


def test_what_the_process_started_ends_when_their_starter_is_killed() -> None:
    scenario_of(DEPLOYED)
    command = [sys.executable, "-m", "yolo_prune_check", "run", "x.prune.yaml", "--report-dir", "out"]
    started: list[psutil.Process] = []
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as starter:
        try:
            started.append(stopped_file_check(psutil.Process(starter.pid)))
        finally:
            starter.kill()
    try:
        assert wait_for(lambda: has_ended(started[0]), 10)
    finally:
        end(started)


class AtFileCheck(Recorder):
    """Does something once the saved file is being checked."""

    def __init__(self, deed: Callable[[], None]) -> None:
        super().__init__()
        self._deed = deed

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        with super().task(title, total) as advance:
            if title.startswith("use the saved file"):
                self._deed()
            yield advance


def stopped_file_check(starter: psutil.Process) -> psutil.Process:
    """The process in which a scenario checks its saved file, stopped: it never ends by itself, but can be killed."""

    def checks() -> list[psutil.Process]:
        return [child for child in starter.children(recursive=True) if "standalone.py" in " ".join(command_of(child))]

    (process,) = wait_for(checks)
    process.suspend()
    return process


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # of which nobody has asked how it ended
    except psutil.NoSuchProcess:
        return True


def end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def wait_for(asked: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := asked():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def test_the_reason_says_how_far_it_came() -> None:
    far = _HowFar()
    said = [str(far)]
    step = StepRecord(0, "model.1.conv", "1.0", 1, "Conv", 32, 16, tuple(range(16)), "l1", "pruned")
    for message in (
        ScenarioStarted("x", ("model.1.conv", "model.3.conv")),
        TaskBegan(0, "evaluate on 4 images", 4),
        TaskEnded(0),
        StepStarted(0, 2, "model.1.conv"),
        TaskBegan(1, "fine-tune 3 epochs on 10 images", 30),
        TaskEnded(1),
        StepFinished(step),
        PlanTried(25, 200, "mask", "safe", True),
    ):
        far.note(message)
        said.append(str(far))
    assert said == [
        "while its model was loaded and traced",
        "before its first step",
        "before its first step (evaluate on 4 images)",
        "before its first step",
        "in step 1 of 2",
        "in step 1 of 2 (fine-tune 3 epochs on 10 images)",
        "in step 1 of 2",
        "after step 1 of 2",
        "after 26 of 200 random plans",
    ]


def test_reports_tell_of_it(tmp_path: Path) -> None:
    record = record_of(events_of(RUNAWAY + "    limits: {seconds: 0.01}\n", keep=False)[-1])
    assert "stopped after 0.01 s" in scenario_failure_text(record, "")
    write_reports([record], tmp_path / "out")
    index, page = (tmp_path / "out/index.md").read_text("utf-8"), (tmp_path / "out/x.md").read_text("utf-8")
    assert "**The plan was stopped before its end, so its safety is not known.**" in index
    assert "**stopped** ones exceeded a limit" in index
    assert "did not come to its end; raise the limit that its reason names" in page
    assert "**Stopped**. The scenario did not come to its end." in page
    assert "time or memory that a scenario may take" in page
