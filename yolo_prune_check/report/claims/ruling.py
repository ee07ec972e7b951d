"""A claim, the function that decides it, and the verdict that comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from yolo_prune_check.report.claims.evidence import Evidence
from yolo_prune_check.report.comparison.matrix import Comparison
from yolo_prune_check.run.record import Record


class Verdict(StrEnum):
    """The only words a claim's verdict may have."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    ONLY_MASK = "true only under `mask`"
    ONLY_LOCAL = "true only under `local`"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Ruling:
    """A verdict with the evidence in words (Markdown) and what decided it.

    Attributes:
        verdict: The verdict.
        evidence: One or two sentences with the numbers.
        scenarios: The records that decided it.
        models: Models whose measured wiring decided it.
        experiments: Matrices that decided it.
    """

    verdict: Verdict
    evidence: str
    scenarios: tuple[Record, ...] = ()
    models: tuple[str, ...] = ()
    experiments: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class Claim:
    """What one of the notes says, and how to find out whether it is so.

    Attributes:
        id: Stable name.
        note: Title of the note.
        quote: The claim in the note's own words; " … " stands between pieces with something left out.
        decide: Computes the ruling from the records.
        about: What the note is speaking of there, in our words; it is shown outside the quotation marks.
    """

    id: str
    note: str
    quote: str
    decide: Callable[[Evidence], Ruling]
    about: str = ""


def undecided(missing: str) -> Ruling:
    """No record can decide the claim; ``missing`` says which would."""
    return Ruling(Verdict.UNDECIDED, f"Needs {missing}.")
