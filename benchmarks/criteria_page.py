"""The page on criteria: a table for each share of the MACs that is removed, and a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from benchmarks.setting import sentence
from yolo_prune_check.report.leading import leading
from yolo_prune_check.report.paired import Outcome
from yolo_prune_check.report.plots.canvas import svg
from yolo_prune_check.report.plots.curves import Curve, curves
from yolo_prune_check.report.samples import Sample, score

_SCOPES = {"group": "the same share of every group", "global": "one global ranking"}
UNTOUCHED = "untouched"
"""Stands for a criterion where nothing is removed."""


@dataclass(frozen=True)
class Settings:
    """What all points have in common."""

    model: str
    data: str
    imgsz: int
    epochs: int
    fraction: float = 1.0


@dataclass(frozen=True)
class Point:
    """One small model, trained once.

    Attributes:
        criterion: By which its channels were chosen.
        scope: Whether every group or every layer lost the same share, or one ranking decided.
        cut: The share of the MACs that was to go.
        seed: Of the training, and of what is random in the choice.
        macs_left: Share of the untouched model's MACs.
        params_left: Share of its parameters.
        before: mAP50-95 of the untouched model.
        pruned: Of the small one before any training.
        tuned: After it.
        setting: What of the criterion was not as usual.
    """

    criterion: str
    scope: str
    cut: float
    seed: int
    macs_left: float
    params_left: float
    before: float
    pruned: float
    tuned: float
    setting: str = ""


@dataclass(frozen=True)
class Row:
    """All seeds of one way to choose, at one share.

    ``standing`` is ``best``, ``highest`` (of what nothing was repeated), ``tied`` with that, or nothing.
    """

    criterion: str
    scope: str
    macs_left: float
    params_left: float
    pruned: Sample
    tuned: Sample
    standing: str
    setting: str = ""


def rows(points: Iterable[Point], cut: float) -> list[Row]:
    """The ways to choose at one share, the best after training first."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for point in points:
        if point.cut == cut:
            found.setdefault((point.criterion, point.scope, point.setting), []).append(point)
    standings = _standings(found)
    summed = [
        Row(
            criterion,
            scope,
            sum(point.macs_left for point in own) / len(own),
            sum(point.params_left for point in own) / len(own),
            _sample(point.pruned for point in own),
            _sample(point.tuned for point in own),
            standings[criterion, scope, setting],
            setting,
        )
        for (criterion, scope, setting), own in found.items()
    ]
    return sorted(summed, key=lambda row: -row.tuned.mean)


def _standings(found: Mapping[tuple[str, str, str], Sequence[Point]]) -> dict[tuple[str, str, str], str]:
    """The standing of each way to choose."""
    outcomes = {way: {point.seed: Outcome(point.tuned, _model(point)) for point in own} for way, own in found.items()}
    if not outcomes:
        return {}
    first = leading(outcomes)
    standings = dict.fromkeys(outcomes, "") | dict.fromkeys(first.tied, "tied")
    standings[first.leader] = "tied" if first.tied else "best" if first.tested else "highest"
    return standings


def _model(point: Point) -> tuple[float, ...]:
    """What tells the small model of a point from others: all that was measured of it."""
    return point.macs_left, point.params_left, point.pruned, point.tuned


def _sample(values: Iterable[float]) -> Sample:
    found = Sample.of(values)
    if found is None:
        raise ValueError("nothing was measured")
    return found


def page(points: Sequence[Point], settings: Settings, image: str, command: str) -> str:
    """The page, with the command that makes it."""
    chosen = [point for point in points if point.criterion != UNTOUCHED]
    cuts = sorted({point.cut for point in chosen})
    seeds = len({point.seed for point in chosen})
    before = chosen[0].before
    lines = [
        "# What each criterion costs",
        "",
        f"`{settings.model}`, mAP50-95 {before:.3f} on `{settings.data}` at {settings.imgsz} px. Each criterion "
        "chooses what is removed by `group`, in two ways: the same share of every bundle of dependency groups "
        "(`group`), or one ranking of all (`global`, at least a tenth of every layer stays; by weights only for the "
        "smallest cut, which shows what becomes of it), until so many "
        f"multiply-accumulates (MACs) are gone. Then every small model is trained alike: {settings.epochs} epochs on "
        f"{'all' if settings.fraction == 1 else f'{settings.fraction:.0%} of the'} training images, {seeds} "
        f"seed{'' if seeds == 1 else 's'}. What that means for a choice is said in [choosing channels](choosing.md).",
        *_more_training(points),
        "",
        f"![mAP50-95 over the share of MACs removed, right after pruning and after training]({image})",
    ]
    for cut in cuts:
        found = rows([point for point in chosen if not point.setting], cut)
        lines += ["", f"## {cut:.0%} of the MACs removed", "", _table(found), "", _said(found)]
        lines += _layer_by_layer(found)
    for cut in cuts:
        lines += _settings(rows(_of_separability(chosen), cut), cut)
    lines += [
        "",
        "± is the sample standard deviation over the seeds. *Best* has the largest mean after training and is better "
        "than every other: by Tukey's range test over all of a table, at 5 %, with seeds as blocks, and with the "
        "spread of two rows' own differences where that is larger than what is pooled; rows that are clearly behind "
        "are set aside, and the others compared again by the chance among them. What the test does not tell from the "
        "largest mean is *tied* with it, and then none is best; with one seed there is no test, and the largest is the "
        "*highest*. Before training, only `random`, and `separability` where it clusters, depend on the "
        "seed.",
        "",
        f"{sentence()} Again: `{command}`.",
    ]
    return "\n".join(lines)


