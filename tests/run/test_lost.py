"""What was being measured when its process died: it is given up, and all else goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fanned import measured_or_killed
from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.fanout import LostError
from yolo_prune_check.progress import progress
from yolo_prune_check.run import measured as measured_module
from yolo_prune_check.run.families import Row
from yolo_prune_check.run.halves import folds_of
from yolo_prune_check.run.measured import Hands, Measurements
from yolo_prune_check.run.suggest import Search
from yolo_prune_check.run.trial import Bench, Job, Trial
from yolo_prune_check.spec.part import Part
from yolo_prune_check.spec.schema import FineTune

NAME = "yolov8n.yaml"
BENCH = Bench(NAME, "digits", 32)
LAYERS = ("model.1.conv", "model.3.conv", "model.5.conv", "model.7.conv")


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measurements:
    monkeypatch.setattr(measured_module, "measure", measured_or_killed)
    return Measurements(tmp_path, "key", Hands(jobs=2), progress(quiet=True))


def leaving(channels: int, *layers: str) -> Plan:
    return Plan([Step(layer, range(channels)) for layer in layers], "group")


def in_this_process(
    function: Callable[[Job], object], items: list[Job], **_: object
) -> Iterator[tuple[int, object | LostError]]:
    """As ``fan_out`` does where some processes die."""
    for index, job in enumerate(items):
        if len(job.trial.plan.steps[0].keep) == 1:
            yield index, LostError("given up", where=str(job.trial), hint="Let fewer be worked on at a time.")
        else:
            yield index, function(job)


def test_the_others_are_measured_and_kept_and_one_message_says_so(
    measured: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_module, "fan_out", in_this_process)
    plans = [leaving(1, LAYERS[0]), leaving(8, LAYERS[1]), leaving(1, LAYERS[2]), leaving(8, LAYERS[3])]
    trials = [Trial(BENCH, plan, (Part(1, 2),)) for plan in plans]
    with pytest.raises(LostError) as told:
        measured.of(trials, "measure")
    assert str(told.value) == (
        "model.1.conv and 1 more: given up. Let fewer be worked on at a time. "
        "2 others were measured and are kept: the same command tries again what is missing."
    )
    with pytest.raises(LostError, match=r"^model\.1\.conv: given up\. Let fewer be worked on at a time\.$"):
        measured.of(trials[:1], "measure")
    assert len(measured.of([trials[1], trials[3]], "read")) == 2
    assert (measured.made, measured.known) == (2, 2)


def test_a_candidate_whose_process_dies_as_it_is_trained_does_not_hold(measured: Measurements) -> None:
    """In real processes, of which each is killed."""
    row = Row("global", (0.5,), lambda _: leaving(1, LAYERS[0]))
    training = FineTune(epochs=1, after="last")
    ((candidate, _),) = Search(graph_of(NAME), BENCH, 0.1, folds_of(8), measured, training).best_of(row)
    assert candidate.outcome == "lost"
    assert candidate.reason == "given up, as each process that worked on it died (SIGKILL(-9))"
    assert candidate.scores is None
