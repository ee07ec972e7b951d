"""A scenario with limits: it runs in a process of its own, and a runaway ends as a verdict, not as a hang."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import torch

from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.content import content_key
from yolo_prune_check.run.events import Event, PlanTried, ScenarioFinished, ScenarioStarted, StepFinished, StepStarted
from yolo_prune_check.run.final import forget_final
from yolo_prune_check.run.finish import blank_record
from yolo_prune_check.run.folder import only_here
from yolo_prune_check.run.keyed import UNFINISHED
from yolo_prune_check.run.messages import Raised, Said, Shown, Task, TaskAdvanced, TaskBegan, TaskEnded
from yolo_prune_check.run.process import Process
from yolo_prune_check.run.record import Record, StepRecord
from yolo_prune_check.run.results import kept_record
from yolo_prune_check.run.unfinished import Unfinished
from yolo_prune_check.run.way import Way
from yolo_prune_check.spec.schema import Limits, Scenario


def run_limited(scenario: Scenario, limits: Limits, way: Way, shown: Progress) -> Iterator[Event]:
    """Run one scenario in a process of its own, and end that process when it exceeds a limit or dies.

    Time counts from its start, which takes some seconds; memory is that which is resident, of it and of all that it
    starts, looked at ten times a second. A scenario that exceeded a limit starts anew the next time; one whose process
    died goes on after its last finished step.

    Yields:
        Its events. The last one's record has the verdict ``stopped``, with the reason and the steps that were
        finished, if the scenario did not come to its end.

    Raises:
        UserError: As ``run``.
        RuntimeError: This package failed in that process; the message is the traceback.
    """
    key = content_key(scenario, predict_only=way.predict_only)
    if way.keep:
        with only_here(way.folder, shown):  # another process is waited for here, where time does not count yet
            kept = None if way.rerun else kept_record(way.folder, key, shown, predict_only=way.predict_only)
            if kept is None:  # here, as a limit may end the process before it comes to that
                forget_final(way, Unfinished(way.folder / UNFINISHED, key))
        if kept is not None:
            yield ScenarioFinished(kept, cached=True)
            return
    far = _HowFar()
    process = Process(Task(scenario, way, torch.get_num_threads()), limits)
    try:
        with ExitStack() as bars, closing(process):
            relay = _Relay(shown, bars)
            for message in process.messages():
                if isinstance(message, Raised):
                    raise _as_error(message)
                far.note(message)
                if isinstance(message, Shown):
                    relay(message)
                    continue
                yield message
                if isinstance(message, ScenarioFinished):
                    return
            raise _EndedError  # so that bars do not say that their work is done
    except _EndedError:
        when, why = process.why_ended
    if way.keep and process.limited and not way.predict_only:
        with only_here(way.folder, shown):
            Unfinished(way.folder / UNFINISHED, key).forget()
    reason = f"stopped {when}, {far}: {why}"
    yield ScenarioFinished(stopped_record(scenario, reason, tuple(far.steps), limited=process.limited))


class _EndedError(Exception):
    """The process ended before it had said all."""


def _as_error(message: Raised) -> Exception:
    if isinstance(message.error, UserError):
        return message.error
    return RuntimeError(f"the scenario's process failed:\n{message.error}")


@dataclass
class _HowFar:
    """Where a scenario is."""

    steps: list[StepRecord] = field(default_factory=list)
    begun: bool = False
    total: int = 0
    plans: tuple[int, int] | None = None
    inside: bool = False
    work: dict[int, str] = field(default_factory=dict)

    def note(self, message: Event | Shown) -> None:
        if isinstance(message, ScenarioStarted):
            self.begun, self.total = True, len(message.layers)
        elif isinstance(message, StepStarted):
            self.inside = True
        elif isinstance(message, StepFinished):
            self.inside = False
            # A step that was trained after all others is told once more.
            self.steps = [*(step for step in self.steps if step.index != message.step.index), message.step]
            self.steps.sort(key=lambda step: step.index)
        elif isinstance(message, PlanTried):
            self.plans = message.index + 1, message.total
        elif isinstance(message, TaskBegan):
            self.work[message.number] = message.title
        elif isinstance(message, TaskEnded):
            self.work.pop(message.number, None)

    def __str__(self) -> str:
        work = f" ({list(self.work.values())[-1]})" if self.work else ""
        if self.plans is not None:
            return "after {} of {} random plans".format(*self.plans)
        if self.inside:
            return f"in step {len(self.steps) + 1} of {self.total}{work}"
        if self.steps:
            return f"after step {len(self.steps)} of {self.total}{work}"
        return f"before its first step{work}" if self.begun else "while its model was loaded and traced"


class _Relay:
    """Shows the progress of another process as if it were this one's.

    Args:
        shown: Where.
        bars: Closes what was not ended there.
    """

    def __init__(self, shown: Progress, bars: ExitStack) -> None:
        self._shown = shown
        self._bars = bars
        self._open: dict[int, tuple[ExitStack, Callable[[int], None]]] = {}

    def __call__(self, message: Shown) -> None:
        if isinstance(message, Said):
            self._shown.line(message.text)
        elif isinstance(message, TaskBegan):
            bar = self._bars.enter_context(ExitStack())
            self._open[message.number] = bar, bar.enter_context(self._shown.task(message.title, message.total))
        elif isinstance(message, TaskAdvanced):
            self._open[message.number][1](message.units)
        else:
            self._open.pop(message.number)[0].close()


def stopped_record(scenario: Scenario, reason: str, steps: tuple[StepRecord, ...], *, limited: bool) -> Record:
    """The record of a scenario that did not come to its end; only a limit is what a spec may expect."""
    refuted = [
        f"step {step.index + 1}: {text}" for step in steps if step.agrees is False for text in _differences(step)
    ]
    failures = [f"a prediction was refuted, which is a defect of this tool: {text}" for text in refuted]
    expect = scenario.expect
    if expect.error is not None:
        failures.append(f"expected a refusal with “{expect.error}”, but the scenario was stopped")
    elif expect.verdict != "stopped":
        failures.append(f"the verdict is stopped, expected {expect.verdict}")
    elif not limited:
        failures.append(reason)
    checked = [step.agrees for step in steps if step.agrees is not None]
    return blank_record(
        scenario,
        verdict="stopped",
        reasons=(reason,),
        failures=tuple(failures),
        agrees=all(checked) if checked else None,
        steps=steps,
    )


def _differences(step: StepRecord) -> tuple[str, ...]:
    """How a step went otherwise than predicted; of the sliced model, whose sentences name no differences."""
    return step.differences or (f"predicted: {step.predicted}; observed: {step.observed}",)
