"""The numbers of a weight, read from the model only when a prediction asks for some of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Rows of a weight ``(out, in, *kernel)``, by reference: nothing is copied until it is asked for.

    Attributes:
        source: The weight, detached, so that a parameter that is given other data does not take it along.
        version: PyTorch's count of the times that it was written into; where it has moved on, nothing is known.
        rows: ``[rows]``, which rows of the source these are; None for all, in order.
        columns: ``[rows, columns]``, which columns of each row; None for all, in order.
        stays: ``[rows]``, False where a row was zeroed; None where none was.
    """

    source: torch.Tensor
    version: int
    rows: Rows | None = None
    columns: Rows | None = None
    stays: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, weight: torch.Tensor) -> Numbers:
        """All numbers of a weight."""
        weight = weight.detach()
        return cls(weight, _version(weight))

    def at(self, rows: Rows) -> NDArray[np.float64]:
        """Some rows in float64; NaN where the weight was written into since the trace."""
        chosen = rows if self.rows is None else self.rows[rows]
        width = self.source.shape[1] if self.columns is None else self.columns.shape[1]
        if _version(self.source) != self.version:
            found = np.full((len(rows), width, *self.source.shape[2:]), np.nan)
        else:
            picked = self.source[torch.from_numpy(chosen).to(self.source.device)]
            found = picked.double().cpu().numpy()
            if self.columns is not None:
                found = found[np.arange(len(rows))[:, None], self.columns[rows]]
        if self.stays is not None:
            found[~self.stays[rows]] = 0.0
        return found

    def zeroed(self, stays: NDArray[np.bool_]) -> Numbers:
        """The same with some rows zeroed."""
        return replace(self, stays=stays if self.stays is None else self.stays & stays)

    def picked(self, rows: Rows, columns: Rows | None = None) -> Numbers:
        """Some rows of these, and some columns of each.

        Args:
            rows: ``[rows]``.
            columns: ``[rows, columns]``; None for all.
        """
        kept = None if self.columns is None else self.columns[rows]
        if columns is not None:
            kept = columns if kept is None else np.take_along_axis(kept, columns, axis=1)
        return replace(
            self,
            rows=rows if self.rows is None else self.rows[rows],
            columns=kept,
            stays=None if self.stays is None else self.stays[rows],
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Numbers:
        """Itself: a copy of the weight would have another count of writes, and nothing here can be changed."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs: the numbers themselves, or nothing but their shape where they are outdated."""
        outdated = _version(self.source) != self.version
        return {**self.__dict__, "source": self.source.clone(), "version": -1 if outdated else 0}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """As pickled."""
        self.__dict__.update(state)
        if not self.version:
            self.__dict__["version"] = _version(self.source)


def _version(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_inference() else int(tensor._version)
