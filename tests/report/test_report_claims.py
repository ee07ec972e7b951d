"""Every claim of the field notes is decided by records, and by nothing else: other records, another verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.matrices import matrix
from tests.report.scored import precision
from yolo_prune_check.report import write_reports
from yolo_prune_check.report.claims import CLAIMS, Evidence, Ruling, Verdict, count_verdicts, decide_all
from yolo_prune_check.report.claims.contrasts import contrast, order
from yolo_prune_check.report.claims.evidence import Tried, block_of, sources
from yolo_prune_check.run.record import CheckRecord, LatencyRecord, MetricsRecord, Record, StepRecord

if TYPE_CHECKING:
    from tests.report.conftest import Build

YES, NO = Verdict.CONFIRMED, Verdict.REFUTED
MASK, LOCAL, OPEN = Verdict.ONLY_MASK, Verdict.ONLY_LOCAL, Verdict.UNDECIDED

SEEDS = ("0", "1", "2")
FIRST = {1: "model.1.conv", 2: "model.2.cv1.conv", 3: "model.3.conv", 4: "model.4.cv1.conv", 5: "model.5.conv"}


class Lab:
    """Short words for the records that the table below sets against each claim."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self._number = count()

    def _id(self) -> str:
        return f"plan-{next(self._number)}"

    def wired(self, change: dict[int, dict[str, Any]] | None = None, **facts: Any) -> list[Record]:
        """YOLOv8n and YOLOv8s, measured, with some blocks changed."""
        return [
            self.build.record(
                self._id(), model=model, agrees=None, facts=replace(self.build.wiring(scale, change=change), **facts)
            )
            for model, scale in (("yolov8n-digits", 1), ("yolov8s.yaml", 2))
        ]

    def small(self, change: dict[str, Any], block: int) -> list[Record]:
        """YOLOv8s alone, one block changed."""
        facts = self.build.wiring(2, change={block: change})
        return [self.build.record(self._id(), model="yolov8s.yaml", agrees=None, facts=facts)]

    def ran(self, *blocks: int, **more: Any) -> Record:
        """A masked plan for the first layer of each of these blocks."""
        steps = tuple(self.build.step(i, FIRST[block], f"{block}.0") for i, block in enumerate(blocks))
        return self.build.record(self._id(), **{"steps": steps, **more})

    def broke(self, *blocks: int, module: str = "model.2.cv1.conv", **more: Any) -> Record:
        """A local plan that breaks at its last step, in ``module``."""
        failure = self.build.mismatch(module, "32", "16")
        steps = tuple(self.build.step(i, FIRST[block], f"{block}.0") for i, block in enumerate(blocks[:-1]))
        last = self.build.broken(len(steps), FIRST[blocks[-1]], f"{blocks[-1]}.0", failure=failure)
        return self.build.unsafe(self._id(), **{"steps": (*steps, last), **more})

    def masked_break(self, *blocks: int, **more: Any) -> Record:
        """A masked plan that breaks: it never should, and the claims must notice if it did."""
        return self.broke(*blocks, execution="mask", **more)

    def local_run(self, *blocks: int, **more: Any) -> Record:
        """A local plan that runs."""
        return self.ran(*blocks, execution="local", **more)

    def swapped(self, block: int) -> Record:
        """A local plan whose reader expects the kept channels and gets all of them."""
        step = self.build.broken(0, FIRST[block], f"{block}.0", failure=self.build.mismatch(expected="16", got="32"))
        return self.build.unsafe(self._id(), steps=(step,))

    def inner(self, execution: str, module: str | None = None) -> Record:
        """An inner layer of block 2 alone."""
        if module is None:
            return self.build.record(
                self._id(), execution=execution, steps=(self.build.step(0, "model.2.m.0.cv1.conv", "2.2"),)
            )
        step = self.build.broken(0, "model.2.m.0.cv1.conv", "2.2", failure=self.build.mismatch(module))
        return self.build.unsafe(self._id(), execution=execution, steps=(step,))

    def two_in_one(self, execution: str, *, breaks: bool) -> Record:
        """Two layers of block 4."""
        first = self.build.step(0, "model.4.cv1.conv", "4.0")
        second = (self.build.broken if breaks else self.build.step)(1, "model.4.cv2.conv", "4.1")
        make = self.build.unsafe if breaks else self.build.record
        return make(self._id(), execution=execution, steps=(first, second))

    @staticmethod
    def proof(*, passed: bool = True) -> tuple[CheckRecord, ...]:
        """Rows of a proof, one of which may fail."""
        return CheckRecord("eval", True, 1e-14), CheckRecord("gradients", passed, 2e-13)

    def removed(self, execution: str, params: int = 900, macs: int = 900, **more: Any) -> Record:
        """A plan that ran, with what it saved, and its proof where it changed shapes."""
        metrics = MetricsRecord(
            scores_before=precision(0.9),
            scores_after=precision(more.pop("map50_after", 0.9)),
            params_before=1000,
            params_after=params,
            macs_before=1000,
            macs_after=macs,
            latency=LatencyRecord(10.0, 9.5, 1, 20, 1, "cpu"),
        )
        proof = () if execution == "mask" else self.proof()
        return self.build.record(self._id(), **{"execution": execution, "metrics": metrics, "proof": proof, **more})

    def whole_block(self, pruned: int) -> Record:
        """Block 2, which holds four layers, under ``group``; of one nothing goes unless all four are ``pruned``."""
        names = ["cv1.conv", "cv2.conv", "m.0.cv1.conv", "m.0.cv2.conv"]
        steps = tuple(
            self.build.step(i, f"model.2.{name}", f"2.{i}", channels=32, kept=16 if i < pruned else 32)
            for i, name in enumerate(names)
        )
        return self.build.record(self._id(), execution="group", steps=steps)

    def tuned(self, before: float = 0.8, after: float = 0.9, regrown: int = 0, **more: Any) -> Record:
        """A fine-tuned masked plan."""
        step = self.build.step(scores_pruned=precision(before), scores_tuned=precision(after), regrown=regrown)
        return self.build.record(self._id(), fine_tune="1 epoch", steps=(step,), **more)

    def counted(self, active: int, weights: int = 16, **more: Any) -> Record:
        """A masked plan whose channels were counted both ways."""
        step = self.build.step(active=active, weight_norm_count=weights)
        return self.build.record(self._id(), steps=(step,), **more)

    def skipping(self, skipped: int, of: int, *, right: bool = True) -> Record:
        """A plan with ``on_mismatch: skip``."""
        steps: list[StepRecord] = [
            self.build.broken(i, f"model.{i}.conv", f"{i}.0", status="skipped", agrees=right) for i in range(skipped)
        ]
        steps += [self.build.step(i, f"model.{i}.conv", f"{i}.0") for i in range(skipped, of)]
        return self.build.unsafe(self._id(), verdict="partial", on_mismatch="skip", steps=tuple(steps))

    def experiment(
        self, change: Mapping[str, float], *, noise: float = 0.001, epochs: int = 2, seeds: tuple[str, ...] = SEEDS
    ) -> list[Record]:
        """A measured matrix in which values of axes change the score at the end so much; three seeds, ± ``noise``."""
        axes = {
            "fine_tune": ("epochs=1+after=each", f"epochs={epochs}+after=last", "none"),
            "order": ("back-to-front", "front-to-back"),
            "schedule": ("independent", "sequential"),
            "seed": seeds,
        }
        words = {"none": None, "epochs=1+after=each": "1 epoch"}
        words[f"epochs={epochs}+after=last"] = f"{epochs} epochs after the last step"
        chance = Random(0)

        def final(at: Mapping[str, str]) -> float:
            return 0.5 + chance.gauss(0, noise) + sum(change.get(value, 0.0) for value in at.values())

        records = matrix(self.build, axes, final, tags=("field_notes_experiment",))
        return [replace(record, fine_tune=words[record.axes["fine_tune"]]) for record in records]

    def turned(self, execution: str, order: str, verdict: str, base: str = "five") -> Record:
        """One plan of several blocks in one order."""
        steps = (self.build.step(0, FIRST[4], "4.0"), self.build.step(1, FIRST[5], "5.0"))
        return self.build.record(
            f"{base}[{execution},{order}]", base_id=base, execution=execution, order=order, verdict=verdict, steps=steps
        )


