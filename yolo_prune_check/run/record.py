"""What is known of one scenario after it ran: plain data, kept as one JSON file each. Imports no torch."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from yolo_prune_check.atomic import written_whole
from yolo_prune_check.errors import UserError
from yolo_prune_check.run.fuzz_record import FuzzRecord
from yolo_prune_check.run.plain import from_plain
from yolo_prune_check.scores import Scores

FORMAT = 3
_AGAIN = "Run the scenario again, or delete the file."

RecordVerdict = Literal["safe", "unsafe", "partial", "refused", "not-started", "stopped"]
StepStatus = Literal["pruned", "predicted", "skipped", "failed"]


@dataclass(frozen=True)
class MismatchRecord:
    """A failing forward pass: the fields of ``channels.prediction.Mismatch``; only a prediction knows the ``path``."""

    module: str
    kind: str
    expected: str
    got: str
    message: str
    path: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class RemovalRecord:
    """Channels of one layer that a repair removes beyond those of the plan."""

    layer: str
    channels: tuple[int, ...]


@dataclass(frozen=True)
class RepairRecord:
    """What makes an unsafe plan safe, as predicted.

    ``message`` says it in words. ``drop`` are the layers whose steps are left out, ``extra`` what is removed besides;
    ``execution`` and ``mask`` are those of the repaired plan.
    """

    message: str
    drop: tuple[str, ...]
    extra: tuple[RemovalRecord, ...]
    execution: str
    mask: str


@dataclass(frozen=True)
class HazardRecord:
    """One hazard; ``remedy`` says what to do about it. ``observed``: seen in execution, not only predicted."""

    code: str
    severity: str
    layer: str
    message: str
    remedy: str
    observed: bool = False


@dataclass(frozen=True)
class EdgeRecord:
    """One operand of a concat, split or residual operator touched by the plan, predicted beside observed.

    Channel counts are physical widths; active counts are channels whose values are not all zero. ``None`` where
    execution broke before the operator was reached.
    """

    operator: str
    kind: str
    port: str
    producers: tuple[str, ...]
    before: int
    active_before: int
    predicted: int | None
    predicted_active: int | None
    observed: int | None
    observed_active: int | None
    agrees: bool


@dataclass(frozen=True)
class CheckRecord:
    """A row of the proof, or of the checks of the saved file: the fields of ``confirm.check.Check``.

    An infinite error is None, which ``detail`` says: JSON has no such number.
    """

    name: str
    passed: bool | None
    error: float | None = None
    detail: str = ""

    @classmethod
    def of(cls, name: str, passed: bool | None, error: float | None, detail: str) -> CheckRecord:
        """A row, its error as JSON can hold it."""
        if error is None or math.isfinite(error):
            return cls(name, passed, error, detail)
        return cls(name, passed, None, f"{detail}; the error is infinite" if detail else "the error is infinite")


@dataclass(frozen=True)
class StepRecord:
    """One step as it was chosen, predicted, carried out and measured.

    ``weight_norm_count`` counts filters with a weight above 1e-6 (what the field notes count); ``active`` counts
    channels whose observed output is not identically zero. ``regrown`` counts the filters, of all steps so far, that
    were non-zero again after this step's fine-tuning. ``repair`` is of the plan up to and with this step, where that is
    predicted to be unsafe. Under ``group`` ``keep`` is what the layer keeps in the end: ``added`` are the channels that
    went with those of the step, being tied to them, ``returned`` those that stayed for symmetry or to round widths, as
    ``layer[start:stop]``. ``kept`` equals ``channels`` for a step that stopped before its channels were chosen.
    """

    index: int
    layer: str
    address: str
    block: int
    block_type: str
    channels: int
    kept: int
    keep: tuple[int, ...]
    criterion: str
    status: StepStatus
    reason: str | None = None
    weight_norm_count: int | None = None
    active: int | None = None
    predicted_active: int | None = None
    predicted: str = ""
    observed: str = ""
    predicted_failure: MismatchRecord | None = None
    observed_failure: MismatchRecord | None = None
    repair: RepairRecord | None = None
    added: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    agrees: bool | None = None
    differences: tuple[str, ...] = ()
    scores_pruned: Scores | None = None
    scores_tuned: Scores | None = None
    regrown: int | None = None
    selection: dict[str, Any] = field(default_factory=dict)
    checkpoint: str | None = None

    @property
    def untrained(self) -> bool:
        """Whether the pruned model runs, and its training or measurement failed."""
        return self.status == "failed" and self.weight_norm_count is not None and self.observed_failure is None


@dataclass(frozen=True)
class MetricsRecord:
    """Cost and benefit of the whole plan. Scores on the val split, ``None`` when the scenario names no data.

    ``params`` are parameters; ``macs`` multiply-accumulates of one image at ``imgsz`` as torchinfo counts them.
    ``channels``/``active`` sum over the pruned layers.
    """

    scores_before: Scores | None = None
    scores_after: Scores | None = None
    params_before: int | None = None
    params_after: int | None = None
    macs_before: int | None = None
    macs_after: int | None = None
    predicted_params: int | None = None
    predicted_macs: int | None = None
    channels: int = 0
    active: int | None = None
    weight_norm_count: int | None = None
    latency: LatencyRecord | None = None

    @property
    def blind(self) -> bool:
        """Whether the untouched model knows so little of the data that a loss means nothing."""
        return self.scores_before is not None and self.scores_before.blind


@dataclass(frozen=True)
class LatencyRecord:
    """Milliseconds through the untouched and the final model, medians of alternating runs: of this machine alone."""

    dense_ms: float
    pruned_ms: float
    batch: int
    runs: int
    threads: int
    device: str

    @property
    def ratio(self) -> float:
        """The final model's time over the untouched one's: below 1 is faster."""
        return self.pruned_ms / self.dense_ms


@dataclass(frozen=True)
class BlockFacts:
    """What was measured of one block of the scenario's untouched model.

    ``sequential_failure`` is the first line of the error that an ``nn.Sequential`` over the preceding blocks and
    this block's convolutions raises (the field notes' ``sliced_block``); None when it runs. ``depends_on`` are all
    blocks from which data flows into this one, ``reaches`` all blocks into which its data flows. ``from_`` are block
    indices, -1 being the image; ``convs`` are ``(out, in, kernel)``.
    """

    index: int
    type: str
    from_: tuple[int, ...]
    feeds: tuple[int, ...]
    depends_on: tuple[int, ...]
    reaches: tuple[int, ...]
    in_channels: int | None
    out_channels: int | None
    convs: tuple[tuple[int, int, int], ...]
    sequential_failure: str | None = None


@dataclass(frozen=True)
class ModelFacts:
    """Structural measurements of the scenario's untouched model; the claims page is decided by them."""

    blocks: tuple[BlockFacts, ...] = ()
    sequential_mutable: bool | None = None
    conv_resizable: bool | None = None


