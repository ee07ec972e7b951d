"""The page of one suite: what to do, the verdicts, then each scenario with its evidence."""

from __future__ import annotations

from collections.abc import Sequence

from yolo_prune_check.report import figures
from yolo_prune_check.report.checks import checks_part, group_lines
from yolo_prune_check.report.comparison.matrix import incomplete_of
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.comparison.words import conclusion
from yolo_prune_check.report.glossary import glossary
from yolo_prune_check.report.latency import latency_change, took_line
from yolo_prune_check.report.markdown import NONE, block, code, columns, fold, link, page, table, text
from yolo_prune_check.report.measures import measure_of
from yolo_prune_check.report.random_plans import random_how, random_part
from yolo_prune_check.report.safety import path_line, repair_line, repair_of_plan
from yolo_prune_check.report.setting import absolute, gpus, part, pixels, shown_model, shown_path
from yolo_prune_check.report.site import CLAIMS, INDEX, Site, Suite, relative
from yolo_prune_check.report.tally import Tally, phantoms
from yolo_prune_check.report.wording import advice, explanation, headline, outcome, reason, step_name, verdict_name
from yolo_prune_check.run.record import EdgeRecord, HazardRecord, MismatchRecord, Record, StepRecord
from yolo_prune_check.scores import Scores

_MASK_SAVES_NOTHING = (
    "Masking makes the model neither smaller nor faster: it shows what removing these channels would cost in accuracy."
)
_LONG = 12
"""A table with more rows than this is folded."""


def suite_page(suite: Suite, site: Site) -> str:
    """The whole page."""
    ways = [link("All reports", relative(INDEX, suite.page))]
    if site.field_notes:
        ways.append(link("Claims of the field notes", relative(CLAIMS, suite.page)))
    return page(
        f"# {suite.title}",
        headline(suite.records),
        _to_do(suite, site),
        _verdicts(suite, site),
        f"Spec: {code(shown_path(suite.spec))}. {' · '.join(ways)}",
        _compared(suite, site),
        glossary(suite.records),
        *(scenario_part(record) for record in suite.records),
    )


def _compared(suite: Suite, site: Site) -> str:
    """The pages on which the matrices of this suite are compared, with what came out."""
    lines = [
        f"- {link(code(each.comparison.first.base_id), relative(each.page, suite.page))}: "
        f"{conclusion(each.comparison, Standing.of(each.comparison))}"
        for each in site.compared
        if each.comparison.first.spec == suite.spec
    ]
    lines += [
        f"- {code(each.base_id)} is not compared: {figures.of(each.measured, each.scenarios)} scenarios were carried "
        "out and measured."
        for each in incomplete_of(suite.records)
    ]
    return "\n".join(["**Side by side**\n", *lines]) if lines else ""


def _to_do(suite: Suite, site: Site) -> str:
    by_advice: dict[str, list[Record]] = {}
    for record in suite.records:
        by_advice.setdefault(advice(record), []).append(record)
    lines = [
        f"- {', '.join(site.link(record, suite.page) for record in members)}: {words}."
        for words, members in by_advice.items()
    ]
    return "**What to do**\n\n" + "\n".join(lines)


def _verdicts(suite: Suite, site: Site) -> str:
    names = ["scenario", "verdict", "as expected", "steps as predicted", "why"]
    rows = []
    for record in suite.records:
        tally = Tally.of([record])
        rows.append(
            [
                site.link(record, suite.page),
                verdict_name(record.verdict),
                figures.tick(record.passed),
                figures.of(tally.confirmed, tally.predictions) if tally.predictions else NONE,
                text(reason(record)),
            ]
        )
    return table(names, rows)


def scenario_part(record: Record) -> str:
    """One scenario: why it exists, what happened, and the evidence."""
    parts = [f"## {code(record.id)}"]
    if record.why:
        parts.append(f"> {text(record.why)}")
    parts.append(explanation(record))
    if not record.passed and record.verdict != "not-started":  # of which the paragraph above has said all
        lines = [f"- {text(failure)}" for failure in record.failures] or ["- no reason was recorded"]
        expected = f" Expected: {text(record.expected)}." if record.expected else ""
        parts.append(f"**This scenario failed.**{expected}\n\n" + "\n".join(lines))
    elif record.verdict != "safe" and record.expected:
        parts.append(f"This is what the spec expects: {text(record.expected)}.")
    if record.notes:
        parts.append("\n".join(f"- {text(note)}" for note in record.notes))
    parts.append(_how(record))
    if record.fuzz is not None:
        parts.append(random_part(record.fuzz))
    if record.steps:
        steps = steps_table(record.steps, masked=record.execution == "mask", scores=measure_of(record).pair)
        parts.append(f"**Steps**\n\n{steps}")
        parts.append(_messages(record.steps))
    if record.edges:
        parts.append(_edges(record.edges, executed=record.agrees is not None))
    if record.hazards:
        parts.append(_hazards(record.hazards))
    parts.append(repair_of_plan(record.steps))
    parts.append(_costs(record))
    parts.append(checks_part("Proof: it computes what the masked model does", record.proof))
    parts.append(checks_part("The saved file, used where this package is not installed", record.deploy))
    parts.append(f"**Run it again**\n\n{block(record.rerun, 'bash')}")
    return "\n\n".join(part for part in parts if part)


