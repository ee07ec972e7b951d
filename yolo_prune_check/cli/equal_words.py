"""Equal blocks in words: short, though an attention may have many heads and a convolution many groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from yolo_prune_check.channels.provenance import ChannelRange
from yolo_prune_check.cli.equal import Block, Equal, companions

_EQUAL = " = "
_TOGETHER = ", "
_SHOWN = 4
"""Terms of a row that are named; of more, the first two and the last."""


def blocks_in_words(blocks: Sequence[Block], joint: str = _EQUAL) -> str:
    """What must stay equal: blocks with ``joint`` between them, ranges of one block with commas."""
    if all(len(block.ranges) == 1 and not block.fixed for block in blocks):
        return joint.join(_short([block.ranges[0] for block in blocks], joint))
    words = [block_in_words(block) for block in blocks]
    if len(words) > _SHOWN:
        words[2:-1] = [f"… {len(words) - 3} more …"]
    return joint.join(words)


def block_in_words(block: Block) -> str:
    """The ranges of a block, and how many entries are counted with them that always stay."""
    terms = _short(block.ranges, _TOGETHER)
    return _TOGETHER.join([*terms, f"{block.fixed} that always stay"] if block.fixed else terms)


def units_in_words(item: Equal, equals: Sequence[Equal]) -> str:
    """What may go as a whole: ``a head, with 64 of model.10.cv1.conv[128:256]``; empty if nothing may."""
    if not item.units:
        return ""
    with_it = " and ".join(f"{count} of {block_in_words(block)}" for count, block in companions(item, equals))
    with_it = f", with {with_it}" if with_it else ""
    return f"a {item.unit}, nothing less{with_it}" if item.only else f"a {item.unit}{with_it}"


def operators_in_words(item: Equal) -> str:
    """The operators that need it, module by module: ``view, reshape in model.10.attn``."""
    modules: dict[str, list[str]] = {}
    for operator in item.operators:
        name, _, module = operator.partition(" in ")
        modules.setdefault(module, []).append(name)
    return "; ".join(f"{', '.join(dict.fromkeys(names))} in {module}" for module, names in modules.items())


def _short(ranges: Sequence[ChannelRange], joint: str) -> list[str]:
    """Ranges as terms: a layer named once for all that follow, and a row of evenly spaced ranges by its ends."""
    terms: list[str] = []
    named = ""
    for run in _runs(ranges):
        words = [f"[{part.start}:{part.stop}]" for part in run]
        if run[0].layer != named:
            named = run[0].layer
            words[0] = f"{named}{words[0]}"
        if len(words) >= _SHOWN:
            words[2:-1] = ["…"]
            if joint == _TOGETHER:
                words[2:] = [" ".join(words[2:])]
        terms += words
    return terms


def _runs(ranges: Sequence[ChannelRange]) -> Iterator[list[ChannelRange]]:
    """Ranges of one layer that are equally long and lie evenly apart."""
    run: list[ChannelRange] = []
    for part in ranges:
        if run and not _goes_on(run, part):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


def _goes_on(run: Sequence[ChannelRange], part: ChannelRange) -> bool:
    last = run[-1]
    if part.layer != last.layer or part.stop - part.start != last.stop - last.start:
        return False
    return len(run) == 1 or part.start - last.start == last.start - run[-2].start