@dataclass(frozen=True)
class Record:
    """One scenario's outcome.

    Attributes:
        verdict: ``safe``, ``unsafe``, ``partial`` (some steps were skipped), ``refused`` (bad input, as the scenario
            expects), ``not-started`` (bad input, which nobody expected) or ``stopped`` (it exceeded a limit of time or
            memory, or its process died). Of random plans ``safe`` says that no prediction was refuted; one that was
            makes it ``unsafe``.
        reasons: Why, one sentence each.
        passed: Whether the verdict and every budget in ``expect`` hold and no prediction was refuted.
        failures: Why not, one sentence each.
        agrees: Whether every prediction was confirmed; None when nothing was executed.
        unjudged: Names of the budgets that nothing was said about, because only an execution can tell.
        fuzz: What came of random plans; None for a scenario that is a plan itself.
        deploy: What can be done with the saved file where this package is not; of execution ``group``.
        proof: Whether the final model computes what the masked one does, where layers were made narrower.
        imgsz: Image size in pixels; None where none was named and the model, whose own it is, was never loaded.
        selected: How the channels of each step were chosen, in words; of a plan that is written out, the plan itself.
        device: Where the model was trained, measured and timed: ``cpu``, or the numbers of GPUs such as ``0,1``.
        val_part: The part of the val images that was measured on, such as ``1/2``; None for all.
        measure: ``each``: scores before, and after each step; ``last``: before, and after the last step alone.
        rerun: Command that reproduces the record.
    """

    suite: str
    spec: str
    id: str
    base_id: str
    why: str
    model: str
    data: str | None
    imgsz: int | None
    execution: str
    mask: str
    schedule: str
    order: str
    activations: str
    on_mismatch: str
    criterion: str
    selected: str
    seed: int
    verdict: RecordVerdict
    reasons: tuple[str, ...]
    passed: bool
    failures: tuple[str, ...]
    agrees: bool | None
    expected: str
    rerun: str
    axes: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    blocks: tuple[int, ...] | None = None
    layers: str = ""
    fine_tune: str | None = None
    notes: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    edges: tuple[EdgeRecord, ...] = ()
    hazards: tuple[HazardRecord, ...] = ()
    metrics: MetricsRecord = field(default_factory=MetricsRecord)
    facts: ModelFacts = field(default_factory=ModelFacts)
    fuzz: FuzzRecord | None = None
    proof: tuple[CheckRecord, ...] = ()
    deploy: tuple[CheckRecord, ...] = ()
    extend: bool = True
    round_to: int | None = None
    device: str = "cpu"
    checkpoint: str | None = None
    val_part: str | None = None
    measure: str = "each"
    format: int = FORMAT

    @property
    def skipped(self) -> int:
        """Number of steps that were skipped."""
        return sum(step.status == "skipped" for step in self.steps)


def not_started(record: Record, message: str) -> Record:
    """The record of the same scenario once it cannot be started any more: nothing that was known of it holds.

    Args:
        record: What an earlier version of the spec gave.
        message: What is wrong with the input.
    """
    return dataclasses.replace(
        record,
        verdict="not-started",
        reasons=(message,),
        passed=False,
        failures=(message,),
        agrees=None,
        notes=(),
        unjudged=(),
        steps=(),
        edges=(),
        hazards=(),
        metrics=MetricsRecord(),
        facts=ModelFacts(),
        fuzz=None,
        proof=(),
        deploy=(),
        checkpoint=None,
    )


def write_record(record: Record, path: Path) -> None:
    """Write a record as JSON, atomically: readers see the old file or the whole new one."""
    text = json.dumps(dataclasses.asdict(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text)


def write_atomically(path: Path, text: str) -> None:
    """Write text so that a killed process leaves the old file or the whole new one."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8"))


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        UserError: The file is no record, or one of another format.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"cannot read the record ({error})", where=str(path), hint=_AGAIN) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise UserError("record of another format", where=str(path), value=found, hint="Run the scenario again.")
    try:
        record: Record = from_plain(Record, data)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise UserError(f"damaged record ({error})", where=str(path), hint=_AGAIN) from error
    return record
