"""How a score goes from step to step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from yolo_prune_check.report.plots.canvas import blank, colour, legend, marker, plain_style, ranks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ABREAST: Final = 3
"""Most panels beside each other."""


@dataclass(frozen=True)
class Curve:
    """One line with a band around it.

    Attributes:
        x: Places along the line, ascending.
        mean: Its heights.
        spread: Half the width of the band at each place; 0 for none.
        colour: Name of what the colour stands for.
        marker: Name of what the marker stands for.
        panel: Title of the panel that it is drawn in.
    """

    x: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    colour: str
    marker: str
    panel: str = ""


def curves(lines: Sequence[Curve], *, x: str, y: str, ticks: Sequence[tuple[float, str]] = ()) -> Figure:
    """Lines with bands, in as many panels as are named, all on the same scales.

    Args:
        lines: The lines, at least one.
        x: What goes to the right.
        y: What goes up.
        ticks: Places along the axis to the right, with their names; numbers without.
    """
    with plain_style():
        panels = ranks([line.panel for line in lines])
        across = 2 if len(panels) == 4 else min(len(panels), _ABREAST)  # four make a square
        down = math.ceil(len(panels) / across)
        figure = blank(7 if across == 1 else 3.2 * across, 0.6 + 3.4 * down)
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        colours, markers = ranks([line.colour for line in lines]), ranks([line.marker for line in lines])
        for line in lines:
            axes = grid.flat[panels[line.panel]]
            hue = colour(colours[line.colour])
            low, high = zip(
                *((m - s, m + s) for m, s in zip(line.mean, line.spread, strict=True)),
                strict=True,
            )
            if any(line.spread):
                axes.fill_between(line.x, low, high, color=hue, alpha=0.1, linewidth=0)
            axes.plot(line.x, line.mean, color=hue, marker=marker(markers[line.marker]), markersize=4, linewidth=1.2)
        for title, place in panels.items():
            grid.flat[place].set_title(title, fontsize=8)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        if ticks:
            places, names = zip(*ticks, strict=True)
            for axes in grid.flat:
                axes.set_xticks(places, names)
        for axes in grid[-1]:
            axes.set_xlabel(x)
        for row in grid:
            row[0].set_ylabel(y)
        legend(figure, [(line.colour, line.marker) for line in lines], lines=True)
    return figure
