"""From what happened to a record: verdict, reasons, edges, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import torch

from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.compare import Confirmation, compare
from yolo_prune_check.confirm.latency import latency
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.run.checkpoint import display_path
from yolo_prune_check.run.expectations import describe_expectation, unjudged, unmet
from yolo_prune_check.run.final import FILE, deploy_rows, is_usable, put_in_place, remove_final, saved_aside
from yolo_prune_check.run.proving import STRUCTURAL, meant_by_final, prove_final, recorded
from yolo_prune_check.run.record import (
    EdgeRecord,
    LatencyRecord,
    MetricsRecord,
    ModelFacts,
    Record,
    RecordVerdict,
    StepRecord,
)
from yolo_prune_check.run.selected import selected
from yolo_prune_check.run.state import Foretold, State
from yolo_prune_check.run.timed import is_timed
from yolo_prune_check.scores import fall
from yolo_prune_check.spec.schema import FineTune, Scenario
from yolo_prune_check.train.devices import placed, workers_of


def confirm_final(state: State) -> None:
    """Check the final model against the whole plan, if fine-tuning changed it since the last check."""
    if not state.tuned_since:
        return
    plan, baseline = state.plan(), state.baseline
    state.final = observation = observe(_meant(state, plan), state.model, baseline.graph.imgsz)
    if not state.standing:
        return  # the masks were let go, so nothing is predicted of what training made of them
    prediction = predict(state.graph, plan)
    confirmation = compare(prediction, observation)
    state.foretold, state.confirmation = Foretold.of(prediction), confirmation
    state.disagreements += [f"final model: {difference}" for difference in confirmation.differences]


def _meant(state: State, plan: Plan) -> Reference | None:
    """What a fine-tuned model must compute; None under ``local``, where no wider model has the trained weights.

    Under ``mask`` that is itself with the removed channels' outputs silenced: equal if masks held.
    """
    if state.scenario.execution == "mask":
        return Reference.of_plan(state.model, plan)
    return meant_by_final(state) if state.scenario.execution in STRUCTURAL else None


def make_record(state: State, notes: tuple[str, ...], *, executed: bool) -> Record:
    """The record of a scenario that went through its steps."""
    verdict, reasons = _verdict(state)
    proof = prove_final(state) if executed and verdict != "unsafe" and _is_structural(state) else ()
    state.disagreements += [f"proof: {row.name}: {row.detail}" for row in proof if row.passed is False]
    metrics = _metrics(state, executed=executed)
    hazards = tuple(sorted(state.hazards, key=lambda h: (h.severity != "error", h.code, h.layer, h.message)))
    failures = [f"a prediction was refuted, which is a defect of this tool: {text}" for text in state.disagreements]
    expect = state.scenario.expect
    failures += unmet(expect, verdict, state.steps, hazards, metrics, executed=executed)
    left = () if executed else unjudged(expect)
    checked = any(step.agrees is not None for step in state.steps)
    known = blank_record(
        state.scenario,
        verdict=verdict,
        reasons=reasons,
        failures=tuple(failures),
        agrees=not state.disagreements if executed and checked else None,
        notes=(*notes, *_basis(metrics), *_worsened(state.steps))
        if executed
        else (*notes, *_assumed(state), *_left(left)),
        unjudged=left,
        steps=tuple(state.steps),
        edges=_edges(state.foretold, state.confirmation if executed else None),
        hazards=hazards,
        metrics=metrics,
        facts=state.baseline.facts,
        proof=recorded(proof),
    )
    if not executed:
        return known
    remove_final(state.folder)  # of a run that came to another end after the same steps
    to_be_saved = bool(state.done) and verdict != "unsafe" and is_usable(proof)
    return _with_file(state, known) if to_be_saved else known


def _with_file(state: State, known: Record) -> Record:
    """Check the final model's file, put it in its place if it can be used, and say both."""
    with saved_aside(state) as file:
        rows = deploy_rows(state, file)
        unusable = tuple(f"the saved file: {row.name}: {row.detail}" for row in rows if row.passed is False)
        failures = (*known.failures, *unusable)
        record = replace(known, deploy=recorded(rows), failures=failures, passed=not failures)
        if unusable:
            return record
        record = replace(record, checkpoint=display_path(state.folder / FILE))
        put_in_place(file, state, record)
        return record