# claim: (records that confirm or bound it, verdict), (other records, another verdict)
Case = tuple[Callable[[Lab], Sequence[Record]], Verdict]

FLIPS: dict[str, tuple[Case, Case]] = {
    "block-1-is-first": (
        (lambda lab: lab.wired({1: {"depends_on": (), "from_": (-1,)}}), YES),
        (lambda lab: lab.wired(), NO),
    ),
    "block-1-no-dependencies": (
        (lambda lab: lab.wired({1: {"depends_on": ()}}), YES),
        (lambda lab: [*lab.wired({1: {"depends_on": ()}}), lab.broke(1)], NO),
    ),
    "block-1-three-convs": (
        (lambda lab: lab.wired({1: {"convs": ((8, 8, 1),) * 3}}), YES),
        (lambda lab: lab.wired(), NO),
    ),
    "block-1-not-pan": ((lambda lab: lab.wired(), YES), (lambda lab: lab.wired({1: {"feeds": (2, 17)}}), NO)),
    "nothing-before-block-1": (
        (lambda lab: [replace(r, facts=replace(r.facts, blocks=r.facts.blocks[1:])) for r in lab.wired()], YES),
        (lambda lab: lab.wired(), NO),
    ),
    "forty-five-convs": (
        (lambda lab: lab.wired({1: {"convs": ((8, 8, 1),) * 33}}), YES),
        (lambda lab: lab.wired(), NO),
    ),
    "back-to-front-cause": (
        (lambda lab: lab.wired({4: {"depends_on": (3, 5)}}), YES),
        (lambda lab: [*lab.wired({4: {"depends_on": (3, 5)}}), lab.ran(5, 4, order="back-to-front")], NO),
    ),
    "block-1-shape": ((lambda lab: lab.wired(), YES), (lambda lab: lab.small({"out_channels": 48}, 1), NO)),
    "block-2-shape": ((lambda lab: lab.small({"out_channels": 32}, 2), YES), (lambda lab: lab.wired(), NO)),
    "block-2-convs": ((lambda lab: lab.wired(), YES), (lambda lab: lab.small({"convs": ((64, 64, 1),)}, 2), NO)),
    "block-2-ninety-six": ((lambda lab: lab.wired(), YES), (lambda lab: lab.small({"out_channels": 96}, 1), NO)),
    "block-2-concat": (
        (lambda lab: [lab.ran(2, edges=(lab.build.edge(),))], YES),
        (lambda lab: [lab.ran(2, edges=(lab.build.edge(operator="model.4:cat"),))], NO),
    ),
    "block-3-in-block-17": (
        (lambda lab: lab.wired({3: {"feeds": (4, 17)}}), YES),
        (lambda lab: lab.wired(), NO),
    ),
    "block-17-inputs": ((lambda lab: lab.wired({17: {"from_": (3, 15)}}), YES), (lambda lab: lab.wired(), NO)),
    "block-2-feeds-3": ((lambda lab: lab.wired(), YES), (lambda lab: lab.wired({2: {"feeds": (4,)}}), NO)),
    "block-5-cascade": ((lambda lab: lab.wired({5: {"reaches": (2, 6)}}), YES), (lambda lab: lab.wired(), NO)),
    "block-5-path": (
        (lambda lab: lab.wired({6: {"feeds": (14,)}, 14: {"feeds": (4,)}, 4: {"feeds": (2,)}}), YES),
        (lambda lab: lab.wired(), NO),
    ),
    "chain": ((lambda lab: lab.wired(), YES), (lambda lab: lab.wired({3: {"feeds": (5,)}}), NO)),
    "sliced-block-cause": (
        (
            lambda lab: [
                *lab.wired({2: {"sequential_failure": None}, 4: {"sequential_failure": None}}),
                lab.masked_break(1, 2, activations="sliced"),
            ],
            YES,
        ),
        (lambda lab: lab.wired(), NO),
    ),
    "sequential-immutable": (
        (lambda lab: lab.wired(sequential_mutable=False), YES),
        (lambda lab: lab.wired(), NO),
    ),
    "conv-fixed": ((lambda lab: lab.wired(conv_resizable=False), YES), (lambda lab: lab.wired(), NO)),
    "several-layers-of-block-1": (
        (lambda lab: lab.wired({1: {"convs": ((8, 8, 1),) * 2}}), YES),
        (lambda lab: lab.wired(), NO),
    ),
    "block-1-independent": (
        (lambda lab: [lab.ran(1), lab.broke(1)], MASK),
        (lambda lab: [lab.ran(1), lab.local_run(1)], YES),
    ),
    "block-1-success-rate": (
        (
            lambda lab: [lab.build.record(steps=tuple(lab.build.step(i, f"model.1.{i}", f"1.{i}") for i in range(3)))],
            YES,
        ),
        (lambda lab: [lab.ran(1)], NO),
    ),
    "asked-for-six": (
        (lambda lab: [*lab.wired(), lab.ran(1, layers="widest:6")], YES),
        (
            lambda lab: [*lab.wired({1: {"convs": ((8, 8, 1),) * 2}}), lab.ran(1, layers="widest:6")],
            NO,
        ),
    ),
    "no-block-1-layer": (
        (lambda lab: [lab.ran(steps=(), blocks=(1,), verdict="refused", reasons=("block 1 has no Conv2d",))], YES),
        (lambda lab: [lab.ran(steps=(), blocks=(1,), verdict="safe", reasons=())], NO),
    ),
    "only-block-1": (
        # block 1 breaks under `local` as well, and the others fit under `mask`: "only" holds nowhere
        (lambda lab: [lab.ran(1), lab.ran(3), lab.broke(1), lab.broke(3, module="model.4.cv1.conv")], NO),
        (lambda lab: [lab.ran(1), lab.ran(3), lab.local_run(1), lab.broke(3)], LOCAL),
    ),
    "zeroing-breaks": ((lambda lab: [lab.masked_break(1)], YES), (lambda lab: [lab.ran(1)], NO)),
    "first-layers-work": (
        (lambda lab: [lab.ran(1, 2, 3), lab.broke(1, 2)], MASK),
        (lambda lab: [lab.masked_break(1, 2), lab.broke(1, 2)], NO),
    ),
    "first-layer-independent": (
        (lambda lab: [lab.ran(4), lab.broke(4)], MASK),
        (lambda lab: [lab.ran(4), lab.local_run(4)], YES),
    ),
    "one-layer-per-block": (
        (
            lambda lab: [
                *(lab.two_in_one("mask", breaks=False), lab.two_in_one("local", breaks=True)),
                *(lab.ran(4), lab.broke(4)),
            ],
            NO,
        ),
        (
            lambda lab: [
                *(lab.two_in_one("mask", breaks=False), lab.two_in_one("local", breaks=True)),
                *(lab.ran(4), lab.local_run(4)),
            ],
            LOCAL,
        ),
    ),
    "five-layers": (
        (lambda lab: [lab.ran(1, 2, 3, 4, 5), lab.broke(1, blocks=(1, 2, 3, 4, 5))], MASK),
        (lambda lab: [lab.ran(1, 2, 3, 4, 5), lab.masked_break(1, 2, 3, 4, 5)], NO),
    ),
    "significant-pruning": (
        (lambda lab: [lab.ran(1, 2, 3, 4, 5, metrics=MetricsRecord(params_before=100, params_after=80))], YES),
        (lambda lab: [lab.ran(1, 2, 3, 4, 5)], NO),
    ),
    "skips-many": ((lambda lab: [lab.skipping(8, 13)], YES), (lambda lab: [lab.skipping(1, 13)], NO)),
    "skip-unpredictable": (
        (lambda lab: [lab.skipping(2, 5, right=False)], YES),
        (lambda lab: [lab.skipping(2, 5)], NO),
    ),
    "structural-removes": (
        (lambda lab: [lab.removed("group")], YES),
        (lambda lab: [lab.removed("group"), lab.removed("group", params=1000)], NO),
    ),
    "structural-aggressive": (
        (lambda lab: [lab.removed("group", macs=900), lab.removed("mask", macs=1000)], YES),
        (lambda lab: [lab.removed("group", macs=1000), lab.removed("mask", macs=1000)], NO),
    ),
    "structural-risk": (
        (lambda lab: [lab.removed("group"), lab.removed("group", proof=lab.proof(passed=False))], YES),
        (lambda lab: [lab.removed("group")], NO),
    ),
    "structural-as-many": (
        (lambda lab: [*lab.wired(), lab.whole_block(4)], YES),
        (lambda lab: [*lab.wired(), lab.whole_block(3)], NO),
    ),
    "adapter-several": (
        (lambda lab: [lab.two_in_one("adapter", breaks=False)], YES),
        (lambda lab: [lab.two_in_one("adapter", breaks=True)], NO),
    ),
    "adapter-unproven": (
        (lambda lab: [lab.removed("adapter", proof=lab.proof(passed=False))], YES),
        (lambda lab: [lab.removed("adapter")], NO),
    ),
    "adapter-overhead": (
        (lambda lab: [lab.removed("adapter", macs=950), lab.removed("group", macs=900)], YES),
        (lambda lab: [lab.removed("adapter", macs=900), lab.removed("group", macs=900)], NO),
    ),
    "adapter-performance": (
        (lambda lab: [lab.removed("adapter", map50_after=0.5)], YES),
        (lambda lab: [lab.removed("adapter", map50_after=0.89)], NO),
    ),
    "structural-pruning": (
        (lambda lab: [lab.two_in_one("group", breaks=False)], YES),
        (lambda lab: [lab.two_in_one("group", breaks=True)], NO),
    ),
    "channel-adapter": (
        (lambda lab: [lab.two_in_one("adapter", breaks=False)], YES),
        (lambda lab: [lab.two_in_one("adapter", breaks=True)], NO),
    ),
    "expects-kept-channels": (
        # the reader expects all 32 and gets the 16 that were kept: the note has it the other way round
        (lambda lab: [lab.ran(1), lab.broke(1)], NO),
        (lambda lab: [lab.ran(1), lab.swapped(1)], LOCAL),
    ),
    "front-to-back": (
        (lambda lab: [lab.ran(1, 2), lab.broke(1, 2)], MASK),
        (lambda lab: [lab.masked_break(1, 2), lab.broke(1, 2)], NO),
    ),
    "order-matters": (
        (lambda lab: [lab.turned("mask", "front-to-back", "safe"), lab.turned("mask", "back-to-front", "unsafe")], YES),
        (lambda lab: [lab.turned("mask", "front-to-back", "safe"), lab.turned("mask", "back-to-front", "safe")], OPEN),
    ),
    "prune-block-1": (
        (lambda lab: [lab.ran(1), lab.broke(1)], LOCAL),
        (lambda lab: [lab.ran(1), lab.broke(1, module="model.3.conv")], NO),
    ),
    "prune-block-2-inside": (
        (lambda lab: [lab.inner("mask"), lab.inner("local", "model.3.conv")], LOCAL),
        (lambda lab: [lab.inner("mask"), lab.inner("local", "model.2.m.0.cv2.conv")], NO),
    ),
    "prune-block-3": (
        (lambda lab: [lab.ran(3), lab.broke(3, module="model.17")], LOCAL),
        (lambda lab: [lab.ran(3), lab.broke(3, module="model.4.cv1.conv")], NO),
    ),
    "any-of-1-2-3": (
        (lambda lab: [plan for block in (1, 2, 3) for plan in (lab.ran(block), lab.broke(block))], LOCAL),
        (
            lambda lab: [
                *(plan for block in (1, 2) for plan in (lab.ran(block), lab.broke(block))),
                lab.ran(3),
                lab.local_run(3),
            ],
            NO,
        ),
    ),
    "only-independent-schedule": (
        (lambda lab: [lab.ran(1, 2, 3, schedule="independent"), lab.masked_break(1, 2, 3)], YES),
        (lambda lab: [lab.ran(1, 2, 3, schedule="independent"), lab.ran(1, 2, 3)], NO),
    ),
    "several-blocks": (
        (lambda lab: [lab.ran(1, 2), lab.broke(1, 2)], LOCAL),
        (lambda lab: [lab.ran(1, 2), lab.local_run(1, 2)], NO),
    ),
    "accumulates": ((lambda lab: [lab.tuned(regrown=0)], YES), (lambda lab: [lab.tuned(regrown=5)], NO)),
    "absorbed": (
        (
            lambda lab: [lab.tuned(metrics=MetricsRecord(params_before=100, params_after=80)), lab.broke(1)],
            YES,
        ),
        (lambda lab: [lab.tuned(), lab.broke(1)], NO),
    ),
    "active-118": (
        (lambda lab: [lab.counted(16, mask="weights")], YES),
        (lambda lab: [lab.counted(32, mask="weights")], NO),
    ),
    "count-active-channels": (
        (lambda lab: [lab.counted(16)], YES),
        (lambda lab: [lab.counted(16), lab.counted(32, mask="weights")], NO),
    ),
    "fine-tuning-helps": (
        (lambda lab: [lab.tuned(before, before + 0.1) for before in (0.8, 0.7, 0.6)], YES),
        (lambda lab: [lab.tuned(before, before - 0.1) for before in (0.9, 0.8, 0.7)], NO),
    ),
    "iterative": (
        (lambda lab: lab.experiment({"epochs=1+after=each": 0.3, "epochs=2+after=last": 0.2}), YES),
        (lambda lab: lab.experiment({"epochs=1+after=each": 0.2, "epochs=2+after=last": 0.2}), NO),
    ),
}


