"""The records of one matrix, as combinations of its axes with a measurement for each seed."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from yolo_prune_check.report.paired import Condition, Outcome
from yolo_prune_check.report.samples import Sample, whole
from yolo_prune_check.report.tally import VERDICTS
from yolo_prune_check.run.record import Record, StepRecord
from yolo_prune_check.scores import Scores


@dataclass(frozen=True)
class Combination:
    """One value of each axis but the seeds, and the records of it, one for each seed.

    Attributes:
        values: The values, in the order of the comparison's axes, as they stand in the ids.
        records: The records, by seed.
    """

    values: tuple[str, ...]
    records: tuple[Record, ...]

    @property
    def label(self) -> str:
        """The values in one line."""
        return ", ".join(self.values)

    @cached_property
    def before(self) -> Sample | None:
        """The untouched model's score."""
        return whole([budgeted(record.metrics.scores_before) for record in self.records])

    @cached_property
    def pruned(self) -> Sample | None:
        """The score right after the last layer was pruned."""
        return whole([_right_after(record) for record in self.records])

    @cached_property
    def final(self) -> Sample | None:
        """The score of the final model."""
        return whole([final_score(record) for record in self.records])

    @cached_property
    def macs(self) -> Sample | None:
        """Share of the multiply-accumulates that is left."""
        return whole([_share(record.metrics.macs_before, record.metrics.macs_after) for record in self.records])

    @cached_property
    def params(self) -> Sample | None:
        """Share of the parameters that is left."""
        return whole([_share(record.metrics.params_before, record.metrics.params_after) for record in self.records])

    @property
    def verdicts(self) -> tuple[tuple[str, int], ...]:
        """The verdicts that occur, with how many records have them."""
        given = [record.verdict for record in self.records]
        return tuple((verdict, given.count(verdict)) for verdict in VERDICTS if verdict in given)

    @property
    def is_safe(self) -> bool:
        """Whether the plan is safe with every seed."""
        return all(record.verdict == "safe" for record in self.records)

    @property
    def confirmed(self) -> int:
        """Number of records of which every prediction was confirmed."""
        return sum(record.agrees is True for record in self.records)


@dataclass(frozen=True)
class Comparison:
    """A matrix all of whose scenarios were carried out and measured.

    Attributes:
        axes: Names of its axes but the seeds, sorted; one that has a single value is none.
        seeds: Names of the axes that are seeds: of each combination they only repeat the measurement.
        combinations: All combinations, sorted by their values.
    """

    axes: tuple[str, ...]
    seeds: tuple[str, ...]
    combinations: tuple[Combination, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """All records."""
        return tuple(record for combination in self.combinations for record in combination.records)

    @property
    def first(self) -> Record:
        """One of them, for what they have in common."""
        return self.combinations[0].records[0]

    @property
    def measure(self) -> str:
        """What the score is called: mAP50-95, or top-1 accuracy."""
        scores = self.first.metrics.scores_before
        return "" if scores is None else scores.budgeted_name

    def values(self, axis: str) -> tuple[str, ...]:
        """The values of an axis, sorted; numbers by their size."""
        return tuple(sorted({record.axes[axis] for record in self.records}, key=_natural))


def comparisons_of(records: Iterable[Record]) -> tuple[Comparison, ...]:
    """The matrices among records, as far as all their scenarios were carried out and measured.

    A matrix of which not every combination is there, or was only predicted, stopped or not started, is left out; so
    is one in which no plan came to its end, and so has no score.
    """
    found = map(_comparison, _matrices(records))
    return tuple(comparison for comparison in found if comparison is not None)


@dataclass(frozen=True)
class Incomplete:
    """A matrix that cannot be compared yet: of so many scenarios only some were carried out and measured."""

    base_id: str
    measured: int
    scenarios: int


def incomplete_of(records: Iterable[Record]) -> tuple[Incomplete, ...]:
    """The matrices among records of which some scenarios were measured, and others were not or have no record."""
    found = (
        Incomplete(members[0].base_id, sum(map(_is_measured, members)), math.prod(_counts(members).values()))
        for members in _matrices(records)
    )
    return tuple(each for each in found if 0 < each.measured < each.scenarios)


def _matrices(records: Iterable[Record]) -> list[list[Record]]:
    by_matrix: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.axes:
            by_matrix.setdefault((record.spec, record.base_id), []).append(record)
    return [by_matrix[key] for key in sorted(by_matrix)]


def _counts(records: Sequence[Record]) -> dict[str, int]:
    """Axes, with how many values of each occur."""
    return {name: len({record.axes.get(name) for record in records}) for name in sorted(records[0].axes)}


def _comparison(records: Sequence[Record]) -> Comparison | None:
    names = tuple(sorted(records[0].axes))
    if len(records) < 2 or any(tuple(sorted(record.axes)) != names for record in records):
        return None
    values = _counts(records)
    if len(records) != math.prod(values.values()) or not all(map(_is_measured, records)):
        return None
    if len({type(record.metrics.scores_before) for record in records}) > 1:
        return None  # mAP and accuracy are no two values of one score
    if all(final_score(record) is None for record in records):
        return None
    seeds = tuple(name for name in names if name == "seed" or name.endswith(".seed"))
    seeds = tuple(name for name in seeds if values[name] > 1)
    axes = tuple(name for name in names if values[name] > 1 and name not in seeds)
    combinations: dict[tuple[str, ...], list[Record]] = {}
    for record in sorted(records, key=lambda record: [_natural(record.axes[name]) for name in (*axes, *seeds)]):
        combinations.setdefault(tuple(record.axes[name] for name in axes), []).append(record)
    return Comparison(axes, seeds, tuple(Combination(values, tuple(of)) for values, of in combinations.items()))


def _is_measured(record: Record) -> bool:
    ended = record.agrees is not None and record.verdict in ("safe", "partial", "unsafe")
    return ended and record.fuzz is None and record.metrics.scores_before is not None


def done(record: Record) -> tuple[StepRecord, ...]:
    """The steps that were carried out."""
    return tuple(step for step in record.steps if step.status == "pruned")


def final_score(record: Record) -> float | None:
    """The number that budgets limit, of the final model; None where the plan broke."""
    return budgeted(record.metrics.scores_after)


def outcome(record: Record) -> Outcome | None:
    """The score at the end, and the model that has it: channels that are left, and all scores to the last digit."""
    score = final_score(record)
    if score is None:
        return None
    kept = frozenset((step.layer, step.keep) for step in done(record))
    return Outcome(score, (kept, record.metrics.scores_after))


def condition_of(record: Record, axes: Sequence[str], seeds: Sequence[str], rest: Hashable = None) -> Condition:
    """What must be equal in a pair: these axes, these seeds all together, and the rest.

    Seeds have their names with them, so that those of several matrices can be told apart.
    """
    seed, values = (tuple((name, record.axes[name]) for name in names) for names in (seeds, axes))
    return Condition(seed, values, rest)


def budgeted(scores: Scores | None) -> float | None:
    """The number that budgets limit."""
    return None if scores is None else scores.budgeted


def _right_after(record: Record) -> float | None:
    steps = done(record)
    return budgeted(steps[-1].scores_pruned) if steps else None


def _share(before: int | None, after: int | None) -> float | None:
    return None if not before or after is None else after / before


def _natural(value: str) -> tuple[tuple[int, float, str], ...]:
    """A sort key by which 2 comes before 10."""
    parts = re.findall(r"\d+(?:\.\d+)?|[^\d]+", value)
    return tuple((0, float(part), "") if part[0].isdigit() else (1, 0.0, part) for part in parts)
