"""What is known of the Python function that runs, and gone by the time ATen sees what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Called:
    """The function of PyTorch's that runs.

    Attributes:
        composite: Whether it is kept as a whole, so that its ATen calls are not recorded.
        chunk: Number of pieces and axis, if it is a ``chunk``.
        dims: All whole numbers among its arguments, sizes with an origin as such, if there are any.
        unpacked: Into how many names its result is unpacked.
        enough: How many pieces its result must have at least for what the code does with them.
        copying: Whether it is ``copy_`` itself.
        bounds: Slices and numbers of its index, if sizes with an origin are among them.
    """

    composite: bool = False
    chunk: tuple[int, int] | None = None
    dims: list[int] | None = None
    unpacked: int | None = None
    enough: int | None = None
    copying: bool = False
    bounds: list[Any] = field(default_factory=list)
