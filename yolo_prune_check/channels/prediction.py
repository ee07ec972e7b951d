"""What the channel graph says will happen: verdict, failure, hazards, channel counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from yolo_prune_check.channels.plan import Execution, Plan

Severity = Literal["error", "warning"]
Verdict = Literal["safe", "unsafe"]
EdgeKind = Literal["direct", "split", "concat", "residual", "depthwise", "pool", "upsample", "head"]
MismatchKind = Literal["direct", "depthwise", "residual", "concat", "split", "view", "norm", "elementwise", "linear"]


@dataclass(frozen=True)
class HazardKind:
    """One code of hazard: its severity, what it means and what to do about it."""

    severity: Severity
    meaning: str
    remedy: str


HAZARDS: dict[str, HazardKind] = {
    "phantom-channel": HazardKind(
        "error",
        "zeroed filters still emit a constant, because BatchNorm's shift and the activation come after them",
        "Use `mask: silent`, which zeroes the BatchNorm weight and bias as well.",
    ),
    "regrowth": HazardKind(
        "error",
        "masked filters became non-zero again in fine-tuning",
        "Keep `fine_tune.enforce_masks: true`, which re-applies the masks after every optimizer step and in the EMA.",
    ),
    "broadcast-add": HazardKind(
        "error",
        "a residual add silently broadcasts one channel over all of its partner's",
        "Keep the same channels on both sides of the add, or drop the step.",
    ),
    "uneven-split": HazardKind(
        "error",
        "the halves of a chunk hold other channels than they were made for",
        "Keep equally many channels in each half.",
    ),
    "head-output-changed": HazardKind(
        "error",
        "channels that the head decodes (box bins or class scores) are gone",
        "Leave the last convolution of each head branch alone.",
    ),
    "empty-layer": HazardKind("error", "no channel of the layer is kept", "Keep at least one channel."),
    "kept-alive-by-residual": HazardKind(
        "warning",
        "masked channels stay alive behind a residual add, because its other operand feeds them",
        "Mask the same channels of the add's other operand if they are to go.",
    ),
    "rebuilt-by-trainer": HazardKind(
        "error",
        "the trainer rebuilt the unpruned network from its YAML",
        "Train with this package's trainer, which trains the very module it is given.",
    ),
    "no-op": HazardKind("error", "the plan changes nothing", "Keep fewer channels in at least one layer."),
    "stale-attribute": HazardKind(
        "error",
        "a module's width attribute no longer matches its weights",
        "Prune with execution `group`, which keeps width attributes true.",
    ),
    "unaligned-width": HazardKind(
        "warning",
        "the kept width is not a multiple of 8, which many kernels run slower than the next multiple",
        "Round the kept channels up to a multiple of 8.",
    ),
    "frozen-channel": HazardKind(
        "error",
        "channels flow into an operator whose effect on channels is not known",
        "Leave the layer alone.",
    ),
}


@dataclass(frozen=True)
class Hazard:
    """A way in which a plan is, or may be, silently wrong.

    Attributes:
        code: Stable code, a key of ``HAZARDS``.
        severity: ``error`` makes the plan unsafe; ``warning`` does not.
        layer: Qualified name of the pruned layer or of the module where it shows.
        message: One sentence with the numbers.
    """

    code: str
    severity: Severity
    layer: str
    message: str


@dataclass(frozen=True)
class Mismatch:
    """Where a forward pass breaks, and with which words.

    Attributes:
        module: Qualified name of the innermost module whose forward was running.
        kind: Kind of the edge that breaks.
        expected: Channels or elements that the operator needs; of ``residual`` and ``elementwise``, the left operand's.
        got: What it is given; of ``residual`` and ``elementwise``, the right operand's.
        message: First line of PyTorch's error, to the letter, at the traced image size.
    """

    module: str
    kind: MismatchKind
    expected: str
    got: str
    message: str


@dataclass(frozen=True)
class ChannelCount:
    """Channels of one layer: what its weight has, and how many are active (None where execution breaks before)."""

    in_channels: int
    out_channels: int
    active_in: int | None
    active_out: int | None


@dataclass(frozen=True)
class EdgeState:
    """One operand of a concat, split or residual operator (or one output of a split), before and after the plan.

    Attributes:
        operator: ``module:op`` with a counter where a module runs the operator more than once, e.g. ``model.4:cat``.
        kind: ``concat``, ``split`` or ``residual``.
        port: ``in0``, ``in1``, … for operands; ``out0``, … for outputs.
        producers: Layers whose channels arrive here.
        before: Channels on the untouched model.
        after: Channels after the plan; None when execution breaks before this operator.
        active_before: Active channels on the untouched model.
        active_after: Active channels after the plan; None when execution breaks before this operator.
        touched: Whether a pruned layer's channels arrive here.
    """

    operator: str
    kind: EdgeKind
    port: str
    producers: tuple[str, ...]
    before: int
    after: int | None
    active_before: int
    active_after: int | None
    touched: bool


@dataclass(frozen=True)
class Repair:
    """The smallest change that makes an unsafe plan safe.

    Attributes:
        plan: The repaired plan.
        drop: Layers whose step was dropped from it.
        message: What was changed, in words.
    """

    plan: Plan
    drop: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Prediction:
    """What a plan will do, known without running the model.

    Attributes:
        execution: How the plan is carried out.
        imgsz: Image size of the trace, in pixels: shapes, MACs and the words of an error depend on it.
        verdict: ``unsafe`` if execution breaks or a hazard of severity error is present, else ``safe``.
        failure: The first mismatch, or None when every operator fits.
        hazards: All hazards found, errors first.
        layers: Channels per layer after the plan.
        edges: Every concat, split and residual operand.
        shapes: Output shapes of every module that returns one tensor, one for each time it runs.
        params: Number of parameters of the pruned model.
        macs: Multiply-accumulates of one image at the traced size; None when execution breaks.
        repair: For an unsafe plan, the smallest change that makes it safe.
    """

    execution: Execution
    imgsz: int
    verdict: Verdict
    failure: Mismatch | None
    hazards: tuple[Hazard, ...]
    layers: dict[str, ChannelCount]
    edges: tuple[EdgeState, ...]
    shapes: dict[str, tuple[tuple[int, ...], ...]]
    params: int
    macs: int | None
    repair: Repair | None = field(default=None)
