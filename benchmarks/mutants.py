"""Deliberate mistakes in the predicting side, and what catches each of them.

Run with ``python -m benchmarks.mutants [--write docs/mutants.md] [--only ID …] [--deselect TEST …]``. The ordinary
tests must pass; then, for every mutant, the random plans of its hunt are tried until one is refuted, which is shrunk,
and the ordinary tests are run on it until one fails. Exits with 1 if a mutant is caught by neither, with 2 if an
ordinary test fails without any.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tabulate import tabulate

from tests.mutants.every import MUTANTS, Mutant
from tests.mutants.hunt import Caught, Pinned
from tests.mutants.plugin import VARIABLE
from yolo_prune_check.channels.plan import Plan

ROOT = Path(__file__).parents[1]
ORDINARY = ("tests/channels", "tests/confirm")
TEXT = """# Mutants

A proof that agreement means something: {count} deliberate mistakes in the side that predicts, each a small patch that a
test helper applies (`tests/mutants`). Every one of them must be caught, and the very same hunt must find nothing
without it; `tests/mutants/test_mutants.py` asserts both. This page is written by
`python -m benchmarks.mutants --write docs/mutants.md`.

A *hunt* tries random plans on a small model, always the same ones, until the prediction of one of them is refuted:

- **carried out**: the plan is predicted, carried out and compared, as `yolo-prune-check fuzz` does; a removal of whole
  groups is carried out on the model's own tensors and compared with the masked model in float64;
- **one prediction against the other**: the quick verdicts of `predict` and `predict_many` against the interpretation of
  the whole model, and a repaired plan must be safe;
- where no execution can show a mistake, such as a missing warning, an ordinary test is named that fails.

*After* is how many random plans it took; 0 means that the model could not be traced, or that no plan was needed. The
counterexample is the refuted plan, shrunk.{ordinary}

{table}
"""

TESTS = """ *Ordinary test* is the first one of `{ordinary}` that
fails on the mutant; those tests know nothing of mutants."""


@dataclass(frozen=True)
class Row:
    """A mutant and what caught it; ``test`` is None if no ordinary test fails, or none was ``tested``."""

    mutant: Mutant
    caught: Caught | None
    test: str | None
    tested: bool

    def cells(self) -> dict[str, str]:
        """As the table shows it, by column."""
        hunt, caught = self.mutant.hunt, self.caught
        where = "an ordinary test" if isinstance(hunt, Pinned) else str(hunt)
        found = "not caught" if caught is None else _words(caught)
        after = "–" if caught is None or isinstance(hunt, Pinned) else str(caught.tried)
        cells = {
            "mutant": f"`{self.mutant.id}`",
            "mistake": self.mutant.mistake,
            "hunt": where,
            "after": after,
            "what gave it away": found,
        }
        if self.tested:
            cells["ordinary test"] = "none" if self.test is None else f"`{self.test}`"
        return cells


def _words(caught: Caught) -> str:
    said = caught.difference.replace("|", "\\|")
    said = said if len(said) <= 160 else f"{said[:159]}…"
    return said if caught.plan is None else f"{_plan(caught.plan)}: {said}"


def _plan(plan: Plan) -> str:
    return ", ".join(f"`{step.layer}` keeps {_ranges(step.keep)}" for step in plan.steps)


def _ranges(keep: Sequence[int]) -> str:
    if not keep:
        return "nothing"
    gaps = [b for a, b in pairwise(keep) if b != a + 1]
    ends = [a for a, b in pairwise(keep) if b != a + 1]
    runs = [
        str(first) if first == last else f"{first}–{last}"
        for first, last in zip([keep[0], *gaps], [*ends, keep[-1]], strict=True)
    ]
    return ", ".join(runs) if len(runs) <= 3 else f"{', '.join(runs[:2])}, … ({len(keep)} channels)"


def first_failing_test(mutant: Mutant | None, without: Sequence[str], seconds: float) -> str | None:
    """The first ordinary test that fails on a mutant, or without one; None if none does within the time.

    Args:
        mutant: The mutant, or None.
        without: Tests that are left out.
        seconds: Time limit.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no"]
    command += [f"--deselect={test}" for test in without]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci"}
    if mutant is not None:
        command += ["-p", "tests.mutants.plugin"]
        environment[VARIABLE] = mutant.id
    try:
        done = subprocess.run(
            [*command, *ORDINARY],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pytest exited with {done.returncode}\n{done.stdout}{done.stderr}")
    return found[1].removeprefix("tests/")


def main() -> int:
    """Measure, print or write the page, and say by the exit code whether every mutant was caught."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", type=Path, help="where the page goes; else it is printed")
    parser.add_argument("--only", nargs="+", choices=list(MUTANTS), default=list(MUTANTS), metavar="ID")
    parser.add_argument("--minutes", type=float, default=10, help="time limit of the ordinary tests on one mutant")
    parser.add_argument("--deselect", nargs="+", default=[], metavar="TEST", help="ordinary tests to leave out")
    parser.add_argument("--hunts", action="store_true", help="hunts alone, without the ordinary tests: a few minutes")
    options = parser.parse_args()
    mutants = [MUTANTS[name] for name in options.only]

    def tested(mutant: Mutant | None) -> str | None:
        return first_failing_test(mutant, options.deselect, 60 * options.minutes)

    broken = None if options.hunts else tested(None)
    if broken is not None:
        print(f"{broken} fails without any mutant", file=sys.stderr)
        return 2
    rows = []
    with ThreadPoolExecutor(max_workers=1) as tests:  # in processes of their own, beside the hunts
        failing = [None if options.hunts else tests.submit(tested, mutant) for mutant in mutants]
        for mutant, test in zip(mutants, failing, strict=True):
            with mutant.applied():
                caught = mutant.hunt.run(shrunk=True)
            rows.append(Row(mutant, caught, None if test is None else test.result(), tested=test is not None))
            print(" | ".join(rows[-1].cells().values()), file=sys.stderr, flush=True)
    table = tabulate([row.cells() for row in rows], headers="keys", tablefmt="github", disable_numparse=True)
    ordinary = "" if options.hunts else TESTS.format(ordinary="` and `".join(ORDINARY))
    page = TEXT.format(count=len(rows), ordinary=ordinary, table=table)
    if options.write is None:
        print(page)
    else:
        options.write.write_text(page, encoding="utf-8")
    return 1 if any(row.caught is None and row.test is None for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