def test_no_claim_is_left_without_evidence_that_turns_it() -> None:
    assert set(FLIPS) == {claim.id for claim in CLAIMS}
    assert len(CLAIMS) == len(FLIPS) >= 22
    assert all(first[1] is not second[1] for first, second in FLIPS.values())


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_ruling_follows_the_evidence(claim: Any, build: Build) -> None:
    for records, expected in FLIPS[claim.id]:
        ruling = claim.decide(Evidence.of(list(records(Lab(build)))))
        assert ruling.verdict is expected, ruling.evidence
        assert re.search(r"[.!]$", ruling.evidence)
        if ruling.verdict is not OPEN:
            assert ruling.scenarios or ruling.models or ruling.experiments


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_without_evidence_nothing_is_decided(claim: Any) -> None:
    ruling = claim.decide(Evidence.of([]))
    assert ruling.verdict is OPEN
    assert "eeds" in ruling.evidence


def decided(records: Sequence[Record], claim: str) -> Ruling:
    return next(ruling for known, ruling in decide_all(records) if known.id == claim)


@pytest.mark.parametrize(
    ("gap", "noise", "expected", "how"),
    [
        (0.2, 0.001, YES, "more than chance"),
        (0.0, 0.001, NO, "less than 0.010"),
        (0.004, 0.0005, NO, "less than 0.010"),  # real, but too little to matter
        (0.0, 0.1, OPEN, "not told apart"),
        (0.014, 0.005, YES, "more than chance"),
        (0.014, 0.01, OPEN, "not told apart"),  # by 18 pairs it would be told, but they are of three seeds
    ],
)
def test_what_order_does_to_accuracy_is_told_from_experiments(
    gap: float, noise: float, expected: Verdict, how: str, build: Build
) -> None:
    lab = Lab(build)
    pair = [lab.turned("mask", "front-to-back", "safe"), lab.turned("mask", "back-to-front", "safe")]
    assert decided(pair, "order-matters").verdict is OPEN
    assert decided(pair, "order-matters").evidence.endswith(
        "What order does to accuracy was not measured in an experiment."
    )
    measured = lab.experiment({"front-to-back": gap}, noise=noise)
    for records in ([*pair, *measured], measured):
        ruling = decided(records, "order-matters")
        assert "In an experiment, front to back instead of back to front: mAP50-95 changes by " in ruling.evidence
        assert re.search(r"\(3 seeds, \d+ of 18 pairs higher, 95 % interval ", ruling.evidence)
        assert ruling.evidence.endswith(f"), {how}.")
        assert ruling.verdict is expected
        assert len(ruling.experiments) == 1


