"""What follows from one plan carried out in several ways: sentences computed from its records. Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from yolo_prune_check.report import figures
from yolo_prune_check.report.checks import by_layer, error, largest_error
from yolo_prune_check.report.latency import NOISE_WORDS, is_noise
from yolo_prune_check.report.markdown import code
from yolo_prune_check.report.same_plan import SamePlan
from yolo_prune_check.report.tally import last_scores
from yolo_prune_check.report.wording import capital, failed_step, listing
from yolo_prune_check.run.record import Record

_ALIKE = 0.0005
"""A difference of scores that is not printed."""


def way(record: Record) -> str:
    """How a plan was carried out, with what belongs to that execution alone."""
    parts = ["weights"] if record.execution == "mask" and record.mask == "weights" else []
    parts += [f"widths rounded to {record.round_to}"] if record.round_to else []
    parts += [] if record.extend else ["not extended"]
    return code(record.execution) + (f" ({', '.join(parts)})" if parts else "")


def fits(record: Record) -> bool:
    """Whether the network still ran at the end."""
    return failed_step(record) is None


def breaks_in(record: Record) -> str:
    """Where the network broke."""
    step = failed_step(record)
    failure = None if step is None else step.observed_failure or step.predicted_failure
    return "cannot be carried out to its end" if failure is None else f"breaks in {code(failure.module)}"


def conclusions(plan: SamePlan) -> list[str]:
    """What follows, most important first."""
    running = [record for record in plan if fits(record)]
    parts = (
        _fitting(plan, running),
        _besides(running),
        _smaller(running),
        _equal(running),
        _accuracy(running),
        _time(running),
    )
    return [sentence for part in parts for sentence in part]


def _fitting(plan: SamePlan, running: Sequence[Record]) -> Iterator[str]:
    broken = [record for record in plan if record not in running]
    words = []
    if running:
        words.append(f"{_ways(running)} {'fits' if len(running) == 1 else 'fit'}")
    for record in broken:
        words.append(f"{way(record)} {breaks_in(record)}")
    yield f"{'; '.join(words)}."


def _besides(running: Sequence[Record]) -> Iterator[str]:
    """What goes and stays beyond the plan: why other executions need not come to the same accuracy."""
    for record in running:
        done = [step for step in record.steps if step.status == "pruned"]
        named = {step.layer for step in done}
        added = {layer for step in done for layer in by_layer(step.added)} - named
        returned = {layer for step in done for layer in by_layer(step.returned)} & named
        parts = []
        if added:
            parts.append(f"also removes channels of {_names(added)}, which are tied to the plan's")
        if returned:
            parts.append(f"keeps channels of {_names(returned)} that the plan removes, for symmetry or round widths")
        if parts:
            yield f"{way(record)} {'; it '.join(parts)}."


def _names(layers: Iterable[str]) -> str:
    return figures.named([code(layer) for layer in sorted(layers)])


def _smaller(running: Sequence[Record]) -> Iterator[str]:
    known = [(record, _saved(record)) for record in running]
    sized = [(record, saved) for record, saved in known if saved is not None]
    if not sized:
        return
    smaller = sorted((pair for pair in sized if pair[1] > 0), key=lambda pair: -pair[1])
    same = [record for record, saved in sized if saved <= 0]
    parts = [f"{way(record)} saves {_savings(record)}" for record, _ in smaller]
    if same:
        parts.append(f"{_ways(same)} {'does' if len(same) == 1 else 'do'} not make the model smaller")
    only = "Only " if len(smaller) == 1 and same else ""
    yield f"{only}{'; '.join(parts)}."


def _saved(record: Record) -> int | None:
    before, after = record.metrics.params_before, record.metrics.params_after
    return None if before is None or after is None else before - after


def _savings(record: Record) -> str:
    metrics = record.metrics
    parts = [f"{figures.percent((_saved(record) or 0) / (metrics.params_before or 1))} of the parameters"]
    if metrics.macs_before and metrics.macs_after is not None:
        share = figures.percent((metrics.macs_before - metrics.macs_after) / metrics.macs_before)
        parts.append(f"{share} of the multiply-accumulates")
    return " and ".join(parts)


def _equal(running: Sequence[Record]) -> Iterator[str]:
    proven = [record for record in running if record.proof]
    held = [record for record in proven if all(check.passed is not False for check in record.proof)]
    if held:
        errors = [found for record in held if (found := largest_error(record.proof)) is not None]
        within = f", within a relative error of {error(max(errors))}" if errors else ""
        verb = "computes" if len(held) == 1 else "compute"
        yield f"{_ways(held)} {verb} what the masked model with the same weights does{within}."
    for record in proven:
        if record not in held:
            yield f"{way(record)} does not compute what the masked model does: a defect of this tool, please report it."


def _accuracy(running: Sequence[Record]) -> Iterator[str]:
    before = next((known for record in running if (known := record.metrics.scores_before) is not None), None)
    if before is None:
        return
    for which, words in ((0, "right after pruning"), (1, "after fine-tuning")):
        scores = [(record, score) for record in running if (score := last_scores(record)[which]) is not None]
        if not scores:
            continue
        values = [score for _, score in scores]
        if max(values) - min(values) < _ALIKE:
            told = f"{figures.score(values[0])} under {_ways([record for record, _ in scores])}"
        else:
            told = ", ".join(f"{figures.score(score)} under {way(record)}" for record, score in scores)
        yield f"{capital(before.names[0])} {words}: {told}; {figures.score(before.first)} before."


def _time(running: Sequence[Record]) -> Iterator[str]:
    timed = [(record, record.metrics.latency) for record in running if record.metrics.latency is not None]
    if not timed:
        return
    told = []
    for record, took in timed:
        differs = "faster than" if took.ratio < 1 else "slower than"
        pace = "as fast as" if is_noise(took.dense_ms, took.pruned_ms) else differs
        told.append(f"{way(record)} was {pace} the untouched model (×{took.ratio:.2f})")
    yield f"On the machine of this run, {'; '.join(told)}. {capital(NOISE_WORDS)}."


def _ways(records: Sequence[Record]) -> str:
    return listing([way(record) for record in records])