def _is_structural(state: State) -> bool:
    return state.scenario.execution in STRUCTURAL and bool(state.done)


def blank_record(scenario: Scenario, **known: object) -> Record:
    """A record with everything that the scenario itself says."""
    fields: dict[str, object] = {
        "suite": scenario.suite,
        "spec": scenario.spec,
        "id": scenario.id,
        "base_id": scenario.base_id,
        "why": scenario.why,
        "model": scenario.model,
        "data": scenario.data,
        "imgsz": scenario.imgsz,
        "device": scenario.device,
        "execution": scenario.execution,
        "mask": scenario.mask,
        "extend": scenario.extend,
        "round_to": scenario.round_to,
        "schedule": scenario.schedule,
        "order": scenario.order,
        "activations": scenario.activations,
        "on_mismatch": scenario.on_mismatch,
        "criterion": "listed" if scenario.steps is not None else scenario.select.criterion,
        "selected": selected(scenario),
        "seed": scenario.seed,
        "expected": describe_expectation(scenario.expect),
        "rerun": f'OMP_NUM_THREADS={threads()} pytest "{scenario.spec}::{scenario.id}"',
        "axes": dict(scenario.axes),
        "tags": tuple(scenario.tags),
        "blocks": scenario.blocks,
        "layers": scenario.layers if isinstance(scenario.layers, str) else ", ".join(map(str, scenario.layers)),
        "fine_tune": _fine_tune(scenario),
        "val_part": scenario.val_part,
        "measure": scenario.measure,
        "facts": ModelFacts(),
    }
    fields.update(known)
    fields["passed"] = not fields["failures"]
    return Record(**fields)  # type: ignore[arg-type]  # names and types are Record's; a test builds every kind


def not_refused(scenario: Scenario, finished: Record) -> Record:
    """The record of a scenario that ran: as it is, unless the scenario expects to be refused."""
    expected = scenario.expect.error
    if expected is None:
        return finished
    missed = (f"expected a refusal with “{expected}”, but the scenario ran",)
    return blank_record(scenario, verdict=finished.verdict, reasons=finished.reasons, failures=missed, agrees=None)


def threads() -> int:
    """Number of threads that PyTorch computes with; sums, and with them mAP, depend on it in the last digits."""
    return torch.get_num_threads()


def _fine_tune(scenario: Scenario) -> str | None:
    settings = scenario.fine_tune
    if settings is None:
        return None
    share = "" if settings.fraction == 1 else f" on {settings.fraction:.0%} of the images"
    kept = "" if settings.enforce_masks else ", masks not enforced"
    usual = FineTune(epochs=settings.epochs)
    others = "".join(
        f", {name} {value:g}"
        for name, value in (("batch", settings.batch), ("lr", settings.lr))
        if value != getattr(usual, name)
    )
    workers = workers_of(settings.workers, scenario.device)
    reading = f", {workers} worker{'s' if workers > 1 else ''}" if workers else ""
    precision = ", mixed precision" if settings.amp else ""
    when = " after the last step" if settings.after == "last" else ""
    return f"{settings.epochs} epoch{'s' if settings.epochs > 1 else ''}{when}{share}{others}{reading}{precision}{kept}"


def _verdict(state: State) -> tuple[RecordVerdict, tuple[str, ...]]:
    errors = [hazard for hazard in state.hazards if hazard.severity == "error"]
    failed = [step for step in state.steps if step.status == "failed"]
    skipped = [step for step in state.steps if step.status == "skipped"]
    reasons = [f"{step.layer}: {step.reason}" for step in failed]
    reasons += [f"{hazard.layer}: {hazard.message}" for hazard in errors]
    if failed or errors:
        return "unsafe", tuple(reasons)
    if skipped:
        return "partial", (f"{len(skipped)} of {len(state.steps)} steps were skipped", *_skips(skipped))
    done = len(state.done)
    return "safe", (f"{'the only step fits' if done == 1 else f'all {done} steps fit'}, and nothing is silently wrong",)


