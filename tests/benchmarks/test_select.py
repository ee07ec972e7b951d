"""The plain ways that selection is timed against give its values."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import select


def test_both_ways_to_activations_agree() -> None:
    row = select.activations(2, rounds=1)
    assert row.error < 1e-6
    assert row.slow > 0
    assert row.fast > 0


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "_mini_net", lambda _model, layer, _image: torch.zeros(1, layer.out_channels, 32, 32))
    assert select.activations(1, rounds=1).error > 0.01


def test_both_ways_to_distances_agree() -> None:
    random, labels = np.random.default_rng(0), np.arange(60) % 10
    values = random.normal(labels[:, None] / 5, 1, (60, 7)).astype(np.float32)
    np.testing.assert_allclose(select.vectorised(values, labels), select.double_loop(values, labels), atol=1e-12)


def test_the_page_has_the_speed_that_is_promised() -> None:
    """At least 10 and 100 times faster, with the same values."""
    text = (Path(__file__).parents[2] / "docs" / "selection.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row[0].split(" of ")[0] for row in rows] == ["activations", "distances"]
    assert [float(row[3]) >= least for row, least in zip(rows, (10, 100), strict=True)] == [True, True]
    errors = [float(re.match(r"\S+(?= in float64)", row[4])[0]) for row in rows]  # type: ignore[index]
    assert max(errors) <= 1e-6
