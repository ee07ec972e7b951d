"""The page of a measurement of sensitivity: a table, a heat map and curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from yolo_prune_check.atomic import sweep
from yolo_prune_check.report import figures
from yolo_prune_check.report.markdown import NONE, code, fold, page, table, text
from yolo_prune_check.report.owned import refuse_foreign
from yolo_prune_check.report.sensitivity.drawings import drop_curves, drop_map
from yolo_prune_check.report.sensitivity.words import FEW, percent, summary, thresholds_in_words, verdict
from yolo_prune_check.report.setting import shown_path
from yolo_prune_check.run.record import write_atomically
from yolo_prune_check.run.sensitivity_record import (
    Point,
    Sensitivity,
    UnitRecord,
    refuse_foreign_data,
    write_sensitivity,
)

PAGE: Final = "sensitivity.md"
DATA: Final = "sensitivity.json"
MAP: Final = "sensitivity-map.svg"
CURVES: Final = "sensitivity-curves.svg"


def refuse_other_files(out: Path) -> None:
    """See that no file would be overwritten that is none of ours.

    Raises:
        UserError: It would.
    """
    refuse_foreign(out / name for name in (PAGE, MAP, CURVES))
    refuse_foreign_data(out / DATA)


def write_page(found: Sensitivity, out: Path) -> Path:
    """Write the page, its plots and the data behind them into a folder.

    Returns:
        The page.

    Raises:
        UserError: A file in the place of one of them is none of ours, or cannot be written.
    """
    refuse_other_files(out)
    for name in (DATA, MAP, CURVES, PAGE):
        sweep(out / name)
    write_sensitivity(found, out / DATA)
    drawn = drop_curves(found)
    write_atomically(out / MAP, drop_map(found))
    if drawn is None:
        (out / CURVES).unlink(missing_ok=True)
    else:
        write_atomically(out / CURVES, drawn)
    write_atomically(out / PAGE, sensitivity_page(found, curves=drawn is not None))
    return out / PAGE


def sensitivity_page(found: Sensitivity, *, curves: bool) -> str:
    """The page, in Markdown.

    Args:
        found: What came of it.
        curves: Whether there are curves to show.
    """
    measure = found.dense.budgeted_name
    ranked = sorted(found.units, key=lambda unit: (unit.mean_drop, unit.name))
    return page(
        "# Sensitivity",
        f"What {measure} drops by if {_alone(found)} is pruned alone. {text(summary(found))}.",
        _setting(found),
        _blind(found),
        _few(found),
        "## Drop by ratio",
        f"Cheapest first, by the mean drop over the ratios. {thresholds_in_words(measure)} {_saved(found)}",
        _table(found, ranked),
        _tied(found),
        _whole_parts(found),
        _unsafe(found),
        _unscored(found),
        "## Heat map",
        f"![Drop of {measure} in hundredths, by {'layer' if found.per == 'layer' else 'group'} and ratio; "
        f"{_extremes(ranked)}]({MAP})",
        "In the order of the network. Cells without a number are unsafe.",
        "## Curves" if curves else "",
        f"![Drop of {measure} over the share of channels removed; {_extremes(ranked)}]({CURVES})" if curves else "",
        "Of many, those that cost least and most, by the mean over the ratios." if curves else "",
    )


def _alone(found: Sensitivity) -> str:
    return "each layer" if found.per == "layer" else "each dependency group of layers, all that is tied together,"


def _setting(found: Sensitivity) -> str:
    parts = [
        f"model {code(shown_path(found.model))}",
        f"data {code(shown_path(found.data))}",
        f"{found.imgsz} px",
        *([] if found.device == "cpu" else [f"GPU {found.device}"]),
        f"part {found.val_part} of the val images ({figures.many(found.images, 'image')})",
        f"execution {code('mask' if found.per == 'layer' else 'group')}",
        f"channels chosen by {code(found.criterion)}, the least important go",
        f"seed {found.seed}",
    ]
    pair = f"{found.dense.pair} {figures.pair(found.dense)}"
    costs = f"{figures.count(found.macs)} multiply-accumulates, {figures.count(found.params)} parameters"
    return f"How: {', '.join(parts)}.\n\nThe untouched model: {pair}; {costs}."


def _blind(found: Sensitivity) -> str:
    if not found.dense.blind:
        return ""
    return f"**{found.dense.blindness} ({found.dense.basis}): what pruning costs cannot be seen here.**"


def _few(found: Sensitivity) -> str:
    if found.images >= FEW:
        return ""
    how_many = figures.many(found.images, "image")
    return f"**{how_many} tell little: a single one can move {found.dense.budgeted_name} by some hundredths.**"


def _saved(found: Sensitivity) -> str:
    if found.per == "group":
        return "What is saved is predicted, of the whole model."
    return (
        "Masks save nothing; what is given is what the layer saves if its silent channels are removed, and put back as "
        "zeros behind it (execution `adapter`), as predicted."
    )


def _table(found: Sensitivity, ranked: Sequence[UnitRecord]) -> str:
    ratios = [percent(ratio) for ratio in found.ratios]
    several = found.per == "group"
    names = [
        "group" if several else "layer",
        *(["layers", "channels of each"] if several else ["channels"]),
        *(f"drop at {ratio}" for ratio in ratios),
        "MACs saved",
        "parameters saved",
        "in words",
    ]
    rows = [
        [
            code(unit.name),
            *([figures.count(len(unit.layers))] if several else []),
            figures.count(unit.channels),
            *(_drop(point) for point in unit.points),
            _range([point.macs_cut for point in unit.points]),
            _range([point.params_cut for point in unit.points]),
            NONE if found.dense.blind else verdict(unit),
        ]
        for unit in ranked
    ]
    words = {names[0], "in words"}
    return table(names, rows, right={name for name in names if name not in words})


def _drop(point: Point) -> str:
    if point.status == "unchanged":
        return "nothing goes"
    return "unsafe" if point.drop is None else figures.difference(0.0, point.drop)


def _range(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    if not known:
        return NONE
    low, high = (figures.percent(share) for share in (min(known), max(known)))
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def _tied(found: Sensitivity) -> str:
    several = [unit for unit in found.units if len(unit.layers) > 1]
    if not several:
        return ""
    lines = [f"- {code(unit.name)}: {', '.join(map(code, unit.layers))}" for unit in several]
    return fold(f"Which layers lose channels together ({figures.many(len(several), 'group')})", "\n".join(lines))


def _whole_parts(found: Sensitivity) -> str:
    units = [unit for unit in found.units if unit.whole_parts]
    if not units:
        return ""
    lines = [
        f"- {code(unit.name)}, of {figures.count(unit.whole_parts)}: "
        + ", ".join(f"{figures.count(point.whole_parts)} at {percent(point.ratio)}" for point in unit.points)
        for unit in units
    ]
    listed = fold(f"How many heads or conv groups go of each ({figures.many(len(units), 'group')})", "\n".join(lines))
    return (
        "Channels of some groups go only by whole heads of an attention, or whole conv groups. How many go is rounded, "
        "halves up, but every layer keeps at least one: of two, one goes at 25 % as at 75 %.\n\n"
        f"{listed}"
    )


def _unsafe(found: Sensitivity) -> str:
    rows = [
        [code(unit.name), percent(point.ratio), text(point.reason)]
        for unit in found.units
        for point in unit.points
        if point.status == "unsafe"
    ]
    if not rows:
        return ""
    body = table(["layer", "ratio", "why"], rows, right={"ratio"})
    return f"Predicted to be unsafe, and therefore not run:\n\n{fold(figures.many(len(rows), 'point'), body)}"


def _unscored(found: Sensitivity) -> str:
    if not found.left_out:
        return ""
    return f"Not scored by {code(found.criterion)}, and therefore left out: {', '.join(map(code, found.left_out))}."


def _extremes(ranked: Sequence[UnitRecord]) -> str:
    known = [unit for unit in ranked if unit.known]
    if not known:
        return "nothing could be run"
    return f"{known[0].name} costs least, {known[-1].name} most"
