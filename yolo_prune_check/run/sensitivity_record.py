"""How much a score drops if one layer, or what is tied together, is pruned alone: plain data. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from yolo_prune_check.errors import UserError
from yolo_prune_check.run.plain import from_plain, to_plain
from yolo_prune_check.run.record import write_atomically
from yolo_prune_check.scores import Scores

FORMAT: Final = 2
_AGAIN: Final = "Run `yolo-prune-check sensitivity` again."

Per = Literal["layer", "group"]
"""One layer by execution ``mask``, or all that is tied together by execution ``group``."""
Status = Literal["measured", "unchanged", "unsafe"]


@dataclass(frozen=True)
class Point:
    """One unit, pruned alone at one ratio.

    Attributes:
        ratio: Share of its channels that is to go.
        status: ``unchanged``: so few channels that none goes, so that it is the untouched model; ``unsafe``: so it was
            predicted, and therefore it was not run.
        removed: Channels that go, in all layers.
        drop: What is lost of the score that budgets limit; negative where it rises. None where it is not safe.
        scores: What was measured; None where nothing was.
        macs_cut: Share of the multiply-accumulates saved, as predicted; of masks, which save nothing, what it is once
            the silent channels of the layer are removed and put back as zeros behind it. None where it is not safe.
        params_cut: Likewise of the parameters.
        reason: Why it is unsafe.
        whole_parts: How many heads or conv groups go, of those of which nothing less can.
    """

    ratio: float
    status: Status
    removed: int
    drop: float | None = None
    scores: Scores | None = None
    macs_cut: float | None = None
    params_cut: float | None = None
    reason: str = ""
    whole_parts: int = 0


@dataclass(frozen=True)
class UnitRecord:
    """A layer, or what is tied together.

    Attributes:
        name: The layer, or the first of them.
        layers: All layers that lose channels.
        channels: Channels that it has, or dependency groups, each of which goes as a whole.
        points: By ratio, ascending.
        whole_parts: How many heads or conv groups it has that can go, and of which nothing less can.
    """

    name: str
    layers: tuple[str, ...]
    channels: int
    points: tuple[Point, ...]
    whole_parts: int = 0

    @property
    def known(self) -> tuple[Point, ...]:
        """Points at which something goes, and of which the drop is known."""
        return tuple(point for point in self.points if point.status == "measured")

    @property
    def mean_drop(self) -> float:
        """Over the points at which something goes; infinite where it is known of none."""
        drops = [point.drop for point in self.known if point.drop is not None]
        return sum(drops) / len(drops) if drops else float("inf")


@dataclass(frozen=True)
class Sensitivity:
    """What came of it, and of what it was measured.

    Attributes:
        dense: The untouched model's scores.
        val_part: Which of the val images: ``k/n``.
        images: How many these are.
        macs: Multiply-accumulates of the untouched model for one image.
        params: Its parameters.
        left_out: Layers that have channels which can go, and which the criterion does not score.
    """

    model: str
    data: str
    imgsz: int
    per: Per
    criterion: str
    ratios: tuple[float, ...]
    val_part: str
    images: int
    seed: int
    device: str
    dense: Scores
    macs: int
    params: int
    units: tuple[UnitRecord, ...]
    left_out: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def points(self) -> tuple[Point, ...]:
        """All points."""
        return tuple(point for unit in self.units for point in unit.points)


def write_sensitivity(found: Sensitivity, path: Path) -> None:
    """Write it as JSON, whole or not at all."""
    write_atomically(path, json.dumps(to_plain(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def refuse_foreign_data(path: Path) -> None:
    """See that a file that is to be written is none of somebody else's; one of another format is ours.

    Raises:
        UserError: It is.
    """
    if not path.exists():
        return
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or not {"format", "dense", "units"} <= content.keys():
        hint = "Name another folder, or move the file."
        raise UserError("it would be overwritten, and is no measurement of ours", where=str(path), hint=hint)


def read_sensitivity(path: Path) -> Sensitivity:
    """Read what ``write_sensitivity`` wrote.

    Raises:
        UserError: It is no such file, or one of another format.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"it cannot be read ({error})", where=str(path), hint=_AGAIN) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError("no measurement of sensitivity, or one of another format", where=str(path), hint=_AGAIN)
    try:
        found: Sensitivity = from_plain(Sensitivity, content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"it is damaged ({error})", where=str(path), hint=_AGAIN) from error
    return found
