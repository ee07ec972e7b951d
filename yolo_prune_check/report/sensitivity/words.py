"""What a unit's drops are called, by thresholds that the page states."""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from yolo_prune_check.report import figures
from yolo_prune_check.run.sensitivity_record import Point, Sensitivity, UnitRecord

CHEAP: Final = 0.01
"""The largest drop that is called cheap."""
HURTS: Final = 0.05
"""A larger drop hurts."""
FEW: Final = 50
"""Images on which a drop is hardly known: a single one can move mAP by some hundredths."""


def verdict(unit: UnitRecord) -> str:
    """Cheap, up to which ratio it is, whether it hurts at once, or that it can only be known to be unsafe.

    Ratios at which nothing goes say nothing.
    """
    known = unit.known
    if not known:
        return "unsafe" if any(point.status == "unsafe" for point in unit.points) else "nothing goes"
    tried = [point for point in unit.points if point.ratio >= known[0].ratio]
    cheap = list(takewhile(_is_cheap, tried))
    if len(cheap) == len(tried):
        return "cheap"
    if cheap:
        return f"cheap up to {percent(cheap[-1].ratio)}"
    return "hurts" if (known[0].drop or 0.0) > HURTS else "costs"


def _is_cheap(point: Point) -> bool:
    return point.drop is not None and point.drop <= CHEAP


def percent(ratio: float) -> str:
    """A ratio as it was written, in per cent."""
    return f"{ratio * 100:.6g} %"


def thresholds_in_words(measure: str) -> str:
    """How the words are used."""
    return (
        f"**cheap**: no drop above {CHEAP:g} of {measure} at any ratio; **cheap up to** a ratio: none above {CHEAP:g} "
        f"until there, and more, or unsafe, at the next; **hurts**: more than {HURTS:g} at the smallest ratio; "
        "**costs**: between the two; **unsafe**: no ratio could be run. Ratios at which nothing goes do not count."
    )


def summary(found: Sensitivity) -> str:
    """What came of it in one sentence; where there is nothing to lose, that nothing did."""
    noun = "layer" if found.per == "layer" else "group"
    if found.dense.blind:
        return f"{figures.many(len(found.units), noun)}; what they cost cannot be seen on these data"
    counts = dict[str, int]()
    for unit in found.units:
        word = verdict(unit)
        word = "cheap up to a ratio" if word.startswith("cheap up") else word
        counts[word] = counts.get(word, 0) + 1
    order = {
        "cheap": "cheap",
        "cheap up to a ratio": "cheap up to a ratio",
        "costs": "cost",
        "hurts": "hurt",
        "unsafe": "unsafe",
        "nothing goes": "of which nothing goes",
    }
    told = [f"{counts[word]} {said}" for word, said in order.items() if word in counts]
    return f"{figures.many(len(found.units), noun)}: {', '.join(told)}"
