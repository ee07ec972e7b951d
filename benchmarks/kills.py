"""Kill a fine-tuning scenario again and again, start it again, and compare what comes out with an undisturbed run.

    python -m benchmarks.kills --kills 30

Every execution that can be trained takes its turn (`mask`, `group`, `adapter`), each by both schedules that train in
turn, so that six kills or more cover all. A process is ended by SIGKILL at a random moment, half of the time alone, as
by `kill -9 PID`, else with what it started: a random time after its start, after a step, or after it has begun to use
the saved file elsewhere. Once a run has come to its end, its record and the sidecar of its final model must be those of
an undisturbed run, byte for byte but for the two measured latencies, and belong to that model; the model must be the
same to the last bit, and no file may be left but those that an undisturbed run leaves. Then the next one is begun. At
no moment may there be a final model without its sidecar.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.killed_run import LINES, Moment, Ran, differences, end_group, is_torn, ran_until, write_scenario

KINDS = tuple(itertools.product(("mask", "group", "adapter"), ("sequential", "sessions")))
"""Executions and schedules."""


@dataclass
class Tally:
    """How many were killed where, and what was found."""

    killed: Counter[tuple[str, str, str]]
    torn: int = 0
    outlived: int = 0
    differences: int = 0

    def add(self, kind: tuple[str, str], moment: Moment, ran: Ran, folder: Path) -> None:
        """Count a process that was killed."""
        self.killed[(*kind, moment.place)] += 1
        self.torn += is_torn(folder)
        self.outlived += ran.outlived_by is not None

    def __str__(self) -> str:
        rows = [f"{', '.join(kind)}: {self._of(kind)}" for kind in KINDS]
        rows.append(f"{self.torn} times there was a final model without its sidecar")
        rows.append(f"{self.outlived} times something outlived a process that was killed alone")
        return "\n".join(rows)

    def _of(self, kind: tuple[str, str]) -> str:
        counts = {place: self.killed[(*kind, place)] for place in LINES}
        return ", ".join(f"{place} {count}" for place, count in counts.items() if count) or "none"


def run_round(kind: tuple[str, str], folder: Path, source: random.Random, most: int, tally: Tally) -> None:
    """Run one scenario to its end, killed some times; fewer where a moment comes after its end."""
    outlived: list[int] = []
    done, left = False, most
    while not done:
        moment = Moment.draw(source, kind[0]) if left else None
        ran = ran_until(folder, moment)
        done = ran.done
        if moment is not None and not done:
            left -= 1
            tally.add(kind, moment, ran, folder)
        if ran.outlived_by is not None:
            outlived.append(ran.outlived_by)
        told = (line.strip() for line in ran.said if "goes on" in line or "kept from" in line)
        print(f"{tally.killed.total()}: {'finished' if done else f'killed at {moment}'}; ", end="")
        print(next(told, "began anew"), flush=True)
    for group in outlived:
        end_group(group)


def main() -> int:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="how many processes are killed (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="which moments (default: 0)")
    options = parser.parse_args()
    source, tally, rounds = random.Random(options.seed), Tally(Counter()), 0
    a_round = math.ceil(options.kills / len(KINDS))
    with tempfile.TemporaryDirectory() as top:
        while (left := options.kills - tally.killed.total()) > 0:
            kind = KINDS[rounds % len(KINDS)]
            rounds += 1
            folder, undisturbed = Path(top) / f"round-{rounds}", Path(top) / "-".join(kind)
            for each in (folder, undisturbed):
                if not each.exists():
                    write_scenario(each, execution=kind[0], schedule=kind[1])
            if not (undisturbed / "out").exists():
                ran_until(undisturbed, None)
            print(f"round {rounds}: {', '.join(kind)}", flush=True)
            run_round(kind, folder, source, min(left, a_round), tally)
            differ = list(differences(folder, undisturbed))
            tally.differences += len(differ)
            print("\n".join(differ) or f"round {rounds}: equal to an undisturbed run", flush=True)
    found = tally.differences
    print(tally)
    print(f"{tally.killed.total()} processes killed in {rounds} runs: ", end="")
    print(f"{found or 'no'} difference{'' if found == 1 else 's'}")
    return 1 if found or tally.torn else 0


if __name__ == "__main__":
    sys.exit(main())
