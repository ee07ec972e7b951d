"""How verdicts follow from evidence, for the kinds of claim that occur more than once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from yolo_prune_check.report.claims.evidence import Blocks, Evidence, Tried, block_of, observed_break
from yolo_prune_check.report.claims.ruling import Ruling, Verdict, undecided
from yolo_prune_check.report.figures import of
from yolo_prune_check.report.markdown import code
from yolo_prune_check.run.record import Record


def by_wiring(
    evidence: Evidence,
    needed: Sequence[int],
    holds: Callable[[Blocks], bool],
    tell: Callable[[Blocks], str],
    *,
    size: str = "",
) -> Ruling:
    """Confirmed if the claim holds of the wiring of every measured model, else refuted.

    Args:
        evidence: The records.
        needed: Blocks that must have been measured.
        holds: Whether the claim is true of these blocks.
        tell: What was measured, one sentence without its full stop. Markdown.
        size: Ask only models of this size, such as ``s``.
    """
    wiring = {
        model: blocks for model, blocks in evidence.wiring(size).items() if all(index in blocks for index in needed)
    }
    if not wiring:
        return undecided(f"the measured wiring of YOLOv8{size}")
    verdict = Verdict.CONFIRMED if all(holds(blocks) for blocks in wiring.values()) else Verdict.REFUTED
    return Ruling(verdict, per_model(wiring, tell), models=tuple(wiring))


def per_model(wiring: dict[str, Blocks], tell: Callable[[Blocks], str]) -> str:
    """What was measured of each model; models of which the same is true share a sentence."""
    sentences: dict[str, list[str]] = {}
    for model, blocks in wiring.items():
        sentences.setdefault(tell(blocks), []).append(model)
    if len(sentences) == 1:
        return f"{next(iter(sentences))}."
    return " ".join(f"{', '.join(code(model) for model in models)}: {words}." for words, models in sentences.items())


def if_it_fits(mask: Tried, local: Tried, remark: str = "") -> Ruling:
    """Rule on "this works": confirmed if nothing broke under either execution."""
    evidence = _told(mask, local, remark)
    scenarios = mask.records + local.records
    if mask.broke:
        return Ruling(Verdict.REFUTED, evidence, scenarios)
    if not mask.records or not local.records:
        return Ruling(Verdict.UNDECIDED, f"{evidence} Needs such plans under both executions.", scenarios)
    return Ruling(Verdict.CONFIRMED if local.fits else Verdict.ONLY_MASK, evidence, scenarios)


def if_it_breaks(mask: Tried, local: Tried, remark: str = "") -> Ruling:
    """Rule on "this causes a mismatch": confirmed if every plan broke under both executions."""
    evidence = _told(mask, local, remark)
    scenarios = mask.records + local.records
    if not mask.records or not local.records:
        return Ruling(Verdict.UNDECIDED, f"{evidence} Needs such plans under both executions.", scenarios)
    if mask.all_broke and local.all_broke:
        return Ruling(Verdict.CONFIRMED, evidence, scenarios)
    if local.all_broke and not mask.broke:
        return Ruling(Verdict.ONLY_LOCAL, evidence, scenarios)
    if mask.all_broke and not local.broke:
        return Ruling(Verdict.ONLY_MASK, evidence, scenarios)
    return Ruling(Verdict.REFUTED, evidence, scenarios)


def if_only_it_works(tried: dict[str, tuple[Tried, Tried]], remark: str = "") -> Ruling:
    """Rule on "only this works": it must fit where everything else breaks.

    Args:
        tried: For ``mask`` and for ``local``, how such plans fared, then how the others did.
        remark: A sentence to add.
    """
    allowed = "; ".join(fared(execution, this) for execution, (this, _) in tried.items())
    others = "; ".join(fared(execution, rest) for execution, (_, rest) in tried.items())
    evidence = f"What it says works: {allowed}. What it says does not: {others}. {remark}".strip()
    decided = tuple(record for this, rest in tried.values() for record in this.records + rest.records)
    mask, local = (_alone_works(*tried[execution]) for execution in ("mask", "local"))
    if mask is None or local is None:
        return Ruling(Verdict.UNDECIDED, f"{evidence} Needs both kinds of plan under both executions.", decided)
    if mask and local:
        return Ruling(Verdict.CONFIRMED, evidence, decided)
    if mask or local:
        return Ruling(Verdict.ONLY_MASK if mask else Verdict.ONLY_LOCAL, evidence, decided)
    return Ruling(Verdict.REFUTED, evidence, decided)


def _alone_works(this: Tried, others: Tried) -> bool | None:
    """Whether this fits and all others break; None where too little was tried."""
    if this.broke or (others.records and not others.all_broke):
        return False
    if not this.records or not others.records:
        return None
    return True


def _told(mask: Tried, local: Tried, remark: str) -> str:
    words = f"{fared('mask', mask)}; {fared('local', local)}."
    return f"{words} {remark}".strip()


def fared(execution: str, tried: Tried) -> str:
    """How many plans broke under an execution, and in which modules. Markdown."""
    if not tried.records:
        return f"under {code(execution)} no such plan was run"
    words = f"under {code(execution)} {of(len(tried.broke), len(tried.records))} plans broke"
    return f"{words}, in {modules(tried.broke)}" if tried.broke else words


def modules(records: Sequence[Record]) -> str:
    """Modules in which plans broke first. Markdown."""
    names = {found.module for record in records if (found := observed_break(record)) is not None}
    return ", ".join(code(name) for name in sorted(names))


def broken_blocks(records: Sequence[Record]) -> tuple[int, ...]:
    """Blocks in which plans broke first."""
    found = {block_of(failure.module) for record in records if (failure := observed_break(record)) is not None}
    return tuple(sorted(index for index in found if index is not None))


def listing(indices: Sequence[int]) -> str:
    """``block 2``, ``blocks 4 and 14``, ``no block``."""
    names = [str(index) for index in indices]
    if not names:
        return "no block"
    if len(names) == 1:
        return f"block {names[0]}"
    return f"blocks {', '.join(names[:-1])} and {names[-1]}"
