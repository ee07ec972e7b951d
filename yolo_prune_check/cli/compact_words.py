"""What ``compact`` prints: costs, the proof, and what can be done with the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from yolo_prune_check.cli.output import heading, table
from yolo_prune_check.report.checks import error
from yolo_prune_check.report.figures import change, count, lost, of, score
from yolo_prune_check.report.latency import latency_change

if TYPE_CHECKING:
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.channels.prediction import Prediction
    from yolo_prune_check.cli.budget import Judged
    from yolo_prune_check.confirm.check import Check
    from yolo_prune_check.confirm.latency import Latency
    from yolo_prune_check.run.compact import Compacted
    from yolo_prune_check.scores import Scores


def ruined_line(before: Scores, after: Scores) -> str | None:
    """A warning where less than half of the score is left; None where more is."""
    if after.budgeted >= before.budgeted / 2:
        return None
    fell = f"{before.budgeted_name} {score(before.budgeted)} before, {score(after.budgeted)} now"
    return f"warning: less than half of what it could do is left: {fell}. Remove less, or train longer (--fine-tune)."


def budget_line(judged: Judged, before: Scores, after: Scores) -> str:
    """What is lost, and what may be."""
    scores = f"from {score(before.budgeted)} to {score(after.budgeted)}"
    return f"{before.budgeted_name} falls by {lost(judged.loss)}, {scores}; {judged.option} allows {judged.allowed:g}"


def tables(done: Compacted, before: tuple[int, int | None], latency: Latency, *, imgsz: int, written: bool) -> str:
    """All of it, as titled tables.

    Args:
        done: What came of it.
        before: Parameters and multiply-accumulates of the untouched model.
        latency: Of both models.
        imgsz: Image size in pixels, of all of it.
        written: Whether the file comes into its place; else nothing is said of it unless something is wrong with it.
    """
    parts = [
        heading(f"Before and after, at {imgsz} px", _costs(before, done, latency)),
        heading("Proof", _checks("computes what the masked model does", done.proof)),
    ]
    if done.deploy and (written or not done.usable):
        parts.append(heading("The file", _checks("can be used without this package", done.deploy)))
    return "\n".join(parts)


def symmetry_line(graph: ChannelGraph, prediction: Prediction) -> list[str]:
    """One warning for all layers that keep channels which the plan removes; none if there is no such layer."""
    from yolo_prune_check.channels.hazards import why_kept  # here, as the command line starts without torch
    from yolo_prune_check.cli.removal import given_back

    back = given_back(graph, prediction)
    if not back:
        return []
    kept, asked = (sum(counts) for counts in zip(*back.values(), strict=True))
    most = max(back, key=lambda layer: back[layer])
    where = f"in {most}" if len(back) == 1 else f"in {len(back)} layers, most in {most} ({of(*back[most])})"
    verb = "stays" if kept == 1 else "stay"
    what = f"{of(kept, asked)} channels that the plan removes there {verb} {why_kept(prediction.plan)}"
    return [f"warning: kept-for-symmetry {where}: {what}"]


def _costs(before: tuple[int, int | None], done: Compacted, latency: Latency) -> str:
    after = (done.prediction.params, done.prediction.macs)
    rows = [
        [name, count(one), count(other), change(one, other)]
        for name, one, other in zip(("parameters", "multiply-accumulates"), before, after, strict=True)
    ]
    rows.append(
        [
            f"latency, median of {latency.runs}",
            f"{latency.dense_ms:.1f} ms",
            f"{latency.pruned_ms:.1f} ms",
            latency_change(latency.dense_ms, latency.pruned_ms),
        ]
    )
    if done.metrics:
        first, *rest = done.metrics
        for words, metrics in zip(("pruned", "pruned and trained"), rest, strict=False):
            for name, one, other in zip(first.names, first.values, metrics.values, strict=True):
                rows.append([f"{name}, {words}", score(one), score(other), ""])
    return table(["", "before", "after", "change"], rows)


def _checks(title: str, rows: Sequence[Check]) -> str:
    holds = {True: "yes", False: "NO", None: "–"}
    cells = [[row.name, holds[row.passed], error(row.error), row.detail] for row in rows]
    return table([title, "holds", "largest relative error", "what"], cells)
