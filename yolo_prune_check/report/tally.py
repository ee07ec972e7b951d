"""Counts over records: verdicts, scenarios that ended as expected, predictions that were confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from yolo_prune_check.report.measures import first_names
from yolo_prune_check.run.record import Record, StepRecord
from yolo_prune_check.scores import Scores

NOTABLE_LOSS = 0.10
"""Loss of mAP50, or top-1 accuracy, from which a plan that fits is called costly: a report must say so."""

VERDICTS = ("safe", "partial", "unsafe", "refused", "stopped", "not-started")
"""Verdicts in the order in which tables list them."""
_RARE = frozenset({"stopped", "not-started"})
"""Verdicts that are listed only where there are any."""


@dataclass(frozen=True)
class Tally:
    """What a set of records adds up to.

    ``predictions`` are the steps that were predicted and carried out, ``confirmed`` those of them that went as
    predicted; ``edges`` and ``edges_confirmed`` count the concat, split and residual operands in the same way.
    A random plan that was predicted and carried out counts among the ``predictions`` as a step does; ``fuzzed`` are the
    scenarios that try such plans, which are no plans themselves, ``fuzzed_safe`` those in which nothing was refuted,
    ``fuzzed_unrun`` those whose plans were only predicted.
    ``measure`` names what the scenarios were measured by: ``mAP50``, ``top-1 accuracy``, or both.
    ``ran`` are the scenarios that were carried out or refused, ``passed`` those of them that ended as expected: one
    that could not be started says nothing. ``costly`` are the safe ones that lose notably much, ``unmeasured`` the safe
    ones whose accuracy is not known, ``blind`` those measured on data of which the untouched model knows nothing that
    could be lost.
    """

    scenarios: int = 0
    passed: int = 0
    safe: int = 0
    partial: int = 0
    unsafe: int = 0
    refused: int = 0
    stopped: int = 0
    not_started: int = 0
    predictions: int = 0
    confirmed: int = 0
    edges: int = 0
    edges_confirmed: int = 0
    costly: int = 0
    unmeasured: int = 0
    blind: int = 0
    refuted: int = 0
    fuzzed: int = 0
    fuzzed_safe: int = 0
    fuzzed_unrun: int = 0
    measure: str = ""

    @classmethod
    def of(cls, records: Iterable[Record]) -> Tally:
        """Count."""
        members = tuple(records)
        compared = [step for record in members for step in record.steps if step.agrees is not None]
        edges = [edge for record in members if record.agrees is not None for edge in record.edges]
        random = [record.fuzz for record in members if record.fuzz is not None and record.fuzz.agreed is not None]
        verdicts = [record.verdict for record in members]
        return cls(
            scenarios=len(members),
            passed=sum(record.passed for record in members),
            safe=verdicts.count("safe"),
            partial=verdicts.count("partial"),
            unsafe=verdicts.count("unsafe"),
            refused=verdicts.count("refused"),
            stopped=verdicts.count("stopped"),
            not_started=verdicts.count("not-started"),
            predictions=len(compared) + sum(fuzz.tried for fuzz in random),
            confirmed=sum(step.agrees is True for step in compared) + sum(fuzz.agreed or 0 for fuzz in random),
            edges=len(edges),
            edges_confirmed=sum(edge.agrees for edge in edges),
            costly=sum(record.verdict == "safe" and costly(record) for record in members),
            unmeasured=sum(record.verdict == "safe" and not measured(record) for record in members),
            blind=sum(record.verdict == "safe" and measured(record) and record.metrics.blind for record in members),
            refuted=sum(record.agrees is False for record in members),
            fuzzed=sum(record.fuzz is not None for record in members),
            fuzzed_safe=sum(record.fuzz is not None and record.agrees is True for record in members),
            fuzzed_unrun=sum(record.fuzz is not None and record.agrees is None for record in members),
            measure=first_names(members),
        )

    @property
    def ran(self) -> int:
        """Scenarios that say something."""
        return self.scenarios - self.not_started

    def by_verdict(self) -> tuple[tuple[str, int], ...]:
        """Verdicts with their counts, in the order of ``VERDICTS``; stopped and not started scenarios, if any."""
        counts = (self.safe, self.partial, self.unsafe, self.refused, self.stopped, self.not_started)
        return tuple(each for each in zip(VERDICTS, counts, strict=True) if each[1] or each[0] not in _RARE)


def measured(record: Record) -> bool:
    """Whether scores are known before and after; random plans have none that could be."""
    metrics = record.metrics
    return record.fuzz is not None or (metrics.scores_before is not None and metrics.scores_after is not None)


def costly(record: Record) -> bool:
    """Whether a plan that was carried out loses more than ``NOTABLE_LOSS`` of mAP50 or top-1 accuracy."""
    before, after = record.metrics.scores_before, record.metrics.scores_after
    pruned = any(step.status == "pruned" for step in record.steps)
    return pruned and before is not None and after is not None and before.first - after.first > NOTABLE_LOSS


def last_scores(record: Record) -> tuple[float | None, float | None]:
    """mAP50 or top-1 accuracy right after the last layer was pruned, and after its fine-tuning."""
    done = [step for step in record.steps if step.status == "pruned"]
    return (first(done[-1].scores_pruned), first(done[-1].scores_tuned)) if done else (None, None)


def first(scores: Scores | None) -> float | None:
    """The number that sentences tell; None where nothing was measured."""
    return None if scores is None else scores.first


def phantoms(step: StepRecord) -> int | None:
    """Channels of a pruned layer that were to be silent but still emit; None where nothing was observed."""
    if step.active is None or step.status != "pruned":
        return None
    return max(0, step.active - step.kept)
