"""One written scenario to one or many: defaults filled in, matrix multiplied out."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from yolo_prune_check.errors import clip
from yolo_prune_check.spec.located import Entry, Mapping, Sequence, SourceFloat, plain
from yolo_prune_check.spec.problems import Problem, meant, nearest
from yolo_prune_check.spec.schema import AXES, NO_AXIS

MOST_SCENARIOS = 10_000
SELECTION = ("blocks", "layers", "select", "order", "schedule", "activations")
OF_A_PLAN = (
    *SELECTION,
    *("steps", "execution", "mask", "extend", "round_to", "on_mismatch", "fine_tune", "device", "expect"),
    *("val_part", "measure"),
)
"""Defaults that say nothing to random plans."""
ABOUT_AXES = (
    "Axes are the dotted fields of select, fuzz and fine_tune, such as select.ratio, and a scenario's own fields but "
    f"for {', '.join(sorted(NO_AXIS - {'matrix'}))}: see docs/specs.md."
)


@dataclass(frozen=True)
class Expanded:
    """One combination of a matrix.

    Attributes:
        suffix: What is added to the id, `[mask,front-to-back]`; empty without a matrix.
        axes: Axis to value as it stands in the suffix, in order of the axis names.
        fields: The scenario's fields, with defaults and the axis values, without `matrix`.
    """

    suffix: str
    axes: dict[str, str]
    fields: Mapping


def expand(scenario: Mapping, defaults: Mapping, top: Mapping, problems: list[Problem]) -> Iterator[Expanded]:
    """All combinations of a scenario's matrix, axes in order of their names, values in the order they are written.

    Args:
        scenario: The scenario as written.
        defaults: The file's defaults; a scenario's field replaces the default of that name.
        top: The file's model, trust_checkpoint, data and imgsz.
        problems: Takes what is wrong with the matrix.
    """
    axes = _axes(scenario, problems)
    own = (key for key, entry in scenario.entries.items() if entry.value is not None)
    written = {*own, *(axis.partition(".")[0] for axis in axes)}
    base = top.merged(_applicable(defaults, written)).merged(scenario.without("matrix"))
    seen: dict[str, None] = {}
    for combination in itertools.product(*axes.values()):
        fields = base
        for axis, entry in zip(axes, combination, strict=True):
            fields = fields.put(axis.split("."), entry)
        if "mask" not in written and fields.get("execution") not in (None, "mask"):
            fields = fields.without("mask")  # a default kind of mask says nothing to the other executions
        names = {axis: render(axis, entry.value) for axis, entry in zip(axes, combination, strict=True)}
        suffix = f"[{','.join(names.values())}]" if names else ""
        if suffix in seen:
            place = combination[-1].place
            what = f"the matrix gives the id `{scenario.get('id')}{suffix}` twice"
            problems.append(Problem(place, what, hint="Make the values of each axis different."))
            continue
        seen[suffix] = None
        yield Expanded(suffix, names, fields)


def render(axis: str, value: Any) -> str:
    """A value of an axis, short and safe in an id.

    >>> render("model", "weights/a.pt")
    'a.pt'
    """
    if value is None:
        text = "none"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, SourceFloat):
        text = value.text
    elif isinstance(value, Mapping):
        text = "+".join(f"{key}={render(key, entry.value)}" for key, entry in value.entries.items())
    elif isinstance(value, Sequence):
        text = "+".join(render(axis, item) for item in value.items)
    else:
        text = PurePath(value).name if axis in {"model", "data"} and isinstance(value, str) else str(value)
    return re.sub(r"[^\w.:=+-]+", "-", text, flags=re.ASCII)


def _applicable(defaults: Mapping, written: set[str]) -> Mapping:
    """The defaults less those that the scenario's own way of naming channels excludes."""
    if "fuzz" in written:
        return defaults.without(*OF_A_PLAN)
    if "steps" in written:
        return defaults.without(*SELECTION, "fuzz")
    if written & {"blocks", "layers", "select"}:
        return defaults.without("steps", "fuzz")
    return defaults.without(*OF_A_PLAN) if defaults.get("fuzz") is not None else defaults


def _axes(scenario: Mapping, problems: list[Problem]) -> dict[str, list[Entry]]:
    """Axis name to its values; only the axes that can be used."""
    if "matrix" not in scenario:
        return {}
    matrix, written = scenario.get("matrix"), scenario.entries["matrix"]
    if not isinstance(matrix, Mapping):
        hint = "Such as matrix: {execution: [mask, local]}."
        problems.append(Problem(written.place, "`matrix` must be a mapping of axes to lists", plain(matrix), hint))
        return {}
    if not matrix.entries:
        problems.append(Problem(written.place, "`matrix` has no axes", hint="Remove it, or give it one."))
    axes: dict[str, list[Entry]] = {}
    for axis in sorted(matrix.entries):
        entry = matrix.entries[axis]
        if axis.partition(".")[0] in NO_AXIS:
            hint = f"Write one scenario for each. {ABOUT_AXES}"
            problems.append(Problem(entry.key_place, f"`{clip(axis)}` cannot be an axis of a matrix", hint=hint))
        elif axis not in AXES:
            hint = f"{meant(_near_axes(axis))}{ABOUT_AXES}"
            problems.append(Problem(entry.key_place, f"`{clip(axis)}` is no axis of a matrix", hint=hint))
        elif not isinstance(entry.value, Sequence):
            problems.append(
                Problem(
                    entry.place, f"the axis `{axis}` must be a list of values", plain(entry.value), "Such as [a, b]."
                )
            )
        elif not entry.value.items:
            problems.append(Problem(entry.place, f"the axis `{axis}` has no values", hint="Give it at least one."))
        elif axis.partition(".")[0] in axes:
            outer = axis.partition(".")[0]
            problems.append(
                Problem(entry.key_place, f"the axes `{outer}` and `{axis}` set the same field", hint="Keep one.")
            )
        else:
            values = zip(entry.value.items, entry.value.places, strict=True)
            axes[axis] = [Entry(entry.key_place, place, value) for value, place in values]
    count = math.prod(map(len, axes.values()))
    if count > MOST_SCENARIOS:
        what = f"the matrix expands to {count} scenarios, more than {MOST_SCENARIOS}"
        problems.append(Problem(written.key_place, what, hint="Leave out axes or values."))
        return {}
    return axes


def _near_axes(word: str) -> list[str]:
    """The axes that are most like a word, as a whole or by what stands behind the dot."""
    spelled: dict[str, list[str]] = {}
    for axis in AXES:
        for spelling in dict.fromkeys((axis, axis.rpartition(".")[2])):
            spelled.setdefault(spelling, []).append(axis)
    return list(dict.fromkeys(axis for spelling in nearest(word, spelled) for axis in spelled[spelling]))
