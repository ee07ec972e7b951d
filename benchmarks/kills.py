"""Kill a fine-tuning scenario again and again, start it again, and compare what comes out with an undisturbed run.

    python -m benchmarks.kills --kills 30 [--write docs/kills.md]

Every execution that can be trained takes its turn (`mask`, `group`, `adapter`), each by both schedules that train in
turn; besides them one scenario whose images are read by processes of their own, and one with limits, which runs in a
process of its own. Eight kills or more cover all. A process is ended by SIGKILL at a random moment, half of the time
alone, as by `kill -9 PID`, else with what it started: a random time after its start, after a step, or after it has
begun to use the saved file elsewhere. Once a run has come to its end, its record and the sidecar of its final model
must be those of an undisturbed run, byte for byte but for the two measured latencies, and belong to that model; the
model must be the same to the last bit, and no file may be left but those that an undisturbed run leaves. Then the next
one is begun. At no moment may there be a final model without its sidecar. What outlives a process that was killed
alone must have ended by itself when the run comes to its end.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.killed_run import LINES, Moment, differences, end_group, lives, ran_until, write_scenario
from benchmarks.kills_page import page
from benchmarks.kills_tally import KINDS, Kind, Tally

IN_VAIN = 20
"""Runs in a row that nothing killed, after which something is wrong: now and then a moment comes after the end."""


def turns(kills: int, tally: Tally) -> Iterator[tuple[Kind, int]]:
    """Which kind is run next, and how often it may be killed meanwhile, until there were so many kills.

    It is one of those that were killed least: as many kills as there are kinds are enough for each to be killed.
    """
    most = max(1, kills // len(KINDS))  # rounded down, so that some are left for the last kind
    in_vain, before = 0, 0
    while (left := kills - tally.kills) > 0:
        in_vain, before = (0 if tally.kills > before else in_vain + 1), tally.kills
        if in_vain > IN_VAIN:
            raise RuntimeError(
                f"no moment was reached in {IN_VAIN} runs: do processes still say {list(LINES.values())}?"
            )
        yield min(KINDS, key=tally.kills_of), min(left, most)


def run_round(kind: Kind, folder: Path, source: random.Random, most: int, tally: Tally) -> None:
    """Run one scenario to its end, killed some times; fewer where a moment comes after its end."""
    outlived: list[int] = []
    done, left = False, most
    while not done:
        moment = Moment.draw(source, kind.execution) if left else None
        ran = ran_until(folder, moment)
        done = ran.done
        if moment is not None and not done:
            left -= 1
            tally.add(kind, moment, ran, folder)
        outlived += ran.outlived_by
        told = (line.strip() for line in ran.said if "goes on" in line or "kept from" in line)
        print(f"{tally.kills}: {'finished' if done else f'killed at {moment}'}; ", end="")
        print(next(told, "began anew"), flush=True)
    for group in outlived:
        tally.stayed += lives(group)
        end_group(group)
    tally.runs[kind] += 1


def main() -> int:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="how many processes are killed (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="which moments (default: 0)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here, too")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    source, tally = random.Random(options.seed), Tally()
    with tempfile.TemporaryDirectory() as top:
        for kind, most in turns(options.kills, tally):
            number = tally.runs.total() + 1
            folder, undisturbed = Path(top) / f"round-{number}", Path(top) / f"undisturbed-{KINDS.index(kind)}"
            for each in (folder, undisturbed):
                if not each.exists():
                    write_scenario(each, **asdict(kind))
            if not (undisturbed / "out").exists():
                ran_until(undisturbed, None)
            print(f"round {number}: {kind}", flush=True)
            run_round(kind, folder, source, most, tally)
            differ = list(differences(folder, undisturbed))
            tally.differences[kind] += len(differ)
            print("\n".join(differ) or f"round {number}: equal to an undisturbed run", flush=True)
    text = page(tally, f"python -m benchmarks.kills --kills {options.kills} --seed {options.seed}")
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0 if tally.clean else 1


if __name__ == "__main__":
    sys.exit(main())