def test_a_single_pair_decides_nothing(build: Build) -> None:
    measured = Lab(build).experiment({"front-to-back": 0.2, "epochs=1+after=each": 0.3}, seeds=("0",))
    alone = [
        replace(record, axes={name: value for name, value in record.axes.items() if name in ("order", "fine_tune")})
        for record in measured
        if record.schedule == "sequential" and record.fine_tune is None
    ]
    ruling = decided(alone, "order-matters")
    assert ruling.verdict is OPEN
    assert ruling.evidence.endswith("(1 seed), measured once, so that it is not known what chance makes.")
    ruling = decided(measured, "order-matters")  # six pairs of one seed repeat nothing
    assert ruling.verdict is OPEN
    assert ruling.evidence.endswith(
        "(1 seed, 6 of 6 pairs higher), measured once, so that it is not known what chance makes."
    )


def test_what_turns_with_another_axis_matters_and_is_not_better(build: Build) -> None:
    """Front to back is better where nothing is trained, and worse where training follows each step."""

    def turned(record: Record, by: float) -> Record:
        change = {"none": by, "epochs=1+after=each": -by}.get(record.axes["fine_tune"], 0.0)
        scores = record.metrics.scores_after
        assert scores is not None
        if record.order == "front-to-back":
            scores = precision(0.9, scores.budgeted + change)
        return replace(record, metrics=replace(record.metrics, scores_after=scores))

    measured = [turned(record, 0.1) for record in Lab(build).experiment({})]
    ruling = decided(measured, "order-matters")
    assert ruling.verdict is YES
    assert ", which depends on `fine_tune`: by +0.100 ± 0.00" in ruling.evidence
    assert " with `none`, and by -0.10" in ruling.evidence
    assert "less than 0.010" not in ruling.evidence
    (found,) = Evidence.of(measured).experiments
    order_effect = contrast(Evidence.of(measured), "order", order, "back-to-front", "front-to-back")
    assert order_effect is not None
    assert order_effect.experiments == (found,)
    assert order_effect.is_better is OPEN


