"""The page that compares executions: one plan, carried out in several ways, side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yolo_prune_check.report import figures
from yolo_prune_check.report.checks import error, largest_error
from yolo_prune_check.report.claims.deciding import listing
from yolo_prune_check.report.execution_words import breaks_in, conclusions, fits, way
from yolo_prune_check.report.glossary import glossary
from yolo_prune_check.report.markdown import NO, NONE, YES, code, columns, link, page, table, text
from yolo_prune_check.report.measures import first_names
from yolo_prune_check.report.same_plan import SamePlan, same_plans
from yolo_prune_check.report.setting import setting
from yolo_prune_check.report.site import EXECUTIONS as PAGE
from yolo_prune_check.report.site import INDEX, Site
from yolo_prune_check.report.tally import first, last_scores
from yolo_prune_check.run.record import CheckRecord, Record

_TITLE = "One plan, several executions"
_WHAT = """\
Each part of this page is one plan: the same layers of the same model, and the same choice of channels. Its rows \
differ in nothing but how the plan was carried out. Every sentence and number is computed from the records."""

_COLUMNS = (
    "execution",
    "fits",
    "equals the masked model (largest error)",
    "kept in the plan's layers",
    "parameters",
    "MACs per image",
    "latency, ms",
    "{measure} before",
    "pruned",
    "fine-tuned",
    "hazards",
    "file usable elsewhere",
)


def executions_page(site: Site) -> str:
    """The whole page."""
    plans = same_plans(site.records)
    return page(
        f"# {_TITLE}",
        _WHAT,
        link("All reports", INDEX),
        *(_part(plan, site) for plan in plans),
        glossary([record for plan in plans for record in plan]),
    )


def _part(plan: SamePlan, site: Site) -> str:
    names = [name.format(measure=first_names(plan)) for name in _COLUMNS]
    shown, rows = columns(names, [_row(record, site) for record in plan], always=names[:2])
    parts = [f"## {plan_title(plan[0])}", _how(plan[0]), table(shown, rows, right=names[3:10])]
    notes = _notes(plan)
    if notes:
        parts.append(notes)
    parts.append("\n".join(f"- {sentence}" for sentence in conclusions(plan)))
    return "\n\n".join(parts)


def plan_title(record: Record) -> str:
    """What a plan prunes, as a heading. Markdown."""
    tuned = f"; fine-tuned {record.fine_tune}" if record.fine_tune else ""
    if not record.layers:
        return text(f"Written out: {record.selected}{tuned}")
    widest = re.fullmatch(r"widest:(\d+)", record.layers)
    if widest:
        layers = "widest layer" if widest[1] == "1" else f"{widest[1]} widest layers"
    else:
        layers = {"first": "first layer", "all": "every layer"}.get(record.layers, f"layers {record.layers}")
    words = layers[:1].upper() + layers[1:]
    if record.blocks:
        each = "each of " if len(record.blocks) > 1 and record.layers != "all" else ""
        words += f" of {each}{_blocks(record.blocks)}"
    return text(f"{words}: {record.selected}{tuned}")


def _blocks(blocks: Sequence[int]) -> str:
    if len(blocks) > 2 and list(blocks) == list(range(blocks[0], blocks[-1] + 1)):
        return f"blocks {blocks[0]} to {blocks[-1]}"
    return listing(blocks)


def _how(record: Record) -> str:
    facts = [
        setting(record),
        f"order {code(record.order)}",
        f"schedule {code(record.schedule)}",
        f"activations {code(record.activations)}",
        f"on mismatch {code(record.on_mismatch)}",
        f"seed {record.seed}",
    ]
    return f"{', '.join(facts)}."


def _row(record: Record, site: Site) -> list[str]:
    metrics = record.metrics
    pruned, tuned = last_scores(record)
    took = metrics.latency
    done = [step for step in record.steps if step.status == "pruned"]
    kept, channels = sum(step.kept for step in done), sum(step.channels for step in done)
    return [
        f"{way(record)} ({site.link(record, PAGE)})",
        YES if fits(record) else f"{NO} {breaks_in(record)}",
        _held(record.proof, largest_error(record.proof)),
        figures.of(kept, channels) if done and fits(record) else NONE,
        _with_change(metrics.params_before, metrics.params_after),
        _with_change(metrics.macs_before, metrics.macs_after),
        NONE if took is None else f"{took.pruned_ms:.1f}, ×{took.ratio:.2f}",
        figures.score(first(metrics.scores_before)),
        figures.score(pruned),
        figures.score(tuned),
        ", ".join(code(name) for name in dict.fromkeys(hazard.code for hazard in record.hazards)) or "none",
        _held(record.deploy, None),
    ]


def _held(checks: Sequence[CheckRecord], largest: float | None) -> str:
    if not checks:
        return NONE
    failed = [check.name for check in checks if check.passed is False]
    if failed:
        return f"{NO} {text(figures.named(failed))}"
    left = sum(check.passed is None for check in checks)
    if left == len(checks):
        return NONE
    told = ([] if largest is None else [error(largest)]) + ([f"{left} not judged"] if left else [])
    return f"{YES} ({', '.join(told)})" if told else YES


def _with_change(before: int | None, after: int | None) -> str:
    change = figures.change(before, after)
    return figures.count(after) if change == NONE else f"{figures.count(after)} ({change})"


def _notes(plan: SamePlan) -> str:
    lines = []
    tuned = [record for record in plan if sum(step.scores_tuned is not None for step in record.steps) > 1]
    if tuned:
        lines.append(
            f"*Pruned* is the {first_names(plan)} right after the last layer was pruned, the model having been "
            "fine-tuned after those before it; *fine-tuned* the one at the end."
        )
    if any(record.metrics.latency is not None for record in plan):
        lines.append(
            "*Latency* is that of the machine of this run, and × its ratio to the untouched model, which was timed "
            "in alternation; on another machine both are others."
        )
    return " ".join(lines)
