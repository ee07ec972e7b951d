"""The page of a suggestion: what was tried, why one was taken, and whether it held on the other half."""

from __future__ import annotations

from typing import Final

from yolo_prune_check.report import figures
from yolo_prune_check.report.markdown import NO, NONE, YES, block, code, page, table, text
from yolo_prune_check.report.sensitivity.words import FEW
from yolo_prune_check.report.setting import shown_path
from yolo_prune_check.run.suggestion_record import Candidate, Checked, Suggestion

_FAMILIES: Final = {"sensitivity": "threshold", "global": "share of all that can go"}


def suggestion_page(found: Suggestion, checked: Checked | None, *, check: str, make: str) -> str:
    """The page, in Markdown.

    Args:
        found: The search.
        checked: What came of the chosen one; None if none was chosen.
        check: The command that runs the spec again.
        make: The command that makes the small model's file.
    """
    measure = found.dense.budgeted_name
    return page(
        "# Suggestion",
        text(conclusion(found, checked)),
        _setting(found),
        "## Candidates",
        _rules(found, measure),
        _table(found, measure),
        *_next(checked, check, make),
    )


def conclusion(found: Suggestion, checked: Checked | None) -> str:
    """What came of it, in two or three sentences of plain words."""
    measure, best = found.dense.budgeted_name, found.chosen
    budget = f"a drop of {found.budget:g} of {measure}"
    if best is None or checked is None:
        least = min(_losses(found), default=None)
        words = f"Nothing that was tried stays within {budget}: no spec was written."
        if least is None:
            return words
        return f"{words} The least that a candidate loses, with one standard error, is {figures.lost(least)}."
    drop = NONE if checked.drop is None else figures.lost(checked.drop)
    cut = f"{figures.percent(best.macs_cut)} of the multiply-accumulates and {figures.percent(best.params_cut)}"
    decided = figures.lost(best.drop or 0.0)
    words = (
        f"The largest cut found within {budget} saves {cut} of the parameters. On part {found.decided_on} of the val "
        f"images, which decided, it loses {decided}; on part {found.checked_on}, which did not, {drop}: "
        f"it {'held' if checked.held else 'did not hold'}."
    )
    if min(found.decided_images, found.checked_images) < FEW:
        words += (
            f" {found.decided_images} and {found.checked_images} images tell little of that: name more val images "
            "before you rely on it."
        )
    return words if checked.held else f"{words} {'. '.join(checked.failures)}."


def _losses(found: Suggestion) -> list[float]:
    """Of each candidate that was measured what must stay within the budget."""
    known = ((each.drop, each.error) for each in found.candidates)
    return [drop + error for drop, error in known if drop is not None and error is not None]


def _setting(found: Suggestion) -> str:
    trained = f"each candidate trained for {figures.many(found.epochs, 'epoch')}" if found.epochs else "no fine-tuning"
    parts = [
        f"model {code(shown_path(found.model))}",
        f"data {code(shown_path(found.data))}",
        f"{found.imgsz} px",
        f"channels chosen by {code(found.criterion)}",
        trained,
        f"decided on part {found.decided_on} of the val images ({figures.many(found.decided_images, 'image')})",
        f"checked on part {found.checked_on} ({figures.many(found.checked_images, 'image')})",
    ]
    pair = f"{found.dense.pair} {figures.pair(found.dense)} on part {found.decided_on}"
    costs = f"{figures.count(found.macs)} multiply-accumulates, {figures.count(found.params)} parameters"
    return f"How: {', '.join(parts)}.\n\n{block(found.command)}\n\nThe untouched model: {pair}; {costs}."


def _rules(found: Suggestion, measure: str) -> str:
    return (
        "Two families are bisected. **sensitivity**: each part of the network loses the largest tested ratio of which "
        "the own drop is at most a threshold; **global**: the least important channels of the whole network go. A "
        f"candidate holds if it is predicted to be safe, and its drop of {measure} on part {found.decided_on} plus one "
        f"standard error of that drop, by {found.folds} folds of that part, is at most {found.budget:g}: on few images "
        "a small drop may be chance. Of those that hold, the one that saves most multiply-accumulates is taken."
    )


def _table(found: Suggestion, measure: str) -> str:
    names = [
        "",
        "family",
        "setting",
        "MACs saved",
        "parameters saved",
        f"drop of {measure}",
        "± standard error",
        "holds",
    ]
    rows = [
        [
            "**taken**" if each == found.chosen else "",
            each.family,
            f"{_FAMILIES[each.family]} {each.setting:.4f}",
            figures.percent(each.macs_cut),
            figures.percent(each.params_cut),
            *(_four(value) for value in (each.drop, each.error)),
            _holds(each),
        ]
        for each in found.candidates
    ]
    return table(names, rows, right=set(names[3:7]))


def _four(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _holds(candidate: Candidate) -> str:
    if candidate.outcome == "unsafe":
        return f"{NO} unsafe, not run: {text(candidate.reason)}"
    if candidate.outcome in ("cannot be trained", "lost"):
        return f"{NO} {candidate.outcome}: {text(candidate.reason)}"
    return YES if candidate.outcome == "holds" else NO


def _next(checked: Checked | None, check: str, make: str) -> tuple[str, ...]:
    if checked is None:
        return ()
    return (
        "## Use it",
        "To check it again, and to make the small model's file from the plan, in the folder in which the command above "
        "was given:",
        block(f"{check}\n{make}", "console"),
    )
