"""Where items are worked on: what the kinds of places have in common."""

from __future__ import annotations

from typing import Protocol


class WorkerDiedError(Exception):
    """The process that worked on an item died: killed, or out of memory. The message says how, as far as is known."""


class FatalError(WorkerDiedError):
    """As above, and the place itself has tried again as often as it should."""


class StoppedError(Exception):
    """Work was given up because its place was stopped; nobody waits for it any more."""


class Place(Protocol):
    """Other processes, which carry out work that they are handed, see ``work.carry_out``."""

    def run(self, work: bytes) -> bytes:
        """Have work carried out, and wait for what comes of it. Called by several threads at once.

        Raises:
            WorkerDiedError: The process died; the place is as usable as before.
            StoppedError: ``stop`` was called.
            UserError: The place cannot be used.
        """
        ...

    def stop(self) -> None:
        """End whatever is being carried out, and what was begun by it. Calling it again does nothing."""
        ...
