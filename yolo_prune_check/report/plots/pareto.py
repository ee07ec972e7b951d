"""What a model costs against what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yolo_prune_check.report.plots.canvas import blank, colour, legend, marker, plain_style, ranks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Point:
    """One model.

    Attributes:
        cost: To the right is more.
        score: Up is better.
        spread: Half the length of the bar through it; None for no bar.
        colour: Name of what the colour stands for.
        marker: Name of what the marker stands for.
        on_front: Whether the Pareto front goes through it.
    """

    cost: float
    score: float
    spread: float | None
    colour: str
    marker: str
    on_front: bool = False


def pareto(points: Sequence[Point], *, cost: str, score: str) -> Figure:
    """Points with the front drawn as steps: what can be had at most for a cost.

    Args:
        points: The models, at least one.
        cost: What the cost is called, with its unit.
        score: What the score is called.
    """
    with plain_style():
        figure = blank(7, 4.4)
        axes = figure.subplots()
        colours, markers = ranks([point.colour for point in points]), ranks([point.marker for point in points])
        for point in points:
            axes.errorbar(
                [point.cost],
                [point.score],
                yerr=None if point.spread is None else [point.spread],
                color=colour(colours[point.colour]),
                marker=marker(markers[point.marker]),
                markersize=6,
                markeredgecolor="white",
                markeredgewidth=0.5,
                elinewidth=0.8,
                capsize=2,
            )
        front = sorted((point.cost, point.score) for point in points if point.on_front)
        if front:
            costs, scores = zip(*front, strict=True)
            axes.plot(costs, scores, color="#555555", drawstyle="steps-post", linewidth=1, zorder=1, label="front")
        axes.set_xlabel(cost)
        axes.set_ylabel(score)
        legend(figure, [(point.colour, point.marker) for point in points], lines=False)
    return figure
