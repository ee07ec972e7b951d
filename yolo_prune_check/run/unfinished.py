"""What is kept of a scenario after each step, so that a run that was killed goes on from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.checkpoint import read_checkpoint
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.content import file_hash
from yolo_prune_check.run.events import Event
from yolo_prune_check.run.keyed import KeyedFolder
from yolo_prune_check.run.plain import from_plain, to_plain
from yolo_prune_check.run.record import write_atomically
from yolo_prune_check.run.state import State
from yolo_prune_check.run.trained import trained_graph

_MADE_ANEW: Final = frozenset(
    {"scenario", "baseline", "model", "folder", "progress", "resume_dir", "graph"},
)
"""What a state is made with, the model, which is kept in a way of its own, and the graph, which follows from both."""
_EVENTS: Final = {kind.__name__: kind for kind in get_args(Event)}


class Unfinished:
    """The steps of one scenario that are done, on disk.

    Args:
        folder: Where they lie. What fine-tuning keeps after each epoch may lie there as well.
        key: The scenario's ``content_key``: what was kept under another is of no use.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self._keyed = KeyedFolder(folder, key)
        self._file = folder / "state.json"

    def save(self, state: State, told: Sequence[Event]) -> None:
        """Keep a state after a step, in place of the one after the step before.

        A process that is killed in here leaves one of the two, with its model.

        Args:
            state: The state.
            told: All events until then.
        """
        model = self.folder / f"step-{len(state.steps)}.pt"
        save_checkpoint(state.model, model)
        content = {
            "model": {"name": model.name, "sha256": file_hash(model)},
            "events": [[type(event).__name__, to_plain(event)] for event in told],
            "state": {name: to_plain(getattr(state, name)) for name in _kept()},
        }
        write_atomically(self._file, json.dumps(content, ensure_ascii=False) + "\n")
        for older in self.folder.glob("step-*.pt"):
            if older != model:
                older.unlink()

    def is_begun(self) -> bool:
        """Whether steps are kept under this very key."""
        return self._keyed.is_claimed() and self._file.is_file()

    def restore(self, state: State) -> list[Event]:
        """Bring a new state to where the killed run was after its last step.

        Returns:
            All events until then; none, and the state as it was, if nothing is kept that fits.
        """
        self._keyed.claim()  # also of what training keeps, which does not know of all that the key holds
        if not self._file.is_file():
            return []
        try:
            content: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            events: list[Event] = [from_plain(_EVENTS[name], event) for name, event in content["events"]]
            hints = get_type_hints(State)
            values = {name: from_plain(hints[name], content["state"][name]) for name in _kept()}
            path = self.folder / content["model"]["name"]
            if file_hash(path) != content["model"]["sha256"]:
                raise ValueError(f"{path.name} is not the file that was saved")
            model = read_checkpoint(path, trust=state.scenario.trust_checkpoint)
        except (OSError, AttributeError, KeyError, TypeError, ValueError, UserError) as error:
            state.progress.line(
                f"    the finished steps cannot be read ({self._file}: {error}), the scenario starts anew"
            )
            return []
        for name, value in values.items():
            setattr(state, name, value)
        state.model = model
        if state.tuned_since:
            state.graph = trained_graph(state)
        return events

    def forget(self) -> None:
        """Remove what is kept, under whatever key."""
        self._keyed.forget()


def _kept() -> list[str]:
    return [field.name for field in fields(State) if field.name not in _MADE_ANEW]
