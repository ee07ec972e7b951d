"""One step of a scenario: choose channels, predict, prune, confirm, measure, fine-tune, measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from yolo_prune_check.channels.hazards import why_kept
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import HAZARDS, Mismatch, Prediction
from yolo_prune_check.confirm.compare import Confirmation, compare, describe
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.confirm.sequence import observe_sequence
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.blocks import blocks_of
from yolo_prune_check.model.load import load_model
from yolo_prune_check.model.sequence import sliced_names
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.prune.norms import norms_of
from yolo_prune_check.run.carry import carry_step, kept_by, take_over
from yolo_prune_check.run.checkpoint import display_path, save_checkpoint
from yolo_prune_check.run.choose import choose, choose_without_data
from yolo_prune_check.run.record import HazardRecord, MismatchRecord, StepRecord, StepStatus
from yolo_prune_check.run.repairs import repair_record
from yolo_prune_check.run.resolve import Target
from yolo_prune_check.run.state import Foretold, State
from yolo_prune_check.run.trained import trained_graph
from yolo_prune_check.scores import Scores
from yolo_prune_check.train.devices import gpus_of, placed
from yolo_prune_check.train.evaluate import evaluate
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.finetune import fine_tune
from yolo_prune_check.train.widths import RebuiltError


def run_step(state: State, index: int, target: Target) -> StepRecord:
    """Carry out one step and record it; ``state`` is brought up to date."""
    record = _blank(state, index, target)
    record, blocked = _sliced(state, record, target)
    if blocked:
        return record
    try:
        choice = choose(state, target)
    except UserError as error:
        if not state.done:
            raise  # the untouched model or the data cannot be used
        return _stopped(state, record, f"no channels could be chosen on the model as pruned so far: {error.what}")
    step = Step(target.layer.name, choice.keep, choice.scores)
    keep = kept_by(state, step)
    record = replace(record, keep=keep, kept=len(keep), criterion=_criterion(state, target), selection=choice.details)
    prediction = predict(state.graph, state.plan(step))
    pruned, meant = carry_step(state, step)
    observation = observe(meant, pruned, state.baseline.graph.imgsz)
    confirmation = compare(prediction, observation)
    record = _judged(state, record, prediction, confirmation)
    broken = confirmation.failure or prediction.failure
    if broken is not None and state.scenario.on_mismatch == "skip":
        return replace(record, status="skipped", reason=f"the pruned model {describe(broken)}")
    state.foretold, state.confirmation = Foretold.of(prediction), confirmation
    note_hazards(state, prediction, observed=confirmation.agrees)
    note_given_back(state, step, keep)
    if broken is not None:
        return replace(record, status="failed", reason=f"the pruned model {describe(broken)}")
    take_over(state, step)
    state.model = pruned
    return _measured(state, record, index)


def predict_step(state: State, index: int, target: Target) -> StepRecord:
    """Predict one step without carrying it out."""
    record = replace(_blank(state, index, target), status="predicted")
    if state.scenario.activations == "sliced" and target.keep is None:
        names = sliced_names(state.baseline.model, target.layer)
        expected = state.baseline.graph.predict_sequence(names, None if _is_independent(state) else state.plan())
        if expected is not None:
            record = replace(
                record, predicted=f"sliced model {describe(expected)}", predicted_failure=_mismatch(expected)
            )
            return _stopped(state, record, f"the sliced model {describe(expected)}")
    choice = choose_without_data(state, target)
    step = Step(target.layer.name, choice.keep, choice.scores)
    keep = kept_by(state, step)
    prediction = predict(state.graph, state.plan(step))
    record = replace(
        record,
        keep=keep,
        kept=len(keep),
        selection=choice.details,
        criterion=str(choice.details.get("stand_in") or _criterion(state, target)),
        predicted=_said(prediction, target.layer.name),
        predicted_active=prediction.layers[target.layer.name].active_out,
        predicted_failure=_mismatch(prediction.failure),
        repair=repair_record(prediction),
        added=tuple(map(str, prediction.added)),
        returned=tuple(map(str, prediction.returned)),
    )
    if prediction.failure is not None and state.scenario.on_mismatch == "skip":
        return _stopped(state, record, f"the pruned model {describe(prediction.failure)}")
    state.foretold = Foretold.of(prediction)
    note_hazards(state, prediction, observed=False)
    note_given_back(state, step, keep)
    if prediction.failure is not None:
        return _stopped(state, record, f"the pruned model {describe(prediction.failure)}")
    settings = state.scenario.fine_tune
    if settings is not None and not settings.enforce_masks and state.scenario.execution == "mask":
        add_hazard(
            state,
            "regrowth",
            step.layer,
            "fine-tuning without enforced masks lets filters grow back",
            observed=False,
        )
    take_over(state, step)
    return record


_CONFIRMED = frozenset({"phantom-channel", "broadcast-add", "kept-alive-by-residual", "revived-by-norm"})
"""Hazards whose effect an observation measures."""


def note_hazards(state: State, prediction: Prediction, *, observed: bool) -> None:
    """Take over the hazards of a prediction of all standing steps, in place of those of the prediction before."""
    state.predicted = tuple(
        HazardRecord(
            hazard.code,
            hazard.severity,
            hazard.layer,
            hazard.message,
            HAZARDS[hazard.code].remedy,
            observed and hazard.code in _CONFIRMED,
        )
        for hazard in prediction.hazards
    )


def note_given_back(state: State, step: Step, keep: Sequence[int]) -> None:
    """Remember what a step by ``group`` asks for and has to give back: from then on it stands as if it had not asked.

    Args:
        state: Knows the prediction with this step.
        step: The step.
        keep: What of its layer stays.
    """
    if state.scenario.execution != "group":
        return
    told = [hazard for hazard in state.predicted if hazard.code == "kept-for-symmetry"]
    back = len(set(keep) - set(step.keep))
    if back and step.layer not in {hazard.layer for hazard in told}:  # nothing goes at all, which later steps can mend
        asked = state.graph.layers[step.layer].out_channels - len(step.keep)
        why = f"{back} of the {asked} channels that the step removes {'stays' if back == 1 else 'stay'}"
        add_hazard(state, "kept-for-symmetry", step.layer, f"{why} {why_kept(state.plan())}", observed=False)
    state.found += [hazard for hazard in told if hazard not in state.found]


def add_hazard(state: State, code: str, layer: str, message: str, *, observed: bool, remedy: str | None = None) -> None:
    """Add a hazard that no later step mends; ``remedy`` where the general one of its code does not help."""
    kind = HAZARDS[code]
    state.found.append(HazardRecord(code, kind.severity, layer, message, remedy or kind.remedy, observed))


def _blank(state: State, index: int, target: Target) -> StepRecord:
    layer = target.layer
    kinds = {block.index: block.type for block in blocks_of(state.baseline.model)}
    return StepRecord(
        index=index,
        layer=layer.name,
        address=layer.address,
        block=layer.block,
        block_type=kinds[layer.block],
        channels=layer.out_channels,
        kept=layer.out_channels,
        keep=tuple(range(layer.out_channels)),
        criterion=_criterion(state, target),
        status="pruned",
    )


def _criterion(state: State, target: Target) -> str:
    if state.scenario.steps is not None:
        return "listed"
    select = state.scenario.select
    ranked = select.criterion if select.scope == "layer" else f"{select.criterion} by {select.scope}"
    return ranked if select.share is None else f"{ranked}, ratio {select.share:g}"


def _sliced(state: State, record: StepRecord, target: Target) -> tuple[StepRecord, bool]:
    """With sliced activations: predict and run the notes' ``nn.Sequential`` before anything is collected from it."""
    if state.scenario.activations != "sliced" or target.keep is not None:
        return record, False
    source, plan = (state.baseline.model, None) if _is_independent(state) else (state.model, state.plan())
    names = sliced_names(source, target.layer)
    expected = state.baseline.graph.predict_sequence(names, plan)
    happened = observe_sequence(source, names, state.baseline.graph.imgsz)
    agrees = expected == happened
    if not agrees:
        state.disagreements.append(
            f"step {record.index + 1}: predicted that the sliced model {describe(expected)}; "
            f"observed that it {describe(happened)}"
        )
    record = replace(
        record,
        predicted=f"sliced model {describe(expected)}",
        observed=f"sliced model {describe(happened)}",
        predicted_failure=_mismatch(expected),
        observed_failure=_mismatch(happened),
        agrees=agrees,
    )
    if expected is None and happened is None:
        return record, False
    return _stopped(state, record, f"the sliced model {describe(happened or expected)}"), True


