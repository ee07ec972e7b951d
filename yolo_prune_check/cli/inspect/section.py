"""One titled part of the output: what it shows, how to read it, the table, its totals."""

from __future__ import annotations

from yolo_prune_check.cli.output import WIDTH, wrapped


def section(title: str, legend: str, body: str, total: str = "") -> str:
    """The part; title underlined, legend and total wrapped to the width of the output."""
    parts = [f"{title.upper()}\n{wrapped(legend, WIDTH)}", body]
    if total:
        parts.append(wrapped(f"Total: {total}", WIDTH))
    return "\n\n".join(parts)
