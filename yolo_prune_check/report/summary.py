"""Verdicts for a terminal: a short table after a run, and the whole story of a scenario that failed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from tabulate import tabulate

from yolo_prune_check.report import figures
from yolo_prune_check.report.markdown import NONE
from yolo_prune_check.report.random_plans import random_text
from yolo_prune_check.report.setting import gpus, pixels
from yolo_prune_check.report.tally import Tally
from yolo_prune_check.report.wording import reason, verdict_name
from yolo_prune_check.run.record import MismatchRecord, Record, StepRecord

_COLUMNS = ("", "scenario", "verdict", "as predicted", "why")

_WIDTH = 118
"""Columns that the short table may take, …"""
_REASON = 60
"""… unless there is less left than this for the reasons."""
_LINES = 2
"""A reason takes no more lines than this."""
_PLACE = re.compile(r"^\S[^\n]*?\.ya?ml(:\d+){1,2}: ")
"""Where a mistake is; the row has the scenario's name, and needs the space for what the mistake is."""
_ENDINGS = {"not-started": "could not be started (bad input)"}
"""Verdicts that are not told by their name where they are added up."""


def terminal_summary(records: Sequence[Record]) -> str:
    """One row per scenario, sorted, one line that adds them up, and one if l1 stood in for what they choose by."""
    if not records:
        return "no scenario was run"
    ordered = sorted(records, key=lambda record: (record.spec, record.id))
    rows = [[*_cells(record), _PLACE.sub("", reason(record))] for record in ordered]
    columns = list(zip(*rows, strict=True))[:-1]
    widths = [max(len(name) + 2, *map(len, cells)) for name, cells in zip(_COLUMNS, columns, strict=False)]
    taken = sum(widths) + 2 * len(widths)  # tabulate pads headers and parts columns by two
    rows = [[*cells, _short(why, max(_REASON, _WIDTH - taken))] for *cells, why in rows]
    total = Tally.of(ordered)
    counts = [(number, _ENDINGS.get(name, verdict_name(name))) for name, number in total.by_verdict()]
    verdicts = ", ".join(f"{number} {words}" for number, words in counts if number)
    units = "steps and random plans" if total.fuzzed else "steps"
    proof = f"{figures.of(total.confirmed, total.predictions)} {units} as predicted"
    ending = (
        f"{figures.many(total.scenarios, 'scenario')}: {verdicts}; {total.passed} as expected, "
        f"{total.ran - total.passed} not; {proof if total.predictions else 'nothing was carried out'}"
    )
    told = stood_in(ordered)
    return "\n".join([_plain_table(_COLUMNS, rows), ending, *([] if told is None else [told])])


def stood_in(records: Sequence[Record]) -> str | None:
    """In how many scenarios channels were not chosen as they will be, since nothing was run; None if in none."""
    those = [record for record in records if any("stand_in" in step.selection for step in record.steps)]
    if not those:
        return None
    criteria = figures.named(sorted({record.criterion for record in those}))
    verb = "looks" if len({record.criterion for record in those}) == 1 else "look"
    where = figures.many(len(those), "scenario")
    return f"note: in {where} l1 stood in for {criteria}, which {verb} at images: a run chooses other channels"


def _cells(record: Record) -> list[str]:
    """All of a row but the reason."""
    tally = Tally.of([record])
    return [
        figures.tick(record.passed),
        f"{record.suite}::{record.id}",
        verdict_name(record.verdict),
        figures.of(tally.confirmed, tally.predictions) if tally.predictions else NONE,
    ]


