"""The page of one comparison: the conclusion, a row for each combination, what each axis changes, the plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from yolo_prune_check.report import figures
from yolo_prune_check.report.comparison.drawings import Drawing, drawings
from yolo_prune_check.report.comparison.effects import effects_of
from yolo_prune_check.report.comparison.matrix import Combination, Comparison
from yolo_prune_check.report.comparison.standing import RULE, Standing
from yolo_prune_check.report.comparison.words import (
    conclusion,
    effect_rows,
    effect_sentence,
    name,
    part_rows,
    unequal_cuts,
)
from yolo_prune_check.report.glossary import glossary
from yolo_prune_check.report.markdown import NONE, YES, code, columns, fold, link, page, table, text
from yolo_prune_check.report.paired import LEVEL, SMALL
from yolo_prune_check.report.samples import score
from yolo_prune_check.report.setting import gpus, part, pixels, shown_model, shown_path
from yolo_prune_check.report.site import INDEX, Compared, Site, relative
from yolo_prune_check.report.wording import verdict_name
from yolo_prune_check.run.record import Record

_SAME: tuple[Callable[[Record], str], ...] = (
    lambda record: f"model {shown_model(record)}",
    lambda record: f"data {code(shown_path(record.data))}" if record.data else "no data",
    lambda record: ", ".join([*part(record), *pixels(record), *gpus(record)]),
    lambda record: f"blocks {', '.join(map(str, record.blocks))}" if record.blocks else "",
    lambda record: f"layers {code(record.layers)}" if record.layers else "",
    lambda record: f"channels chosen by {text(record.selected)}",
    lambda record: f"execution {code(record.execution)}",
    lambda record: f"{code('mask')} {record.mask}" if record.execution == "mask" else "",
    lambda record: f"widths rounded to {record.round_to}" if record.round_to else "",
    lambda record: f"order {code(record.order)}",
    lambda record: f"schedule {code(record.schedule)}",
    lambda record: f"activations {code(record.activations)}",
    lambda record: f"on mismatch {code(record.on_mismatch)}",
    lambda record: f"fine-tuning {text(record.fine_tune)}" if record.fine_tune else "no fine-tuning",
    lambda record: f"seed {record.seed}",
)
"""What may be the same in all records of a matrix."""
_SMALL = figures.score(SMALL)
_EFFECTS = f"""\
All else equal: each pair are two records that agree in every other axis, the seed among them; its difference is the \
score at the end with the second value less that with the first. Pairs of one seed are no repetitions of each other, \
so that each seed counts once, with the mean over its pairs: what is printed is mean ± sample standard deviation over \
the seeds, and the 95 % interval of the mean by Student's t. *p* is how often chance alone makes as large a mean, \
with Holm's correction for all two values of the axis; below {LEVEL:g} they are *different*. Where the whole interval \
lies within ±{_SMALL}, the difference is *less than {_SMALL}*, and does not matter. It *depends on* another axis \
where it goes up with one of that axis' values and down with another, with every seed, and the two are told apart by \
Tukey's range test at 5 %: then its mean is of two things. All else is *not told apart*: neither shown to differ nor \
to be equal. What no second seed repeats is *measured once*, and nothing is tested. Pairs that *ended alike*, with \
the same channels kept and the same scores to the last digit, tell nothing of the axis and are left out; pairs that \
are copies of another of their seed, and seeds all of whose pairs are those of another, count once."""
_PARTS = """\
The same by the values of the other axis with which it differs most. Intervals are of each row alone, and none is \
tested: among many rows some leave out 0 by chance."""
_LONG = 40
"""A table with more rows than this is folded."""


def comparison_files(compared: Compared, site: Site) -> dict[str, str]:
    """The page and its plots, by their paths in the report directory."""
    comparison = compared.comparison
    standing = Standing.of(comparison)
    drawn = drawings(comparison, standing)
    folder, stem = PurePosixPath(compared.page).parent, PurePosixPath(compared.page).stem
    names = {drawing.name: f"{stem}-{drawing.name}.svg" for drawing in drawn}
    files = {compared.page: _page(compared, site, standing, drawn, names)}
    files.update({(folder / names[each.name]).as_posix(): each.svg for each in drawn if each.svg is not None})
    return files


def _page(compared: Compared, site: Site, standing: Standing, drawn: Sequence[Drawing], names: dict[str, str]) -> str:
    comparison, here = compared.comparison, compared.page
    suite = site.suite(comparison.first.spec)
    ways = [link("All reports", relative(INDEX, here)), link(text(suite.title), relative(suite.page, here))]
    why = comparison.first.why
    return page(
        f"# {compared.title}",
        f"**{conclusion(comparison, standing)}**",
        f"> {text(why)}" if why else "",
        " · ".join(ways),
        _setup(comparison),
        "## Combinations",
        unequal_cuts(comparison),
        _combinations(comparison, standing),
        f"{RULE} {_notes(comparison, standing)}".strip(),
        *_axes(comparison),
        *(_plot(each, names) for each in drawn),
        _records(comparison, site, here),
        glossary(comparison.records),
    )


def _setup(comparison: Comparison) -> str:
    varies = [f"{code(axis)} ({', '.join(map(code, comparison.values(axis)))})" for axis in comparison.axes]
    number = figures.many(len(comparison.combinations), "combination")
    lines = f"What varies: {' × '.join(varies)}, {number}" if varies else "What varies: nothing but the seed"
    for axis in comparison.seeds:
        lines += f"; each with {code(axis)} {', '.join(comparison.values(axis))}"
    told = [{describe(record) for record in comparison.records} for describe in _SAME]
    same = [words for found in told if len(found) == 1 and (words := next(iter(found)))]
    return f"{lines}.\n\nWhat is the same: {', '.join(same)}."


def _combinations(comparison: Comparison, standing: Standing) -> str:
    measure = comparison.measure
    numbers = [f"{measure} before", "right after pruning", "at the end", "MACs left", "parameters left", "n"]
    names = [*comparison.axes, "verdict", *numbers, "all confirmed", "Pareto front", "standing"]
    rows = [_row(each, standing) for each in comparison.combinations]
    always = [*comparison.axes, "verdict", "at the end", "n", "all confirmed"]
    shown, rows = columns(names, rows, always=always)
    body = table(shown, rows, right=numbers)
    return fold(f"{len(rows)} combinations", body) if len(rows) > _LONG else body


def _row(combination: Combination, standing: Standing) -> list[str]:
    final = score(combination.final)
    word = standing.word(combination)
    seeds = len(combination.records)
    return [
        *map(code, combination.values),
        ", ".join(
            verdict_name(verdict) if number == seeds else f"{number} {verdict_name(verdict)}"
            for verdict, number in combination.verdicts
        ),
        NONE if combination.before is None else figures.score(combination.before.mean),
        score(combination.pruned),
        f"**{final}**" if word in ("best", "highest") else final,
        figures.percent(combination.macs.mean if combination.macs else None),
        figures.percent(combination.params.mean if combination.params else None),
        str(seeds),
        YES if combination.confirmed == seeds else figures.of(combination.confirmed, seeds),
        YES if combination in standing.front else NONE,
        f"**{word}**" if word == "best" else word or NONE,
    ]


def _notes(comparison: Comparison, standing: Standing) -> str:
    parts = []
    if comparison.seeds:
        parts.append("± is the sample standard deviation over the seeds, *n* their number.")
    if any(sum(step.scores_tuned is not None for step in record.steps) > 1 for record in comparison.records):
        parts.append(
            "*Right after pruning* is the score after the last layer was pruned and before it was fine-tuned; where "
            "training follows each step, the model had been fine-tuned before."
        )
    if standing.front:
        parts.append(
            "On the *Pareto front* are those of which no other has no more multiply-accumulates and no lower a score, "
            "and is better in one of the two."
        )
    return " ".join(parts)


def _axes(comparison: Comparison) -> list[str]:
    parts = ["## What each axis changes", _EFFECTS] if comparison.axes else []
    for axis in comparison.axes:
        effects = effects_of(comparison, axis)
        change = f"difference of {comparison.measure}"
        numbers = [change, "95 % interval", "p", "second is higher, seeds", "pairs"]
        parts += [f"### {code(axis)}", effect_sentence(comparison, axis)]
        if effects:
            parts.append(table([axis, *numbers, "taken as"], effect_rows(effects), right=numbers))
        if rows := part_rows(effects):
            numbers.remove("p")
            body = table([axis, "where", *numbers], rows, right=numbers)
            parts += [_PARTS, fold(f"{len(rows)} rows", body) if len(rows) > _LONG else body]
    return parts


def _plot(drawing: Drawing, names: dict[str, str]) -> str:
    if drawing.svg is None:
        return f"## {drawing.title}\n\nNot drawn: {text(drawing.reason)}."
    alt = drawing.alt.replace("[", "(").replace("]", ")")
    return f"## {drawing.title}\n\n![{alt}]({names[drawing.name]})\n\n{text(drawing.caption)}"


def _records(comparison: Comparison, site: Site, here: str) -> str:
    lines = []
    for each in comparison.combinations:
        labels = [" ".join(record.axes[axis] for axis in comparison.seeds) or "scenario" for record in each.records]
        places = [relative(site.place(record), here) for record in each.records]
        lines.append(f"- {name(each)}: {', '.join(map(link, labels, places))}")
    seeds = f" by {' and '.join(comparison.seeds)}" if comparison.seeds else ""
    return fold(f"{figures.many(len(comparison.records), 'scenario')}{seeds}", "\n".join(lines))