def test_a_seed_that_two_experiments_have_is_one_unit(build: Build) -> None:
    measured = Lab(build).experiment({"front-to-back": 0.2})
    again = [replace(record, base_id="second") for record in Lab(build).experiment({"front-to-back": 0.1}, noise=0.002)]
    found = contrast(Evidence.of([*measured, *again]), "order", order, "back-to-front", "front-to-back")
    assert found is not None
    assert len(found.experiments) == 2
    assert found.difference.sample is not None
    assert (found.difference.sample.n, found.difference.pairs) == (3, 36)


def test_pairs_that_cannot_differ_are_left_out_and_copies_are_counted_once(build: Build) -> None:
    measured = Lab(build).experiment({}, noise=0.1)

    def score_of(record: Record, **change: str) -> Any:
        at = {**record.axes, **change}
        return next(other.metrics.scores_after for other in measured if other.axes == at)

    same = [  # `independent` ends alike in both orders
        replace(record, metrics=replace(record.metrics, scores_after=score_of(record, order="front-to-back")))
        if record.schedule == "independent"
        else record
        for record in measured
    ]
    ruling = decided(same, "order-matters")
    assert re.search(r"\(3 seeds, \d of 9 pairs higher, ", ruling.evidence)
    assert "left out: 9 pairs that ended alike" in ruling.evidence
    copied = [  # both schedules do the very same
        replace(record, metrics=replace(record.metrics, scores_after=score_of(record, schedule="sequential")))
        for record in measured
    ]
    ruling = decided(copied, "order-matters")
    assert re.search(r"\(3 seeds, \d of 9 pairs higher, ", ruling.evidence)
    assert "left out: 9 pairs that are copies of another" in ruling.evidence


