"""Records built by hand: what a run of the field notes leaves, small enough to read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.report.scored import precision
from yolo_prune_check.run.record import (
    BlockFacts,
    EdgeRecord,
    HazardRecord,
    MetricsRecord,
    MismatchRecord,
    ModelFacts,
    Record,
    StepRecord,
)

# index: type, from, YOLOv8n's (out, in, kernel) of each Conv2d as measured by walking the stock model
_YOLOV8: dict[int, tuple[str, tuple[int, ...]]] = {
    0: ("Conv", (-1,)),
    1: ("Conv", (0,)),
    2: ("C2f", (1,)),
    3: ("Conv", (2,)),
    4: ("C2f", (3,)),
    5: ("Conv", (4,)),
    6: ("C2f", (5,)),
    7: ("Conv", (6,)),
    8: ("C2f", (7,)),
    9: ("SPPF", (8,)),
    10: ("Upsample", (9,)),
    11: ("Concat", (10, 6)),
    12: ("C2f", (11,)),
    13: ("Upsample", (12,)),
    14: ("Concat", (13, 4)),
    15: ("C2f", (14,)),
    16: ("Conv", (15,)),
    17: ("Concat", (16, 12)),
    18: ("C2f", (17,)),
    19: ("Conv", (18,)),
    20: ("Concat", (19, 9)),
    21: ("C2f", (20,)),
    22: ("Detect", (15, 18, 21)),
}
_CONVS: dict[int, tuple[tuple[int, int, int], ...]] = {
    0: ((16, 3, 3),),
    1: ((32, 16, 3),),
    2: ((32, 32, 1), (32, 48, 1), (16, 16, 3), (16, 16, 3)),
    3: ((64, 32, 3),),
    4: ((64, 64, 1), (64, 128, 1), (32, 32, 3), (32, 32, 3), (32, 32, 3), (32, 32, 3)),
    5: ((128, 64, 3),),
}
_SLICED = {2: (48, 32), 4: (128, 64)}


@dataclass(frozen=True)
class Build:
    """Makes records; every argument overrides a field."""

    @staticmethod
    def mismatch(
        module: str = "model.2.cv1.conv", expected: str = "32", got: str = "16", **more: Any
    ) -> MismatchRecord:
        message = (
            f"Given groups=1, weight of size [{expected}, {expected}, 1, 1], expected input[1, {got}, 8, 8] to have "
            f"{expected} channels, but got {got} channels instead"
        )
        return MismatchRecord(
            **{"module": module, "kind": "direct", "expected": expected, "got": got, "message": message, **more}
        )

    @staticmethod
    def step(index: int = 0, layer: str = "model.1.conv", address: str = "1.0", **more: Any) -> StepRecord:
        known: dict[str, Any] = {
            "block": int(address.split(".")[0]),
            "block_type": "Conv",
            "channels": 32,
            "kept": 16,
            "criterion": "l1",
            "status": "pruned",
            "weight_norm_count": 16,
            "active": 16,
            "predicted_active": 16,
            "predicted": "fits, 16 of 32 active",
            "observed": "runs, 16 of 32 active",
            "agrees": True,
            **more,
        }
        return StepRecord(index=index, layer=layer, address=address, keep=tuple(range(known["kept"])), **known)

    def broken(self, index: int = 0, layer: str = "model.1.conv", address: str = "1.0", **more: Any) -> StepRecord:
        """A step that broke, as predicted."""
        failure = more.pop("failure", self.mismatch())
        known: dict[str, Any] = {
            "status": "failed",
            "reason": f"the pruned model breaks in {failure.module}: {failure.message}",
            "predicted": f"breaks in {failure.module}: {failure.message}",
            "observed": f"breaks in {failure.module}: {failure.message}",
            "predicted_failure": failure,
            "observed_failure": failure,
            **more,
        }
        return self.step(index, layer, address, **known)

    @staticmethod
    def edge(**more: Any) -> EdgeRecord:
        known: dict[str, Any] = {
            "operator": "model.2:cat",
            "kind": "concat",
            "port": "in0",
            "producers": ("model.2.cv1.conv",),
            "before": 16,
            "active_before": 16,
            "predicted": 16,
            "predicted_active": 8,
            "observed": 16,
            "observed_active": 8,
            "agrees": True,
            **more,
        }
        return EdgeRecord(**known)

    @staticmethod
    def hazard(code: str = "phantom-channel", **more: Any) -> HazardRecord:
        known: dict[str, Any] = {
            "severity": "error",
            "layer": "model.1.conv",
            "message": "16 zeroed channels still emit a constant",
            "remedy": "Use `mask: silent`, which zeroes the BatchNorm weight and bias as well.",
            **more,
        }
        return HazardRecord(code=code, **known)

    def record(self, id: str = "plan", **more: Any) -> Record:
        """A masked plan of one step that is safe."""
        steps: tuple[StepRecord, ...] = more.get("steps", (self.step(),))
        known: dict[str, Any] = {
            "suite": "sample",
            "spec": "specs/field_notes/sample.prune.yaml",
            "base_id": id.partition("[")[0],
            "why": "because somebody asked",
            "model": "yolov8n-digits",
            "data": "digits",
            "imgsz": 128,
            "execution": "mask",
            "mask": "silent",
            "schedule": "sequential",
            "order": "front-to-back",
            "activations": "hooked",
            "on_mismatch": "fail",
            "criterion": "l1",
            "selected": "l1, ratio 0.5",
            "seed": 0,
            "verdict": "safe",
            "reasons": ("the only step fits, and nothing is silently wrong",),
            "passed": True,
            "failures": (),
            "agrees": True,
            "expected": "verdict safe",
            "rerun": f'pytest "specs/field_notes/sample.prune.yaml::{id}"',
            "tags": ("field_notes",),
            "blocks": tuple(sorted({step.block for step in steps})),
            "layers": "first",
            "steps": steps,
            "metrics": MetricsRecord(
                scores_before=precision(0.951, 0.803),
                scores_after=precision(0.94, 0.79),
                params_before=3_012_798,
                params_after=3_012_798,
                macs_before=164_000_000,
                macs_after=164_000_000,
                predicted_params=3_012_798,
                predicted_macs=164_000_000,
                channels=32,
                active=16,
                weight_norm_count=16,
            ),
            **more,
        }
        return Record(id=id, **known)

    def unsafe(self, id: str = "cut", **more: Any) -> Record:
        """A local plan that breaks, as its spec expects."""
        steps = more.pop("steps", (self.broken(),))
        known: dict[str, Any] = {
            "execution": "local",
            "verdict": "unsafe",
            "reasons": (f"{steps[-1].layer}: {steps[-1].reason}",),
            "expected": "verdict unsafe",
            **more,
        }
        return self.record(id, steps=steps, **known)

    def wiring(self, scale: int = 1, *, change: dict[int, dict[str, Any]] | None = None) -> ModelFacts:
        """YOLOv8n's blocks (``scale`` 2: YOLOv8s'), with some fields of some blocks changed."""
        needs: dict[int, set[int]] = {}
        for index, (_, sources) in _YOLOV8.items():
            direct = {source for source in sources if source >= 0}
            needs[index] = direct.union(*(needs[source] for source in direct))
        blocks = []
        for index, (kind, sources) in _YOLOV8.items():
            convs = tuple(
                (out * scale, inputs * scale if inputs > 3 else 3, kernel)
                for out, inputs, kernel in _CONVS.get(index, ())
            )
            sliced = _SLICED.get(index)
            block = BlockFacts(
                index=index,
                type=kind,
                from_=sources,
                feeds=tuple(other for other, (_, read) in _YOLOV8.items() if index in read),
                depends_on=tuple(sorted(needs[index])),
                reaches=tuple(other for other in needs if index in needs[other]),
                in_channels=convs[0][1] if convs else None,
                out_channels=convs[1 if kind == "C2f" else 0][0] if convs else None,
                convs=convs,
                sequential_failure=(
                    self.mismatch(expected=str(sliced[0] * scale), got=str(sliced[1] * scale)).message
                    if sliced
                    else None
                ),
            )
            blocks.append(replace(block, **(change or {}).get(index, {})))
        return ModelFacts(tuple(blocks), sequential_mutable=True, conv_resizable=True)


@pytest.fixture(scope="session")
def build() -> Build:
    return Build()