def _is_independent(state: State) -> bool:
    return state.scenario.schedule == "independent"


def _stopped(state: State, record: StepRecord, why: str) -> StepRecord:
    status: StepStatus = "skipped" if state.scenario.on_mismatch == "skip" else "failed"
    return replace(record, status=status, reason=why)


def _judged(state: State, record: StepRecord, prediction: Prediction, confirmation: Confirmation) -> StepRecord:
    observation = confirmation.observation
    if not confirmation.agrees:
        state.disagreements += [f"step {record.index + 1}: {difference}" for difference in confirmation.differences]
    return replace(
        record,
        predicted=_said(prediction, record.layer),
        observed=_saw(confirmation, record.layer),
        predicted_active=prediction.layers[record.layer].active_out,
        active=observation.active.get(record.layer),
        weight_norm_count=observation.weight_norms.get(record.layer),
        predicted_failure=_mismatch(prediction.failure),
        repair=repair_record(prediction),
        added=tuple(map(str, prediction.added)),
        returned=tuple(map(str, prediction.returned)),
        observed_failure=_mismatch(confirmation.failure),
        agrees=confirmation.agrees and record.agrees is not False,
        differences=confirmation.differences,
    )


def _said(prediction: Prediction, layer: str) -> str:
    if prediction.failure is not None:
        return describe(prediction.failure)
    count = prediction.layers[layer]
    if count.active_out is None:  # behind an operator without a rule
        return f"fits, it is not known how many of {count.out_channels} are active"
    return f"fits, {count.active_out} of {count.out_channels} active"


