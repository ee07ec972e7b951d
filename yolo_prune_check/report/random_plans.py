"""Random plans as reports and terminals tell of them: counts, the smallest unsafe plan, the one that was refuted."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from tabulate import tabulate

from yolo_prune_check.report.figures import count, many, of
from yolo_prune_check.report.markdown import NONE, block, code, table, text
from yolo_prune_check.report.setting import pixels
from yolo_prune_check.run.fuzz_record import FuzzPlan, FuzzRecord
from yolo_prune_check.run.record import Record

_COLUMNS = ("execution", "plans", "safe", "unsafe: breaks", "unsafe: runs and wrong", "as predicted")

_ALL = "all"

_WIDTH: Final = 120
"""Columns that a line on a terminal may take."""


def random_headline(records: Sequence[Record]) -> str:
    """What came of the random plans of these records, in one or two sentences. Markdown; empty if there are none."""
    done = [record.fuzz for record in records if record.fuzz is not None]
    if not done:
        return ""
    refuted = [record for record in records if record.fuzz is not None and record.fuzz.counterexample is not None]
    if refuted:
        names = ", ".join(code(record.id) for record in refuted)
        return f"**A prediction for a random plan was refuted in {names}: a defect of this tool, please report it.**"
    tried = sum(fuzz.tried for fuzz in done)
    if all(fuzz.agreed is None for fuzz in done):
        return f"**{_plans(tried)} predicted, and nothing was carried out.** {_distribution(done)}"
    agreed = sum(fuzz.agreed or 0 for fuzz in done)
    all_of_them = "The only random plan" if tried == agreed == 1 else f"All {count(tried)} random plans"
    which = all_of_them if agreed == tried else f"{of(agreed, tried)} random plans"
    return f"**{which} went as predicted.** {_distribution(done)}"


def _plans(number: int) -> str:
    return f"{many(number, 'random plan')} {'was' if number == 1 else 'were'}"


def _distribution(done: Sequence[FuzzRecord]) -> str:
    return f"Of them {', '.join(_outcomes(done))}."


def _outcomes(done: Sequence[FuzzRecord]) -> list[str]:
    rows = [row for fuzz in done for row in fuzz.rows]
    safe, breaks, wrong = (sum(getattr(row, name) for row in rows) for name in ("safe", "breaks", "wrong"))
    return [
        f"{count(safe)} {'is' if safe == 1 else 'are'} safe",
        f"{count(breaks)} {'breaks' if breaks == 1 else 'break'} the network",
        f"{count(wrong)} {'runs and is' if wrong == 1 else 'run and are'} not what was meant",
    ]


def random_reason(fuzz: FuzzRecord) -> str:
    """Random plans without a refuted prediction, in one line. Plain words."""
    how = "predicted only" if fuzz.agreed is None else "all as predicted"
    return f"{many(fuzz.tried, 'random plan')}, {how}: {', '.join(_outcomes([fuzz]))}"


def random_how(record: Record, fuzz: FuzzRecord, model: str) -> str:
    """How the plans were drawn. Markdown."""
    blocks = f"blocks {', '.join(map(str, record.blocks))}" if record.blocks else "all blocks"
    facts = [
        f"model {model}",
        *pixels(record),
        f"{count(fuzz.examples)} random plans of up to {many(fuzz.max_steps, 'step')}",
        f"drawn from {many(fuzz.layers, 'layer')} of {blocks}",
        f"seed {fuzz.seed}",
    ]
    return f"How: {', '.join(facts)}."


def random_part(fuzz: FuzzRecord) -> str:
    """The distribution of verdicts, the smallest unsafe plan and the refuted one. Markdown."""
    rows = [[row[0] if row[0] == _ALL else code(row[0]), *row[1:]] for row in _rows(fuzz)]
    parts = [f"**Verdicts of the random plans**\n\n{table(_COLUMNS, rows, right=_COLUMNS[1:])}"]
    if fuzz.smallest_unsafe is not None:
        parts.append(f"**The smallest unsafe plan found**\n\n{_steps(fuzz.smallest_unsafe)}")
    found = fuzz.counterexample
    if found is not None:
        lines = "\n".join(f"- differs: {text(difference)}" for difference in found.differences)
        parts.append(f"**The plan whose prediction was refuted, shrunk**\n\n{_steps(found.plan)}\n{lines}")
        parts.append(f"As a spec:\n\n{block(found.spec, 'yaml')}")
    return "\n\n".join(parts)


def _steps(plan: FuzzPlan) -> str:
    lines = [f"- execution {code(plan.execution)}"]
    for step in plan.steps:
        which = f": {code(step.keep)}" if step.keep else ""
        lines.append(f"- {code(step.layer)} keeps {of(step.kept, step.channels)} channels{which}")
    if plan.why:
        lines.append(f"- {text(plan.why)}")
    return "\n".join(lines)


def random_text(fuzz: FuzzRecord) -> str:
    """The same for a terminal."""
    title = f"Random plans on {many(fuzz.layers, 'layer')}, seed {fuzz.seed}, up to {many(fuzz.max_steps, 'step')}"
    sides = ["left", *["right"] * (len(_COLUMNS) - 1)]
    counts = tabulate(_rows(fuzz), _COLUMNS, tablefmt="simple", disable_numparse=True, colalign=sides)
    parts = [f"{title}\n\n{counts}"]
    if fuzz.smallest_unsafe is not None:
        parts.append(f"The smallest unsafe plan found\n\n{_plain(fuzz.smallest_unsafe)}")
    found = fuzz.counterexample
    if found is not None:
        differences = "\n".join(_wrapped(f"differs: {difference}") for difference in found.differences)
        parts.append(f"The plan whose prediction was refuted, shrunk\n\n{_plain(found.plan)}\n{differences}")
    if fuzz.agreed is None:
        parts.append(f"{_plans(fuzz.tried)} predicted, and nothing was carried out")
    else:
        parts.append(f"{of(fuzz.agreed, fuzz.tried)} random plans went as predicted")
    return "\n\n".join(parts)


def _plain(plan: FuzzPlan) -> str:
    lines = [f"execution {plan.execution}"]
    for step in plan.steps:
        which = f": {step.keep.replace(',', ', ')}" if step.keep else ""
        lines.append(f"{step.layer} keeps {of(step.kept, step.channels)} channels{which}")
    return "\n".join(map(_wrapped, [*lines, plan.why] if plan.why else lines))


def _wrapped(line: str) -> str:
    """A line in several; ranges and names stay whole."""
    return textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _rows(fuzz: FuzzRecord) -> list[list[str]]:
    rows = [
        [row.execution, *map(count, (row.tried, row.safe, row.breaks, row.wrong)), _agreed(row.agreed, row.tried)]
        for row in fuzz.rows
    ]
    totals = (sum(getattr(row, name) for row in fuzz.rows) for name in ("tried", "safe", "breaks", "wrong"))
    return [*rows, [_ALL, *map(count, totals), _agreed(fuzz.agreed, fuzz.tried)]] if len(rows) > 1 else rows


def _agreed(agreed: int | None, tried: int) -> str:
    return NONE if agreed is None else of(agreed, tried)
