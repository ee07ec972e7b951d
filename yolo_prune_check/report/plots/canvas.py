"""Figures with a style of their own, whatever the machine's settings are, and their SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from yolo_prune_check.report.markdown import MARKER

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6BB1")
"""Those of Okabe and Ito, which colour-blind people can tell apart; violet for yellow, which is faint on white."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""One more than there are colours, so that both together repeat late."""
_FINER: Final = re.compile(r"(\d*[1-9]\d*\.\d\d)\d+")
"""Digits that nobody sees: below a hundredth of a point, of numbers from 1 on. Smaller ones are scales, or shares."""
_LEVEL: Final = re.compile(r' transform="rotate\(-?0 [^"]*\)"')
"""What matplotlib says of text that is not turned."""
_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "yolo-prune-check",  # ids of the file's parts
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which comes with matplotlib
    "font.size": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 8,
    "legend.frameon": False,
}


@contextmanager
def plain_style() -> Iterator[None]:
    """Matplotlib's defaults and the reports' own settings; what the caller had set comes back."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in _STYLE.items():
            mpl.rcParams[name] = value
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches, that belongs to nobody: pyplot does not know it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg(figure: Figure, *, outlines: bool = True) -> str:
    """A figure as the text of an SVG file: no date, the same on every run.

    Its first line is the marker by which files of ours are known.

    Args:
        figure: The figure.
        outlines: Draw letters, which looks the same everywhere. Else they are text, in the viewer's own sans-serif font
            where DejaVu is not installed: of hundreds of numbers that is a third of the size.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with plain_style():
        mpl.rcParams["svg.fonttype"] = "path" if outlines else "none"
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    lines = [_FINER.sub(r"\1", _LEVEL.sub("", line.rstrip())) for line in text[text.index("<svg") :].splitlines()]
    return "\n".join([MARKER, *lines]) + "\n"


def ranks(names: Sequence[str]) -> dict[str, int]:
    """Different names to 0, 1, 2, … in the order in which they come."""
    return {name: index for index, name in enumerate(dict.fromkeys(names))}


def colour(index: int) -> str:
    """The colour of a rank."""
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    """The marker of a rank."""
    return MARKERS[index % len(MARKERS)]


def legend(figure: Figure, looks: Sequence[tuple[str, str]], *, lines: bool) -> None:
    """Say below a figure what its colours and markers mean.

    Args:
        figure: The figure.
        looks: Name of the colour and name of the marker of everything that was drawn. Where they are always the same,
            one entry says both.
        lines: Whether what was drawn are lines, not only markers.
    """
    from matplotlib.lines import Line2D

    colours, markers = (ranks([look[side] for look in looks]) for side in (0, 1))

    def entry(label: str, hue: str, shape: str) -> Line2D:
        return Line2D([], [], color=hue, marker=shape, linestyle="-" if lines else "", label=label)

    if colours == markers:
        entries = [entry(name, colour(rank), marker(rank)) for name, rank in colours.items()]
    else:
        entries = [Line2D([], [], color=colour(rank), linewidth=5, label=name) for name, rank in colours.items()]
        entries += [entry(name, "#555555", marker(rank)) for name, rank in markers.items()]
    figure.legend(handles=entries, loc="outside lower center", ncols=1 if _widest(entries) > 36 else 3)


def _widest(entries: Sequence[Line2D]) -> int:
    return max(len(str(entry.get_label())) for entry in entries)
