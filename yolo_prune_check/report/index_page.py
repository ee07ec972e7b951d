"""The front page: what this is, how it stands, and where to read on."""

from __future__ import annotations

from yolo_prune_check.report import figures
from yolo_prune_check.report.claims import count_verdicts, decide_all
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.comparison.words import conclusion
from yolo_prune_check.report.glossary import glossary
from yolo_prune_check.report.markdown import NONE, code, link, page, table, text
from yolo_prune_check.report.same_plan import same_plans
from yolo_prune_check.report.setting import settings
from yolo_prune_check.report.site import CLAIMS, EXECUTIONS, INDEX, Site
from yolo_prune_check.report.tally import Tally
from yolo_prune_check.report.wording import headline, reason, verdict_name
from yolo_prune_check.scores import MeanAveragePrecision

_WHAT = """\
Each scenario is a plan for pruning a YOLO model: which layers, in which order, how. yolo-prune-check predicts from \
the network's wiring whether the plan fits and whether it does what was meant, then carries it out and compares. \
**safe** plans fit and are not silently wrong; **unsafe** ones break the network or are silently wrong; **partial** \
ones had steps that were skipped; **refused** ones name something that does not exist. What a plan costs in accuracy \
is told beside its verdict, where it was measured. *As expected* says whether that is what the scenario's author \
declared: an experiment meant to show a failure is ✓ when it fails."""

_STOPPED = """\
**stopped** ones exceeded a limit of time or memory, or their process died: how they would have ended is not known."""

_NOT_STARTED = """\
**not started** ones could not be started, because their input is wrong: whatever was known of them before holds no \
longer."""


def index_page(site: Site) -> str:
    """The whole page."""
    parts = ["# Pruning safety reports", headline(site.records), _what(site), _counts(site), _suites(site)]
    if site.field_notes:
        rulings = [ruling for _, ruling in decide_all(site.evidence)]
        verdicts = ", ".join(f"{number} {word}" for word, number in count_verdicts(rulings) if number)
        parts.append(
            "## Claims of the field notes\n\n"
            "The field notes are five documents by somebody who pruned YOLOv8 by trial and error; each claim "
            f"quoted from them is decided by these scenarios: {verdicts}. "
            f"Read {link('the claims', CLAIMS)}."
        )
    plans = same_plans(site.records)
    if plans:
        number = len(plans)
        parts.append(
            "## Executions compared\n\n"
            f"{'One plan was' if number == 1 else f'{number} plans were'} carried out in several ways. "
            f"{link('Side by side', EXECUTIONS)}: which fit, which equal the masked model, what each saves and costs."
        )
    if site.compared:
        parts.append(_compared(site))
    parts.extend([_scenarios(site), glossary(site.records)])
    return page(*parts)


def _compared(site: Site) -> str:
    lines = [
        f"- {link(each.title, each.page)}: {conclusion(each.comparison, Standing.of(each.comparison))}"
        for each in site.compared
    ]
    return (
        "## Matrices compared\n\nMatrices whose scenarios were all measured, with a row for each combination, what "
        "each axis changes, and plots.\n\n" + "\n".join(lines)
    )


def _what(site: Site) -> str:
    tally = Tally.of(site.records)
    return " ".join([_WHAT, *([_STOPPED] if tally.stopped else []), *([_NOT_STARTED] if tally.not_started else [])])


def _counts(site: Site) -> str:
    tally = Tally.of(site.records)
    rows = [["scenarios", figures.count(tally.scenarios)]]
    rows.extend([verdict_name(name), figures.count(number)] for name, number in tally.by_verdict())
    usable = tally.safe - tally.unmeasured - tally.blind - tally.fuzzed_safe - tally.fuzzed_unrun
    rows.append([f"safe, {tally.measure} measured", figures.count(usable)])
    rows.append([f"safe, but at a notable loss of {tally.measure}", figures.count(tally.costly)])
    rows.append(["safe, accuracy not measured", figures.count(tally.unmeasured)])
    if tally.blind:
        known = "about 0" if tally.measure == MeanAveragePrecision.names[0] else "about that of knowing nothing"
        rows.append([f"safe, {tally.measure} of the untouched model {known}", figures.count(tally.blind)])
    if tally.fuzzed:
        rows.append(["safe, random plans that went as predicted", figures.count(tally.fuzzed_safe)])
    if tally.fuzzed_unrun:
        rows.append(["safe, random plans that were only predicted", figures.count(tally.fuzzed_unrun)])
    rows.append(["ended as expected, of those that ran", _share(tally.passed, tally.ran)])
    units = "steps and random plans" if tally.fuzzed else "steps"
    rows.append([f"{units} that went as predicted", _share(tally.confirmed, tally.predictions)])
    rows.append(["concat, split and residual edges as predicted", _share(tally.edges_confirmed, tally.edges)])
    return f"## Summary\n\n{table(['', 'number'], rows, right=['number'])}"


def _share(part: int, whole: int) -> str:
    return figures.of(part, whole) if whole else NONE


def _suites(site: Site) -> str:
    verdicts = [name for name, _ in Tally.of(site.records).by_verdict()]
    names = [
        "suite",
        "model · data · image size",
        "scenarios",
        *map(verdict_name, verdicts),
        "as expected",
        "steps as predicted",
    ]
    rows = []
    for suite in site.suites:
        tally = Tally.of(suite.records)
        rows.append(
            [
                link(text(suite.title), suite.page),
                settings(suite.records),
                figures.count(tally.scenarios),
                *(figures.count(dict(tally.by_verdict()).get(name, 0)) for name in verdicts),
                _share(tally.passed, tally.ran),
                _share(tally.confirmed, tally.predictions),
            ]
        )
    return f"## Suites\n\n{table(names, rows, right=names[2:])}"


def _scenarios(site: Site) -> str:
    names = ["suite", "scenario", "execution", "verdict", "as expected", "why"]
    rows = [
        [
            text(suite.title),
            site.link(record, INDEX),
            code(record.execution) + (" (weights)" if record.mask == "weights" else ""),
            verdict_name(record.verdict),
            figures.tick(record.passed),
            text(reason(record)),
        ]
        for suite in site.suites
        for record in suite.records
    ]
    return f"## All scenarios\n\n{table(names, rows)}"