def _how(record: Record) -> str:
    if record.fuzz is not None:
        return random_how(record, record.fuzz, shown_model(record))
    asked = record.layers and f"layers {code(record.layers)}"
    blocks = record.blocks and f"blocks {', '.join(str(number) for number in record.blocks)}"
    execution = f"execution {code(record.execution)}{_rounding(record)}"
    if record.execution == "mask":
        execution += f" ({record.mask})"
    facts = [
        f"model {shown_model(record)}",
        f"data {code(shown_path(record.data))}" if record.data else "no data",
        *part(record),
        *pixels(record),
        *gpus(record),
        blocks,
        asked,
        execution,
        f"order {code(record.order)}",
        f"schedule {code(record.schedule)}",
        f"channels chosen by {text(record.selected)}",
        f"activations {code(record.activations)}",
        f"on mismatch {code(record.on_mismatch)}",
        f"fine-tuning {text(record.fine_tune)}" if record.fine_tune else "no fine-tuning",
        "measured before the first and after the last step" if record.measure == "last" else "",
        f"seed {record.seed}",
    ]
    lines = f"How: {', '.join(fact for fact in facts if fact)}."
    saved = record.checkpoint
    if saved and not absolute(saved):
        lines += f" Final model: {code(saved)}."
    return lines


def _rounding(record: Record) -> str:
    parts = [f"widths rounded to {record.round_to}"] if record.round_to else []
    parts += [] if record.extend else ["not extended to whole groups"]
    return f" ({', '.join(parts)})" if parts else ""


def steps_table(steps: Sequence[StepRecord], *, masked: bool, scores: str) -> str:
    """One row per step; columns without any content are left out.

    Args:
        steps: The steps.
        masked: Whether filters were zeroed, so that some may still emit, or grow back. None can that is gone.
        scores: What the two numbers are called that were measured.
    """
    names = [
        "step",
        "layer (address)",
        "block",
        "type",
        "channels → kept",
        "non-zero filters after pruning",
        "active channels after pruning",
        "phantom channels after pruning",
        "predicted",
        "observed",
        "agree",
        f"{scores} after pruning",
        f"{scores} after fine-tuning",
        "grown back in fine-tuning",
        "status",
    ]
    numbers = {"step", "block", *names[5:8], "grown back in fine-tuning"}
    rows = [
        [
            str(step.index + 1),
            step_name(step),
            str(step.block),
            text(step.block_type),
            f"{figures.count(step.channels)} → {figures.count(step.kept) if _chosen(step) else NONE}",
            figures.count(step.weight_norm_count if masked else None),
            figures.count(step.active),
            figures.count(phantoms(step) if masked else None),
            outcome(step.predicted, step.predicted_failure),
            outcome(step.observed, step.observed_failure),
            figures.tick(step.agrees),
            figures.pair(step.scores_pruned),
            figures.pair(step.scores_tuned),
            figures.count(step.regrown if masked else None),
            step.status,
        ]
        for step in steps
    ]
    shown, rows = columns(names, rows, always=("predicted", "observed", "agree"))
    return table(shown, rows, right=numbers)


def _chosen(step: StepRecord) -> bool:
    """Whether channels were chosen at all; a step that was stopped before still names all of them."""
    return step.status in ("pruned", "predicted") or step.kept < step.channels


def _messages(steps: Sequence[StepRecord]) -> str:
    lines = []
    for step in steps:
        told = []
        predicted, observed = step.predicted_failure, step.observed_failure
        known = [failure.message for failure in (predicted, observed) if failure is not None]
        if step.reason and not any(message in step.reason for message in known):
            told.append(f"{step.status}: {text(step.reason)}")
        if predicted is not None and predicted == observed:
            told.append(f"{step.status}, as predicted to the letter: breaks in {_break(predicted)}")
            told.append(path_line(predicted))
        else:
            if predicted is not None:
                told.append(f"predicted to break in {_break(predicted)}")
                told.append(path_line(predicted))
            if observed is not None:
                told.append(f"broke in {_break(observed)}")
        told.extend(f"differs: {text(difference)}" for difference in step.differences)
        if step.repair is not None and step.status in ("failed", "skipped"):
            told.append(repair_line(step.repair))
        told = [line for line in told if line]
        told += group_lines(step)
        if told:
            lines.append(f"- Step {step.index + 1}, {step_name(step)}")
            lines.extend(f"  - {item}" for item in told)
    if not lines:
        return ""
    failing = sum(line.startswith("- ") for line in lines)
    body = "\n".join(lines)
    summary = f"What the steps said ({figures.many(failing, 'step')})"
    return fold(summary, body) if failing > 3 else body


