"""Records made up for tests that need none that ran."""

from __future__ import annotations

import dataclasses

from yolo_prune_check.run.record import Record

_TEXT = {
    field.name: ""
    for field in dataclasses.fields(Record)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
}
PASSED = Record(
    **_TEXT
    | {"execution": "mask", "verdict": "safe", "reasons": (), "passed": True, "failures": (), "agrees": True}
    | {"imgsz": 64, "seed": 0}  # type: ignore[arg-type]  # names are those of Record
)
"""A safe scenario that did what was predicted."""
