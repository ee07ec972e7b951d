"""Run a scenario as a stream of typed events."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import Progress, progress
from yolo_prune_check.run.baseline import baseline_metrics, load_baseline
from yolo_prune_check.run.events import (
    BaselineMeasured,
    Event,
    HazardFound,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
)
from yolo_prune_check.run.finish import blank_record, confirm_final, make_record, not_refused
from yolo_prune_check.run.random_plans import run_fuzz
from yolo_prune_check.run.resolve import refuse_data, resolve, where_of
from yolo_prune_check.run.state import State
from yolo_prune_check.run.step import add_hazard, predict_step, run_step
from yolo_prune_check.spec.schema import Scenario


def run(
    scenario: Scenario,
    *,
    work_dir: Path | None = None,
    progress: Progress | None = None,
    predict_only: bool = False,
) -> Iterator[Event]:
    """Run one scenario: resolve its layers, then choose, predict, prune, confirm and measure step by step.

    A scenario with `fuzz` tries random plans instead, each as a whole.

    Args:
        scenario: From ``load_spec``.
        work_dir: Where checkpoints go, in a folder for each scenario; ``.yolo-prune-check`` by default.
        progress: Where long work is shown; nowhere by default.
        predict_only: Trace the model, predict every step, and carry nothing out.

    Yields:
        Events; the last one is ``ScenarioFinished`` with the record.

    Raises:
        UserError: The scenario does not fit the model or the data, and does not say that it expects so.
    """
    shown = progress or _quiet()
    try:
        if scenario.fuzz is not None:
            yield from run_fuzz(scenario, scenario.fuzz, shown, predict_only=predict_only)
            return
        yield from _run(scenario, _folder(scenario, work_dir), shown, predict_only=predict_only)
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


def _run(scenario: Scenario, folder: Path, shown: Progress, *, predict_only: bool) -> Iterator[Event]:
    baseline = load_baseline(scenario.model, scenario.imgsz, trust=scenario.trust_checkpoint)
    if not predict_only:
        refuse_data(scenario, baseline.model)
    resolved = resolve(scenario, baseline.model)
    yield ScenarioStarted(scenario.id, tuple(target.layer.name for target in resolved.targets))
    state = State(scenario, baseline, baseline.fresh(), folder, shown)
    if scenario.data is not None and not predict_only:
        state.before = baseline_metrics(
            scenario.model, scenario.data, scenario.imgsz, shown, trust=scenario.trust_checkpoint
        )
        yield BaselineMeasured(state.before.map50, state.before.map50_95)
    for index, target in enumerate(resolved.targets):
        yield StepStarted(index, len(resolved.targets), target.layer.name)
        known = set(state.hazards)
        record = predict_step(state, index, target) if predict_only else run_step(state, index, target)
        state.steps.append(record)
        yield StepFinished(record)
        yield from (HazardFound(hazard) for hazard in state.hazards if hazard not in known)
        if record.status == "failed":
            break
    if state.steps and all(record.status == "skipped" for record in state.steps):
        add_hazard(
            state,
            "no-op",
            state.steps[0].layer,
            f"all {len(state.steps)} steps were skipped: nothing is pruned",
            observed=not predict_only,
            remedy="Use an execution under which the steps fit, such as `mask`, or name other layers.",
        )
    if not predict_only:
        confirm_final(state)
    finished = make_record(state, resolved.notes, executed=not predict_only)
    yield ScenarioFinished(not_refused(scenario, finished))


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
