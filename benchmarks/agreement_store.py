"""Results of the agreement benchmark on disk: one file for each model, so that a stopped run can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from yolo_prune_check.atomic import written_whole


@dataclass
class Result:
    """Plans of one kind under one execution.

    Attributes:
        kind: ``random`` or ``one layer``.
        execution: As tables name it.
        broke: Plans whose forward pass raised.
        wrong: Plans that ran and that the prediction calls unsafe.
        unknown: Plans of which the prediction says that it does not know what some operator makes of them.
        predicting: Seconds.
        executing: Seconds that carrying out and observing took.
        disagreements: For each refuted plan its steps and what differed.
    """

    kind: str
    execution: str
    tried: int = 0
    agreed: int = 0
    broke: int = 0
    wrong: int = 0
    unknown: int = 0
    predicting: float = 0.0
    executing: float = 0.0
    disagreements: list[dict[str, Any]] = field(default_factory=list)


COUNTS = ("tried", "agreed", "broke", "wrong", "unknown", "predicting", "executing")
"""What is added up over the parts of a model, and over models."""


class Store:
    """A folder of results.

    Args:
        folder: Made when something is added.
        setting: What results depend on: those of another setting are not read, and are overwritten.
    """

    def __init__(self, folder: Path, setting: Mapping[str, str]) -> None:
        self.folder = folder
        self.setting = dict(setting)
        self._known: dict[str, dict[str, list[Result]]] = {}

    def has(self, model: str, part: str) -> bool:
        """Whether a part of the model's plans was tried."""
        return part in self._parts(model)

    def add(self, model: str, part: str, results: Sequence[Result]) -> None:
        """Keep the results of a part, on disk at once."""
        parts = self._parts(model)
        parts[part] = list(results)
        document = {
            "model": model,
            "setting": self.setting,
            "parts": {name: [asdict(result) for result in found] for name, found in sorted(parts.items())},
        }
        with written_whole(self._file(model)) as file:
            file.write((json.dumps(document, indent=1) + "\n").encode())

    def results(self, model: str) -> list[Result]:
        """All results of a model, added up by kind and execution."""
        totals: dict[tuple[str, str], Result] = {}
        for results in self._parts(model).values():
            for result in results:
                total = totals.setdefault((result.kind, result.execution), Result(result.kind, result.execution))
                add_up(total, result)
        return list(totals.values())

    def _parts(self, model: str) -> dict[str, list[Result]]:
        if model not in self._known:
            self._known[model] = self._read(model)
        return self._known[model]

    def _read(self, model: str) -> dict[str, list[Result]]:
        file = self._file(model)
        if not file.is_file():
            return {}
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["setting"] != self.setting:
            return {}
        return {name: [Result(**result) for result in found] for name, found in document["parts"].items()}

    def _file(self, model: str) -> Path:
        return self.folder / f"{Path(model).stem}.json"


def add_up(total: Result, result: Result) -> None:
    """Add the counts, times and disagreements of a result to a total."""
    for name in COUNTS:
        setattr(total, name, getattr(total, name) + getattr(result, name))
    total.disagreements += result.disagreements
