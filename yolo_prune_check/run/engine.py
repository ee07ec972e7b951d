"""Run a scenario as a stream of typed events."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import Progress, progress
from yolo_prune_check.run.baseline import baseline_scores, load_baseline
from yolo_prune_check.run.beforehand import chosen_beforehand
from yolo_prune_check.run.content import content_key
from yolo_prune_check.run.data_there import check_data
from yolo_prune_check.run.events import (
    BaselineMeasured,
    Event,
    HazardFound,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
)
from yolo_prune_check.run.final import forget_final
from yolo_prune_check.run.finish import blank_record, confirm_final, make_record, not_refused
from yolo_prune_check.run.folder import only_here
from yolo_prune_check.run.keyed import UNFINISHED
from yolo_prune_check.run.limited import run_limited
from yolo_prune_check.run.random_plans import run_fuzz
from yolo_prune_check.run.resolve import Resolved, Target, refuse_data, refuse_device, resolve
from yolo_prune_check.run.results import forget_record, keep_record, kept_record, may_end_otherwise
from yolo_prune_check.run.sized import sized
from yolo_prune_check.run.state import State
from yolo_prune_check.run.step import add_hazard, after_last, predict_step, run_step
from yolo_prune_check.run.unfinished import Unfinished
from yolo_prune_check.run.way import Way
from yolo_prune_check.run.where import told_at, where_of
from yolo_prune_check.spec.schema import Scenario


def run(
    scenario: Scenario,
    *,
    work_dir: Path | None = None,
    progress: Progress | None = None,
    predict_only: bool = False,
    keep: bool = True,
    rerun: bool = False,
) -> Iterator[Event]:
    """Run one scenario: resolve its layers, then choose, predict, prune, confirm and measure step by step.

    A scenario with `fuzz` tries random plans instead, each as a whole.

    A run that is killed is continued after its last finished step by the next run of the same scenario in the same
    `work_dir`, and ends with the same record; the finished steps' events come again. A finished one is not run again:
    the only event is the last one, which says that it is `cached`. Both hold as long as nothing has changed on which
    the record depends, see ``content_key``.

    A scenario with `limits` runs in a process of its own, which is ended when it exceeds one; see ``run_limited``.

    Args:
        scenario: From ``load_spec``.
        work_dir: Where checkpoints go, in a folder for each scenario; ``.yolo-prune-check`` by default. One process at
            a time runs a scenario there; another waits for it.
        progress: Where long work is shown; nowhere by default.
        predict_only: Trace the model, predict every step, and carry nothing out.
        keep: Keep in `work_dir` what that takes; without it, only checkpoints are written.
        rerun: Start anew, whatever is kept.

    Yields:
        Events; the last one is ``ScenarioFinished`` with the record.

    Raises:
        UserError: The scenario does not fit the model or the data, and does not say that it expects so.
    """
    scenario = sized(scenario)
    way = Way(_folder(scenario, work_dir), predict_only=predict_only, keep=keep, rerun=rerun)
    if scenario.limits is None:
        yield from run_here(scenario, way, progress or _quiet())
    else:
        yield from run_limited(scenario, scenario.limits, way, progress or _quiet())


def run_here(scenario: Scenario, way: Way, shown: Progress) -> Iterator[Event]:
    """Run one scenario in this process; see ``run``."""
    if not way.keep:
        forget_final(way, None)
        yield from _judged(scenario, way, shown, None)
        return
    key, folder = content_key(scenario, predict_only=way.predict_only), way.folder
    with only_here(folder, shown):
        # Predicting again takes no longer than reading what was predicted.
        unfinished = None if way.predict_only else Unfinished(folder / UNFINISHED, key)
        if way.rerun:
            forget_record(folder, predict_only=way.predict_only)
            if unfinished is not None:
                unfinished.forget()
        record = kept_record(folder, key, shown, predict_only=way.predict_only)
        if record is not None:
            yield ScenarioFinished(record, cached=True)
            return
        forget_final(way, unfinished)
        for event in _judged(scenario, way, shown, unfinished):
            if isinstance(event, ScenarioFinished) and not may_end_otherwise(event.record, scenario.expect):
                keep_record(event.record, folder, key, predict_only=way.predict_only)
                if unfinished is not None:
                    unfinished.forget()
            yield event


def _judged(scenario: Scenario, way: Way, shown: Progress, unfinished: Unfinished | None) -> Iterator[Event]:
    """Run one scenario, and say of what cannot be run whether that was to be expected."""
    try:
        if scenario.fuzz is not None:
            yield from run_fuzz(scenario, scenario.fuzz, shown, predict_only=way.predict_only)
            return
        yield from _run(scenario, way, shown, unfinished)
    except UserError as error:
        expected = scenario.expect.error
        if expected is None and error.where is None:  # a model or data set that is not there
            raise UserError(error.what, where=where_of(scenario), value=error.value, hint=error.hint) from error
        if expected is None:
            raise
        failures = () if expected in str(error) else (f"expected a refusal with “{expected}”, got: {error}",)
        yield ScenarioFinished(
            blank_record(scenario, verdict="refused", reasons=(str(error),), failures=failures, agrees=None)
        )


def _run(scenario: Scenario, way: Way, shown: Progress, unfinished: Unfinished | None) -> Iterator[Event]:
    if not way.predict_only:
        refuse_device(scenario)
        check_data(scenario)  # a mistake in it is told before anything takes time
    with told_at(where_of(scenario, "model")):
        baseline = load_baseline(scenario.model, scenario.imgsz, trust=scenario.trust_checkpoint)
    if not way.predict_only:
        refuse_data(scenario, baseline.model)
    resolved = resolve(scenario, baseline.model)
    targets, notes = chosen_beforehand(scenario, baseline, resolved.targets, shown, predict_only=way.predict_only)
    resolved = Resolved(targets, (*resolved.notes, *notes))
    state = State(scenario, baseline, baseline.fresh(), way.folder, shown)
    told = [] if unfinished is None else unfinished.restore(state)
    if told:
        done, total = len(state.steps), len(resolved.targets)
        rest = ": what follows the steps is done again" if done == total else ", where it was interrupted"
        shown.line(f"    goes on after step {done} of {total}{rest}")
    if unfinished is not None:
        state.resume_dir = unfinished.folder
    yield from told
    for happened in _events(state, resolved, way, fresh=not told):
        told += happened
        if unfinished is not None and _is_good(happened):
            unfinished.save(state, told)
        yield from happened
    if state.steps and all(record.status == "skipped" for record in state.steps):
        add_hazard(
            state,
            "no-op",
            state.steps[0].layer,
            f"all {len(state.steps)} steps were skipped: nothing is pruned",
            observed=not way.predict_only,
            remedy="Use an execution under which the steps fit, such as `mask`, or name other layers.",
        )
    if not way.predict_only:
        confirm_final(state)
    finished = make_record(state, resolved.notes, executed=not way.predict_only)
    yield ScenarioFinished(not_refused(scenario, finished))


def _events(state: State, resolved: Resolved, way: Way, *, fresh: bool) -> Iterator[list[Event]]:
    """What happens from here on, step by step; events in one list are of the same moment."""
    scenario, targets = state.scenario, resolved.targets
    if fresh:
        yield [ScenarioStarted(scenario.id, tuple(target.layer.name for target in targets))]
        if scenario.data is not None and not way.predict_only:
            state.before = baseline_scores(
                scenario.model,
                scenario.data,
                state.baseline.graph.imgsz,
                state.progress,
                trust=scenario.trust_checkpoint,
                device=scenario.device,
                workers=scenario.workers,
                part=scenario.part,
            )
            yield [BaselineMeasured(state.before)]
    for index in range(len(state.steps), len(targets)):
        yield [StepStarted(index, len(targets), targets[index].layer.name)]
        finished = _step(state, index, targets[index], way, is_last=index == len(targets) - 1)
        yield finished
        if state.steps[-1].status == "failed":
            return


def _step(state: State, index: int, target: Target, way: Way, *, is_last: bool) -> list[Event]:
    known = set(state.hazards)
    state.steps.append(predict_step(state, index, target) if way.predict_only else run_step(state, index, target))
    later = after_last(state) if is_last and not way.predict_only else None
    told = [state.steps[-1]] if later is None or later.index == index else [state.steps[-1], later]
    hazards = (HazardFound(hazard) for hazard in state.hazards if hazard not in known)
    return [*map(StepFinished, told), *hazards]


def _is_good(happened: Sequence[Event]) -> bool:
    """Whether a step is over, and nothing failed in it: then the next run need not do it again."""
    steps = [event.step for event in happened if isinstance(event, StepFinished)]
    return bool(steps) and all(step.status != "failed" for step in steps)


def _folder(scenario: Scenario, work_dir: Path | None) -> Path:
    """A folder for this scenario on this model alone: readable, and told apart from all others by a hash."""
    spec = Path(scenario.spec)
    above = [] if spec.is_absolute() else spec.parent.parts
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "_", scenario.id).strip("_")
    identity = "\0".join((scenario.spec, scenario.id, scenario.model))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return (work_dir or Path(".yolo-prune-check")).joinpath(*above, scenario.suite, f"{slug}-{digest}")


def _quiet() -> Progress:
    return progress(quiet=True)
