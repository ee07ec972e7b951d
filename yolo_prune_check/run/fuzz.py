"""Try random plans on one loaded model and one graph, and make a record of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import EXECUTIONS, Execution, Plan, as_ranges
from yolo_prune_check.fuzz.ground import Ground, ways_of
from yolo_prune_check.fuzz.shrink import shrink
from yolo_prune_check.fuzz.tally import shrunk_unsafe, smallest_unsafe, tally
from yolo_prune_check.fuzz.trial import Trial, Tried, trial_of, try_random_plans
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.counterexample import spec_text
from yolo_prune_check.run.fuzz_record import Counterexample, FuzzPlan, FuzzRecord, FuzzRow, FuzzStep


@dataclass(frozen=True)
class FuzzTask:
    """Which random plans to try.

    Attributes:
        model: Name of the model, for the counterexample's spec.
        trust: Whether it is a checkpoint that was trusted, for the same.
        executions: None for all.
        layers: Qualified names to draw from; None for all.
        execute: Carry the plans out; else they are only predicted.
    """

    model: str
    examples: int
    seed: int
    max_steps: int
    executions: tuple[Execution, ...] | None = None
    layers: tuple[str, ...] | None = None
    execute: bool = True
    trust: bool = False


def fuzz(model: nn.Module, graph: ChannelGraph, task: FuzzTask, progress: Progress) -> Iterator[Tried | FuzzRecord]:
    """Try random plans until all are done or one is refuted; that one is shrunk.

    The same task on the same model gives the same plans and the same record.

    Args:
        model: The untouched model; it stays so.
        graph: Its graph.
        task: Which plans.
        progress: Where it is shown how far it is.

    Yields:
        Each plan with what came of it; at the end the record.

    Raises:
        UserError: There is nothing to draw from.
    """
    if task.executions is None:
        executions = EXECUTIONS
    else:
        executions = tuple(known for known in EXECUTIONS if known in task.executions)  # in whichever order they came
    ground, ways = Ground.of(graph, task.layers), ways_of(executions)
    trial = trial_of(model, graph, execute=task.execute)
    done: list[Tried] = []
    with progress.task("random plans", total=task.examples) as advance:
        plans = try_random_plans(trial, ground, ways, examples=task.examples, max_steps=task.max_steps, seed=task.seed)
        for tried in plans:
            done.append(tried)
            yield tried
            advance(1)
    refuted = done[-1] if done[-1].agrees is False else None
    small = smallest_unsafe(done, ground.widths)
    if small is not None:
        small = shrunk_unsafe(small, trial_of(model, graph, execute=False), ground.widths)
    yield FuzzRecord(
        examples=task.examples,
        seed=task.seed,
        max_steps=task.max_steps,
        layers=len(ground.widths),
        rows=tuple(
            FuzzRow(str(row.way), row.tried, row.safe, row.breaks, row.wrong, row.agreed)
            for row in tally(done, ways, executed=task.execute)
        ),
        smallest_unsafe=_plain(small, ground) if small is not None else None,
        counterexample=_shrunk(refuted, trial, graph, ground, task, progress) if refuted is not None else None,
    )


def _shrunk(
    refuted: Tried, trial: Trial, graph: ChannelGraph, ground: Ground, task: FuzzTask, progress: Progress
) -> Counterexample:
    answers: dict[Plan, Tried] = {refuted.plan: refuted}
    with progress.task("shrinking the plan whose prediction was refuted") as advance:

        def is_refuted(plan: Plan) -> bool:
            answers[plan] = trial(plan)
            advance(1)
            return answers[plan].agrees is False

        found = answers[shrink(refuted.plan, is_refuted)]
    spec = spec_text(
        found.plan,
        model=task.model,
        trust=task.trust,
        imgsz=graph.imgsz,
        verdict="safe" if found.outcome == "safe" else "unsafe",
        seed=task.seed,
        differences=found.differences,
    )
    return Counterexample(_plain(found, ground), found.differences, spec)


def _plain(tried: Tried, ground: Ground) -> FuzzPlan:
    steps = tuple(
        FuzzStep(step.layer, ground.widths[step.layer], len(step.keep), as_ranges(step.keep))
        for step in tried.plan.steps
    )
    return FuzzPlan(str(tried.way), steps, tried.why)
