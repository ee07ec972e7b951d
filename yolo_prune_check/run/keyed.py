"""A folder for what an interrupted run goes on from, kept under the key of all that the outcome depends on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from yolo_prune_check.run.record import write_atomically

UNFINISHED: Final = "unfinished"
"""Folder below a run's own for what an interrupted one goes on from."""
_KEY: Final = "key"


class KeyedFolder:
    """A folder whose files belong to one key.

    Args:
        path: The folder; it need not be there.
        key: What was kept under another is of no use.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._key = key

    def claim(self) -> None:
        """Make the folder, and remove what is kept in it under another key."""
        if not self.is_claimed():
            self.forget()
            write_atomically(self.path / _KEY, self._key)

    def is_claimed(self) -> bool:
        """Whether what is kept is kept under this key."""
        file = self.path / _KEY
        return file.is_file() and file.read_text(encoding="utf-8") == self._key

    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self.path.exists() or all(path.name == _KEY for path in self.path.iterdir())

    def forget(self) -> None:
        """Remove what is kept, under whatever key."""
        if self.path.exists():
            shutil.rmtree(self.path)
