"""Everything that a state holds survives as JSON."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import pytest

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.confirm.compare import Confirmation
from yolo_prune_check.confirm.junctions import SeenPort
from yolo_prune_check.confirm.meant import Difference
from yolo_prune_check.confirm.observe import Observation
from yolo_prune_check.run.plain import from_plain, to_plain
from yolo_prune_check.run.state import State

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
    ],
)
def test_it_comes_back_as_it_was(kind: Any, value: object) -> None:
    assert from_plain(kind, json.loads(json.dumps(to_plain(value)))) == value


def test_what_json_cannot_hold_is_no_plain_data() -> None:
    with pytest.raises(TypeError, match="a complex cannot be kept as JSON"):
        to_plain({"x": 1j})


def test_the_hints_of_a_state_can_be_resolved() -> None:
    assert get_type_hints(State)["confirmation"] == Confirmation | None
