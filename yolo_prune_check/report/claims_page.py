"""The page of claims: what the field notes believed, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from yolo_prune_check.report import figures
from yolo_prune_check.report.claims import Claim, Evidence, Ruling, Verdict, count_verdicts, decide_all, notes
from yolo_prune_check.report.claims.evidence import channels, sources
from yolo_prune_check.report.markdown import NONE, code, fold, link, page, slugs, table, text
from yolo_prune_check.report.paired import SMALL
from yolo_prune_check.report.site import CLAIMS as PAGE
from yolo_prune_check.report.site import INDEX, Site
from yolo_prune_check.report.wording import capital
from yolo_prune_check.run.record import BlockFacts

_TITLE = "Claims of the field notes"
_WIRING = "How the models are wired"
_SHOWN = 3
"""A claim links at most this many deciding scenarios; the evidence gives the numbers of all."""

_SMALL = figures.score(SMALL)
_HOW = f"""\
Five documents by somebody who pruned YOLOv8 by trial and error are quoted here, claim by claim. Each verdict was \
computed from the records of this report when the page was made; nobody typed it, and other evidence would change it.

- **confirmed**: true in every case that was run or measured.
- **refuted**: the evidence shows otherwise.
- **true only under `mask`**: true if channels are set to zero and shapes stay; false if the layer is made narrower.
- **true only under `local`**: true if one layer is made narrower and nothing else; false if it is masked.
- **undecided**: the scenarios that would decide it were not carried out, or too few to tell it from chance.

Numbers are counts over the scenarios of the field notes, linked under *decided by*. What order, schedule and \
training between steps do to accuracy is measured by experiments with several seeds: each seed counts once, with the \
mean difference over its pairs of scenarios that differ in nothing else; printed are mean ± sample standard deviation \
over the seeds, and the 95 % interval of the mean by Student's t. Such a claim is confirmed only by an interval that \
excludes 0, and refuted only by one that lies within ±{_SMALL}, or, of a claim that something is better, below \
+{_SMALL}; by a wider one it stays undecided. What goes up with one value of another axis and down with another \
depends on it: it matters, and is neither better nor worse. Pairs that ended alike, with the same channels kept and \
the same scores to the last digit, tell nothing and are left out; copies of a pair, or of a seed, are counted once."""


def claims_page(site: Site) -> str:
    """The whole page."""
    decided = decide_all(site.evidence)
    wiring = Evidence.of(site.field_notes).wiring()
    anchors = dict(zip(wiring, _model_anchors(list(wiring)), strict=True))
    parts = [
        f"# {_TITLE}",
        _headline(decided),
        _HOW,
        table(
            ["verdict", "claims"],
            [[word, figures.count(number)] for word, number in count_verdicts(ruling for _, ruling in decided)],
            right=["claims"],
        ),
        link("All reports", INDEX),
    ]
    number = 0
    for title in notes.TITLES:
        members = [(claim, ruling) for claim, ruling in decided if claim.note == title]
        rows = []
        for claim, ruling in members:
            number += 1
            rows.append(
                [
                    str(number),
                    f"“{text(claim.quote)}”" + (f" ({text(claim.about)})" if claim.about else ""),
                    ruling.verdict.value if ruling.verdict is Verdict.UNDECIDED else f"**{ruling.verdict.value}**",
                    capital(ruling.evidence),
                    _deciders(ruling, site, anchors),
                ]
            )
        parts.append(f"## {title}")
        parts.append(table(["#", "the note says", "verdict", "evidence", "decided by"], rows, right=["#"]))
    if wiring:
        parts.append(f"## {_WIRING}")
        parts.append(
            "Measured on the untouched models. *Sliced* is what happens when the block's convolutions are run one "
            "after another in an `nn.Sequential` behind the blocks before, as the notes' `sliced_block` does."
        )
        for model, blocks in wiring.items():
            parts.append(f"### {code(model)}")
            parts.append(fold(f"{len(blocks)} blocks", _blocks([blocks[index] for index in sorted(blocks)])))
    return page(*parts)


def _headline(decided: Sequence[tuple[Claim, Ruling]]) -> str:
    counted = dict(count_verdicts(ruling for _, ruling in decided))
    settled = len(decided) - counted[Verdict.UNDECIDED.value]
    if not settled:
        return f"**None of the {len(decided)} claims could be decided: their scenarios were not carried out.**"
    refuted = counted[Verdict.REFUTED.value]
    only = counted[Verdict.ONLY_MASK.value] + counted[Verdict.ONLY_LOCAL.value]
    return (
        f"**Of {len(decided)} claims {settled} {'was' if settled == 1 else 'were'} decided: "
        f"{_hold(counted[Verdict.CONFIRMED.value])}, {refuted} "
        f"{'does' if refuted == 1 else 'do'} not, and {_hold(only)} for one way of pruning only.**"
    )


def _hold(number: int) -> str:
    return f"{number} {'holds' if number == 1 else 'hold'}"


def _model_anchors(models: Sequence[str]) -> list[str]:
    return slugs([_TITLE, *notes.TITLES, _WIRING, *models])[-len(models) :] if models else []


def _deciders(ruling: Ruling, site: Site, anchors: dict[str, str]) -> str:
    found = [link(f"wiring of {code(model)}", f"#{anchors[model]}") for model in ruling.models if model in anchors]
    found.extend(link(each.title, each.page) for each in site.compared if each.comparison in ruling.experiments)
    found.extend(site.link(record, PAGE) for record in ruling.scenarios[:_SHOWN])
    if len(ruling.scenarios) > _SHOWN:
        found.append(f"and {len(ruling.scenarios) - _SHOWN} more")
    return ", ".join(found) or NONE


def _blocks(blocks: Sequence[BlockFacts]) -> str:
    rows = [
        [
            str(block.index),
            block.type,
            ", ".join(str(index) for index in sources(block)) or "the image",
            ", ".join(str(index) for index in block.feeds) or NONE,
            figures.count(block.in_channels),
            figures.count(block.out_channels),
            ", ".join(f"{inputs}→{outputs}" for inputs, outputs in map(channels, block.convs)) or NONE,
            code(block.sequential_failure) if block.sequential_failure else NONE,
        ]
        for block in blocks
    ]
    names = ["block", "type", "reads", "feeds", "in", "out", "Conv2d, in→out", "sliced"]
    return table(names, rows, right=["block", "in", "out"])