def test_training_between_steps_is_held_against_as_much_training_only(build: Build) -> None:
    lab = Lab(build)
    ruling = decided(lab.experiment({"epochs=1+after=each": 0.3}, epochs=1), "iterative")
    assert ruling.verdict is OPEN
    assert "training after each step came to 2, and training after the last to 1:" in ruling.evidence
    assert decided(lab.experiment({"epochs=1+after=each": 0.3}), "iterative").verdict is YES
    assert decided(lab.experiment({}, noise=0.1), "iterative").verdict is OPEN


def test_that_training_helps_needs_more_than_a_mean(build: Build) -> None:
    lab = Lab(build)
    assert decided([lab.tuned(0.8, 0.9)], "fine-tuning-helps").verdict is OPEN
    mixed = [lab.tuned(0.8, 0.9), lab.tuned(0.7, 0.65), lab.tuned(0.6, 0.61)]
    ruling = decided(mixed, "fine-tuning-helps")
    assert ruling.verdict is OPEN
    assert "By plan it changes by +0.020 ± 0.075 (3 plans, 2 of 3 higher, 95 % interval" in ruling.evidence


def test_training_and_schedule_are_told_from_experiments(build: Build) -> None:
    lab = Lab(build)
    measured = lab.experiment({"epochs=1+after=each": -0.1, "epochs=2+after=last": 0.2, "independent": 0.05})
    tuned = [lab.tuned(0.8, 0.9), *measured]
    helps = decided(tuned, "fine-tuning-helps")
    assert helps.verdict is NO  # steps became better, whole plans worse
    assert "training after each step instead of none: mAP50-95 changes by -0.10" in helps.evidence
    assert "was not measured" in decided([lab.tuned(0.8, 0.9)], "fine-tuning-helps").evidence
    assert decided(tuned, "iterative").evidence.startswith(
        "Training 1 epoch after each step, instead of 2 epochs after the last step: mAP50-95 changes by -0.30"
    )
    plans = [lab.ran(1, 2, 3, schedule="independent"), lab.ran(1, 2, 3)]
    alone = decided([*plans, *measured], "only-independent-schedule")
    assert alone.verdict is NO
    assert "independent instead of sequential: mAP50-95 changes by +0.049 ± 0.001" in alone.evidence
    assert "was not measured" in decided(plans, "only-independent-schedule").evidence


