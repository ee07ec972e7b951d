"""Progress of long work: a bar on a terminal, plain lines everywhere else, nothing when quiet. Imports no torch.

>>> import sys
>>> with progress(stream=sys.stdout).task("collect", total=2) as advance:
...     advance(1)
...     advance(1)
collect: 0 of 2
collect: 2 of 2, done in 0 s
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TextIO

Advance = Callable[[int], None]

_HEARTBEAT_S = 10.0  # plain lines: one is due this long after the last, …
_SHARE = 0.1  # … or as soon as this share more is done,
_BREATH_S = 1.0  # but never sooner than this after the last: short work prints its start and its end only
_LOOKED_BACK_S = 3600.0  # bars: by what was done in so long they say what is left; one unit may take minutes


class Progress(Protocol):
    """Where work reports how far it is."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Open a task of `total` units (None: unknown); the context gives the function that advances it by n units."""
        ...

    def line(self, text: str) -> None:
        """Say something once."""
        ...


def progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """The reporter that suits a stream.

    Args:
        quiet: Report nothing at all.
        stream: Where to report; by default standard error. A terminal gets a bar, anything else plain lines.
    """
    if quiet:
        return _Quiet()
    target = sys.stderr if stream is None else stream
    if target.isatty() and os.environ.get("TERM") != "dumb":
        return _Bars(target)
    return _Lines(target)


def _roughly(seconds: float) -> str:
    """A time that is not known to the second.

    >>> [_roughly(seconds) for seconds in (7.4, 100, 3000, 9000)]
    ['about 7 s', 'about 2 min', 'about 50 min', 'about 2.5 h']
    """
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 90 * 60 else f"about {seconds / 3600:.1f} h"


class _Quiet:
    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield lambda _units: None

    def line(self, text: str) -> None:
        return None


class _Lines:
    """Start, now and then, end: for logs and pipes."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    def line(self, text: str) -> None:
        print(f"{text}\n", end="", file=self._stream, flush=True)  # in one piece: threads may speak at the same time

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        begin = said_at = self._clock()
        done = said = 0

        def so_far() -> str:
            if total is None:
                return f"{title}: {done}" if done else title
            return f"{title}: {done} of {total}"

        def advance(units: int) -> None:
            nonlocal done, said, said_at
            done += units
            silence = self._clock() - said_at
            share = (done - said) / total if total else 0.0
            finished = total is not None and done >= total  # the end line is about to say so
            if not finished and (silence >= _HEARTBEAT_S or (share >= _SHARE and silence >= _BREATH_S)):
                passed = self._clock() - begin
                left = f", {_roughly(passed * (total - done) / done)} left" if total and done else ""
                self.line(f"{so_far()}, {passed:.0f} s{left}")
                said, said_at = done, self._clock()

        self.line(so_far())
        outcome = "stopped after"
        try:
            yield advance
            outcome = "done in"
        finally:
            self.line(f"{so_far()}, {outcome} {self._clock() - begin:.0f} s")


class _Bars:
    """Rich bars, one below the other when tasks are nested; they vanish when their task ends."""

    def __init__(self, stream: TextIO) -> None:
        from rich import progress as rich
        from rich.console import Console
        from rich.table import Column

        columns: tuple[rich.ProgressColumn, ...] = (
            rich.SpinnerColumn(),
            # Titles hold scenario ids such as "block-1[mask]". Where there is little room they break, no number does.
            rich.TextColumn("{task.description}", markup=False, table_column=Column()),
            rich.BarColumn(bar_width=20),
            rich.MofNCompleteColumn(),
            rich.TimeElapsedColumn(),
            rich.TextColumn("<"),  # as tqdm has it: the time that has passed < the time that is left
            rich.TimeRemainingColumn(compact=True),
        )
        self._console = Console(file=stream, force_terminal=True, markup=False, highlight=False)
        self._make: Callable[[], Any] = lambda: rich.Progress(
            *columns, console=self._console, transient=True, speed_estimate_period=_LOOKED_BACK_S
        )
        self._live: Any = None
        self._open = 0

    def line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)  # above the bars, if any are shown

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        if not self._open:
            self._live = self._make()
            self._live.start()
        self._open += 1
        live, number = self._live, self._live.add_task(title, total=total)
        try:
            yield lambda units: live.advance(number, units)
        finally:
            live.refresh()  # bars are drawn ten times a second: without this the last steps would never show
            live.remove_task(number)
            self._open -= 1
            if not self._open:
                live.stop()
                self._live = None
