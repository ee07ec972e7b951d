"""Plans that are to go no further than what their steps name."""

from __future__ import annotations

import pytest

from tests.models import graph_of
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict

C2F, PARTNERS = "model.4.cv1.conv", ("model.4.m.0.cv2.conv", "model.4.m.1.cv2.conv")
HALVES = Step(C2F, [*range(4, 32), *range(36, 64)])
NAMED = [Step(layer, range(4, 32)) for layer in PARTNERS]


@pytest.mark.parametrize(
    ("steps", "extend", "verdict"),
    [
        ([HALVES], True, "safe"),
        ([HALVES], False, "unsafe"),
        ([HALVES, NAMED[0]], False, "unsafe"),
        ([HALVES, *NAMED], False, "safe"),
        ([Step("model.1.conv", range(16))], False, "safe"),
    ],
)
def test_all_ways_of_predicting_say_the_same(steps: list[Step], extend: bool, verdict: str) -> None:
    graph, plan = graph_of(), Plan(steps, "group", extend=extend)
    prediction, judged = predict(graph, plan), judge(graph, plan)
    assert (prediction.verdict, judged.verdict) == (verdict, verdict)
    many = graph.predict_many([Plan([Step("model.1.conv", range(8))], "group"), plan])
    assert [one.verdict for one in many] == ["safe", verdict]
    codes = {hazard.code for hazard in prediction.hazards if hazard.severity == "error"}
    assert codes == ({"partial-group"} if verdict == "unsafe" else set())
    assert prediction.hazards == judged.hazards == many[1].hazards


def test_what_is_not_named_is_told() -> None:
    prediction = predict(graph_of(), Plan([HALVES], "group", extend=False))
    hazard = next(hazard for hazard in prediction.hazards if hazard.code == "partial-group")
    assert (hazard.layer, hazard.message) == (
        C2F,
        "the plan does not name model.4.m.0.cv2.conv[0:4], model.4.m.1.cv2.conv[0:4], which can only stay if what it "
        "names does",
    )
