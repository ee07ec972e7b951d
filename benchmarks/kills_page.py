"""The page on runs that were killed, made from their count."""

from __future__ import annotations

from tabulate import tabulate

from benchmarks.killed_run import FILE, LIMITS, LINES, START, STEPS
from benchmarks.kills_tally import KINDS, Kind, Tally
from benchmarks.setting import sentence

_HEADERS = {START: "its start", FILE: "the saved file"}
_INTRODUCTION = f"""# Runs that are killed

A process may be killed at any moment: the next one goes on, and what comes out is what an undisturbed run gives. This
page is the measurement. A scenario of {STEPS} steps, each with fine-tuning, on the shipped detector is ended by SIGKILL
at a random moment and started again, some times over, until it comes to its end. A kill ends the process alone, as
`kill -9 PID` does, or with all that it has started, as chance decides. The moments lie up to some seconds after a place
that the process comes to: its start, the end of a step (after the last one the model is proven and saved), the
use of the saved file in a process without this package (only of models by `group`). With *workers*, so many processes
read the images; with *limits*, here `{LIMITS.partition(": ")[2].strip()}`, the scenario runs in a process of its own,
in a group of its own.

Once a run has come to its end, it is held against one that nobody disturbed:

- the record, and the final model's sidecar, are the same byte for byte, but for two measured latencies;
- the final model is the same to the last bit, and the sidecar names its hash and holds the record;
- the same files are there, and no others.

What is not so is a *difference*.
"""


def page(tally: Tally, command: str) -> str:
    """The page in Markdown.

    Args:
        tally: What was counted.
        command: How, without `--write`.
    """
    headers = ("scenario, killed after", *(_HEADERS.get(place, place) for place in LINES))
    rows = [_row(kind, tally) for kind in KINDS]
    rows.append(["all", *(_number(sum(tally.killed[kind, place] for kind in KINDS)) for place in LINES)])
    rows[-1] += [str(tally.kills), str(tally.runs.total()), str(tally.differences.total())]
    return "\n".join(
        [
            _INTRODUCTION,
            tabulate(rows, (*headers, "kills", "runs", "differences"), tablefmt="github", disable_numparse=True),
            "",
            f"- Kills that left a final model without its sidecar: {tally.torn}. There must be none.",
            f"- Kills of a process alone: {tally.alone}. Something that it had started was still there just after"
            f" {tally.outlived} of them. Such as was there when the run had come to its end: {tally.stayed}."
            " There must be none.",
            "",
            f"{sentence()} Again: `{command} --write docs/kills.md`; other moments: `--seed`. It exits with 1 if"
            " anything differed, or was there that must not be.",
        ]
    )


def _row(kind: Kind, tally: Tally) -> list[str]:
    counts = [_number(tally.killed[kind, place]) for place in LINES]
    return [str(kind), *counts, *map(str, (tally.kills_of(kind), tally.runs[kind], tally.differences[kind]))]


def _number(count: int) -> str:
    return str(count) if count else "–"