def _break(failure: MismatchRecord) -> str:
    wanted = f"{failure.kind} edge, expected {text(failure.expected)}, got {text(failure.got)}"
    return f"{code(failure.module)} ({wanted}): {code(failure.message)}"


def _edges(edges: Sequence[EdgeRecord], *, executed: bool) -> str:
    names = [
        "operator",
        "kind",
        "port",
        "from",
        "channels before",
        "predicted",
        "observed",
        "active before",
        "active predicted",
        "active observed",
        "agree",
    ]
    rows = [
        [
            code(edge.operator),
            edge.kind,
            edge.port,
            ", ".join(code(producer) for producer in edge.producers) or NONE,
            figures.count(edge.before),
            figures.count(edge.predicted),
            figures.count(edge.observed),
            figures.count(edge.active_before),
            figures.count(edge.predicted_active),
            figures.count(edge.observed_active),
            figures.tick(edge.agrees) if executed else NONE,
        ]
        for edge in edges
    ]
    agreeing = sum(edge.agrees for edge in edges)
    ending = "all as predicted" if agreeing == len(edges) else f"{figures.of(agreeing, len(edges))} as predicted"
    if not executed:
        ending = "predicted, nothing was run"
    body = table(names, rows, right=names[4:10])
    if any(edge.observed is None for edge in edges):
        body += f"\n\n{NONE} stands where execution broke before the operator was reached, or nothing was run."
    return fold(f"Concat, split and residual edges touched: {len(edges)}, {ending}", body)


def _hazards(hazards: Sequence[HazardRecord]) -> str:
    rows = [
        [
            code(hazard.code),
            hazard.severity,
            code(hazard.layer),
            text(hazard.message),
            text(hazard.remedy),
            "observed" if hazard.observed else "predicted",
        ]
        for hazard in hazards
    ]
    body = table(["hazard", "severity", "layer", "what", "what to do", "seen"], rows)
    if len(hazards) > _LONG:
        errors = sum(hazard.severity == "error" for hazard in hazards)
        kinds = ", ".join(dict.fromkeys(hazard.code for hazard in hazards))
        summary = (
            f"Hazards: {figures.many(errors, 'error')}, {figures.many(len(hazards) - errors, 'warning')} ({kinds})"
        )
        return fold(summary, body)
    return f"**Hazards**\n\n{body}"


def _costs(record: Record) -> str:
    metrics, took = record.metrics, record.metrics.latency
    active = {step.layer: step.predicted_active for step in record.steps if step.status in ("pruned", "predicted")}
    known = [number for number in active.values() if number is not None]
    names = ["", "before", "after", "change", "predicted"]
    rows = [
        [
            "parameters",
            figures.count(metrics.params_before),
            figures.count(metrics.params_after),
            figures.change(metrics.params_before, metrics.params_after),
            figures.count(metrics.predicted_params),
        ],
        [
            "MACs per image",
            figures.count(metrics.macs_before),
            figures.count(metrics.macs_after),
            figures.change(metrics.macs_before, metrics.macs_after),
            figures.count(metrics.predicted_macs),
        ],
        *_scores(metrics.scores_before, metrics.scores_after if active else None),
        [
            "active channels of the pruned layers",
            figures.count(metrics.channels or None),
            figures.count(metrics.active),
            figures.change(metrics.channels or None, metrics.active),
            figures.count(sum(known)) if known and len(known) == len(active) else NONE,
        ],
        [
            "non-zero filters of the pruned layers",
            figures.count(metrics.channels or None),
            figures.count(metrics.weight_norm_count),
            figures.change(metrics.channels or None, metrics.weight_norm_count),
            NONE,
        ]
        if record.execution == "mask"
        else [],
        [
            "latency, ms",
            NONE if took is None else f"{took.dense_ms:.1f}",
            NONE if took is None else f"{took.pruned_ms:.1f}",
            NONE if took is None else latency_change(took.dense_ms, took.pruned_ms),
            NONE,
        ],
    ]
    rows = [row for row in rows if row and (row[1] != NONE or row[2] != NONE)]
    if not rows:
        return ""
    shown, rows = columns(names, rows, always=("", "before", "after"))
    body = f"**Cost and benefit**\n\n{table(shown, rows, right=names[1:])}"
    if took is not None:
        body += f"\n\nLatency: {took_line(took)}."
    if record.execution == "mask" and active and metrics.params_before == metrics.params_after:
        body += f"\n\n{_MASK_SAVES_NOTHING}"
    return body


def _scores(before: Scores | None, after: Scores | None) -> list[list[str]]:
    """A row for each number of the measure; none where nothing was measured before."""
    if before is None:
        return []
    known: tuple[float | None, ...] = (None, None) if after is None else after.values
    return [
        [name, figures.score(one), figures.score(other), figures.difference(one, other), NONE]
        for name, one, other in zip(before.names, before.values, known, strict=True)
    ]
