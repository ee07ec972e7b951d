"""A scenario that is not one plan but many: random ones, whose predictions must all be confirmed."""

from __future__ import annotations

from collections.abc import Iterator

from yolo_prune_check.fuzz.ground import layers_in
from yolo_prune_check.fuzz.trial import Tried
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.baseline import Baseline, load_baseline
from yolo_prune_check.run.events import Event, PlanTried, ScenarioFinished, ScenarioStarted
from yolo_prune_check.run.finish import blank_record, not_refused
from yolo_prune_check.run.fuzz import FuzzTask, fuzz
from yolo_prune_check.run.fuzz_record import FuzzRecord
from yolo_prune_check.run.record import Record
from yolo_prune_check.run.where import told_at, where_of
from yolo_prune_check.spec.schema import Fuzz, Scenario

RANDOM = "random"
"""What stands for the execution, the order and the criterion in the record of random plans."""


def run_fuzz(scenario: Scenario, asked: Fuzz, shown: Progress, *, predict_only: bool) -> Iterator[Event]:
    """Try the random plans of a scenario.

    Yields:
        One event for each plan; the last event carries the record.

    Raises:
        UserError: A block does not exist, or has no layer.
    """
    with told_at(where_of(scenario, "model")):
        baseline = load_baseline(scenario.model, scenario.imgsz, trust=scenario.trust_checkpoint)
    layers = _layers(scenario, asked, baseline)
    task = FuzzTask(
        model=scenario.model,
        trust=scenario.trust_checkpoint,
        examples=asked.examples,
        seed=asked.seed,
        max_steps=asked.max_steps,
        executions=asked.executions,
        layers=layers,
        execute=not predict_only,
    )
    yield ScenarioStarted(scenario.id, layers)
    index = 0
    for happened in fuzz(baseline.model, baseline.graph, task, shown):
        if isinstance(happened, Tried):
            yield PlanTried(index, asked.examples, str(happened.way), happened.outcome, happened.agrees)
            index += 1
        else:
            finished = _record(scenario, happened, executed=not predict_only)
            yield ScenarioFinished(not_refused(scenario, finished))


def _layers(scenario: Scenario, asked: Fuzz, baseline: Baseline) -> tuple[str, ...]:
    if asked.blocks is None:
        return tuple(baseline.graph.layers)
    with told_at(where_of(scenario, "fuzz.blocks")):
        return layers_in(baseline.model, baseline.graph, asked.blocks)


def _record(scenario: Scenario, done: FuzzRecord, *, executed: bool) -> Record:
    refuted = done.counterexample
    reasons: tuple[str, ...] = (_summary(done.tried, executed=executed),)
    failures: tuple[str, ...] = ()
    if refuted is not None:
        steps = ", ".join(f"{step.layer} keeps {step.keep or 'no channel'}" for step in refuted.plan.steps)
        plan = f"random plan {done.tried}, shrunk to {steps} under {refuted.plan.execution}"
        reasons = tuple(f"{plan}: {difference}" for difference in refuted.differences)
        failures = tuple(f"a prediction was refuted, which is a defect of this tool: {why}" for why in reasons)
    return blank_record(
        scenario,
        verdict="safe" if refuted is None else "unsafe",
        reasons=reasons,
        failures=failures,
        agrees=False if refuted is not None else True if executed else None,
        data=None,
        execution=RANDOM,
        order=RANDOM,
        criterion=RANDOM,
        selected=RANDOM,
        seed=done.seed,
        notes=() if executed else ("nothing was carried out: the plans were predicted",),
        fuzz=done,
    )


def _summary(tried: int, *, executed: bool) -> str:
    which, were = ("the only random plan", "was") if tried == 1 else (f"all {tried} random plans", "were")
    return f"{which} went as predicted" if executed else f"{which} {were} predicted; nothing was carried out"
