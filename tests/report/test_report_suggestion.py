"""What a suggestion is said to cost."""

from __future__ import annotations

import pytest

from yolo_prune_check.report.sensitivity.suggestion import conclusion
from yolo_prune_check.run.suggestion_record import Candidate, Checked, Suggestion
from yolo_prune_check.scores import MeanAveragePrecision

BEFORE = MeanAveragePrecision(0.9, 0.5)


def concluded(drop: float, checked: Checked | None) -> str:
    tried = Candidate("global", 0.5, "holds", 0.5, 0.5, BEFORE, drop, 0.0)
    return conclusion(
        Suggestion(
            model="m.pt",
            data="d",
            imgsz=64,
            command="",
            compact="",
            criterion="taylor",
            budget=0.0,
            decided_on="1/2",
            decided_images=100,
            checked_on="2/2",
            checked_images=100,
            folds=4,
            epochs=0,
            macs=10,
            params=10,
            dense=BEFORE,
            candidates=(tried,),
            chosen=None if checked is None else tried,
        ),
        checked,
    )


@pytest.mark.parametrize(
    ("drop", "said"),
    [(0.0, "0.0000"), (-0.0108, "-0.0108 (a gain)"), (0.02, "0.0200"), (3e-5, "3e-05")],
)
def test_beside_a_budget_of_nothing_each_loss_is_told_as_it_is(drop: float, said: str) -> None:
    after = MeanAveragePrecision(0.9, 0.25)
    words = concluded(drop, Checked(BEFORE, after, held=False, failures=()))
    assert f"which decided, it loses {said}; on part 2/2, which did not, 0.2500: it did not hold." in words
    assert concluded(drop, None).endswith(f"The least that a candidate loses, with one standard error, is {said}.")
