"""Claims about zeroed weights and fine-tuning: decided by channel counts and scores of plans that were carried out."""

from __future__ import annotations

from statistics import fmean

from yolo_prune_check.report.claims import notes
from yolo_prune_check.report.claims.contrasts import (
    AFTER_EACH,
    AFTER_LAST,
    NO_TRAINING,
    contrast,
    is_better,
    taken_as,
    training,
)
from yolo_prune_check.report.claims.deciding import fared
from yolo_prune_check.report.claims.efforts import effort, equal_ways, unequal_ways
from yolo_prune_check.report.claims.evidence import Evidence
from yolo_prune_check.report.claims.ruling import Claim, Ruling, Verdict, undecided
from yolo_prune_check.report.figures import count, difference, many, of, score
from yolo_prune_check.report.measures import first_names
from yolo_prune_check.report.paired import Condition, Outcome, compare
from yolo_prune_check.report.tally import phantoms
from yolo_prune_check.run.record import Record, StepRecord


def _counted(records: tuple[Record, ...]) -> list[StepRecord]:
    return [
        step
        for record in records
        for step in record.steps
        if step.status == "pruned" and step.active is not None and step.weight_norm_count is not None
    ]


def _active_after_zeroing(evidence: Evidence) -> Ruling:
    records = evidence.tried("mask", lambda record: record.mask == "weights").records
    steps = _counted(records)
    if not steps:
        return undecided("a plan with `mask: weights`, which zeroes what the notes zeroed")
    kept, emitting = sum(step.kept for step in steps), sum(step.active or 0 for step in steps)
    whole = sum(step.channels for step in steps)
    still = sum(phantoms(step) or 0 for step in steps)
    words = (
        f"With only the filters zeroed, {of(kept, whole)} channels were to stay active; {count(emitting)} still emit. "
        f"BatchNorm's shift turns {many(still, 'zeroed channel')} into {'a constant' if still == 1 else 'constants'}."
    )
    return Ruling(Verdict.REFUTED if still else Verdict.CONFIRMED, words, records)


def _count_is_active(evidence: Evidence) -> Ruling:
    records = evidence.tried("mask").records
    steps = _counted(records)
    if not steps:
        return undecided("a masked plan whose active channels were observed")
    wrong = [step for step in steps if step.active != step.weight_norm_count]
    worst = max(steps, key=lambda step: abs((step.active or 0) - (step.weight_norm_count or 0)))
    words = f"The count by weights differs from the channels that emit in {of(len(wrong), len(steps))} masked steps"
    if wrong:
        words += (
            f"; worst for `{worst.layer}`, {count(worst.weight_norm_count)} by weights and "
            f"{count(worst.active)} by output"
        )
    differing = tuple(record for record in records if any(step in wrong for step in record.steps))
    return Ruling(Verdict.REFUTED if wrong else Verdict.CONFIRMED, f"{words}.", differing or records)


def _accumulates(evidence: Evidence) -> Ruling:
    records = evidence.tried("mask", lambda record: any(step.regrown is not None for step in record.steps)).records
    if not records:
        return undecided("a masked plan with fine-tuning")
    grown = tuple(record for record in records if any(step.regrown for step in record.steps))
    held = tuple(record for record in records if record not in grown)
    filters = sum(max(step.regrown or 0 for step in record.steps) for record in grown)
    if not grown:
        words = f"No zeroed filter came back in fine-tuning in {many(len(held), 'plan')}."
        return Ruling(Verdict.CONFIRMED, words, held)
    words = f"In {of(len(grown), len(records))} fine-tuned plans {many(filters, 'zeroed filter')} came back"
    words += (
        f"; none did in the {'one' if len(held) == 1 else len(held)} whose masks were enforced or held."
        if held
        else "."
    )
    return Ruling(Verdict.REFUTED, words, grown + held)


def _absorbed(evidence: Evidence) -> Ruling:
    tuned = evidence.tried("mask", lambda record: any(step.scores_tuned is not None for step in record.steps))
    known = [record for record in tuned.records if record.metrics.params_before is not None]
    local = evidence.tried("local")
    if not known or not local.records:
        return undecided("a fine-tuned masked plan beside a local one")
    changed = [record for record in known if record.metrics.params_before != record.metrics.params_after]
    through = [record for record in local.records if any(step.scores_tuned is not None for step in record.steps)]
    words = (
        f"Masking changed the architecture in {of(len(changed), len(known))} fine-tuned plans, so there was "
        f"{'something' if changed else 'nothing'} to absorb; {fared('local', local)}, and fine-tuning could start in "
        f"{of(len(through), len(local.records))}."
    )
    verdict = Verdict.CONFIRMED if changed or through else Verdict.REFUTED
    return Ruling(verdict, words, tuple(known) + local.records)


