"""Attention heads that may go as a whole: axes that are as long as a module attribute says, such as ``num_heads``.

A view that cuts channels into as many rows as the attribute holds makes such an axis. The row at one position, with the
rows there of all other such views, is a unit: it goes if all of its channels go, and the attribute counts those that
stay. The axis lives on where channels are lost from sight, in the weights that queries and keys give: there it is
followed by itself. Wherever it meets something that has a length of its own, the attribute must stay what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from yolo_prune_check.channels.flows.families import MATMUL, PERMUTING, SOFTMAX, UNARY, UNCHANGED
from yolo_prune_check.channels.program import BoolArray, Op, Program, Ref
from yolo_prune_check.channels.provenance import Balance, Ids
from yolo_prune_check.channels.rules import ELEMENTWISE, RULES
from yolo_prune_check.channels.sizes import AttributeKey, sized
from yolo_prune_check.channels.tensors import Tensor

HeadAxis = tuple[int, AttributeKey]


@dataclass
class _Views:
    """The views that one attribute cuts into rows.

    Attributes:
        place: For each channel number, its row; -1 for none.
        whole: For each channel number, whether a row keeps all of its channels or none.
        rows: Each view with its rows, and whether they are such.
    """

    place: Ids
    whole: BoolArray
    rows: list[tuple[Op, Ids, bool]] = field(default_factory=list)

    @property
    def units(self) -> Ids:
        """For each position, the channels there of all views."""
        return np.concatenate([rows for _, rows, _ in self.rows], axis=1)


class HeadAxes:
    """Follows axes of heads, and settles attributes that count something else besides."""

    def __init__(
        self,
        program: Program,
        entries: Mapping[int, Ids],
        channel: Callable[[Ids], Ids],
        total: int,
        settled: set[AttributeKey],
    ) -> None:
        """No axis is known yet.

        Args:
            program: The traced pass.
            entries: Origins of the values' entries, filled in operator by operator.
            channel: One channel for each origin.
            total: Number of channels.
            settled: Attributes that must stay what they are; added to.
        """
        self._program, self._entries, self._channel, self._total = program, entries, channel, total
        self._settled = settled
        self._views: dict[AttributeKey, _Views] = {}
        self._axes: dict[int, HeadAxis] = {}

    @property
    def free(self) -> dict[AttributeKey, _Views]:
        """Attributes that may change, with their views."""
        return {key: views for key, views in self._views.items() if key not in self._settled}

    def divide(self, op: Op, key: AttributeKey, rows: Ids, *, whole: bool) -> None:
        """A view cuts channels into as many rows as an attribute holds.

        Args:
            op: The view.
            key: The attribute.
            rows: The channels of each row.
            whole: Whether a row has a length of its own, so that it keeps all or nothing.
        """
        views = self._views.setdefault(key, _Views(np.full(self._total, -1), np.zeros(self._total, dtype=np.bool_)))
        views.rows.append((op, rows, whole))
        place = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
        if (rows < 0).any() or _differ(views, rows, place):
            self._settled.add(key)
            return
        views.place[rows] = place
        views.whole[rows] |= whole

    def are_whole(self, rows: Ids) -> bool:
        """Whether each of these rows keeps all of its entries or none, because a unit does to which it belongs."""
        return bool((rows >= 0).all()) and any(
            bool(views.whole[rows].all() and (views.place[rows] == views.place[rows[:, :1]]).all())
            for views in self.free.values()
        )

    def are_times(self, line: Ids, times: int, other: Ids) -> bool:
        """Whether a line of whole units keeps so many times as many entries as another one, whichever units go."""
        if (line < 0).any() or (other < 0).any():
            return False
        return any(
            bool(views.whole[line].all() and views.whole[other].all())
            and np.array_equal(_counts(views, line), times * _counts(views, other))
            for views in self.free.values()
        )

    def units_of(self, rows: Sequence[Ids | None]) -> Ids | None:
        """For each of all these rows the unit to which it belongs.

        Args:
            rows: What some operators see; None for one that needs all of its rows.

        Returns:
            A unit of one attribute for each row; None unless every operator sees a row, or several, of each unit.
        """
        for views in self.free.values():
            places = [_place(views, item) for item in rows]
            known = [place for place in places if place is not None]
            if len(known) == len(places):
                return views.units[np.concatenate(known)]
        return None

    def balances(self, views: _Views) -> list[Balance]:
        """For rows that keep all or nothing: as many entries as a row that always stays."""
        units = views.units
        return [Balance(op, _with_fixed(rows), _with_fixed(units)) for op, rows, whole in views.rows if whole]

    def settled_rows(self) -> list[tuple[Op, Ids]]:
        """Rows that keep all or nothing, of attributes that must stay: nothing of them can go."""
        return [
            (op, rows)
            for key, views in self._views.items()
            if key in self._settled
            for op, rows, whole in views.rows
            if whole
        ]

    def follow(self, op: Op, *, ruled: bool) -> None:
        """Find the axis of heads in an operator's result; settle what counts heads that it cannot do with fewer of.

        Args:
            op: The operator; its results' origins are known.
            ruled: Whether its rule reproduces the trace.
        """
        if not self._views:
            return
        given = tuple(item for item in (*op.args, *op.kwargs.values()) if not isinstance(item, Ref))
        for read in sized(given):
            if self._axes.get(read.value, (None,))[0] == read.axis:
                self._settled.add(self._axes[read.value][1])
        held = [self._axes[value] for value in op.inputs if value in self._axes]
        if op.target in MATMUL and ruled:
            self._product(op)
            return
        if op.target in ELEMENTWISE:
            self._meet(op)
        if held:
            found = self._passed(op, held[0]) if ruled and len(set(held)) == 1 else None
            if found is None:
                self._settled.update(key for _, key in held)
            else:
                self._axes[op.outputs[0]] = found

    def finish(self) -> None:
        """What the model returns keeps its shape."""
        self._settled.update(self._axes[value][1] for value in self._program.outputs if value in self._axes)

    def _passed(self, op: Op, held: HeadAxis) -> HeadAxis | None:
        """The axis in the result of an operator that treats each head by itself; None if it may not."""
        axis, key = held
        shape = self._shape(op.inputs[0])
        if op.target in SOFTMAX:
            return held if op.args[1] % len(shape) != axis else None
        if op.target in PERMUTING | UNCHANGED:
            places = np.arange(shape[axis]).reshape([n if i == axis else 1 for i, n in enumerate(shape)])
            moved = RULES[op.target](Tensor(shape, places), *op.args[1:]).state
            return (next(i for i, n in enumerate(moved.shape) if n > 1), key)
        if op.target in UNARY and len(op.inputs) == 1:
            return held
        if op.target in ELEMENTWISE and not any(value in self._entries for value in op.inputs):
            rank = len(self._shape(op.outputs[0]))
            others = [self._shape(value) for value in op.inputs if value not in self._axes]
            alike = all(len(self._shape(value)) == rank for value in op.inputs if value in self._axes)
            if alike and all(axis < rank - len(other) or other[axis - rank] == 1 for other in others):
                return held
        return None

    def _meet(self, op: Op) -> None:
        """Elementwise: axes of heads that meet must be of the same heads."""
        touched = [self._touched(value) for value in op.inputs if self._is_grid(value)]
        for other in touched[1:]:
            self._settled |= touched[0] ^ other

    def _product(self, op: Op) -> None:
        """A product for each head: both operands have these heads, or one of them serves all."""
        held = {self._axes[value][1] for value in op.inputs if value in self._axes}
        involved = held.union(*(self._touched(value) for value in op.inputs if self._is_grid(value)))
        if not involved:
            return
        rank, fine = len(self._shape(op.outputs[0])), set[AttributeKey]()
        for axis in range(rank - 2):
            found = [self._heads_along(value, axis - rank) for value in op.inputs]
            keys = {key for key in found if key is not None}
            if len(keys) == 1 and all(
                key is not None or self._is_one(value, axis - rank) for key, value in zip(found, op.inputs, strict=True)
            ):
                fine |= keys
                self._keep(op.outputs[0], (axis, keys.pop()))
        self._settled |= involved - fine

    def _keep(self, value: int, found: HeadAxis) -> None:
        """Note the axis of a result that does not hold the channels of the heads themselves."""
        entries = self._entries.get(value)
        if entries is None:
            self._axes[value] = found
        elif entries.shape[found[0]] == 1:
            self._settled.add(found[1])

    def _heads_along(self, value: int, axis: int) -> AttributeKey | None:
        """The attribute that counts the heads along an axis, counted from the end; None if none does."""
        rank = len(self._shape(value))
        if -axis > rank:
            return None
        if value in self._axes:
            return self._axes[value][1] if self._axes[value][0] == rank + axis else None
        entries = self._entries.get(value)
        if entries is None or entries.shape[axis] == 1:
            return None
        rows = self._channel(np.moveaxis(entries, axis, 0)).reshape(entries.shape[axis], -1)
        for key, views in self.free.items():
            if (rows >= 0).all() and (views.place[rows] == np.arange(len(rows))[:, None]).all():
                return key
        return None

    def _is_one(self, value: int, axis: int) -> bool:
        shape = self._shape(value)
        return -axis > len(shape) or shape[axis] == 1

    def _is_grid(self, value: int) -> bool:
        entries = self._entries.get(value)
        return entries is not None and sum(n > 1 for n in entries.shape) > 1

    def _touched(self, value: int) -> set[AttributeKey]:
        """Attributes that count rows to which some of a value's channels belong."""
        ids = self._channel(self._entries[value])
        ids = ids[ids >= 0]
        return {key for key, views in self.free.items() if (views.place[ids] >= 0).any()}

    def _shape(self, value: int) -> tuple[int, ...]:
        return self._program.values[value].shape


def _differ(views: _Views, rows: Ids, place: Ids) -> bool:
    """Whether a channel stands at another position already, or twice in these rows."""
    known = views.place[rows]
    return bool(((known >= 0) & (known != place)).any()) or len(np.unique(rows)) < rows.size


def _place(views: _Views, rows: Ids | None) -> Ids | None:
    """For each row its place, if all of its channels have the same, and rows stand at all places."""
    if rows is None or (rows < 0).any():
        return None
    place = views.place[rows]
    alike = (place >= 0).all() and (place == place[:, :1]).all()
    return place[:, 0] if alike and len(np.unique(place)) == len(views.units) else None


def _counts(views: _Views, line: Ids) -> Ids:
    """How many entries of each unit a line holds."""
    return np.bincount(views.place[line], minlength=len(views.units))


def _with_fixed(rows: Ids) -> Ids:
    return np.concatenate([rows, np.full((1, rows.shape[1]), -1)])
