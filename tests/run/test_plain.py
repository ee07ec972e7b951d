"""Everything that a state holds survives as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_type_hints

import numpy as np
import pytest
from numpy.typing import NDArray

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.confirm.compare import Confirmation
from yolo_prune_check.confirm.junctions import SeenPort
from yolo_prune_check.confirm.meant import Difference
from yolo_prune_check.confirm.observe import Observation
from yolo_prune_check.run.plain import from_plain, to_plain
from yolo_prune_check.run.state import State
from yolo_prune_check.scores import Accuracy, MeanAveragePrecision, Scores

FAILURE = Mismatch("model.2", "direct", "32", "16", "Given groups=1", ("a", "b"))
SEEN = Observation(
    failure=FAILURE,
    active={"model.1.conv": 3},
    weight_norms={},
    ports={("model.2:cat", "in0"): SeenPort(16, 8)},
    shapes={"model.1": ((1, 32, 8, 8), (1, 32, 4, 4))},
    params=5,
    macs=None,
    difference=Difference(0.1 + 0.2, float("inf")),
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Plan, Plan([Step("model.1.conv", range(3)), Step("b", [])], "local")),
        (Confirmation | None, Confirmation(False, FAILURE, ("it differs",), 1e-300, SEEN)),
        (Confirmation | None, None),
        (list[Step], [Step("a", [1])]),
        (dict[str, Any], {"k": [1, 2], "nested": {"x": None}}),
        (Mapping[tuple[str, str], int | list[int]], {("model.2", "c"): 16, ("model.2", "split"): [8, 8]}),
        (list[float], [float("-inf"), 0.1]),
        (Scores | None, MeanAveragePrecision(0.5, 0.25)),
        (Scores | None, Accuracy(0.5, 1.0, 0.25)),
    ],
)
def test_it_comes_back_as_it_was(kind: Any, value: object) -> None:
    assert from_plain(kind, json.loads(json.dumps(to_plain(value)))) == value


def test_arrays_come_back_with_their_kind_of_number() -> None:
    for array, kind in ((np.arange(3), NDArray[np.int64]), (np.zeros((2, 0), bool), NDArray[np.bool_])):
        back = from_plain(kind, json.loads(json.dumps(to_plain(array))))
        assert back.dtype == array.dtype
        assert np.array_equal(back, array)


def test_what_json_cannot_hold_is_no_plain_data() -> None:
    with pytest.raises(TypeError, match="a complex cannot be kept as JSON"):
        to_plain({"x": 1j})


def test_the_hints_of_a_state_can_be_resolved() -> None:
    assert get_type_hints(State)["confirmation"] == Confirmation | None


def test_fields_of_none_of_several_types_are_refused() -> None:
    with pytest.raises(ValueError, match="fields map50, top1 are those of none of 2 types"):
        from_plain(Scores, {"map50": 0.5, "top1": 0.5})
