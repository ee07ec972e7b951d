"""What the channel graph says will happen: verdict, failure, hazards, channel counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from yolo_prune_check.channels.plan import Execution, Plan

if TYPE_CHECKING:
    from yolo_prune_check.channels.provenance import ChannelRange

Severity = Literal["error", "warning"]
Verdict = Literal["safe", "unsafe"]
EdgeKind = Literal[
    "direct",
    "split",
    "concat",
    "residual",
    "depthwise",
    "pool",
    "upsample",
    "linear",
    "attention",
    "head",
    "frozen",
]
MismatchKind = Literal[
    "direct", "depthwise", "residual", "concat", "split", "view", "norm", "elementwise", "linear", "pool", "unread"
]


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
        "an add or product silently broadcasts one channel over all of its partner's",
        "Keep the same channels on both sides, or drop the step.",
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
    "revived-by-norm": HazardKind(
        "warning",
        "masked channels speak again behind a norm that is not the layer's own, which adds its shift to them",
        "Carry the plan out with execution `group` if they are to go, which takes a batch norm's entries as well.",
    ),
    "rebuilt-by-trainer": HazardKind(
        "error",
        "the trainer rebuilt the unpruned network from its YAML",
        "Train with this package's trainer, which trains the very module it is given.",
    ),
    "no-op": HazardKind("error", "the plan changes nothing", "Keep fewer channels in at least one layer."),
    "kept-for-symmetry": HazardKind(
        "warning",
        "channels that the plan removes stay, because pieces of a split, heads or conv groups must stay equal",
        "Remove equally many from each of them: `inspect` lists what must stay equal.",
    ),
    "partial-group": HazardKind(
        "error",
        "the plan names some channels of a dependency group, not all, and is not to be extended",
        "Name the others as well, or let the plan be extended: `extend: true`.",
    ),
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
        kind: Kind of the edge that breaks; ``unread`` of an observation only, whose words were not understood.
        expected: Channels or elements that the operator needs; of ``residual`` and ``elementwise``, the left operand's.
        got: What it is given; of ``residual`` and ``elementwise``, the right operand's.
        message: First line of PyTorch's error, to the letter, at the traced image size.
        path: How it comes about: the operators from a pruned layer to the one that breaks. Of a prediction only, and
            not compared.
    """

    module: str
    kind: MismatchKind
    expected: str
    got: str
    message: str
    path: tuple[str, ...] = field(default=(), compare=False)


Failing = Callable[[], Mismatch | None]
"""Finds the failure of a plan when it is asked for."""


def runs() -> None:
    """The failure of a plan that has none."""


