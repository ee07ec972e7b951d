"""Claims about removing channels for good, and about adapters: decided by plans that were carried out so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from yolo_prune_check.report.checks import error, largest_error
from yolo_prune_check.report.claims import notes
from yolo_prune_check.report.claims.deciding import fared, listing
from yolo_prune_check.report.claims.evidence import Evidence, convs_in, pruned_blocks, several_per_block
from yolo_prune_check.report.claims.ruling import Claim, Ruling, Verdict, undecided
from yolo_prune_check.report.figures import change, many, of, percent, score
from yolo_prune_check.report.markdown import code
from yolo_prune_check.report.measures import first_names
from yolo_prune_check.report.same_plan import plan_key
from yolo_prune_check.report.tally import costly, first
from yolo_prune_check.report.wording import capital
from yolo_prune_check.run.record import Record


def _carried_out(evidence: Evidence, execution: str) -> tuple[Record, ...]:
    return evidence.executed(lambda record: record.execution == execution)


def _safe_in_one_block(execution: str, what: str) -> Callable[[Evidence], Ruling]:
    """Rule on "several layers of one block can be pruned so"."""

    def decide(evidence: Evidence) -> Ruling:
        records = tuple(record for record in _carried_out(evidence, execution) if several_per_block(record))
        if not records:
            return undecided(f"a plan for several layers of one block under {code(execution)}")
        safe = [record for record in records if record.verdict == "safe"]
        words = f"{of(len(safe), len(records))} such plans {what}."
        return Ruling(Verdict.CONFIRMED if len(safe) == len(records) else Verdict.REFUTED, words, records)

    return decide


def _removes(evidence: Evidence) -> Ruling:
    shares = [
        (record, share)
        for record in _group(evidence)
        if (share := _saved(record.metrics.params_before, record.metrics.params_after)) is not None
    ]
    if not shares:
        return undecided("parameters before and after a plan under `group`")
    least = min(share for _, share in shares)
    words = f"The least that any of {many(len(shares), 'plan')} removed is {percent(least)} of the model's parameters."
    verdict = Verdict.CONFIRMED if least > 0 else Verdict.REFUTED
    return Ruling(verdict, words, tuple(record for record, _ in shares))


def _group(evidence: Evidence) -> tuple[Record, ...]:
    return _carried_out(evidence, "group")


def _more_aggressive(evidence: Evidence) -> Ruling:
    """By multiply-accumulates: zeros are multiplied like other numbers."""
    best = {execution: _most_saved(_carried_out(evidence, execution)) for execution in ("group", "mask")}
    if best["group"] is None or best["mask"] is None:
        return undecided("multiply-accumulates of plans under `group` and under `mask`")
    (removing, most), (masking, rest) = best["group"], best["mask"]
    words = f"Of the multiply-accumulates `group` saves up to {percent(most)}, `mask` up to {percent(rest)}."
    return Ruling(Verdict.CONFIRMED if most > rest else Verdict.REFUTED, words, (removing, masking))


def _most_saved(records: Sequence[Record]) -> tuple[Record, float] | None:
    shares = [(record, _saved(record.metrics.macs_before, record.metrics.macs_after)) for record in records]
    known = [(record, share) for record, share in shares if share is not None]
    return max(known, key=lambda pair: pair[1], default=None)


def _saved(before: int | None, after: int | None) -> float | None:
    return None if not before or after is None else 1 - after / before


def _as_many_as_needed(evidence: Evidence) -> Ruling:
    """Confirmed by a plan in which every Conv2d of several blocks lost channels."""
    wiring = evidence.wiring()
    asked = [record for record in _group(evidence) if record.model in wiring and several_per_block(record)]
    if not asked:
        return undecided("a plan for several layers of one block under `group`, of a model whose wiring was measured")
    told, complete = [], []
    for record in asked:
        blocks = sorted(pruned_blocks(record))
        there = convs_in(wiring[record.model], blocks)
        narrower = {step.layer for step in record.steps if step.status == "pruned" and step.kept < step.channels}
        told.append(f"{of(len(narrower), there)} Conv2d of {listing(blocks)} became narrower")
        if len(narrower) == there and record.verdict == "safe":
            complete.append(record)
    words = f"{capital('; '.join(dict.fromkeys(told)))}."
    return Ruling(Verdict.CONFIRMED if complete else Verdict.REFUTED, words, tuple(complete or asked))


def _riskier(evidence: Evidence) -> Ruling:
    """Whether it broke, or came to compute something else than the masked model."""
    group = evidence.tried("group")
    if not group.records:
        return undecided("a plan under `group`")
    wrong = [record for record in group.records if _proof_fails(record)]
    words = f"{fared('group', group)}; {fared('local', evidence.tried('local'))}. {_proven(group.records)}"
    verdict = Verdict.CONFIRMED if group.broke or wrong else Verdict.REFUTED
    return Ruling(verdict, capital(words), group.records)


def _proof_fails(record: Record) -> bool:
    return any(check.passed is False for check in record.proof)


def _proven(records: Sequence[Record]) -> str:
    """What the proofs came to."""
    proven = [record for record in records if record.proof]
    if not proven:
        return "Nothing was compared with the masked model."
    held = [record for record in proven if not _proof_fails(record)]
    rows = sum(len(record.proof) for record in proven)
    errors = [found for record in proven if (found := largest_error(record.proof)) is not None]
    within = f", the largest relative error being {error(max(errors))}" if errors else ""
    whose = "model computes" if len(proven) == 1 else "models compute"
    how_many = of(len(held), len(proven))
    return f"{how_many} {whose} what the masked one does, by {many(rows, 'check')}{within}."


def _unproven(evidence: Evidence) -> Ruling:
    records = tuple(record for record in _carried_out(evidence, "adapter") if record.proof)
    if not records:
        return undecided("a proof of a plan under `adapter`")
    failed = any(_proof_fails(record) for record in records)
    return Ruling(Verdict.CONFIRMED if failed else Verdict.REFUTED, _proven(records), records)


def _overhead(evidence: Evidence) -> Ruling:
    """By the multiply-accumulates of the same plan without adapters, which is `group`; times differ by machine."""
    twins = {plan_key(record): record for record in _group(evidence) if record.metrics.macs_after}
    pairs = [
        (record, twins[plan_key(record)])
        for record in _carried_out(evidence, "adapter")
        if record.metrics.macs_after and plan_key(record) in twins
    ]
    if not pairs:
        return undecided("multiply-accumulates of one plan under `adapter` and under `group`")
    more = [(record.metrics.macs_after or 0) - (twin.metrics.macs_after or 0) for record, twin in pairs]
    told = [
        f"{code(record.id)} multiplies {change(twin.metrics.macs_after, record.metrics.macs_after)} beside the same "
        "plan under `group`"
        for record, twin in pairs
    ]
    words = f"{capital('; '.join(told))}."
    scenarios = tuple(record for pair in pairs for record in pair)
    if all(number > 0 for number in more):
        words += " Behind an adapter every width is what it was, and zeros are multiplied like other numbers."
        return Ruling(Verdict.CONFIRMED, words, scenarios)
    if any(number > 0 for number in more):
        return Ruling(Verdict.UNDECIDED, f"{words} The plans do not agree.", scenarios)
    return Ruling(Verdict.REFUTED, words, scenarios)


def _performance(evidence: Evidence) -> Ruling:
    records = tuple(
        record
        for record in _carried_out(evidence, "adapter")
        if record.metrics.scores_before is not None and record.metrics.scores_after is not None
    )
    if not records:
        return undecided("mAP before and after a plan under `adapter`")
    twins = {plan_key(record): record for record in _group(evidence)}
    told = []
    for record in records:
        before, after = first(record.metrics.scores_before), first(record.metrics.scores_after)
        ended = f"{code(record.id)} {score(before)} to {score(after)}"
        twin = twins.get(plan_key(record))
        known = None if twin is None else first(twin.metrics.scores_after)
        told.append(ended if known is None else f"{ended} (the same plan under `group` {score(known)})")
    lossy = [record for record in records if costly(record)]
    words = f"{first_names(records)}: {'; '.join(told)}. {_proven(records)}"
    if lossy and not any(_proof_fails(record) for record in records):
        words += " What is lost goes with the channels, not with the adapters."
    return Ruling(Verdict.CONFIRMED if lossy else Verdict.REFUTED, words, records)


CLAIMS = (
    Claim(
        "structural-removes",
        notes.OPTIONS,
        "Use True Structural Pruning … actually removes channels from architecture",
        _removes,
    ),
    Claim(
        "structural-pruning",
        notes.OPTIONS,
        "Use True Structural Pruning … Can prune multiple layers within same block",
        _safe_in_one_block("group", "remove several layers' channels of one block for good and are safe"),
    ),
    Claim(
        "structural-aggressive",
        notes.OPTIONS,
        "Use True Structural Pruning … More aggressive pruning possible",
        _more_aggressive,
    ),
    Claim(
        "structural-risk",
        notes.OPTIONS,
        "Use True Structural Pruning … Higher risk of breaking model functionality",
        _riskier,
    ),
    Claim(
        "structural-as-many",
        notes.OPTIONS,
        "Use True Structural Pruning … would allow you to prune as many layers as needed",
        _as_many_as_needed,
    ),
    Claim(
        "adapter-several",
        notes.OPTIONS,
        "Channel Adjustment Layer … Could allow pruning multiple layers",
        _safe_in_one_block("adapter", "prune several layers of one block and are safe"),
    ),
    Claim(
        "channel-adapter",
        notes.OPTIONS,
        "Channel Adjustment Layer … Maintains compatibility with existing architecture",
        _safe_in_one_block("adapter", "keep every shape behind the adapter and are safe"),
    ),
    Claim("adapter-unproven", notes.OPTIONS, "Channel Adjustment Layer … Unproven approach", _unproven),
    Claim("adapter-overhead", notes.OPTIONS, "Channel Adjustment Layer … Adds computational overhead", _overhead),
    Claim(
        "adapter-performance",
        notes.OPTIONS,
        "Channel Adjustment Layer … May not preserve model performance",
        _performance,
    ),
)
