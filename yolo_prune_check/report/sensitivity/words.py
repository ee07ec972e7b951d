"""What a unit's drops are called, by thresholds that the page states."""

from __future__ import annotations

from typing import Final

from yolo_prune_check.report import figures
from yolo_prune_check.run.sensitivity_record import Sensitivity, UnitRecord

CHEAP: Final = 0.01
"""The largest drop that is called cheap."""
HURTS: Final = 0.05
"""A larger drop hurts."""


def verdict(unit: UnitRecord) -> str:
    """Cheap, up to which ratio it is, whether it hurts at once, or that it can only be known to be unsafe."""
    known = unit.known
    if not known:
        return "unsafe"
    cheap = [point for point in known if point.drop is not None and point.drop <= CHEAP]
    if len(cheap) == len(known):
        return "cheap"
    first = known[0].drop or 0.0
    if first > HURTS:
        return "hurts"
    if first <= CHEAP:
        rest = next(index for index, point in enumerate(known) if point.drop is not None and point.drop > CHEAP)
        return f"cheap up to {percent(known[rest - 1].ratio)}"
    return "costs"


def percent(ratio: float) -> str:
    """A ratio as it was written, in per cent."""
    return f"{ratio * 100:.6g} %"


def thresholds_in_words(measure: str) -> str:
    """How the words are used."""
    return (
        f"**cheap**: no drop above {CHEAP:g} of {measure} at any ratio; **cheap up to** a ratio: none above {CHEAP:g} "
        f"until there; **hurts**: more than {HURTS:g} at the smallest ratio; **costs**: between the two; **unsafe**: "
        "no ratio could be run."
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
    order = {"cheap": "cheap", "cheap up to a ratio": "cheap up to a ratio", "costs": "cost", "hurts": "hurt"}
    told = [f"{counts[word]} {said}" for word, said in (order | {"unsafe": "unsafe"}).items() if word in counts]
    return f"{figures.many(len(found.units), noun)}: {', '.join(told)}"