def _saw(confirmation: Confirmation, layer: str) -> str:
    if confirmation.failure is not None:
        return describe(confirmation.failure)
    active = confirmation.observation.active.get(layer)
    shape = next(iter(confirmation.observation.shapes.get(layer, ())), None)
    return f"runs, {active} of {shape[1] if shape else '?'} active"


def _measured(state: State, record: StepRecord, index: int) -> StepRecord:
    if state.scenario.measure == "each":
        record = _scored(state, record)
        if record.status == "failed":
            return record
    settings = state.scenario.fine_tune
    if settings is not None and settings.after == "each":
        record = _tuned(state, record)
    return _session(state, record)


def after_last(state: State) -> StepRecord | None:
    """Once all steps are over, measure and fine-tune as far as the scenario does so after the last alone.

    Where the last steps were skipped, this follows the last one that was carried out. ``state`` is brought up to date.

    Returns:
        The record of that step, which says what came of it; None where nothing is left to do.
    """
    settings, measured_once = state.scenario.fine_tune, state.scenario.measure == "last"
    trained_once = settings is not None and settings.after == "last"
    if not (measured_once or trained_once) or not state.done:
        return None
    if any(record.status == "failed" for record in state.steps):
        return None
    place = max(index for index, record in enumerate(state.steps) if record.status == "pruned")
    record = state.steps[place]
    if measured_once:
        record = _scored(state, record, tuned=settings is not None and not trained_once)
    if trained_once and record.status != "failed":
        record = _session(state, _tuned(state, record))
    state.steps[place] = record
    return record