def _basis(metrics: MetricsRecord) -> tuple[str, ...]:
    """What makes the scores of this scenario say nothing."""
    before = metrics.scores_before
    if before is None or not before.blind:
        return ()
    return (f"{before.blindness} ({before.basis}): what pruning costs cannot be seen here",)


def _worsened(steps: Sequence[StepRecord]) -> list[str]:
    """Steps of which training made the model worse than pruning had."""
    pairs = [(step, step.scores_pruned, step.scores_tuned) for step in steps]
    falls = [(step, fall(pruned, tuned)) for step, pruned, tuned in pairs if pruned is not None and tuned is not None]
    advice = "more epochs or a smaller learning rate may help"
    return [
        f"step {step.index + 1}, {step.layer}: training made it worse: {fell}; {advice}"
        for step, fell in falls
        if fell is not None
    ]


def _assumed(state: State) -> tuple[str, ...]:
    """What was assumed because nothing was executed."""
    stand_ins = dict.fromkeys(str(step.selection["stand_in"]) for step in state.steps if "stand_in" in step.selection)
    asked = state.scenario.select.criterion
    chosen = tuple(f"channels were chosen by {name}, because {asked} would run the model" for name in stand_ins)
    return ("nothing was carried out: the steps were predicted", *chosen)


def _left(unjudged: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name} was not judged, because nothing was executed" for name in unjudged)


def _skips(skipped: Sequence[StepRecord]) -> list[str]:
    """Skipped layers by reason, as many share one."""
    layers: dict[str, list[str]] = {}
    for step in skipped:
        layers.setdefault(step.reason or "", []).append(step.layer)
    return [f"{', '.join(names)}: {reason}" for reason, names in layers.items()]


def _metrics(state: State, *, executed: bool) -> MetricsRecord:
    graph, prediction = state.baseline.graph, state.foretold
    broken = any(step.status == "failed" for step in state.steps)  # then there is no model after the plan
    observation = None if broken else state.final or (state.confirmation.observation if state.confirmation else None)
    after = None if broken else state.after
    whole = predict(graph, Plan())
    pruned = {step.layer for step in state.done}
    took = None
    if executed and not broken and state.done and is_timed(state.scenario):
        dense, small = (placed(model, state.scenario.device) for model in (state.baseline.model, state.model))
        took = latency(dense, small, graph.imgsz)
    return MetricsRecord(
        scores_before=state.before,
        scores_after=after,
        params_before=whole.params,
        params_after=observation.params if observation else None,
        macs_before=whole.macs,
        macs_after=observation.macs if observation else None,
        predicted_params=prediction.params if prediction else None,
        predicted_macs=prediction.macs if prediction else None,
        channels=sum(graph.layers[name].out_channels for name in pruned),
        active=_total(pruned, observation.active) if observation else None,
        weight_norm_count=_total(pruned, observation.weight_norms) if observation else None,
        latency=None if took is None else LatencyRecord(**asdict(took)),
    )


def _total(layers: set[str], counts: dict[str, int]) -> int | None:
    return sum(counts[name] for name in layers) if layers and layers <= counts.keys() else None


def _edges(prediction: Foretold | None, confirmation: Confirmation | None) -> tuple[EdgeRecord, ...]:
    if prediction is None:
        return ()
    ports = confirmation.observation.ports if confirmation else {}
    records = []
    for edge in prediction.edges:
        if not edge.touched:
            continue
        seen = ports.get((edge.operator, edge.port))
        observed = (seen.channels, seen.active) if seen else (None, None)
        hidden = edge.active_after is None and edge.after is not None  # by an operator without a rule
        expected = (edge.after, observed[1] if hidden else edge.active_after)
        records.append(
            EdgeRecord(
                operator=edge.operator,
                kind=edge.kind,
                port=edge.port,
                producers=edge.producers,
                before=edge.before,
                active_before=edge.active_before,
                predicted=edge.after,
                predicted_active=edge.active_after,
                observed=observed[0],
                observed_active=observed[1],
                agrees=confirmation is None or observed == expected,
            )
        )
    return tuple(records)
