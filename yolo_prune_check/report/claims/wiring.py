"""Claims about how YOLOv8 is built: decided by the measured wiring of the untouched models."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from yolo_prune_check.report.claims import notes
from yolo_prune_check.report.claims.deciding import by_wiring, fared, listing, per_model
from yolo_prune_check.report.claims.evidence import Blocks, Evidence, channels, convs_in, pruned_blocks, sources
from yolo_prune_check.report.claims.ruling import Claim, Ruling, Verdict, undecided
from yolo_prune_check.report.markdown import code
from yolo_prune_check.run.record import BlockFacts, Record

_FIRST_FIVE = (1, 2, 3, 4, 5)
_SMALL = "on YOLOv8s"


def _shape(block: BlockFacts) -> str:
    return f"block {block.index} is a {block.type} with {block.in_channels} → {block.out_channels} channels"


def _is(block: BlockFacts, kind: str, inputs: int, outputs: int) -> bool:
    return (block.type, block.in_channels, block.out_channels) == (kind, inputs, outputs)


def _reads(block: BlockFacts) -> str:
    return f"block {block.index} ({block.type}) reads {listing(sources(block))}"


def _feeds(block: BlockFacts) -> str:
    return f"block {block.index} ({block.type}) feeds {listing(block.feeds)}"


def _first_block(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        [1],
        lambda blocks: not blocks[1].depends_on,
        lambda blocks: f"block 1 depends on {listing(blocks[1].depends_on)}",
    )


def _no_dependencies(evidence: Evidence) -> Ruling:
    local = evidence.tried("local", lambda record: pruned_blocks(record) == {1})
    ruling = by_wiring(
        evidence,
        [1],
        lambda blocks: not blocks[1].depends_on and not local.broke,
        lambda blocks: f"block 1 depends on {listing(blocks[1].depends_on)} and feeds {listing(blocks[1].feeds)}",
    )
    if ruling.verdict is Verdict.UNDECIDED:
        return ruling
    words = f"{ruling.evidence} With only block 1 pruned, {fared('local', local)}."
    return Ruling(ruling.verdict, words, local.records, ruling.models)


def _block_1_convs(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        [1],
        lambda blocks: convs_in(blocks, [1]) == 3,
        lambda blocks: f"block 1 holds {convs_in(blocks, [1])} Conv2d",
    )


def _several_in_block_1(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        [1],
        lambda blocks: convs_in(blocks, [1]) > 1,
        lambda blocks: f"block 1 holds {convs_in(blocks, [1])} Conv2d, and several would be needed",
    )


def _block_1_not_pan(evidence: Evidence) -> Ruling:
    def joins(blocks: Blocks) -> list[int]:
        return [index for index in blocks[1].feeds if index in blocks and blocks[index].type == "Concat"]

    return by_wiring(
        evidence,
        [1],
        lambda blocks: not joins(blocks),
        lambda blocks: (
            f"block 1 feeds {listing(blocks[1].feeds)}, {len(joins(blocks)) or 'no'} Concat among them; indirectly "
            f"its data reaches {len(blocks[1].reaches)} blocks"
        ),
    )


def _nothing_before_block_1(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        [1],
        lambda blocks: not any(index < 1 for index in blocks),
        lambda blocks: (
            f"`detection_model[:1]` holds {listing([index for index in blocks if index < 1])}, and block 1 reads "
            f"{listing(sources(blocks[1]))}"
        ),
    )


def _forty_five(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        _FIRST_FIVE,
        lambda blocks: convs_in(blocks, _FIRST_FIVE) == 45,
        lambda blocks: (
            f"blocks 1 to 5 hold {convs_in(blocks, _FIRST_FIVE)} Conv2d "
            f"({' + '.join(str(len(blocks[index].convs)) for index in _FIRST_FIVE)})"
        ),
    )


def _five_before_four(evidence: Evidence) -> Ruling:
    def turned(record: Record) -> bool:
        return record.order == "back-to-front" and {4, 5} <= pruned_blocks(record)

    mask = evidence.tried("mask", turned)
    ruling = by_wiring(
        evidence,
        [4, 5],
        lambda blocks: 5 in blocks[4].depends_on and not mask.fits,
        lambda blocks: (
            f"block 4 depends on {listing(blocks[4].depends_on)}; block 5 "
            f"{'is among them' if 5 in blocks[4].depends_on else 'comes after it and is none of them'}"
        ),
    )
    if ruling.verdict is Verdict.UNDECIDED:
        return ruling
    local = evidence.tried("local", turned)
    words = f"{ruling.evidence} Back to front, {fared('mask', mask)}; {fared('local', local)}."
    return Ruling(ruling.verdict, words, mask.records + local.records, ruling.models)


def _block_1_shape(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence, [1], lambda blocks: _is(blocks[1], "Conv", 32, 64), lambda blocks: _shape(blocks[1]), size="s"
    )


def _block_2_shape(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence, [2], lambda blocks: _is(blocks[2], "C2f", 64, 32), lambda blocks: _shape(blocks[2]), size="s"
    )


def _block_2_convs(evidence: Evidence) -> Ruling:
    noted = [(64, 64), (96, 64), (32, 32), (32, 32)]
    return by_wiring(
        evidence,
        [2],
        lambda blocks: [channels(conv) for conv in blocks[2].convs] == noted,
        lambda blocks: (
            "in → out channels of block 2's Conv2d: "
            + ", ".join(f"{inputs} → {outputs}" for inputs, outputs in map(channels, blocks[2].convs))
        ),
        size="s",
    )


def _ninety_six(evidence: Evidence) -> Ruling:
    def inputs(blocks: Blocks) -> int | None:
        return channels(blocks[2].convs[1])[0] if len(blocks[2].convs) > 1 else None

    def tell(blocks: Blocks) -> str:
        words = f"Conv 1 of block 2 takes {inputs(blocks)} channels, block 1 gives {blocks[1].out_channels}"
        if blocks[2].in_channels == blocks[1].out_channels:
            words += (
                ". The numbers differ without any mismatch: Conv 1 reads the concat inside the block, not block 1, "
                f"and block 2 itself takes {blocks[2].in_channels}"
            )
        return words

    return by_wiring(
        evidence,
        [1, 2],
        lambda blocks: inputs(blocks) == 96 and blocks[1].out_channels == 64,
        tell,
        size="s",
    )


def _block_2_concat(evidence: Evidence) -> Ruling:
    inside = [record for record in evidence.records if 2 in pruned_blocks(record) and record.edges]
    if not inside:
        return undecided("a plan that prunes block 2 and lists the edges it touches")
    joins = sorted(
        {edge.operator for record in inside for edge in record.edges if _concat_in_block_2(edge.operator, edge.kind)}
    )
    found = f"the trace finds {', '.join(code(name) for name in joins)}" if joins else "the trace finds no concat there"
    chosen = [record for record in inside if any(_concat_in_block_2(edge.operator, edge.kind) for edge in record.edges)]
    return Ruling(
        Verdict.CONFIRMED if joins else Verdict.REFUTED, f"{found[:1].upper()}{found[1:]}.", tuple(chosen or inside)[:3]
    )


def _concat_in_block_2(operator: str, kind: str) -> bool:
    return kind == "concat" and operator.partition(":")[0] == "model.2"


def _three_to_seventeen(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        [3, 17],
        lambda blocks: 17 in blocks[3].feeds,
        lambda blocks: f"{_feeds(blocks[3])}; {_reads(blocks[17])}",
    )


def _seventeen_joins(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence, [17], lambda blocks: set(sources(blocks[17])) == {3, 15}, lambda blocks: _reads(blocks[17])
    )


def _cascade(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        [2, 5],
        lambda blocks: 2 in blocks[5].reaches,
        lambda blocks: (
            f"data of block 5 reaches {len(blocks[5].reaches)} blocks, block 2 "
            f"{'among them' if 2 in blocks[5].reaches else 'is not one of them'}; block 2 depends on "
            f"{listing(blocks[2].depends_on)}"
        ),
    )


def _cascade_path(evidence: Evidence) -> Ruling:
    path = (5, 6, 14, 4, 2)
    steps = list(pairwise(path))
    return by_wiring(
        evidence,
        path[:-1],
        lambda blocks: all(target in blocks[source].feeds for source, target in steps),
        lambda blocks: "; ".join(_feeds(blocks[index]) for index in path[:-1]),
    )


def _two_feeds_three(evidence: Evidence) -> Ruling:
    return by_wiring(evidence, [2, 3], lambda blocks: 3 in blocks[2].feeds, lambda blocks: _feeds(blocks[2]))


def _chain(evidence: Evidence) -> Ruling:
    return by_wiring(
        evidence,
        (0, *_FIRST_FIVE),
        lambda blocks: all(index + 1 in blocks[index].feeds for index in range(5)),
        lambda blocks: "; ".join(f"{index} feeds {listing(blocks[index].feeds)}" for index in range(5)),
    )


def _sliced_without_pruning(evidence: Evidence) -> Ruling:
    wiring = {
        model: blocks for model, blocks in evidence.wiring().items() if any(index in blocks for index in _FIRST_FIVE)
    }
    if not wiring:
        return undecided("the notes' `sliced_block` run on an untouched model")
    failing = {
        model: [blocks[index] for index in _FIRST_FIVE if index in blocks and blocks[index].sequential_failure]
        for model, blocks in wiring.items()
    }
    if any(failing.values()):

        def tell(blocks: Blocks) -> str:
            bad = [blocks[index] for index in _FIRST_FIVE if index in blocks and blocks[index].sequential_failure]
            if not bad:
                return "the notes' `sliced_block` runs on the untouched model"
            return (
                f"on the untouched model the notes' `sliced_block` already fails for "
                f"{listing([block.index for block in bad])}: {code(bad[0].sequential_failure or '')}"
            )

        return Ruling(Verdict.REFUTED, per_model(wiring, tell), models=tuple(wiring))
    sliced = evidence.executed(lambda record: record.activations == "sliced")
    broke = tuple(record for record in sliced if any(step.observed_failure is not None for step in record.steps))
    if not broke:
        return undecided("a plan whose sliced activations break")
    return Ruling(
        Verdict.CONFIRMED,
        f"The `sliced_block` of the untouched model runs; it broke in {len(broke)} plans after pruning.",
        broke,
        tuple(wiring),
    )


def _immutable(evidence: Evidence) -> Ruling:
    return _torch_fact(
        evidence,
        lambda record: record.facts.sequential_mutable,
        "a module of an `nn.Sequential` was replaced and the container ran with it",
        "replacing a module of an `nn.Sequential` had no effect",
    )


def _fixed_size(evidence: Evidence) -> Ruling:
    return _torch_fact(
        evidence,
        lambda record: record.facts.conv_resizable,
        "a `Conv2d` was given a narrower weight in place and ran with it",
        "a `Conv2d` did not run with a narrower weight",
    )


def _torch_fact(evidence: Evidence, ask: Callable[[Record], bool | None], able: str, unable: str) -> Ruling:
    measured = [record for record in evidence.records if ask(record) is not None]
    if not measured:
        return undecided("the measurement, made with every scenario that is run")
    possible = [record for record in measured if ask(record)]
    words = f"Tried: {able}." if possible else f"Tried: {unable}."
    return Ruling(
        Verdict.REFUTED if possible else Verdict.CONFIRMED,
        words,
        models=tuple(sorted({record.model for record in measured})),
    )


CLAIMS = (
    Claim("block-1-is-first", notes.INDEPENDENT, "Block 1 is the first block", _first_block),
    Claim(
        "block-1-no-dependencies", notes.INDEPENDENT, "Block 1 has no dependencies on other blocks", _no_dependencies
    ),
    Claim("block-1-three-convs", notes.INDEPENDENT, "Block 1 only has 3 Conv2d layers", _block_1_convs),
    Claim("block-1-not-pan", notes.INDEPENDENT, "Block 1 doesn't feed the PAN network", _block_1_not_pan),
    Claim(
        "nothing-before-block-1",
        notes.INDEPENDENT,
        "For Block 1 layers, sliced_block = detection_model[:1] … blocks_up_to = [] (empty, no previous blocks)",
        _nothing_before_block_1,
    ),
    Claim("forty-five-convs", notes.SEQUENTIAL, "Found 45 Conv2d layers in blocks 1-5", _forty_five),
    Claim(
        "back-to-front-cause",
        notes.SEQUENTIAL,
        "Problem with BACK-TO-FRONT … Try to prune Block 4: Still expects original 256 channels from Block 5 … "
        "Result: Channel mismatch error",
        _five_before_four,
    ),
    Claim(
        "block-1-shape",
        notes.BLOCKS,
        "Block | Type | Input Ch | Output Ch … Block 1 | Conv | 32 | 64",
        _block_1_shape,
        about=_SMALL,
    ),
    Claim(
        "block-2-shape",
        notes.BLOCKS,
        "Block | Type | Input Ch | Output Ch … Block 2 | C2f | 64 | 32",
        _block_2_shape,
        about=_SMALL,
    ),
    Claim(
        "block-2-convs",
        notes.BLOCKS,
        "Conv 0: [out=64, in=64 … Conv 1: [out=64, in=96 … Conv 2: [out=32, in=32 … Conv 3: [out=32, in=32",
        _block_2_convs,
        about=_SMALL,
    ),
    Claim(
        "block-2-ninety-six",
        notes.BLOCKS,
        "Conv 1 expects 96 input channels but previous block outputs only 64 channels",
        _ninety_six,
        about=_SMALL,
    ),
    Claim("block-2-concat", notes.BLOCKS, "Block 2 has internal concatenation", _block_2_concat),
    Claim(
        "block-3-in-block-17",
        notes.BLOCKS,
        "Block 3 | Conv | 64 | 128 | Used in PAN Block 17 (Concat)",
        _three_to_seventeen,
    ),
    Claim("block-17-inputs", notes.BLOCKS, "Block 17 (Concat): Combines [Block 3, Block 15]", _seventeen_joins),
    Claim("block-2-feeds-3", notes.BLOCKS, "Block 2's output feeds Block 3 directly", _two_feeds_three),
    Claim("block-5-cascade", notes.BLOCKS, "Block 5 affects Block 2 indirectly through PAN cascade", _cascade),
    Claim(
        "block-5-path",
        notes.BLOCKS,
        "Long propagation path: Block 5 → Block 6 → Block 14 → Block 4 → Block 2",
        _cascade_path,
    ),
    Claim("chain", notes.LIMITATION, "Block 0 → Block 1 → Block 2 → Block 3 → Block 4 → Block 5", _chain),
    Claim(
        "sliced-block-cause",
        notes.LIMITATION,
        "If Block 1 was pruned earlier, its channels are now reduced … "
        "But sliced_block still expects the original architecture",
        _sliced_without_pruning,
    ),
    Claim("sequential-immutable", notes.LIMITATION, "PyTorch nn.Sequential is immutable", _immutable),
    Claim("conv-fixed", notes.LIMITATION, "Can't resize Conv2d layers dynamically", _fixed_size),
    Claim(
        "several-layers-of-block-1",
        notes.LIMITATION,
        "What We CAN Do … Prune multiple independent layers from Block 1 only",
        _several_in_block_1,
    ),
)
