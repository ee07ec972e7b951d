"""Timing on a machine that others use too: alternate what is compared, repeat, and take medians."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any


def seconds(function: Callable[[], Any]) -> float:
    """How long one call takes, with the garbage collector held off."""
    held = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start
    finally:
        if held:
            gc.enable()


def alternate(functions: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Median of what each function measures, in seconds.

    Every round asks each function once, so that a slow minute of the machine falls on all of them. A function times
    itself, with ``seconds``: what it prepares is not counted. One round before the first is thrown away.
    """
    for function in functions.values():
        function()
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            taken[name].append(function())
    return {name: median(values) for name, values in taken.items()}


def spoken(duration: float | None) -> str:
    """A duration with three digits and a unit.

    >>> [spoken(t) for t in (2.0, 0.0123, 4.56e-6, None)]
    ['2.00 s', '12.3 ms', '4.56 µs', '–']
    """
    if duration is None:
        return "–"
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if duration * factor >= 1:
            return f"{_digits(duration * factor)} {unit}"
    return f"{_digits(duration * 1e6)} µs"


def _digits(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def ratio(whole: float | None, part: float | None) -> str:
    """How many times ``part`` goes into ``whole``; below 10 with two digits.

    >>> ratio(1.0, 0.0001), ratio(1.0, 2.0), ratio(None, 1.0)
    ('10,000', '0.50', '–')
    """
    return "–" if whole is None or not part else _digits(whole / part)