@dataclass(frozen=True)
class ChannelCount:
    """Channels of one layer: what its weight has, and how many are active.

    Attributes:
        in_channels: Channels that its weight takes.
        out_channels: Channels that its weight makes.
        active_in: Active channels that it is given; None where execution breaks before, and where an operator without
            a rule before hides them.
        active_out: Active channels where it emits; None in the same cases.
        hidden: Whether ``active_out`` is None although execution gets there, for an operator without a rule.
    """

    in_channels: int
    out_channels: int
    active_in: int | None
    active_out: int | None
    hidden: bool = False


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
        active_after: Active channels after the plan; None when execution breaks before this operator, and where an
            operator without a rule before hides them.
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

    In this order: the same steps by the same execution (by ``group`` instead of ``local``), where it takes that with
    further channels, without which all would be kept for symmetry; fewer steps; another execution, which removes
    nothing.

    Attributes:
        plan: The repaired plan. What it names beyond the unsafe plan is taken out of ``keep`` of a step on that layer,
            or, where there is none, stands in further steps at the end.
        drop: Layers of which a step was dropped from it.
        steps: Positions of these steps in the unsafe plan, from 0.
        extra: Under ``group``: all channels that go beyond those that the steps name which are not dropped.
        message: What was changed, in words.
    """

    plan: Plan
    drop: tuple[str, ...]
    steps: tuple[int, ...]
    extra: tuple[ChannelRange, ...]
    message: str


@dataclass(frozen=True)
class Judgement:
    """What takes a run through the operators to find out; attributes as in ``Prediction``."""

    failure: Mismatch | None
    hazards: tuple[Hazard, ...]
    layers: dict[str, ChannelCount]
    edges: tuple[EdgeState, ...]
    shapes: dict[str, tuple[tuple[int, ...], ...]]
    params: int
    macs: int | None
    unknown: str | None
    added: tuple[ChannelRange, ...]
    returned: tuple[ChannelRange, ...]

    @property
    def verdict(self) -> Verdict:
        """``unsafe`` if execution breaks or a hazard of severity error is present, else ``safe``."""
        wrong = self.failure is not None or any(hazard.severity == "error" for hazard in self.hazards)
        return "unsafe" if wrong else "safe"


class Prediction:
    """What a plan will do, known without running the model.

    The verdict is known at once, everything else is worked out when it is first asked for.

    Attributes:
        plan: The plan.
        imgsz: Image size of the trace, in pixels: shapes, MACs and the words of an error depend on it.
        verdict: ``unsafe`` if execution breaks or a hazard of severity error is present, else ``safe``.
    """

    __slots__ = ("_failing", "_failure", "_judge", "_judgement", "_repair", "_repaired", "imgsz", "plan", "verdict")

    def __init__(
        self,
        plan: Plan,
        imgsz: int,
        verdict: Verdict,
        failing: Failing,
        judge: Callable[[Plan], Judgement],
        repair: Callable[[Plan], Repair | None],
    ) -> None:
        """A prediction whose details the given functions find when they are asked for."""
        self.plan = plan
        self.imgsz = imgsz
        self.verdict = verdict
        self._failing = failing
        self._failure: tuple[Mismatch | None] | None = None
        self._judge = judge
        self._repair = repair
        self._judgement: Judgement | None = None
        self._repaired: tuple[Repair | None] | None = None

    @property
    def failure(self) -> Mismatch | None:
        """The first mismatch, or None when every operator fits."""
        if self._failure is None:
            self._failure = (self._failing(),)
        return self._failure[0]

    @property
    def execution(self) -> Execution:
        """How the plan is carried out."""
        return self.plan.execution

    @property
    def judgement(self) -> Judgement:
        """All details but the repair."""
        if self._judgement is None:
            self._judgement = self._judge(self.plan)
        return self._judgement

    @property
    def hazards(self) -> tuple[Hazard, ...]:
        """All hazards found, errors first."""
        return self.judgement.hazards

    @property
    def layers(self) -> dict[str, ChannelCount]:
        """Channels per layer after the plan."""
        return self.judgement.layers

    @property
    def edges(self) -> tuple[EdgeState, ...]:
        """Every concat, split and residual operand."""
        return self.judgement.edges

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], ...]]:
        """Output shapes of every module that returns one tensor, one for each time it runs."""
        return self.judgement.shapes

    @property
    def params(self) -> int:
        """Number of parameters of the pruned model."""
        return self.judgement.params

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one image at the traced size; None when it breaks, or is not known to go on."""
        return self.judgement.macs

    @property
    def unknown(self) -> str | None:
        """Why nothing is known from some operator on, or None; the hazard ``frozen-channel`` says it as well."""
        return self.judgement.unknown

    @property
    def added(self) -> tuple[ChannelRange, ...]:
        """Under ``group``: channels that go beyond those that the steps name; none that stays after all."""
        return self.judgement.added

    @property
    def returned(self) -> tuple[ChannelRange, ...]:
        """Under ``group``: channels that stay although a step names them or ties to one, kept for symmetry."""
        return self.judgement.returned

    @property
    def repair(self) -> Repair | None:
        """For an unsafe plan, the smallest change that makes it safe; None if there is none."""
        if self._repaired is None:
            self._repaired = (self._repair(self.plan) if self.verdict == "unsafe" else None,)
        return self._repaired[0]

    def to_dict(self) -> dict[str, object]:
        """Everything, for JSON."""
        return {"execution": self.execution, "imgsz": self.imgsz} | {name: getattr(self, name) for name in _SHOWN}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prediction):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # compared by contents, which hold dicts

    def __repr__(self) -> str:
        return f"Prediction({self.execution}, {self.verdict}, failure={self.failure!r})"


_SHOWN = (
    "verdict",
    "failure",
    "hazards",
    "layers",
    "edges",
    "shapes",
    "params",
    "macs",
    "unknown",
    "added",
    "returned",
    "repair",
)
