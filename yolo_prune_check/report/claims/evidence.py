"""Questions the claims put to the records: wiring of the models, and how plans of one kind fared."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from yolo_prune_check.report.comparison.matrix import Comparison, comparisons_of
from yolo_prune_check.report.site import EXPERIMENT_TAG, tags_of
from yolo_prune_check.run.record import BlockFacts, MismatchRecord, Record

Blocks = dict[int, BlockFacts]
"""Facts by block index."""

_STOCK = re.compile(r"yolov8[nsmlx](-[\w-]+)?(\.yaml|\.yml|\.pt)?$")


@dataclass(frozen=True)
class Tried:
    """Plans of one kind under one execution, and those of them that broke the network."""

    records: tuple[Record, ...]
    broke: tuple[Record, ...]

    @property
    def fits(self) -> bool:
        """Whether plans were tried and none broke."""
        return bool(self.records) and not self.broke

    @property
    def all_broke(self) -> bool:
        """Whether plans were tried and every one broke."""
        return bool(self.records) and len(self.broke) == len(self.records)


@dataclass(frozen=True)
class Evidence:
    """The records that may decide claims.

    Attributes:
        records: Those of the field notes' own plans.
        experiments: Matrices with the tag of experiments, all of whose scenarios were measured.
    """

    records: tuple[Record, ...]
    experiments: tuple[Comparison, ...] = ()

    @classmethod
    def of(cls, records: Sequence[Record]) -> Evidence:
        """Sort the records, so that their order makes no difference; what did not run to its end says nothing."""
        ended = [record for record in records if record.verdict not in ("not-started", "stopped")]
        ended.sort(key=lambda record: (record.spec, record.id))
        asked, others = (
            [record for record in ended if (EXPERIMENT_TAG in tags_of(record)) is it] for it in (True, False)
        )
        return cls(tuple(others), comparisons_of(asked))

    def wiring(self, size: str = "") -> dict[str, Blocks]:
        """Blocks of each stock-shaped YOLOv8 whose wiring was measured, by model; ``size`` such as ``s`` picks one."""
        found: dict[str, Blocks] = {}
        for record in self.records:
            name = PurePosixPath(record.model.replace("\\", "/")).name
            if _STOCK.match(name) and name.startswith(f"yolov8{size}") and record.facts.blocks:
                found.setdefault(record.model, {block.index: block for block in record.facts.blocks})
        return dict(sorted(found.items()))

    def executed(self, wanted: Callable[[Record], bool] = lambda _: True) -> tuple[Record, ...]:
        """Records of plans that were really carried out, not only predicted, and that answer the question."""
        return tuple(record for record in self.records if record.agrees is not None and record.steps and wanted(record))

    def tried(self, execution: str, wanted: Callable[[Record], bool] = lambda _: True) -> Tried:
        """How plans fared under one execution, sliced activations aside: these break by themselves."""
        records = self.executed(
            lambda record: record.execution == execution and record.activations != "sliced" and wanted(record)
        )
        return Tried(records, tuple(record for record in records if observed_break(record) is not None))


def observed_break(record: Record) -> MismatchRecord | None:
    """The first break that was seen when the plan was carried out."""
    return next((step.observed_failure for step in record.steps if step.observed_failure is not None), None)


def breaks(record: Record) -> tuple[MismatchRecord, ...]:
    """All breaks that were seen."""
    return tuple(step.observed_failure for step in record.steps if step.observed_failure is not None)


def pruned_blocks(record: Record) -> frozenset[int]:
    """Blocks whose layers the plan names; also those that it did not come to, because it broke before."""
    return frozenset(record.blocks or (step.block for step in record.steps))


def several_per_block(record: Record) -> bool:
    """Whether the plan came to several layers of one block."""
    return len({step.layer for step in record.steps}) > len(pruned_blocks(record))


def block_of(module: str) -> int | None:
    """Block in which a module stands.

    >>> block_of("model.2.cv1.conv"), block_of("elsewhere")
    (2, None)
    """
    found = re.match(r"model\.(\d+)(\.|$)", module)
    return int(found[1]) if found else None


def sources(block: BlockFacts) -> tuple[int, ...]:
    """Blocks a block reads; the image, which stands before block 0, is left out."""
    resolved = (index if index >= 0 else block.index + index for index in block.from_)
    return tuple(index for index in resolved if index >= 0)


def channels(conv: tuple[int, int, int]) -> tuple[int, int]:
    """Input and output channels of one entry of ``BlockFacts.convs``, which is (out, in, kernel)."""
    return conv[1], conv[0]


def convs_in(blocks: Blocks, indices: Sequence[int]) -> int:
    """Number of Conv2d in some blocks."""
    return sum(len(blocks[index].convs) for index in indices if index in blocks)