def _more_training(points: Sequence[Point]) -> list[str]:
    """What the training does to a model of which nothing was removed."""
    own = [point for point in points if point.criterion == UNTOUCHED]
    if not own:
        return []
    before, after = f"{own[0].before:.3f}", score(_sample(point.tuned for point in own))
    said = (
        f"The same training takes the untouched model from {before} to {after}: that, and not {before}, is what a "
        "small model after training is to be compared with."
    )
    return ["", said]


def _layer_by_layer(found: Sequence[Row]) -> list[str]:
    if not any(row.scope == "layer" for row in found):
        return []
    said = (
        "By `layer`, every layer names the same share of its channels by its own scores (`separability` by its "
        "clusters), as `scope: layer` of specs does with `layers: all`; what is tied to them goes, too."
    )
    return ["", said]


def _of_separability(points: Sequence[Point]) -> list[Point]:
    """Those that differ in nothing but the settings of separability."""
    cuts = {point.cut for point in points if point.setting}
    return [
        point for point in points if (point.criterion, point.scope) == ("separability", "group") and point.cut in cuts
    ]


def _settings(found: Sequence[Row], cut: float) -> list[str]:
    if not found:
        return []
    cells = [
        [
            f"`{row.setting.replace(' ', ': ')}`" if row.setting else "as in the field notes",
            f"{row.macs_left:.1%}",
            score(row.pruned),
            score(row.tuned),
            "**best**" if row.standing == "best" else row.standing,
        ]
        for row in found
    ]
    heads = ["setting", "MACs left", "right after pruning", "after training", ""]
    return [
        "",
        f"## Settings of separability, {cut:.0%} of the MACs removed",
        "",
        "By `group`; one setting is changed at a time. As in the field notes are Jeffries-Matusita distances, t-SNE, "
        "and the medoid of each cluster.",
        "",
        tabulate(cells, heads, tablefmt="github", disable_numparse=True),
    ]


def _table(found: Sequence[Row]) -> str:
    cells = [
        [
            f"`{row.criterion}`",
            f"`{row.scope}`",
            f"{row.macs_left:.1%}",
            f"{row.params_left:.1%}",
            score(row.pruned),
            score(row.tuned),
            "**best**" if row.standing == "best" else row.standing,
        ]
        for row in found
    ]
    heads = ["criterion", "scope", "MACs left", "parameters left", "right after pruning", "after training", ""]
    return tabulate(cells, heads, tablefmt="github", disable_numparse=True)


def _said(found: Sequence[Row]) -> str:
    """How separability and chance stand."""
    best = found[0]
    tied = sum(row.standing == "tied" for row in found) - 1
    highest = f"`{best.criterion}` by `{best.scope}`"
    if best.standing == "tied":
        others = f"{tied} other{'' if tied == 1 else 's'}"
        told = [f"None is best: {highest} has the largest mean, and {others} cannot be told from it."]
    else:
        told = [f"{best.standing.capitalize()}: {highest}."]
    for name in ("separability", "random"):
        own = [row for row in found if row.criterion == name]
        if own and own[0] is not best:
            lost = best.tuned.mean - own[0].tuned.mean
            place = found.index(own[0]) + 1
            told.append(f"`{name}` at its best (`{own[0].scope}`) is {lost:.3f} below, place {place} of {len(found)}.")
    return " ".join(told)


def picture(points: Sequence[Point], file: Path) -> None:
    """Every criterion's score over the share removed: by both scopes, before and after training."""
    cuts = sorted({point.cut for point in points if point.criterion != UNTOUCHED})
    lines = []
    for scope, said in _SCOPES.items():
        for moment in ("pruned", "tuned"):
            panel = f"{said}, {'right after pruning' if moment == 'pruned' else 'after training'}"
            for criterion in dict.fromkeys(point.criterion for point in points):
                own = [
                    point for point in points if (point.criterion, point.scope, point.setting) == (criterion, scope, "")
                ]
                found = {cut: rows(own, cut) for cut in cuts}
                samples = [(100 * cut, getattr(known[0], moment)) for cut, known in found.items() if known]
                if samples:
                    lines.append(
                        Curve(
                            tuple(cut for cut, _ in samples),
                            tuple(sample.mean for _, sample in samples),
                            tuple(sample.spread or 0.0 for _, sample in samples),
                            criterion,
                            criterion,
                            panel,
                        )
                    )
    file.write_text(svg(curves(lines, x="MACs removed, %", y="mAP50-95")), encoding="utf-8")
