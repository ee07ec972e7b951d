"""A table of numbers as coloured cells that still show the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from yolo_prune_check.report.plots.canvas import blank, plain_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DARK: Final = 0.55
"""Share of the way from the lowest to the highest cell up to which the ground is dark, and numbers are white."""


def heat_map(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[float | None]], *, x: str, what: str
) -> Figure:
    """Cells by row and column; cividis, which is the same to colour-blind people.

    Args:
        rows: Names of the rows, from the top.
        columns: Names of the columns.
        cells: A row of cells for each row; None stays empty.
        x: What the columns are.
        what: What the colours stand for.
    """
    with plain_style():
        figure = blank(7.5, 1.3 + 0.24 * max(len(rows), 4))
        axes = figure.subplots()
        axes.grid(visible=False)
        known = [value for row in cells for value in row if value is not None]
        low, high = min(known, default=0.0), max(known, default=1.0)
        numbers = [[float("nan") if value is None else value for value in row] for row in cells]
        mesh = axes.pcolormesh(numbers, cmap="cividis", vmin=low, vmax=high if high > low else low + 1e-9)
        mesh.set_clip_on(False)  # cells end where the axes do; to say so for each makes files longer
        axes.invert_yaxis()
        for row, values in enumerate(cells):
            for column, value in enumerate(values):
                if value is not None:
                    dark = high == low or (value - low) / (high - low) < _DARK
                    tone = "white" if dark else "black"
                    place = column + 0.5, row + 0.5
                    axes.text(*place, f"{value:.2f}", ha="center", va="center", color=tone, fontsize=7)
        axes.set_xticks([index + 0.5 for index in range(len(columns))], columns)
        axes.set_yticks([index + 0.5 for index in range(len(rows))], rows, fontsize=7)
        axes.tick_params(length=0)
        axes.set_xlabel(x)
        figure.colorbar(mesh, ax=axes, label=what)
    return figure
