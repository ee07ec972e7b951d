"""Sentences computed from records, for readers who know nothing of the tool."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from yolo_prune_check.report.figures import change, many, of, score
from yolo_prune_check.report.markdown import NONE, code, text
from yolo_prune_check.report.measures import first_names, measure_of
from yolo_prune_check.report.random_plans import random_headline, random_reason
from yolo_prune_check.report.tally import NOTABLE_LOSS, Tally, costly, measured, phantoms
from yolo_prune_check.run.record import HazardRecord, MismatchRecord, Record, StepRecord

_REASONS = 3
"""An explanation names at most about this many reasons."""


def headline(records: Sequence[Record]) -> str:
    """The verdict over several scenarios in one or two sentences a manager understands. Markdown."""
    started = [record for record in records if record.verdict != "not-started"]
    plans = [record for record in started if record.fuzz is None]
    parts = (_not_started(len(records), len(started)), _headline(plans) if plans else "", random_headline(started))
    return " ".join(part for part in parts if part)


def _not_started(scenarios: int, started: int) -> str:
    if started == scenarios:
        return ""
    if scenarios == 1:
        return "**The scenario could not be started, because its input is wrong: nothing is known of its safety.**"
    if not started:
        return (
            f"**None of the {scenarios} scenarios could be started, because their input is wrong: "
            "nothing is known of their safety.**"
        )
    number = scenarios - started
    whose, them = ("its", "it") if number == 1 else ("their", "them")
    return (
        f"**{of(number, scenarios)} scenarios could not be started, because {whose} input is wrong: "
        f"nothing is known of {them}.**"
    )


def _headline(records: Sequence[Record]) -> str:
    tally = Tally.of(records)
    unexpected = [record for record in records if not record.passed]
    first = _alone(records[0]) if tally.scenarios == 1 else _together(tally)
    second = ""
    if unexpected:
        names = ", ".join(code(record.id) for record in unexpected)
        verb = "did not end as its spec expects" if len(unexpected) == 1 else "did not end as their specs expect"
        second = f" Look first at {names}, which {verb}."
    elif tally.safe < tally.scenarios:
        second = " Every scenario ended as its spec expects; the ones that are not safe were declared to show that."
    return f"**{first}**{second}{_proof(tally)}"


def _alone(record: Record) -> str:
    if record.verdict == "safe" and costly(record):
        return f"The plan fits, but it loses more than {NOTABLE_LOSS:.2f} {first_names([record])}."
    if record.verdict == "safe" and not measured(record):
        return "The plan fits, but its accuracy was not measured."
    if record.verdict == "safe" and record.metrics.blind:
        return "The plan fits, but this data cannot show what it costs in accuracy."
    return {
        "safe": "The plan is safe to use.",
        "unsafe": "The plan must not be used as it is written.",
        "partial": "The plan can only be carried out in part.",
        "refused": "The plan was refused, because its input is wrong.",
        "stopped": "The plan was stopped before its end, so its safety is not known.",
    }[record.verdict]


def _together(tally: Tally) -> str:
    but = _but(tally)
    if tally.safe == tally.scenarios:
        plans = "Both plans" if tally.scenarios == 2 else f"All {tally.scenarios} plans"
        return f"{plans} fit, but {but}." if but else f"{plans} are safe to use."
    parts = []
    if tally.partial:
        parts.append(f"{tally.partial} can only be carried out in part")
    if tally.unsafe:
        parts.append(f"{tally.unsafe} must not be used as written")
    if tally.refused:
        parts.append(f"{tally.refused} {'was' if tally.refused == 1 else 'were'} refused for wrong input")
    if tally.stopped:
        parts.append(f"{tally.stopped} {'was' if tally.stopped == 1 else 'were'} stopped before the end")
    safe = f"{of(tally.safe, tally.scenarios)} plans {'is' if tally.safe == 1 else 'are'} safe to use"
    if but:
        safe = f"{of(tally.safe, tally.scenarios)} plans {'fits' if tally.safe == 1 else 'fit'}, but {but}"
    if not tally.safe:
        safe = f"None of the {tally.scenarios} plans is {'known to be ' if tally.stopped else ''}safe to use"
    return f"{safe}; {listing(parts)}."


def _but(tally: Tally) -> str:
    """What speaks against plans that fit."""
    parts = [_costly(tally)] if tally.costly else []
    if tally.unmeasured == tally.safe == 1:
        parts.append("its accuracy was not measured")
    elif tally.unmeasured:
        none = "neither of them" if tally.safe == 2 else "none of them"
        whose = none if tally.unmeasured == tally.safe else f"{tally.unmeasured} of them"
        verb = "was" if tally.unmeasured in (1, tally.safe) else "were"
        parts.append(f"{whose} {verb} {'' if tally.unmeasured == tally.safe else 'not '}measured for accuracy")
    if tally.blind and tally.blind == tally.safe:
        parts.append("the data cannot show what " + ("it costs" if tally.safe == 1 else "any of them costs"))
    elif tally.blind:
        parts.append(f"the data cannot show what {tally.blind} of them {'costs' if tally.blind == 1 else 'cost'}")
    return listing(parts) if parts else ""


def _costly(tally: Tally) -> str:
    if tally.costly == tally.safe:
        whom = "it loses" if tally.safe == 1 else "both lose" if tally.safe == 2 else "all of them lose"
    else:
        whom = f"{tally.costly} of them {'loses' if tally.costly == 1 else 'lose'}"
    return f"{whom} more than {NOTABLE_LOSS:.2f} {tally.measure}"


def _proof(tally: Tally) -> str:
    if not tally.predictions:
        return " Nothing was executed, so no prediction could be confirmed."
    if tally.confirmed == tally.predictions and tally.edges_confirmed == tally.edges and not tally.refuted:
        whole = "The prediction" if tally.predictions == 1 else f"All {tally.predictions} predictions"
        verb = "was" if tally.predictions == 1 else "were"
        return f" {whole} {verb} confirmed by running what {'it is' if tally.predictions == 1 else 'they are'} about."
    return (
        f" Only {of(tally.confirmed, tally.predictions)} predictions for steps and "
        f"{of(tally.edges_confirmed, tally.edges)} for edges were confirmed: a refuted prediction is a defect of "
        "this tool, please report it."
    )


def verdict_name(verdict: str) -> str:
    """A verdict as it is printed."""
    return verdict.replace("-", " ")


def reason(record: Record) -> str:
    """Why the verdict is what it is, in one line. Plain words, not yet Markdown."""
    cause = _cause(record)
    if record.passed or not record.failures:
        return cause
    failure = record.failures[0]
    told = record.verdict in ("unsafe", "partial", "refused", "stopped") and cause not in failure
    return f"{failure.rstrip('.')}; {cause}" if told else failure


def _cause(record: Record) -> str:
    if record.fuzz is not None and record.fuzz.counterexample is None:
        return random_reason(record.fuzz)
    if record.verdict == "safe":
        return _safe(record)
    if record.verdict == "unsafe" and (failed := failed_step(record)) is not None:
        failure = failed.observed_failure or failed.predicted_failure
        if failure is not None:
            numbers = f"expected {failure.expected}, got {failure.got}"
            if record.activations == "sliced":
                return f"the sliced model for `{failed.layer}` breaks in `{failure.module}`: {numbers}"
            return f"once `{failed.layer}` is cut, the network breaks in `{failure.module}`: {numbers}"
    first = record.reasons[0] if record.reasons else "no reason was recorded"
    codes = [hazard.code for hazard in record.hazards if hazard.severity == "error"]
    if record.verdict == "unsafe" and len(codes) > 1:
        kinds = (f"`{kind}` in {many(codes.count(kind), 'layer')}" for kind in dict.fromkeys(codes))
        return f"{', '.join(kinds)}; first, {first}"
    return first


def failed_step(record: Record) -> StepRecord | None:
    """The step at which the plan was stopped, because the network broke there; None if it came to its end."""
    return next((step for step in record.steps if step.status == "failed"), None)


_DONE = {
    "mask": "masked",
    "local": "cut alone",
    "group": "cut with what is tied to them",
    "adapter": "cut behind adapters",
}
"""What was done to the layers of a plan."""


def _safe(record: Record) -> str:
    predicted = sum(step.status == "predicted" for step in record.steps)
    if predicted:
        return f"{many(predicted, 'layer')} predicted, nothing carried out{_unjudged(record)}"
    pruned = [step for step in record.steps if step.status == "pruned"]
    whole = sum(step.kept == step.channels for step in pruned)
    layers = f"{of(len(pruned) - whole, len(pruned))} layers" if whole else many(len(pruned), "layer")
    done = f"{layers} {_DONE[record.execution]}, every operator fits"
    metrics = record.metrics
    if metrics.params_before and metrics.params_after is not None and metrics.params_after != metrics.params_before:
        done += f", {change(metrics.params_before, metrics.params_after)} parameters"
    before, after = metrics.scores_before, metrics.scores_after
    if before is not None and after is not None:
        done += f", {before.names[0]} {score(before.first)} → {score(after.first)}"
        done += ", which says nothing: there was none to lose" if before.blind else ""
    else:
        done += ", accuracy not measured"
    return done


def _unjudged(record: Record) -> str:
    return f"; {', '.join(record.unjudged)} not judged" if record.unjudged else ""


def first_failure(record: Record) -> MismatchRecord | None:
    """The first break of a record: observed if anything was, else predicted."""
    for step in record.steps:
        found = step.observed_failure or step.predicted_failure
        if found is not None:
            return found
    return None


def explanation(record: Record) -> str:
    """One paragraph: the verdict, what happened, why. Markdown."""
    if record.fuzz is not None:
        return random_headline([record])
    steps = record.steps
    pruned = [step for step in steps if step.status == "pruned"]
    skipped = [step for step in steps if step.status == "skipped"]
    failed = [step for step in steps if step.status == "failed"]
    sentences = [f"**{capital(verdict_name(record.verdict))}**{_provided(record)}."]
    if record.verdict == "refused":
        sentences.append("The input cannot be used, and the plan was refused before anything was pruned.")
    elif record.verdict == "not-started":
        sentences.append("The scenario could not be started, because its input is wrong.")
    elif record.verdict == "stopped":
        sentences.append(f"The scenario did not come to its end. {_were(len(steps), 'step')} finished.")
    elif not steps:
        sentences.append("No layer was pruned.")
    elif any(step.status == "predicted" for step in steps):
        sentences.append(f"Nothing was carried out: {_were(len(steps), 'step')} predicted.")
    elif len(pruned) == len(steps):
        sentences.append(f"{_all(len(steps), 'step')} carried out.")
    else:
        sentences.append(f"{_were(len(pruned), 'step')} carried out{_skips(len(skipped))}.")
        sentences.extend(f"Step {step.index + 1} failed, and the plan was stopped there." for step in failed)
    told = record.reasons if len(record.reasons) <= _REASONS + 1 else record.reasons[:_REASONS]
    sentences.extend(_sentence(why) for why in told)
    if len(told) < len(record.reasons):
        sentences.append(f"{len(record.reasons) - len(told)} more reasons are in the tables below.")
    still = sum(phantoms(step) or 0 for step in pruned) if record.execution == "mask" else 0
    if still and not any(hazard.code == "phantom-channel" for hazard in record.hazards):
        sentences.append(f"{many(still, 'phantom channel')} still {'emits' if still == 1 else 'emit'} after pruning.")
    metrics = record.metrics
    lost = record.verdict == "safe" and costly(record)
    before, after = metrics.scores_before, metrics.scores_after
    if pruned and not lost and before is not None and after is not None:
        sentences.append(f"{capital(before.names[0])} went from {score(before.first)} to {score(after.first)}.")
    return " ".join(sentences)


def _provided(record: Record) -> str:
    """What must be said in the same sentence as the verdict, lest ``safe`` be read as good."""
    metrics = record.metrics
    before, after = metrics.scores_before, metrics.scores_after
    if record.verdict == "safe" and before is not None and after is not None and costly(record):
        told = f"{before.names[0]} went from {score(before.first)} to {score(after.first)}"
        return f", but {told}, a loss of more than {NOTABLE_LOSS:.2f}"
    if record.verdict == "safe" and not measured(record):
        return ", but accuracy was not measured"
    if record.verdict == "safe" and metrics.blind:
        return ", but this data cannot show what the plan costs in accuracy"
    return ""


def _were(number: int, noun: str) -> str:
    words = many(number, noun)
    return f"{words[:1].upper()}{words[1:]} {'was' if number == 1 else 'were'}"


def _skips(number: int) -> str:
    return f", {number} {'was' if number == 1 else 'were'} skipped" if number else ""


def _all(number: int, noun: str) -> str:
    return f"The only {noun} was" if number == 1 else f"All {number} {noun}s were"


def capital(words: str) -> str:
    """Words with a capital at the start, unless they start with a name such as ``model.1.conv`` or ``mAP50``."""
    first = words.partition(" ")[0].rstrip(",;:")
    return words[:1].upper() + words[1:] if first.isalpha() or re.fullmatch(r"[a-z]+(-\w+)+", first) else words


def _sentence(words: str) -> str:
    shown = capital(text(words).strip())
    return shown if shown.endswith((".", "!", "?")) else f"{shown}."


def advice(record: Record) -> str:
    """What to do about a scenario. Markdown; equal words for equal cases, so that they can be merged."""
    if record.agrees is False:
        return "a prediction was refuted: do not rely on its report, and report the defect with the command below"
    if record.fuzz is not None:
        what = "every prediction was confirmed" if record.agrees else "they were only predicted"
        return f"nothing: these are random plans that try this tool, and {what}"
    if record.verdict == "refused":
        return "cannot be run; correct the input that its message names"
    if record.verdict == "not-started":
        return "could not be started; correct the input that its message names"
    if record.verdict == "stopped":
        return "did not come to its end; raise the limit that its reason names, or ask for less"
    breaks = first_failure(record) is not None
    if record.verdict == "safe":
        warned = any(hazard.severity == "warning" for hazard in record.hazards)
        if costly(record):
            much = f"{NOTABLE_LOSS:.2f} {first_names([record])}"
            return f"fits, but loses more than {much}; remove fewer channels or fine-tune longer"
        if not measured(record):
            return (
                "every operator fits, but accuracy was not measured; measure it on trained weights and data before use"
                + ("; read its warnings" if warned else "")
            )
        if record.metrics.blind:
            found = measure_of(record).blindness
            return f"fits, but {found}; measure it on data that the model was trained for"
        return "can be used as written" + ("; read its warnings" if warned else "")
    remedies = _remedies(record.hazards)
    if breaks and record.activations == "sliced":
        remedies.insert(0, "collect activations with `activations: hooked`, which runs the network as it is wired")
    elif breaks and record.execution == "local":
        cut = "use `execution: group`, which cuts all that hangs on them as well"
        remedies.insert(0, f"{cut}, or `mask`, which leaves every shape alone")
    start = "only some layers were pruned" if record.verdict == "partial" else "do not use as written"
    return "; ".join([start, *remedies]) if remedies else f"{start}; see its reasons"


def _remedies(hazards: Iterable[HazardRecord]) -> list[str]:
    found: dict[str, None] = {}
    for hazard in hazards:
        if hazard.severity == "error" and hazard.remedy:
            words = hazard.remedy.strip().rstrip(".")
            found[text(words[:1].lower() + words[1:])] = None
    return list(found)


def outcome(words: str, failure: MismatchRecord | None) -> str:
    """What was predicted or observed of a step, short. Markdown."""
    if failure is not None:
        return f"breaks in {code(failure.module)}"
    return text(words) if words else NONE


def step_name(step: StepRecord) -> str:
    """A step's layer with its address. Markdown."""
    return f"{code(step.layer)} ({step.address})" if step.address else code(step.layer)


def listing(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
