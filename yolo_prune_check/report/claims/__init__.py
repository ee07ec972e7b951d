"""The claims of the field notes, each ruled on by the records whenever a report is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from yolo_prune_check.report.claims import notes, pruning, structural, training, wiring
from yolo_prune_check.report.claims.evidence import Evidence
from yolo_prune_check.report.claims.ruling import Claim, Ruling, Verdict
from yolo_prune_check.run.record import Record

__all__ = ["CLAIMS", "Claim", "Evidence", "Ruling", "Verdict", "count_verdicts", "decide_all"]

CLAIMS: tuple[Claim, ...] = tuple(
    claim
    for title in notes.TITLES
    for claim in (*wiring.CLAIMS, *pruning.CLAIMS, *structural.CLAIMS, *training.CLAIMS)
    if claim.note == title
)
"""All claims, in the order of the notes."""


def decide_all(records: Sequence[Record]) -> list[tuple[Claim, Ruling]]:
    """Rule on every claim by these records (those of the field notes)."""
    evidence = Evidence.of(records)
    return [(claim, claim.decide(evidence)) for claim in CLAIMS]


def count_verdicts(rulings: Iterable[Ruling]) -> list[tuple[str, int]]:
    """Each verdict a claim may have, with how often it was given."""
    given = [ruling.verdict for ruling in rulings]
    return [(verdict.value, given.count(verdict)) for verdict in Verdict]