def test_experiments_decide_no_other_claim_and_are_linked(build: Build, tmp_path: Path) -> None:
    lab = Lab(build)
    measured = lab.experiment({})
    asked = {"order-matters", "iterative"}
    assert {claim.id for claim, ruling in decide_all(measured) if ruling.verdict is not OPEN} == asked
    write_reports([lab.ran(1), *measured], tmp_path)
    page = (tmp_path / "claims.md").read_text("utf-8")
    assert "[Plans: `first`](comparisons/plans-first.md)" in page


def test_a_plan_that_breaks_early_still_counts_for_all_the_blocks_it_names(build: Build) -> None:
    lab = Lab(build)
    early = lab.broke(1, blocks=(1, 2, 3, 4, 5))
    ruled = {claim.id: ruling for claim, ruling in decide_all([lab.ran(1, 2, 3, 4, 5), early])}
    assert ruled["front-to-back"].verdict is MASK
    assert ruled["first-layers-work"].verdict is MASK
    assert ruled["block-1-independent"].verdict is OPEN
    assert ruled["first-layer-independent"].verdict is OPEN


def test_plans_that_were_only_predicted_decide_nothing(build: Build) -> None:
    lab = Lab(build)
    records = [replace(record, agrees=None) for record in (lab.ran(1), lab.broke(1))]
    claim = next(claim for claim in CLAIMS if claim.id == "block-1-independent")
    assert claim.decide(Evidence.of(records)).verdict is OPEN


def test_sliced_activations_do_not_count_as_breaks_of_the_plan(build: Build) -> None:
    lab = Lab(build)
    records = [lab.ran(1, 2), lab.masked_break(1, 2, activations="sliced"), lab.broke(1, 2)]
    claim = next(claim for claim in CLAIMS if claim.id == "front-to-back")
    assert claim.decide(Evidence.of(records)).verdict is MASK


def test_models_that_are_not_yolov8_as_shipped_do_not_speak_for_it(build: Build) -> None:
    facts = build.wiring(change={1: {"convs": ()}})
    odd = build.record(model="specs/field_notes/models/yolov8n_block1_without_conv.yaml", facts=facts)
    assert Evidence.of([odd]).wiring() == {}
    known = Evidence.of([build.record(facts=facts), build.record("b", model="yolov8s.yaml", facts=facts)])
    assert set(known.wiring()) == {"yolov8n-digits", "yolov8s.yaml"}
    assert set(known.wiring("s")) == {"yolov8s.yaml"}


def test_models_that_differ_are_told_apart(build: Build) -> None:
    lab = Lab(build)
    records = [*lab.wired()[:1], *lab.small({"convs": ((8, 8, 1),) * 3}, 1)]
    claim = next(claim for claim in CLAIMS if claim.id == "block-1-three-convs")
    ruling = claim.decide(Evidence.of(records))
    assert ruling.verdict is NO
    assert ruling.evidence == "`yolov8n-digits`: block 1 holds 1 Conv2d. `yolov8s.yaml`: block 1 holds 3 Conv2d."


def test_the_order_of_records_changes_no_ruling(build: Build) -> None:
    lab = Lab(build)
    records = [*lab.wired(), lab.ran(1), lab.broke(1), lab.tuned(), lab.counted(32, mask="weights")]
    assert decide_all(records) == decide_all(records[::-1])


def test_relative_inputs_are_resolved(build: Build) -> None:
    blocks = build.wiring(change={17: {"from_": (-1, 12)}}).blocks
    assert sources(blocks[17]) == (16, 12)
    assert sources(blocks[0]) == ()  # the image is no block