def _scored(state: State, record: StepRecord, *, tuned: bool = False) -> StepRecord:
    """Measure the model as it is: as pruned by a step, or as fine-tuned after it."""
    try:
        scores = _evaluate(state)
    except TrainingError as error:
        return _failed(record, error)
    state.after = scores or state.after
    return replace(record, scores_tuned=scores) if tuned else replace(record, scores_pruned=scores)


def _session(state: State, record: StepRecord) -> StepRecord:
    """Save the model and load it again, where each step is a session of its own."""
    if state.scenario.schedule != "sessions" or record.status == "failed":
        return record
    path = state.folder / f"session-{record.index + 1}.pt"
    save_checkpoint(state.model, path)
    state.model = load_model(path, trust=state.scenario.trust_checkpoint)
    return replace(record, checkpoint=display_path(path))


def _tuned(state: State, record: StepRecord) -> StepRecord:
    settings = state.scenario.fine_tune
    if settings is None or state.scenario.data is None:
        raise UserError("fine-tuning needs data", where=state.scenario.id, hint="Name a data set under `data`.")
    enforced = state.scenario.execution == "mask" and settings.enforce_masks
    try:
        result = fine_tune(
            state.model,
            data=state.scenario.data,
            imgsz=state.baseline.graph.imgsz,
            settings=settings,
            seed=state.scenario.seed,
            masks=_masks(state),
            work_dir=Path(state.folder),
            progress=state.progress,
            # One training's state takes the place of another's: each step has its own.
            resume_dir=None if state.resume_dir is None else state.resume_dir / f"training-{record.index + 1}",
            devices=gpus_of(state.scenario.device) or None,
        )
    except RebuiltError as error:
        add_hazard(state, "rebuilt-by-trainer", error.where or record.layer, error.what, observed=True)
        return _failed(record, error)
    except TrainingError as error:
        return _failed(record, error)
    state.model = result.model
    state.tuned_since = True
    regrown = {layer: count for layer, count in result.regrown.items() if count}
    state.found = [hazard for hazard in state.found if hazard.code != "regrowth"]
    for layer, count in regrown.items():
        add_hazard(
            state, "regrowth", layer, f"{count} masked filters are non-zero again after fine-tuning", observed=True
        )
    if regrown and enforced:
        state.disagreements.append(f"step {record.index + 1}: masks were enforced, but {regrown} filters grew back")
    if state.scenario.execution == "mask" and not settings.enforce_masks:
        state.standing.clear()
        state.found += [hazard for hazard in state.predicted if hazard not in state.found]  # of a plan that is no more
        state.predicted = ()
    state.graph = trained_graph(state)
    record = replace(record, regrown=sum(regrown.values()))
    if settings.after == "each" and state.scenario.measure == "last":
        return record
    return _scored(state, record, tuned=True)


def _failed(record: StepRecord, error: TrainingError) -> StepRecord:
    """A step that was carried out, and whose training or measurement failed: what comes after would build on it."""
    return replace(record, status="failed", reason=str(error))


def _masks(state: State) -> MaskSet | None:
    if state.scenario.execution != "mask":
        return None
    norms = norms_of(state.baseline.fresh(), [step.layer for step in state.done])
    return MaskSet.from_plan(Plan(state.done, "mask", state.scenario.mask), norms)


def _evaluate(state: State) -> Scores | None:
    if state.scenario.data is None:
        return None
    model = placed(state.model, state.scenario.device)
    return evaluate(
        model,
        data=state.scenario.data,
        imgsz=state.baseline.graph.imgsz,
        progress=state.progress,
        workers=state.scenario.workers,
        part=state.scenario.part,
    )


def _mismatch(failure: Mismatch | None) -> MismatchRecord | None:
    if failure is None:
        return None
    return MismatchRecord(failure.module, failure.kind, failure.expected, failure.got, failure.message, failure.path)
