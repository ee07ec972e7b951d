"""Every deliberate mistake is caught, and what catches it finds nothing where there is no mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.every import MUTANTS, Mutant
from tests.mutants.hunt import Hunt, Pinned
from yolo_prune_check.channels.rules import RULES, join

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/mutants.md").read_text(encoding="utf-8")
HUNTS = tuple(dict.fromkeys(mutant.hunt for mutant in MUTANTS.values()))


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_every_mutant_is_caught(mutant: Mutant) -> None:
    with mutant.applied():
        caught = mutant.hunt.run()
    assert caught is not None, f"{mutant.mistake}: not noticed by {mutant.hunt}"


@pytest.mark.stress  # minutes, and the same is shown by the tests of agreement
@pytest.mark.parametrize("hunt", HUNTS, ids=str)
def test_nothing_is_caught_without_a_mutant(hunt: Hunt | Pinned) -> None:
    assert hunt.run() is None


def test_a_mutant_lasts_as_long_as_it_is_applied() -> None:
    right = join.chunk
    with MUTANTS["chunk-halves-swapped"].applied():
        wrong = join.chunk
        assert wrong is not right
        assert RULES["chunk"] is join.RULES["chunk"] is wrong
    assert RULES["chunk"] is join.RULES["chunk"] is join.chunk is right


def test_mutants_differ() -> None:
    assert len(MUTANTS) >= 24
    assert len({mutant.mistake for mutant in MUTANTS.values()}) == len(MUTANTS)


def test_the_table_lists_every_mutant() -> None:
    rows = [line.split("|")[1].strip(" `") for line in TABLE.splitlines() if line.startswith("| `")]
    assert rows == list(MUTANTS)
    for mutant in MUTANTS.values():
        assert mutant.mistake in TABLE