def test_the_page_gives_every_claim_once_and_counts_them(build: Build, tmp_path: Path) -> None:
    lab = Lab(build)
    records = [*lab.wired(), lab.ran(1, 2), lab.broke(1, 2), lab.skipping(8, 13), lab.tuned(regrown=3)]
    write_reports(records, tmp_path)
    page = (tmp_path / "claims.md").read_text()
    rows = re.findall(r"^\|\s+(\d+) \|", page, re.M)
    assert [int(row) for row in rows[: len(CLAIMS)]] == list(range(1, len(CLAIMS) + 1))
    counted = dict(count_verdicts(ruling for _, ruling in decide_all(records)))
    assert sum(counted.values()) == len(CLAIMS)
    for word, number in counted.items():
        assert re.search(rf"^\| {re.escape(word)}\s+\|\s+{number} \|$", page, re.M), word
    assert "**Of 60 claims" in page
    assert page.index("How the models are wired") > page.index("“Block 1 is the first block”")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_names_its_note_and_quotes_it(claim: Any) -> None:
    assert claim.quote
    assert len(claim.quote) < 140
    assert re.fullmatch(r"[a-z0-9-]+", claim.id)


def ruling_of(claim_id: str, records: Sequence[Record]) -> Any:
    return next(claim for claim in CLAIMS if claim.id == claim_id).decide(Evidence.of(list(records)))


def test_a_claim_that_only_this_works_needs_more_than_that_the_rest_breaks(build: Build) -> None:
    lab = Lab(build)
    assert ruling_of("only-block-1", [lab.masked_break(3), lab.broke(3)]).verdict is OPEN
    assert ruling_of("only-block-1", [lab.ran(1), lab.masked_break(3), lab.local_run(1), lab.broke(3)]).verdict is YES
    assert ruling_of("only-block-1", [lab.ran(1), lab.masked_break(3), lab.broke(1), lab.broke(3)]).verdict is MASK


def test_a_plan_that_broke_at_its_first_layer_is_no_witness_for_several_layers_in_a_block(build: Build) -> None:
    lab = Lab(build)
    names = [("model.4.cv1.conv", "4.0"), ("model.4.cv2.conv", "4.1")]
    steps = tuple(build.broken(i, name, at, status="skipped") for i, (name, at) in enumerate(names))
    early = build.unsafe("each-alone", steps=steps, layers="all", on_mismatch="skip")
    records = [lab.two_in_one("mask", breaks=True), lab.ran(4), lab.local_run(4), early]
    ruling = ruling_of("one-layer-per-block", records)
    assert ruling.verdict is OPEN
    assert early not in ruling.scenarios


def test_a_reader_that_wants_the_full_width_is_told_apart_from_one_that_wants_the_kept_one(build: Build) -> None:
    lab = Lab(build)
    ruling = ruling_of("expects-kept-channels", [lab.ran(1), lab.broke(1)])
    assert ruling.verdict is NO
    assert "the other way round: in 1 of 1 plans" in ruling.evidence


def test_five_layers_need_every_plan_and_both_executions(build: Build) -> None:
    lab = Lab(build)
    five = (1, 2, 3, 4, 5)
    assert ruling_of("five-layers", [lab.ran(*five), lab.local_run(*five)]).verdict is YES
    assert ruling_of("five-layers", [lab.ran(*five)]).verdict is OPEN


def test_an_order_that_changes_the_accuracy_alone_is_said_to(build: Build) -> None:
    lab = Lab(build)
    pair = [lab.turned("mask", order, "safe") for order in ("front-to-back", "back-to-front")]
    assert "Accuracy" not in ruling_of("order-matters", pair).evidence
    pair[1] = replace(pair[1], metrics=replace(pair[1].metrics, scores_after=precision(0.9)))
    ruling = ruling_of("order-matters", pair)
    assert ruling.verdict is OPEN  # one pair
    assert "mAP50 differs by up to 0.040." in ruling.evidence


def test_our_own_words_stand_outside_the_quotation_marks(build: Build, tmp_path: Path) -> None:
    assert not any(re.search(r"YOLOv8[nsmlx]\b", claim.quote) for claim in CLAIMS)
    assert not any(re.search(r"(^ ?…|…\s*$|\S…|…\S)", claim.quote) for claim in CLAIMS)
    write_reports(Lab(build).wired(), tmp_path)
    page = (tmp_path / "claims.md").read_text()
    assert "Block 1 \\| Conv \\| 32 \\| 64” (on YOLOv8s)" in page


def test_a_module_name_keeps_its_small_letter(build: Build) -> None:
    lab = Lab(build)
    records = [lab.ran(1), lab.broke(1, module="model.3.CamelCase")]
    assert "`model.3.CamelCase`" in ruling_of("prune-block-1", records).evidence


def test_helpers() -> None:
    assert block_of("model.12.m.0.cv1.conv") == 12
    assert block_of("model") is None
    assert not Tried((), ()).fits
    assert not Tried((), ()).all_broke
