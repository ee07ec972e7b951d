"""Claims about what happens when layers are pruned: decided by plans that were carried out."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations

from yolo_prune_check.report.claims import notes
from yolo_prune_check.report.claims.contrasts import contrast, order, schedule
from yolo_prune_check.report.claims.deciding import (
    broken_blocks,
    fared,
    if_it_breaks,
    if_it_fits,
    if_only_it_works,
    listing,
    modules,
)
from yolo_prune_check.report.claims.evidence import (
    Evidence,
    breaks,
    convs_in,
    observed_break,
    pruned_blocks,
    several_per_block,
)
from yolo_prune_check.report.claims.ruling import Claim, Ruling, Verdict, undecided
from yolo_prune_check.report.figures import change, many, of, percent, score
from yolo_prune_check.report.markdown import code, text
from yolo_prune_check.report.measures import first_names
from yolo_prune_check.report.tally import first
from yolo_prune_check.report.wording import capital
from yolo_prune_check.run.record import Record

_Wanted = Callable[[Record], bool]


def _only(*blocks: int) -> _Wanted:
    return lambda record: pruned_blocks(record) == set(blocks)


def _several_blocks(record: Record) -> bool:
    return len(pruned_blocks(record)) > 1


def _first_layers(record: Record) -> bool:
    """The first layer of each of several blocks."""
    return record.layers == "first" and _several_blocks(record)


def _one_first_layer(record: Record) -> bool:
    """The first layer of one block, and nothing else."""
    firsts = all(step.address == f"{step.block}.0" for step in record.steps)
    return firsts and len(record.steps) == len(pruned_blocks(record)) == 1


def _first_of_its_block(record: Record) -> bool:
    """The first layer of each block the plan names, and nothing else."""
    return _one_first_layer(record) or _first_layers(record)


def _second_in_a_block(record: Record) -> bool:
    """Came to a second layer of one block: plans that broke before that say nothing of several layers in one."""
    pruned: set[int] = set()
    for step in record.steps:
        if step.block in pruned and (step.status == "pruned" or step.observed_failure is not None):
            return True
        if step.status == "pruned":
            pruned.add(step.block)
    return False


def _fits(wanted: _Wanted, remark: Callable[[Evidence], str] = lambda _: "") -> Callable[[Evidence], Ruling]:
    return lambda evidence: if_it_fits(
        evidence.tried("mask", wanted), evidence.tried("local", wanted), remark(evidence)
    )


def _breaks(wanted: _Wanted, remark: Callable[[Evidence], str] = lambda _: "") -> Callable[[Evidence], Ruling]:
    return lambda evidence: if_it_breaks(
        evidence.tried("mask", wanted), evidence.tried("local", wanted), remark(evidence)
    )


def _only_works(
    this: _Wanted, others: _Wanted, remark: Callable[[Evidence], str] = lambda _: ""
) -> Callable[[Evidence], Ruling]:
    def decide(evidence: Evidence) -> Ruling:
        return if_only_it_works(
            {way: (evidence.tried(way, this), evidence.tried(way, others)) for way in ("mask", "local")},
            remark(evidence),
        )

    return decide


def _unsafe_yet_running(evidence: Evidence) -> str:
    masked = evidence.tried("mask", _first_layers).records
    wrong = [record for record in masked if record.verdict == "unsafe"]
    if not wrong:
        return ""
    codes = sorted({hazard.code for record in wrong for hazard in record.hazards if hazard.severity == "error"})
    found = f" ({', '.join(code(name) for name in codes)})" if codes else ""
    return f"Running is not all: {of(len(wrong), len(masked))} masked plans are unsafe although nothing breaks{found}."


def _sliced_share(evidence: Evidence) -> str:
    sliced = evidence.executed(lambda record: record.activations == "sliced" and several_per_block(record))
    steps = [step for record in sliced for step in record.steps]
    missed = [step for step in steps if step.status != "pruned"]
    if not missed:
        return ""
    return (
        f"What does limit the notes to first layers is their `sliced_block`: with `activations: sliced` "
        f"{of(len(missed), len(steps))} steps could not be measured."
    )


def _block_1_success(evidence: Evidence) -> Ruling:
    records = evidence.tried("mask", _only(1)).records
    if not records:
        return undecided("a masked plan for block 1 alone")
    best = max(len(record.steps) for record in records)
    pruned = max(sum(step.status == "pruned" for step in record.steps) for record in records)
    verdict = Verdict.CONFIRMED if best == pruned == 3 else Verdict.REFUTED
    return Ruling(verdict, f"At most {many(best, 'layer')} could be attempted, {pruned} of them pruned.", records)


def _asked_for_more(evidence: Evidence) -> Ruling:
    wiring = evidence.wiring()
    decided: list[Record] = []
    took_all = True
    told: list[str] = []
    for record in evidence.tried("mask", _only(1)).records:
        asked = re.match(r"widest:\s*(\d+)$", record.layers.strip())
        if asked is None or record.model not in wiring:
            continue
        available = convs_in(wiring[record.model], [1])
        if int(asked[1]) <= available:
            continue
        pruned = sum(step.status == "pruned" for step in record.steps)
        took_all = took_all and pruned == len(record.steps) == available
        decided.append(record)
        told.append(f"asked for {asked[1]}, block 1 holds {available}, {pruned} pruned")
    if not decided:
        return undecided("a masked plan that asks for more layers than block 1 holds")
    verdict = Verdict.CONFIRMED if took_all else Verdict.REFUTED
    return Ruling(verdict, f"{capital('; '.join(dict.fromkeys(told)))}.", tuple(decided))


def _no_layer_fails(evidence: Evidence) -> Ruling:
    empty = [
        record
        for record in evidence.records
        if record.blocks == (1,) and not record.steps and record.execution in ("mask", "local")
    ]
    if not empty:
        return undecided("a plan for a model whose block 1 holds no Conv2d")
    clear = [record for record in empty if record.verdict == "refused" and record.reasons]
    if len(clear) < len(empty):
        return Ruling(Verdict.REFUTED, "The plan was not refused with a message.", tuple(empty))
    return Ruling(Verdict.CONFIRMED, f"The plan is refused: {text(clear[0].reasons[0]).rstrip('.')}.", tuple(empty))


def _zeroing_breaks(evidence: Evidence) -> Ruling:
    mask = evidence.tried("mask")
    if not mask.records:
        return undecided("a masked plan")
    same = [record for record in mask.records if record.metrics.params_before == record.metrics.params_after]
    steps = sum(len(record.steps) for record in mask.records)
    words = (
        f"{many(steps, 'masked step')} in {many(len(mask.records), 'plan')}: the architecture stayed as it was in "
        f"{of(len(same), len(mask.records))} plans, and {len(mask.broke)} broke. Unchanged shapes are why they fit"
    )
    if mask.broke:
        return Ruling(Verdict.CONFIRMED, f"{words.partition(' Unchanged')[0]}", mask.records)
    return Ruling(Verdict.REFUTED, f"{words}, not why they fail.", mask.records)


def _expects_kept(evidence: Evidence) -> Ruling:
    """An operator that wants as many channels as were kept and is given all: the direction matters."""
    mask, local = evidence.tried("mask"), evidence.tried("local")
    if not mask.records or not local.records:
        return undecided("masked plans beside local ones")

    def shows(record: Record, *, turned: bool = False) -> bool:
        found = observed_break(record)
        if found is None:
            return False
        seen = (found.got, found.expected) if turned else (found.expected, found.got)
        return any(seen == (str(step.kept), str(step.channels)) for step in record.steps if step.kept < step.channels)

    zeroed = [record for record in mask.broke if shows(record)]
    cut = [record for record in local.broke if shows(record)]
    turned = [record for record in mask.broke + local.broke if shows(record, turned=True)]
    words = (
        f"A reader that expects the kept width and gets the full one was seen in {of(len(zeroed), len(mask.records))} "
        f"masked plans and {of(len(cut), len(local.records))} local ones."
    )
    if turned:
        words += (
            f" It is the other way round: in {of(len(turned), len(mask.broke + local.broke))} plans that broke, the "
            "reader expects the full width and gets the kept one."
        )
    if zeroed and cut:
        verdict = Verdict.CONFIRMED
    elif cut:
        verdict = Verdict.ONLY_LOCAL
    elif zeroed:
        verdict = Verdict.ONLY_MASK
    else:
        verdict = Verdict.REFUTED
    return Ruling(verdict, words, tuple(zeroed + cut) or tuple(turned) or mask.records + local.records)


def _order_matters(evidence: Evidence) -> Ruling:
    pairs = [
        (first, second)
        for first, second in combinations(evidence.executed(_several_blocks), 2)
        if first.order != second.order and _but_for_order(first) == _but_for_order(second)
    ]
    measured = contrast(evidence, "order", order, "back-to-front", "front-to-back")
    if measured is None:
        told_more = "What order does to accuracy was not measured in an experiment."
    else:
        told_more = f"In an experiment, front to back instead of back to front: {measured.words}."
    by_score = Verdict.UNDECIDED if measured is None else measured.matters
    experiments = () if measured is None else measured.experiments
    if not pairs:
        if measured is None:
            return undecided("one plan carried out in two orders")
        return Ruling(by_score, told_more, experiments=experiments)
    differ = [pair for pair in pairs if len({(record.verdict, bool(breaks(record))) for record in pair}) > 1]
    told = []
    for pair in differ or pairs:
        ends = [
            f"{record.order} {record.verdict}"
            + ("" if (after := record.metrics.scores_after) is None else f" ({after.names[0]} {score(after.first)})")
            for record in pair
        ]
        told.append(f"{code(pair[0].execution)}: {', '.join(ends)}")
    verdict = Verdict.CONFIRMED if differ else by_score
    members = [record for pair in differ or pairs for record in pair]
    scenarios = tuple(record for i, record in enumerate(members) if record not in members[:i])
    words = (
        f"Whether it fits differs in {of(len(differ), len(pairs))} pairs of one plan in two orders. {'; '.join(told)}."
    )
    words = " ".join(part for part in (words, _scores_differ(differ or pairs), told_more) if part)
    return Ruling(verdict, words, scenarios, experiments=experiments)


def _scores_differ(pairs: list[tuple[Record, Record]]) -> str:
    scores = [(first(one.metrics.scores_after), first(other.metrics.scores_after)) for one, other in pairs]
    apart = max((abs(one - other) for one, other in scores if one is not None and other is not None), default=0.0)
    if apart < 0.0005:  # below what is printed
        return ""
    return f"Accuracy is not the same in both orders: {first_names(pairs[0])} differs by up to {score(apart)}."


def _but_for_order(record: Record) -> tuple[object, ...]:
    layers = tuple(sorted(step.layer for step in record.steps)) if not breaks(record) else None
    return (
        record.spec,
        record.base_id,
        record.model,
        record.execution,
        record.mask,
        record.activations,
        record.schedule,
        record.criterion,
        record.blocks,
        record.layers,
        record.on_mismatch,
        record.seed,
        layers,
    )


def _where_local_breaks(block: int, claimed: int, wanted: _Wanted, remark: str = "") -> Callable[[Evidence], Ruling]:
    """Rule on "pruning this block breaks that one": what matters is where it breaks, not only that it does."""

    def decide(evidence: Evidence) -> Ruling:
        def asked(record: Record) -> bool:
            return _only(block)(record) and wanted(record)

        mask, local = evidence.tried("mask", asked), evidence.tried("local", asked)
        if not local.records or not mask.records:
            return undecided(f"such plans for block {block} under `mask` and under `local`")
        blocks = broken_blocks(local.records)
        words = capital(f"{fared('local', local)}; {fared('mask', mask)}.")
        scenarios = mask.records + local.records
        if blocks != (claimed,):
            where = f"it breaks in {listing(blocks)}" if blocks else "nothing breaks"
            return Ruling(Verdict.REFUTED, f"{words} Not in block {claimed}: {where}. {remark}".strip(), scenarios)
        return Ruling(Verdict.CONFIRMED if mask.all_broke else Verdict.ONLY_LOCAL, words, scenarios)

    return decide


def _inner_layers(record: Record) -> bool:
    """Layers of a C2f whose channels stay inside the block: not its first two convolutions, ``cv1`` and ``cv2``."""
    return all(".m." in step.layer for step in record.steps)


def _any_of_three(evidence: Evidence) -> Ruling:
    wanted = (1, 2, 3)
    alone = {block: (evidence.tried("mask", _only(block)), evidence.tried("local", _only(block))) for block in wanted}
    missing = [block for block, (mask, local) in alone.items() if not mask.records or not local.records]
    scenarios = tuple(record for mask, local in alone.values() for record in mask.records + local.records)
    if missing:
        return Ruling(
            Verdict.UNDECIDED, f"Needs plans for {listing(missing)} alone under `mask` and under `local`.", scenarios
        )
    told = "; ".join(
        f"block {block} alone: `mask` breaks {of(len(mask.broke), len(mask.records))}, "
        f"`local` {of(len(local.broke), len(local.records))} (in {modules(local.broke) or 'none'})"
        for block, (mask, local) in alone.items()
    )
    verdict = Verdict.REFUTED
    if all(local.all_broke for _, local in alone.values()):
        if all(mask.all_broke for mask, _ in alone.values()):
            verdict = Verdict.CONFIRMED
        elif not any(mask.broke for mask, _ in alone.values()):
            verdict = Verdict.ONLY_LOCAL
    return Ruling(verdict, f"{told[:1].upper()}{told[1:]}.", scenarios)


def _only_independent(evidence: Evidence) -> Ruling:
    """Refuted by any other schedule that carries such a plan out as well."""
    wanted = _only(1, 2, 3)
    masked = evidence.tried("mask", wanted).records
    alone = [record for record in masked if record.schedule == "independent"]
    others = [record for record in masked if record.schedule != "independent"]
    if not alone or not others:
        return undecided("masked plans for blocks 1, 2 and 3 under the independent schedule and under another")
    works = [record for record in others if not breaks(record)]
    ours = [record for record in alone if not breaks(record)]
    words = (
        f"Blocks 1, 2 and 3 masked: {of(len(ours), len(alone))} plans fit under the independent schedule, "
        f"{of(len(works), len(others))} under another."
    )
    verdict = Verdict.CONFIRMED if ours and not works else Verdict.REFUTED
    local = evidence.tried("local", wanted)
    if local.records:
        words += f" {capital(fared('local', local))}."
    measured = contrast(evidence, "schedule", schedule, "sequential", "independent")
    if measured is None:
        words += " What the schedule does to accuracy was not measured in an experiment."
        return Ruling(verdict, words, tuple(alone + others) + local.records)
    words += f" In an experiment, independent instead of sequential: {measured.words}."
    return Ruling(verdict, words, tuple(alone + others) + local.records, experiments=measured.experiments)


def _skipping(record: Record) -> bool:
    return record.on_mismatch == "skip" and record.skipped > 0


def _skips_many(evidence: Evidence) -> Ruling:
    records = evidence.executed(lambda record: record.on_mismatch == "skip")
    if not records:
        return undecided("a plan with `on_mismatch: skip`")
    steps = sum(len(record.steps) for record in records)
    skipped = sum(record.skipped for record in records)
    told = "; ".join(f"{code(record.id)} {of(record.skipped, len(record.steps))}" for record in records)
    verdict = Verdict.CONFIRMED if skipped * 2 > steps else Verdict.REFUTED
    return Ruling(verdict, f"{percent(skipped / steps)} of the layers were skipped: {told}.", records)


def _unpredictable(evidence: Evidence) -> Ruling:
    records = evidence.executed(_skipping)
    compared = [step for record in records for step in record.steps if step.agrees is not None]
    if not compared:
        return undecided("a plan that skips layers and is compared with its prediction")
    right = sum(step.agrees is True for step in compared)
    words = f"Whether a layer would work was predicted right for {of(right, len(compared))} steps, before anything ran."
    return Ruling(Verdict.REFUTED if right == len(compared) else Verdict.CONFIRMED, words, records)


def _five_layers(evidence: Evidence) -> Ruling:
    def asked(record: Record) -> bool:
        return _first_layers(record) and pruned_blocks(record) == {1, 2, 3, 4, 5}

    def complete(records: tuple[Record, ...]) -> list[Record]:
        return [record for record in records if all(step.status == "pruned" for step in record.steps)]

    mask, local = evidence.tried("mask", asked), evidence.tried("local", asked)
    if not mask.records:
        return undecided("a masked plan for the first layer of blocks 1 to 5")
    done, cut = complete(mask.records), complete(local.records)
    words = (
        f"All five first layers were pruned in {of(len(done), len(mask.records))} masked plans and "
        f"{of(len(cut), len(local.records))} local ones."
    )
    scenarios = mask.records + local.records
    if len(done) < len(mask.records):
        return Ruling(Verdict.REFUTED, words, scenarios)
    if not local.records:
        return Ruling(Verdict.UNDECIDED, f"{words} Needs such a plan under `local` as well.", scenarios)
    if local.broke:
        words += f" {capital(fared('local', local))}."
    verdict = Verdict.CONFIRMED if len(cut) == len(local.records) else Verdict.ONLY_MASK
    return Ruling(verdict, words, scenarios)


def _significant(evidence: Evidence) -> Ruling:
    records = tuple(
        record
        for record in evidence.tried("mask", lambda r: _first_layers(r) and len(r.steps) == 5).records
        if record.metrics.params_before and record.metrics.params_after is not None
    )
    if not records:
        return undecided("parameters before and after a masked plan for five first layers")
    cuts = [_cut(record) for record in records]
    best = records[cuts.index(max(cuts))]
    masked = sum(step.channels - step.kept for step in best.steps)
    words = (
        f"{many(masked, 'channel')} masked, "
        f"{change(best.metrics.params_before, best.metrics.params_after)} parameters: "
        f"{'zeros take as much room and time as other numbers' if max(cuts) < 0.01 else 'the model became smaller'}."
    )
    return Ruling(Verdict.CONFIRMED if max(cuts) >= 0.01 else Verdict.REFUTED, words, records)


def _cut(record: Record) -> float:
    before, after = record.metrics.params_before, record.metrics.params_after
    return 0.0 if not before or after is None else 1 - after / before


CLAIMS = (
    Claim(
        "block-1-independent",
        notes.INDEPENDENT,
        "No channel mismatches - Block 1 is truly independent",
        _fits(_only(1)),
    ),
    Claim(
        "block-1-success-rate",
        notes.INDEPENDENT,
        "Total layers attempted: 3 … Successfully pruned: 3 … Success rate: 100.0%",
        _block_1_success,
    ),
    Claim(
        "asked-for-six",
        notes.INDEPENDENT,
        "If layers_to_prune = 6 but Block 1 only has 3 Conv2d layers, the script will: … "
        "Select all 3 layers from Block 1 … Prune them successfully",
        _asked_for_more,
    ),
    Claim("no-block-1-layer", notes.INDEPENDENT, "FAIL if no Block 1 layers available", _no_layer_fails),
    Claim(
        "only-block-1",
        notes.INDEPENDENT,
        "Only Block 1 - Can't prune other blocks",
        _only_works(_only(1), lambda record: 1 not in pruned_blocks(record)),
    ),
    Claim(
        "zeroing-breaks",
        notes.OPTIONS,
        "we get channel mismatch errors because: … Pruning only zeros weights, doesn't change architecture",
        _zeroing_breaks,
    ),
    Claim(
        "first-layers-work",
        notes.OPTIONS,
        "Only prune the first layer (conv_in_block_idx=0) from each block … Works reliably",
        _fits(_first_layers, _unsafe_yet_running),
    ),
    Claim("first-layer-independent", notes.OPTIONS, "Each first layer is independent", _fits(_one_first_layer)),
    Claim(
        "one-layer-per-block",
        notes.OPTIONS,
        "Only prune the first layer … Limited to one layer per block … Can't prune multiple layers within same block",
        _only_works(_first_of_its_block, _second_in_a_block, _sliced_share),
    ),
    Claim("five-layers", notes.OPTIONS, "Result: Prunes 5 layers across 5 different blocks", _five_layers),
    Claim(
        "significant-pruning",
        notes.OPTIONS,
        "5 layers pruned across 5 blocks - This is significant pruning!",
        _significant,
    ),
    Claim("skips-many", notes.OPTIONS, "Skip Problematic Layers … May skip many layers", _skips_many),
    Claim(
        "skip-unpredictable",
        notes.OPTIONS,
        "Skip Problematic Layers … Unpredictable which layers will work",
        _unpredictable,
    ),
    Claim(
        "expects-kept-channels",
        notes.SEQUENTIAL,
        "reducing from 256 to 118 channels by zeroing weights … expected input[1, 256, 22, 32] to have 118 channels, "
        "but got 256 channels instead",
        _expects_kept,
    ),
    Claim(
        "front-to-back",
        notes.SEQUENTIAL,
        "Solution with FRONT-TO-BACK … Result: No channel mismatch errors",
        _fits(lambda record: record.order == "front-to-back" and _several_blocks(record)),
    ),
    Claim("order-matters", notes.SEQUENTIAL, "Why Front-to-Back Order Matters", _order_matters),
    Claim(
        "prune-block-1",
        notes.BLOCKS,
        "Prune Block 1: 64 → 32 channels … Block 2 Conv 0: expects 64 channels, gets 32 channels … "
        "Channel mismatch immediately!",
        _where_local_breaks(1, 2, lambda _: True),
    ),
    Claim(
        "prune-block-2-inside",
        notes.BLOCKS,
        "Prune Block 2's internal layers: 32 → 16 channels … Block 3 expects 64 channels from Block 2's output",
        _where_local_breaks(2, 3, _inner_layers, "An inner layer's channels never leave the block."),
    ),
    Claim(
        "prune-block-3",
        notes.BLOCKS,
        "Block 3 feeds the PAN network (Block 17) … Cannot prune Block 3 first because it feeds the PAN network",
        _where_local_breaks(3, 17, lambda _: True),
    ),
    Claim(
        "any-of-1-2-3",
        notes.BLOCKS,
        "Pruning ANY of Blocks 1, 2, 3 Will Cause Mismatches",
        _any_of_three,
    ),
    Claim(
        "only-independent-schedule",
        notes.BLOCKS,
        "Can You Prune Blocks 1, 2, 3 at All? … Only with Independent Layer Pruning",
        _only_independent,
    ),
    Claim(
        "several-blocks",
        notes.LIMITATION,
        "What We CAN'T Do … Prune layers from multiple blocks (e.g., Block 1, 2, 3)",
        _breaks(_several_blocks),
    ),
)
