"""What is known of random plans after they were tried: plain data, a part of a scenario's record. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FuzzRow:
    """Plans of one execution (`mask: weights` apart from `mask`) by what was predicted of them.

    ``breaks``: the forward pass raises. ``wrong``: it runs, and is not what was meant. ``agreed`` counts the plans that
    went as predicted; None where nothing was carried out. A plan on which predicting crashed is only in ``tried``.
    """

    execution: str
    tried: int
    safe: int
    breaks: int
    wrong: int
    agreed: int | None


@dataclass(frozen=True)
class FuzzStep:
    """One step: ``keep`` as specs write it, such as ``0-7,12``; empty where no channel is kept."""

    layer: str
    channels: int
    kept: int
    keep: str


@dataclass(frozen=True)
class FuzzPlan:
    """A random plan; ``why`` says in one line why it is not safe, empty where it is."""

    execution: str
    steps: tuple[FuzzStep, ...]
    why: str


@dataclass(frozen=True)
class Counterexample:
    """A plan whose prediction was refuted, shrunk; ``spec`` is a whole spec that runs it."""

    plan: FuzzPlan
    differences: tuple[str, ...]
    spec: str


@dataclass(frozen=True)
class FuzzRecord:
    """What came of random plans.

    Attributes:
        examples: How many plans were asked for; fewer were tried if one was refuted.
        layers: How many layers they were drawn from.
        rows: The distribution of verdicts.
        smallest_unsafe: The unsafe plan with the fewest steps, then the fewest channels removed, and shrunk from there
            by predicting alone.
        counterexample: The plan that refuted a prediction; None if none did.
    """

    examples: int
    seed: int
    max_steps: int
    layers: int
    rows: tuple[FuzzRow, ...]
    smallest_unsafe: FuzzPlan | None
    counterexample: Counterexample | None

    @property
    def tried(self) -> int:
        """Plans that were tried."""
        return sum(row.tried for row in self.rows)

    @property
    def agreed(self) -> int | None:
        """Plans that went as predicted; None where nothing was carried out."""
        known = [row.agreed for row in self.rows if row.agreed is not None]
        return sum(known) if known else None
