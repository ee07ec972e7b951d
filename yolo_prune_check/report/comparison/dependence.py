"""Whether what one axis changes depends on another: the effect where the other has each of its values."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.report.leading import leading
from yolo_prune_check.report.markdown import code
from yolo_prune_check.report.paired import ALIKE, Difference, Outcome, Outcomes, compare, mean_change, pairs_by_seed
from yolo_prune_check.report.samples import difference as with_spread


@dataclass(frozen=True)
class Part:
    """The effect among pairs in which another axis has one value."""

    value: str
    difference: Difference


@dataclass(frozen=True)
class Dependence:
    """An effect by the values of another axis.

    Attributes:
        axis: The other axis.
        parts: The effect with each of its values, in the order in which these occur.
        highest: The part with the largest mean; None where the effect was not measured with two values.
        lowest: The part with the smallest one.
        turns: Whether these two have opposite signs with every seed, and are told apart by the range test: then the
            mean over all values is of two things. The test alone, made for each other axis of each effect, would too
            often take chance for this; that every seed has the same signs as well makes up for that.
    """

    axis: str
    parts: tuple[Part, ...]
    highest: Part | None
    lowest: Part | None
    turns: bool

    @property
    def words(self) -> str:
        """An effect that turns, largest either way: ``+0.016 ± 0.015 with `x`, and by -0.101 ± 0.038 with `y` ``."""
        told = [
            f"{with_spread(part.difference.sample)} with {code(part.value)}"
            for part in (self.highest, self.lowest)
            if part is not None and part.difference.sample is not None
        ]
        return ", and by ".join(told)

    @property
    def range(self) -> float:
        """How much the effect differs between values."""
        if self.highest is None or self.lowest is None:
            return 0.0
        return _mean(self.highest) - _mean(self.lowest)


def dependence_of(first: Outcomes, second: Outcomes) -> Dependence | None:
    """How the difference of two ways depends on the axis whose values differ most; None if there is no other axis.

    An axis with which it turns goes before one whose values differ more.

    Args:
        first: By all that must be equal in a pair what came of the one way.
        second: What came of the other.
    """
    names = dict.fromkeys(name for condition in first if condition in second for name, _ in condition.axes)
    found = [_by(axis, first, second) for axis in names]
    return max(found, key=lambda each: (each.turns, each.range), default=None)


def _by(axis: str, first: Outcomes, second: Outcomes) -> Dependence:
    parts, changes = list[Part](), dict[str, dict[object, Outcome]]()
    for value in dict.fromkeys(value for condition in first for name, value in condition.axes if name == axis):
        one, other = (
            {condition: known for condition, known in ways.items() if (axis, value) in condition.axes}
            for ways in (first, second)
        )
        difference = compare(one, other)
        if difference is None:
            continue
        parts.append(Part(value, difference))
        if difference.sample is not None:
            changes[value] = {
                seed: Outcome(mean_change(pairs), frozenset(pairs)) for seed, pairs in pairs_by_seed(one, other).items()
            }
    known = [part for part in parts if part.difference.sample is not None]
    if len(known) < 2:
        return Dependence(axis, tuple(parts), None, None, turns=False)
    highest, lowest = max(known, key=_mean), min(known, key=_mean)
    return Dependence(axis, tuple(parts), highest, lowest, turns=_turns(highest, lowest, changes))


def _turns(highest: Part, lowest: Part, changes: dict[str, dict[object, Outcome]]) -> bool:
    opposite = _one_sign(highest, 1) and _one_sign(lowest, -1)
    if not opposite:
        return False
    found = leading(changes)
    return found.tested and found.leader == highest.value and lowest.value not in found.tied


def _one_sign(part: Part, sign: int) -> bool:
    """Whether the effect has this sign with every seed, and more of it than is not printed."""
    found = part.difference
    if found.sample is None or found.sample.mean * sign < ALIKE:
        return False
    return found.higher == (found.sample.n if sign > 0 else 0)


def _mean(part: Part) -> float:
    sample = part.difference.sample
    return 0.0 if sample is None else sample.mean
