"""Kill a fine-tuning scenario again and again, start it again, and compare what comes out with an undisturbed run.

    python -m benchmarks.kills --kills 30

Every process is ended by SIGKILL at a random moment: after a random step, or none, and a random time. Once a run has
come to its end, its record must be that of an undisturbed run, byte for byte, its final model the same to the last bit,
and no file may be left but those that an undisturbed run leaves; then it is begun anew, until enough were killed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from yolo_prune_check.data import shipped_data
from yolo_prune_check.model.load import load_model

STEPS = 3
SPEC = """\
model: yolov8n-digits
data: few.yaml
imgsz: 32
scenarios:
  - id: tuned
    layers: [1.0, 2.0, 4.0]
    select: {criterion: l1, ratio: 0.5}
    fine_tune: {epochs: EPOCHS, batch: 4, lr: 0.0005}
    schedule: SCHEDULE
"""
STARTING_S, WORKING_S = 8.0, 3.0
"""Longest time after the start, and after a step, until a process is killed."""


@dataclass(frozen=True)
class Moment:
    """When a process is killed: so long after its line about a step; 0 is its start."""

    step: int
    seconds: float

    @classmethod
    def draw(cls, source: random.Random) -> Moment:
        """A random one."""
        step = source.randrange(STEPS + 1)
        return cls(step, source.uniform(0, WORKING_S if step else STARTING_S))


def write_scenario(folder: Path, *, schedule: str = "sequential", images: int = 8, epochs: int = 2) -> None:
    """A spec of three steps, each with fine-tuning on a few images of the shipped data set."""
    folder.mkdir(parents=True, exist_ok=True)
    root = shipped_data("digits").parent
    for split in ("train", "val"):
        chosen = sorted((root / "images" / split).glob("*.png"))[:images]
        (folder / f"{split}.txt").write_text("".join(f"{path}\n" for path in chosen), encoding="utf-8")
    names = ", ".join(f"'{digit}'" for digit in range(10))
    (folder / "few.yaml").write_text(f"train: train.txt\nval: val.txt\nnames: [{names}]\n", encoding="utf-8")
    spec = SPEC.replace("SCHEDULE", schedule).replace("EPOCHS", str(epochs))
    (folder / "x.prune.yaml").write_text(spec, encoding="utf-8")


def ran_until(folder: Path, moment: Moment | None) -> tuple[bool, list[str]]:
    """Run the scenario; whether it came to its end before the moment, and what it said."""
    command = [sys.executable, "-m", "yolo_prune_check", "run", "x.prune.yaml", "--report-dir", "out"]
    said: list[str] = []
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        ) as process,
    ):
        if moment is not None:
            _wait_for(process, errors.fileno(), f"    step {moment.step} of {STEPS}:" if moment.step else "")
            try:
                process.wait(moment.seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        errors.seek(0)
        said = errors.read().splitlines()
    if process.returncode not in (0, 1, -signal.SIGKILL):
        raise RuntimeError("\n".join(["the run failed", *said]))
    return process.returncode >= 0, said


def _wait_for(process: subprocess.Popen[bytes], errors: int, line: str) -> None:
    while line.encode() not in os.pread(errors, 1_000_000, 0) and process.poll() is None:
        time.sleep(0.02)


def outcome(folder: Path) -> tuple[str, dict[str, torch.Tensor], set[str]]:
    """The record, the weights of the final model, and the names of all files that lie around."""
    (record,) = (folder / "out/records").rglob("*.json")
    (final,) = folder.rglob("final.pt")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return record.read_text("utf-8"), load_model(final).state_dict(), files


def differences(folder: Path, undisturbed: Path) -> Iterator[str]:
    """How the outcome of a run differs from that of another."""
    (record, weights, files), (record2, weights2, files2) = outcome(folder), outcome(undisturbed)
    if record != record2:
        lines = zip(record.splitlines(), record2.splitlines(), strict=False)
        yield f"records differ, first in {next((pair for pair in lines if pair[0] != pair[1]), 'their length')}"
    unequal = [name for name, value in weights.items() if not torch.equal(value, weights2[name])]
    if unequal:
        yield f"{len(unequal)} tensors of the final model differ, first {unequal[0]}"
    for name in sorted(files ^ files2):
        yield f"{name}: {'left over' if name in files else 'not there'}"


def main() -> int:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="how many processes are killed (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="which moments (default: 0)")
    options = parser.parse_args()
    source, killed, rounds, found = random.Random(options.seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as top:
        while killed < options.kills:
            rounds += 1
            schedule = ("sequential", "sessions")[rounds % 2]
            folder, undisturbed = Path(top) / f"round-{rounds}", Path(top) / schedule
            write_scenario(folder, schedule=schedule)
            if not undisturbed.exists():
                write_scenario(undisturbed, schedule=schedule)
                ran_until(undisturbed, None)
            done = False
            while not done:
                moment = Moment.draw(source) if killed < options.kills else None
                done, said = ran_until(folder, moment)
                killed += not done
                told = (line.strip() for line in said if "goes on" in line or "kept from" in line)
                went_on = next(told, "began anew")
                print(f"{killed}: {'finished' if done else f'killed at {moment}'}; {went_on}", flush=True)
            differ = list(differences(folder, undisturbed))
            found += len(differ)
            print("\n".join(differ) or f"round {rounds}: equal to an undisturbed run", flush=True)
    print(f"{killed} processes killed in {rounds} runs: {found or 'no'} difference{'' if found == 1 else 's'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
