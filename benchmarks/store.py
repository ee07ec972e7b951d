"""Results of a benchmark on disk: one file for each model, so that a stopped run can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from yolo_prune_check.atomic import written_whole

R = TypeVar("R")
"""A dataclass of what JSON has."""


class Store(Generic[R]):
    """A folder of results.

    Args:
        folder: Made when something is added.
        setting: What results depend on: those of another setting are not read, and are overwritten.
        kind: Class of the results.
    """

    def __init__(self, folder: Path, setting: Mapping[str, str], kind: type[R]) -> None:
        self.folder = folder
        self.setting = dict(setting)
        self._kind = kind
        self._known: dict[str, dict[str, list[R]]] = {}

    def has(self, model: str, part: str) -> bool:
        """Whether a part of the model's plans was tried."""
        return part in self._parts(model)

    def add(self, model: str, part: str, results: Sequence[R]) -> None:
        """Keep the results of a part, on disk at once."""
        parts = self._parts(model)
        parts[part] = list(results)
        document = {
            "model": model,
            "setting": self.setting,
            "parts": {name: [_plain(result) for result in found] for name, found in sorted(parts.items())},
        }
        with written_whole(self._file(model)) as file:
            file.write((json.dumps(document, indent=1) + "\n").encode())

    def of(self, model: str, part: str) -> list[R]:
        """The results of a part that was tried."""
        return list(self._parts(model)[part])

    def all_of(self, model: str) -> list[R]:
        """All results of a model, part by part."""
        return [result for results in self._parts(model).values() for result in results]

    def _parts(self, model: str) -> dict[str, list[R]]:
        if model not in self._known:
            self._known[model] = self._read(model)
        return self._known[model]

    def _read(self, model: str) -> dict[str, list[R]]:
        file = self._file(model)
        if not file.is_file():
            return {}
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["setting"] != self.setting:
            return {}
        return {name: [self._kind(**result) for result in found] for name, found in document["parts"].items()}

    def _file(self, model: str) -> Path:
        return self.folder / f"{Path(model).stem}.json"


def _plain(result: Any) -> dict[str, Any]:
    return asdict(result)
