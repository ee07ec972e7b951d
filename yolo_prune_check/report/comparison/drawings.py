"""The plots of one comparison: what is drawn of which records, or why nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from yolo_prune_check.report import figures
from yolo_prune_check.report.comparison.matrix import Combination, Comparison, budgeted, done
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.plots import Curve, Point, curves, heat_map, pareto, svg
from yolo_prune_check.report.plots.canvas import MARKERS
from yolo_prune_check.report.samples import Sample
from yolo_prune_check.run.record import Record, StepRecord

_FEW: Final = 8
"""So many combinations have a colour each; more share them."""
_MOST: Final = 60
"""Lines, or rows, that can be told apart at all."""


@dataclass(frozen=True)
class Drawing:
    """A plot, or the reason why there is none.

    Attributes:
        name: What its file's name ends in.
        title: Its heading.
        alt: What it shows, for those who cannot see it.
        caption: How to read it.
        svg: The file's text; None if there is none.
        reason: Why not.
    """

    name: str
    title: str
    alt: str = ""
    caption: str = ""
    svg: str | None = None
    reason: str = ""


def drawings(comparison: Comparison, standing: Standing) -> tuple[Drawing, ...]:
    """All plots of a comparison."""
    return _costs(comparison, standing), _steps(comparison), _blocks(comparison)


def _costs(comparison: Comparison, standing: Standing) -> Drawing:
    name, title = "pareto", f"{comparison.measure} at the end against multiply-accumulates"
    known = [(each, each.macs, each.final) for each in comparison.combinations if each.macs and each.final]
    if len({macs.mean for _, macs, _ in known if macs}) < 2:
        why = "every combination that was measured at the end has the same multiply-accumulates: there is no trade-off"
        return Drawing(name, title, reason=why)
    points = [
        Point(macs.mean * 100, final.mean, final.spread, *_look(comparison, each), each in standing.front)
        for each, macs, final in known
        if macs and final
    ]
    ends = [each.final.mean for each in standing.front if each.final]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    alt = (
        f"{comparison.measure} at the end over multiply-accumulates left, {figures.many(len(points), 'combination')}. "
        f"{len(standing.front)} on the Pareto front, from {figures.score(low)} to {figures.score(high)}."
    )
    caption = (
        "Bars are the spread over the seeds; the grey line is the Pareto front of the combinations that are safe with "
        "every seed."
    )
    if len(comparison.combinations) > _FEW and _is_mixed(comparison):
        rest = ", ".join(f"`{name}`" for name in list(comparison.axes)[2:])
        caption += f" What differs in {rest} alone looks alike."
    score = f"{comparison.measure} at the end"
    return Drawing(name, title, alt, caption, svg(pareto(points, cost="MACs left, %", score=score)))


def _steps(comparison: Comparison) -> Drawing:
    name, title = "steps", f"{comparison.measure} from step to step"
    if len(comparison.combinations) > _MOST:
        return Drawing(name, title, reason=f"more than {_MOST} combinations: their lines could not be told apart")
    lines = [line for each in comparison.combinations if (line := _line(comparison, each)) is not None]
    if not lines:
        return Drawing(name, title, reason="no step was measured")
    steps = max(len(record.steps) for record in comparison.records)
    ticks = [(0.0, "before"), *((float(number), str(number)) for number in range(1, steps + 1))]
    ends = [line.mean[-1] for line in lines]
    caption = "Half a step to the right of a step is the score after its fine-tuning; bands: the spread over the seeds."
    alt = (
        f"Mean {comparison.measure} before pruning, after each step, and after each fine-tuning, of "
        f"{figures.many(len(lines), 'combination')}. The lines end between {figures.score(min(ends))} and "
        f"{figures.score(max(ends))}."
    )
    return Drawing(name, title, alt, caption, svg(curves(lines, x="step", y=comparison.measure, ticks=ticks)))


def _blocks(comparison: Comparison) -> Drawing:
    name, title = "blocks", "What is left of the score by block"
    if len(comparison.combinations) > _MOST:
        return Drawing(name, title, reason=f"more than {_MOST} combinations: their rows could not be read")
    shares = [_mean_shares(each.records) for each in comparison.combinations]
    blocks = sorted({block for row in shares for block in row})
    if not blocks:
        return Drawing(name, title, reason="no step was measured on a model that had a score to lose")
    cells = [[row.get(block) for block in blocks] for row in shares]
    rows = _outline([each.values or ("all",) for each in comparison.combinations])
    means = {block: fmean(row[block] for row in shares if block in row) for block in blocks}
    worst = min(means, key=lambda block: means[block])
    alt = (
        f"Share of the {comparison.measure} that is left right after a block was pruned, by combination and block. "
        f"On average least is left by block {worst}: {figures.percent(means[worst])}."
    )
    caption = (
        "The score right after a block's step as a share of that before the step, on average over the seeds: the block "
        "with the lowest share is the one that costs most. Values that are those of the row above are left out."
    )
    what = f"{comparison.measure} after / before"
    columns = [str(block) for block in blocks]
    return Drawing(name, title, alt, caption, svg(heat_map(rows, columns, cells, x="block", what=what), outlines=False))


def _look(comparison: Comparison, combination: Combination) -> tuple[str, str]:
    """What colour and marker stand for: all values, or, of many combinations, that of the first axis and the others.

    Of more others than there are markers, only those of the second axis.
    """
    if len(comparison.combinations) <= _FEW or len(comparison.axes) == 1:
        return combination.label, combination.label
    first, second, *_ = combination.values
    return first, second if _is_mixed(comparison) else ", ".join(combination.values[1:])


def _is_mixed(comparison: Comparison) -> bool:
    """Whether points that look alike may differ in a value."""
    return len({each.values[1:] for each in comparison.combinations}) > len(MARKERS)


def _line(comparison: Comparison, combination: Combination) -> Curve | None:
    at: dict[float, list[float]] = {}
    for record in combination.records:
        for place, score in _course(record):
            at.setdefault(place, []).append(score)
    samples = [(place, sample) for place in sorted(at) if (sample := Sample.of(at[place])) is not None]
    if len(samples) < 2:
        return None
    places, known = zip(*samples, strict=True)
    mean, spread = tuple(each.mean for each in known), tuple(each.spread or 0.0 for each in known)
    if len(comparison.combinations) <= _FEW or len(comparison.axes) == 1:
        return Curve(places, mean, spread, combination.label, combination.label)
    panel, hue, *rest = combination.values
    return Curve(places, mean, spread, hue, ", ".join(rest) or hue, panel)


def _course(record: Record) -> list[tuple[float, float]]:
    """Where and what the score is: at 0 before pruning, at n after step n, half a step later after its fine-tuning."""
    steps = done(record)
    asked = [(0.0, record.metrics.scores_before)]
    asked += [(step.index + 1.0, step.scores_pruned) for step in steps]
    asked += [(step.index + 1.5, step.scores_tuned) for step in steps]
    return [(place, score) for place, scores in asked if (score := budgeted(scores)) is not None]


def _outline(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Labels of sorted rows, without what the row above has said already."""
    labels, above = [], tuple[str, ...]()
    for row in rows:
        said = next((index for index, (one, other) in enumerate(zip(row, above, strict=False)) if one != other), 0)
        labels.append(", ".join(row[said:]))
        above = row
    return labels


def _mean_shares(records: Sequence[Record]) -> dict[int, float]:
    """By block, what is left of the score right after its steps, on average over the records."""
    found: dict[int, list[float]] = {}
    for record in records:
        for block, share in _shares(record).items():
            found.setdefault(block, []).append(share)
    return {block: fmean(shares) for block, shares in found.items()}


def _shares(record: Record) -> dict[int, float]:
    """By block, the score after its steps as a share of that before them; of several steps, the product."""
    shares: dict[int, float] = {}
    before = budgeted(record.metrics.scores_before)
    for step in done(record):
        after = budgeted(step.scores_pruned)
        if before and after is not None:
            shares[step.block] = shares.get(step.block, 1.0) * after / before
        before = _left(step)
    return shares


def _left(step: StepRecord) -> float | None:
    tuned = budgeted(step.scores_tuned)
    return budgeted(step.scores_pruned) if tuned is None else tuned
