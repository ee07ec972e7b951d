"""The words a newcomer would have to ask about; each page explains those that occur on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from yolo_prune_check.report.markdown import fold
from yolo_prune_check.report.measures import measure_of
from yolo_prune_check.report.tally import phantoms
from yolo_prune_check.run.record import Record
from yolo_prune_check.scores import Accuracy, MeanAveragePrecision

_Occurs = Callable[[Record], bool]


def _always(_: Record) -> bool:
    return True


def _hazard(code: str) -> _Occurs:
    return lambda record: any(hazard.code == code for hazard in record.hazards)


def _execution(name: str) -> _Occurs:
    """Carried out so, or random plans of which some were."""

    def occurs(record: Record) -> bool:
        rows = record.fuzz.rows if record.fuzz is not None else ()
        return record.execution == name or any(row.execution.partition(":")[0] == name for row in rows)

    return occurs


_WORDS: tuple[tuple[str, str, _Occurs], ...] = (
    (
        "layer, address",
        "one `Conv2d`; address `2.0` is the first `Conv2d` of block 2, a block being one entry of the model's list",
        _always,
    ),
    ("active channel", "an output channel whose values are not all zero when the model runs", _always),
    (
        "non-zero filters",
        "filters with a weight above 1e-6; not the same as active channels, because BatchNorm's shift comes after them",
        _execution("mask"),
    ),
    (
        "phantom channel",
        "a channel whose filter was zeroed but which still emits a constant",
        lambda record: (
            (record.execution == "mask" and any(map(phantoms, record.steps))) or _hazard("phantom-channel")(record)
        ),
    ),
    (
        "regrowth",
        "filters that were zeroed become non-zero again in fine-tuning",
        lambda record: any(step.regrown for step in record.steps) or _hazard("regrowth")(record),
    ),
    ("`mask`", "channels are set to zero, every shape stays", _execution("mask")),
    (
        "`local`",
        "one layer and its BatchNorm are made narrower and nothing else, which breaks whatever reads them",
        _execution("local"),
    ),
    (
        "`group`",
        "a channel is removed everywhere it is used, so that a smaller model comes out",
        _execution("group"),
    ),
    (
        "`adapter`",
        "the layer is made narrower and its channels are put back to their places with zeros between; to load the file "
        "takes this package",
        _execution("adapter"),
    ),
    (
        "`sliced`",
        "activations taken from an `nn.Sequential` over the blocks before and the block's own children",
        lambda record: record.activations == "sliced",
    ),
    (
        "concat, split, residual edge",
        "where channels of several layers are joined, cut apart (C2f) or added",
        lambda record: bool(record.edges),
    ),
    (
        "predicted, observed",
        "what the channel graph said before anything ran, and what happened when the pruned model was run",
        _always,
    ),
    (
        "random plan",
        "a plan drawn from a seed: layers, kept channels and execution at random, valid or not; it tries this tool",
        lambda record: record.fuzz is not None,
    ),
    (
        "limit",
        "time or memory that a scenario may take, as its spec says; one that takes more is stopped",
        lambda record: record.verdict == "stopped",
    ),
    (
        "mAP50, mAP50-95",
        "detection quality on the validation images, from 0 to 1, more is better",
        lambda record: measure_of(record) is MeanAveragePrecision,
    ),
    (
        "top-1, top-5 accuracy",
        "share of the validation images whose class is the classifier's first guess, or among its first five",
        lambda record: measure_of(record) is Accuracy,
    ),
    ("MACs", "multiply-accumulates for one image; FLOPs are about twice as many", _always),
)


def glossary(records: Sequence[Record]) -> str:
    """The words that occur on a page with these records, folded."""
    lines = [f"- **{word}**: {means}." for word, means, occurs in _WORDS if any(occurs(record) for record in records)]
    return fold("Words used here", "\n".join(lines))