def scenario_failure_text(record: Record, source_text: str) -> str:
    """What a failed scenario shows: its source lines, the resolved plan, predicted beside observed, the reasons.

    Args:
        record: The scenario's record.
        source_text: Its lines in the spec, as written.
    """
    parts = [f"{record.spec}::{record.id}", _titled("source", source_text.rstrip() or "(not known)")]
    if record.fuzz is None:
        parts.append(_titled("resolved plan", _plan(record)))
    else:
        on = ", ".join([f"model {record.model}", *pixels(record)])
        parts.append(_titled("random plans", f"{on}\n{random_text(record.fuzz)}"))
        if record.fuzz.counterexample is not None:
            parts.append(_titled("the refuted plan as a spec", record.fuzz.counterexample.spec))
    if record.steps:
        parts.append(_titled("predicted and observed", _compared(record.steps)))
        broken = [edge for edge in record.edges if not edge.agrees]
        if broken:
            names = ["operator", "port", "predicted", "observed", "active predicted", "active observed"]
            rows = [
                [
                    edge.operator,
                    edge.port,
                    figures.count(edge.predicted),
                    figures.count(edge.observed),
                    figures.count(edge.predicted_active),
                    figures.count(edge.observed_active),
                ]
                for edge in broken
            ]
            parts.append(_titled("edges that differ", _plain_table(names, rows)))
    verdict = f"verdict {verdict_name(record.verdict)}"
    if record.expected:
        verdict += f", expected {record.expected}"
    reasons = [*record.failures, *(why for why in record.reasons if why not in record.failures)]
    parts.append(_titled("reasons", "\n".join([verdict, *(f"- {why}" for why in reasons)])))
    errors = [hazard for hazard in record.hazards if hazard.severity == "error"]
    if errors:
        lines = [f"- {hazard.code} in {hazard.layer}: {hazard.message}. {hazard.remedy}".rstrip() for hazard in errors]
        parts.append(_titled("hazards", "\n".join(lines)))
    parts.append(_titled("run it again", record.rerun))
    return "\n\n".join(parts)


def _plan(record: Record) -> str:
    how = f"{record.execution}"
    if record.execution == "mask":
        how += f" ({record.mask})"
    head = (
        f"{', '.join([f'model {record.model}', *pixels(record), *gpus(record)])}, execution {how}, "
        f"order {record.order}, "
        f"schedule {record.schedule}, channels by {record.selected}, seed {record.seed}"
    )
    if not record.steps:
        return f"{head}\nno layer"
    rows = [
        [str(step.index + 1), step.layer, step.address, f"{step.kept}/{step.channels}", step.status]
        for step in record.steps
    ]
    return f"{head}\n{_plain_table(['step', 'layer', 'address', 'kept', 'status'], rows)}"


def _compared(steps: Sequence[StepRecord]) -> str:
    rows = [
        [
            str(step.index + 1),
            step.layer,
            _what(step.predicted, step.predicted_failure),
            _what(step.observed, step.observed_failure),
            figures.tick(step.agrees),
        ]
        for step in steps
    ]
    lines = [_plain_table(["step", "layer", "predicted", "observed", "agree"], rows)]
    for step in steps:
        lines.extend(f"step {step.index + 1} differs: {difference}" for difference in step.differences)
        for side, failure in (("predicted", step.predicted_failure), ("observed", step.observed_failure)):
            if failure is not None:
                lines.append(
                    f"step {step.index + 1} {side}: {failure.module}: expected {failure.expected}, "
                    f"got {failure.got}: {failure.message}"
                )
                if failure.path:
                    lines.append(f"step {step.index + 1} how it gets there: {' → '.join(failure.path)}")
        if step.repair is not None:
            lines.append(f"step {step.index + 1} what would make it safe: {step.repair.message}")
    return "\n".join(lines)


def _what(words: str, failure: MismatchRecord | None) -> str:
    return f"breaks in {failure.module}" if failure is not None else words or NONE


def _short(words: str, width: int) -> str:
    return textwrap.fill(words.replace("`", ""), width, max_lines=_LINES, placeholder="…", break_on_hyphens=False)


def _titled(title: str, body: str) -> str:
    return f"{title}:\n" + "\n".join(f"    {line}".rstrip() for line in body.splitlines())


def _plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate(rows, headers, tablefmt="simple", disable_numparse=True)
