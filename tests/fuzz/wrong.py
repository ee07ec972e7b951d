"""A rule that is wrong on purpose: what random plans must find."""

from __future__ import annotations

import pytest

from yolo_prune_check.channels.rules import RULES


def make_silu_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """SiLU of a negative constant becomes zero in predictions, as ReLU's is: phantom channels are missed."""
    monkeypatch.setitem(RULES, "silu", RULES["relu"])  # type: ignore[arg-type]  # a dict, though read-only by its type