def _helps(evidence: Evidence) -> Ruling:
    """By plans, since the steps of one plan are no repetitions, and by an experiment: either may refute it."""
    changes = [(record, _by_training(record)) for record in evidence.tried("mask").records]
    records = tuple(record for record, steps in changes if steps)
    if not records:
        return undecided("mAP right after pruning beside mAP after fine-tuning")
    pairs = [pair for _, steps in changes for pair in steps]
    before, after = fmean(pair[0] for pair in pairs), fmean(pair[1] for pair in pairs)
    better = sum(pair[1] > pair[0] for pair in pairs)
    by_plan = compare(_means(evidence, 0), _means(evidence, 1), unit="plan")
    words = (
        f"Mean {first_names(records)} over {many(len(pairs), 'masked step')} went from {score(before)} to "
        f"{score(after)} ({difference(before, after)}); {better} became better. Widths did not change: it adapts to "
        "silent channels."
    )
    verdicts = []
    if by_plan is not None:
        words += f" By plan it changes by {by_plan.words}, {taken_as(by_plan)}."
        verdicts.append(is_better(by_plan))
    measured = contrast(evidence, "fine_tune", training, NO_TRAINING, AFTER_EACH)
    if measured is None:
        words += " What it does to whole plans was not measured in an experiment."
        return Ruling(_any_refutes(verdicts), words, records)
    words += f" In an experiment, training after each step instead of none: {measured.words}."
    verdicts.append(measured.is_better)
    return Ruling(_any_refutes(verdicts), words, records, experiments=measured.experiments)


def _by_training(record: Record) -> list[tuple[float, float]]:
    """Of each step that was trained, the score right after pruning and that after training."""
    return [
        (step.scores_pruned.first, step.scores_tuned.first)
        for step in record.steps
        if step.scores_pruned is not None and step.scores_tuned is not None
    ]


def _means(evidence: Evidence, moment: int) -> dict[Condition, Outcome]:
    """Of each masked plan that was trained, the mean over its steps, before (0) or after (1) training."""
    found = {}
    for record in evidence.tried("mask").records:
        steps = _by_training(record)
        if steps:
            kept = frozenset((step.layer, step.keep) for step in record.steps)
            found[Condition((record.spec, record.id))] = Outcome(
                fmean(pair[moment] for pair in steps), (kept, moment, tuple(pair[moment] for pair in steps))
            )
    return found


def _any_refutes(verdicts: list[Verdict]) -> Verdict:
    """What refutes goes before what confirms."""
    for word in (Verdict.REFUTED, Verdict.CONFIRMED):
        if word in verdicts:
            return word
    return Verdict.UNDECIDED


def _iterative(evidence: Evidence) -> Ruling:
    """Against as much training at the end: what is asked is whether it must be between the steps."""
    measured = contrast(evidence, "fine_tune", training, AFTER_LAST, AFTER_EACH, alike=effort)
    if measured is None:
        unequal = contrast(evidence, "fine_tune", training, AFTER_LAST, AFTER_EACH)
        if unequal is not None:
            return unequal_ways(unequal.experiments)
        missing = "an experiment that trains after each step, and as much after the last; it was not measured"
        return undecided(missing)
    words = f"Training {equal_ways(measured.experiments, AFTER_EACH)} after each step, instead of "
    words += f"{equal_ways(measured.experiments, AFTER_LAST)}: {measured.words}."
    untrained = contrast(evidence, "fine_tune", training, NO_TRAINING, AFTER_EACH)
    if untrained is not None:
        words += f" Instead of none at all: {untrained.words}."
    return Ruling(measured.is_better, words, experiments=measured.experiments)


CLAIMS = (
    Claim(
        "accumulates",
        notes.INDEPENDENT,
        "Accumulates pruning - All changes are saved to the final model",
        _accumulates,
    ),
    Claim("absorbed", notes.OPTIONS, "Fine-tune … Architecture changes are absorbed", _absorbed),
    Claim("active-118", notes.SEQUENTIAL, "Active channels after pruning: 118/256", _active_after_zeroing),
    Claim(
        "count-active-channels",
        notes.SEQUENTIAL,
        "count_active_channels() helper function to count non-zero channels … active_channels = (channel_norms > 1e-6)",
        _count_is_active,
    ),
    Claim("fine-tuning-helps", notes.BLOCKS, "Fine-tuning helps adapt to channel reductions", _helps),
    Claim(
        "iterative",
        notes.LIMITATION,
        "What We CAN Do … Use the iterative pruning + fine-tuning approach",
        _iterative,
        about="as against training as much at the end",
    ),
)
