"""Numbers as the reports print them: the same on every machine, no noise beyond what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from yolo_prune_check.report.markdown import NO, NONE, YES
from yolo_prune_check.scores import Scores


def score(value: float | None) -> str:
    """A mAP or an accuracy, three decimals."""
    return NONE if value is None else _fixed(value, 3)


def count(value: int | None) -> str:
    """A whole number with thousands separators."""
    return NONE if value is None else f"{value:,}"


def percent(share: float | None, *, signed: bool = False) -> str:
    """A share of 1 as a percentage, one decimal."""
    if share is None:
        return NONE
    digits = _fixed(share * 100, 1)
    sign = "+" if signed and not digits.startswith("-") and float(digits) != 0 else ""
    return f"{sign}{digits} %"


def change(before: float | None, after: float | None) -> str:
    """Relative change, as a percentage with its sign; a dash where it has no meaning."""
    if before is None or after is None or before == 0:
        return NONE
    return percent((after - before) / before, signed=True)


def difference(before: float | None, after: float | None) -> str:
    """Difference of two of these with its sign."""
    if before is None or after is None:
        return NONE
    digits = _fixed(after - before, 3)
    return digits if digits.startswith("-") or float(digits) == 0 else f"+{digits}"


def lost(drop: float) -> str:
    """A loss in four decimals, but no small one as none, which counts where nothing may be lost."""
    exact = f"{drop:.4f}" if abs(drop) >= 0.00005 or drop == 0 else f"{drop:.0e}"
    return f"{exact} (a gain)" if drop < 0 else exact


def pair(scores: Scores | None) -> str:
    """Both numbers of a measure in one cell: mAP50 / mAP50-95."""
    return NONE if scores is None else " / ".join(map(score, scores.values))


def tick(value: bool | None) -> str:
    """Yes, no, or nothing known."""
    return NONE if value is None else YES if value else NO


def of(part: int, whole: int) -> str:
    """``3 of 5``."""
    return f"{count(part)} of {count(whole)}"


def many(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 plan``, ``3 plans``, ``no plans``."""
    word = noun if number == 1 else (plural or f"{noun}s")
    return f"{count(number) if number else 'no'} {word}"


_MOST_NAMED = 5
"""Things that are named before the rest is only counted."""


def named(names: Sequence[str]) -> str:
    """The first few names, and how many there are besides."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _fixed(value: float, decimals: int) -> str:
    digits = f"{value:,.{decimals}f}"
    return digits.lstrip("-") if float(digits.replace(",", "")) == 0 else digits
