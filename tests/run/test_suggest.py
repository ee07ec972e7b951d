"""The search for the largest cut: what decides, what is tried, and what is taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import progress
from yolo_prune_check.run.families import Row, by_ranking
from yolo_prune_check.run.halves import CHECK, DECIDE, error_of, folds_of
from yolo_prune_check.run.measured import Hands, Measurements
from yolo_prune_check.run.suggest import TRIES, Search, largest
from yolo_prune_check.run.suggested_spec import Made, plan_text, spec_text
from yolo_prune_check.run.suggestion_record import Candidate
from yolo_prune_check.run.trial import Bench, Trial
from yolo_prune_check.scores import MeanAveragePrecision, Scores
from yolo_prune_check.spec import load_spec
from yolo_prune_check.spec.plan_file import load_plan
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.failure import TrainingError

NAME = "yolov8n.yaml"
BENCH = Bench(NAME, "digits", 64)
Loses = Callable[[Plan], Sequence[float]]


class Told(Measurements):
    """Measures nothing: what each plan loses on the whole half and on its folds is told."""

    def __init__(self, loses: Loses, dense: float = 0.8) -> None:
        super().__init__(Path(), "key", Hands(), progress(quiet=True))
        self._loses = loses
        self._dense = dense
        self.pruned: list[Trial] = []

    def of(self, trials: Sequence[Trial], title: str) -> list[tuple[Scores, ...]]:
        self.pruned += [trial for trial in trials if trial.plan.steps]
        return [tuple(MeanAveragePrecision(self._dense, score) for score in self._scores(trial)) for trial in trials]

    def _scores(self, trial: Trial) -> list[float]:
        losses = self._loses(trial.plan) if trial.plan.steps else [0.0] * len(trial.parts)
        return [self._dense - loss for loss in losses]


def search_with(loses: Loses, budget: float, training: FineTune | None = None, dense: float = 0.8) -> Search:
    return Search(graph_of(NAME), BENCH, budget, folds_of(200), Told(loses, dense), training)


def cut_of(plan: Plan) -> int:
    """How many channels go from the one layer that is pruned."""
    return 32 - plan.counts[0]


def row_of(length: int) -> Row:
    return Row(
        "global",
        tuple(map(float, range(length))),
        lambda place: Plan([Step("model.1.conv", range(31 - place))], "group"),
    )


@given(st.integers(1, 31), st.integers(0, 40))
def test_the_last_plan_that_holds_is_found(length: int, limit: int) -> None:
    search = search_with(lambda plan: [cut_of(plan)] * 5, budget=float(limit))
    tried = search.best_of(row_of(length))
    best = largest(tried)
    assert len(tried) <= math.ceil(math.log2(length + 1))
    if limit == 0:
        assert best is None
    else:
        assert best is not None
        assert cut_of(best[1]) == min(limit, length)
        assert best[0].outcome == "holds"


def test_no_more_are_measured_than_is_said() -> None:
    row = Row("global", tuple(map(float, range(10**6))), lambda place: Plan([Step("model.1.conv", range(8))], "group"))
    for training, most in ((None, 8), (FineTune(epochs=1, after="last"), 6)):
        search = search_with(lambda _: [0.0] * 5, 0.1, training)
        assert len(search.best_of(row)) == most == search.tries
        told = search.measured
        assert isinstance(told, Told)
        assert all(trial.training == training for trial in told.pruned)
        assert all(trial.parts == (DECIDE, *DECIDE.split(4)) for trial in told.pruned)


def test_the_drop_on_the_whole_half_decides_not_that_of_its_folds() -> None:
    held = search_with(lambda _: [0.015, 0.016, 0.016, 0.014, 0.014], 0.02).best_of(row_of(1))
    lost = search_with(lambda _: [0.021, 0.016, 0.016, 0.014, 0.014], 0.02).best_of(row_of(1))
    assert [candidate.outcome for candidate, _ in (*held, *lost)] == ["holds", "loses too much"]
    assert [candidate.drop for candidate, _ in (*held, *lost)] == [pytest.approx(0.015), pytest.approx(0.021)]


def test_a_drop_within_the_budget_does_not_hold_where_it_may_be_chance() -> None:
    sure = search_with(lambda _: [0.015, 0.015, 0.015, 0.015, 0.015], 0.02).best_of(row_of(1))
    chance = search_with(lambda _: [0.015, 0.06, -0.03, 0.06, -0.03], 0.02).best_of(row_of(1))
    assert [candidate.outcome for candidate, _ in (*sure, *chance)] == ["holds", "loses too much"]
    candidate = chance[0][0]
    assert candidate.error == pytest.approx(np.std([0.06, -0.03, 0.06, -0.03], ddof=1) / 2)
    assert candidate.drop == pytest.approx(0.015)


def test_what_is_predicted_to_be_unsafe_is_not_run() -> None:
    search = search_with(lambda _: [0.0] * 5, 1.0)
    plan = Plan([Step("model.22.cv3.0.2", range(40))], "group")
    ((candidate, _),) = search.best_of(Row("global", (0.5,), lambda _: plan))
    assert candidate.outcome == "unsafe"
    assert candidate.reason
    assert candidate.scores is None
    told = search.measured
    assert isinstance(told, Told)
    assert told.pruned == []


def test_a_plan_whose_training_fails_does_not_hold_and_the_search_goes_on() -> None:
    def loses(plan: Plan) -> list[float]:
        if cut_of(plan) > 5:
            raise TrainingError("the loss is not finite", where="model.1", hint="Try another.")
        return [0.0] * 5

    tried = search_with(loses, 0.1, FineTune(epochs=1, after="last")).best_of(row_of(15))
    best = largest(tried)
    assert best is not None
    assert cut_of(best[1]) == 5
    failed = [candidate for candidate, _ in tried if candidate.outcome == "cannot be trained"]
    assert failed
    assert all(candidate.reason == "the loss is not finite" and candidate.scores is None for candidate in failed)


def test_a_blind_model_is_refused() -> None:
    with pytest.raises(UserError, match=r"nothing can be suggested: the untouched model finds next to nothing") as told:
        assert search_with(lambda _: [0.0] * 5, 1.0, dense=0.04).dense
    assert "mAP50 0.040" in str(told.value)


def test_of_those_that_hold_the_one_that_saves_most_is_taken() -> None:
    some, none = Plan([Step("model.1.conv", range(8))], "group"), Plan((), "group")
    tried = [
        (Candidate("global", 0.1, "holds", 0.1, 0.5), some),
        (Candidate("sensitivity", 0.2, "holds", 0.2, 0.1), some),
        (Candidate("global", 0.3, "holds", 0.2, 0.2), some),
        (Candidate("global", 0.4, "loses too much", 0.9, 0.9), some),
        (Candidate("global", 0.0, "holds", 0.95, 0.95), none),
    ]
    best = largest(tried)
    assert best is not None
    assert best[0].setting == 0.3
    assert largest(tried[3:]) is None


def test_the_ranking_removes_more_and_more_and_ends_with_all_that_may_go() -> None:
    graph = graph_of(NAME)
    worth = {
        name: np.random.default_rng(number).random(layer.out_channels)
        for number, (name, layer) in enumerate(graph.layers.items())
    }
    row = by_ranking(graph, worth, "taylor", floor=0.5, most=2**TRIES - 1)
    assert len(row.settings) == 255
    assert list(row.settings) == sorted(set(row.settings))
    assert row.settings[-1] == 1.0
    kept = [row.plan(place).kept() for place in (0, 100, 254)]
    for fewer, more in pairwise(kept):
        assert all(set(more.get(name, ())) <= set(channels) for name, channels in fewer.items())
    assert all(2 * len(channels) >= graph.layers[name].out_channels for name, channels in kept[-1].items())


@pytest.mark.parametrize(("images", "folds"), [(3, 2), (4, 2), (5, 3), (8, 4), (9, 4), (200, 4)])
def test_the_deciding_half_is_split_and_the_other_is_never_touched(images: int, folds: int) -> None:
    parts = [part.take(range(images)) for part in folds_of(images)]
    assert len(parts) == folds
    assert all(parts)
    together = {image for part in parts for image in part}
    assert together == set(DECIDE.take(range(images)))
    assert not together & set(CHECK.take(range(images)))


@pytest.mark.parametrize("images", [0, 1, 2])
def test_too_few_images_are_told(images: int) -> None:
    with pytest.raises(UserError, match=rf"there are too few val images: got {images}\. At least 3 are needed"):
        folds_of(images)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9), st.floats(-1, 1))
def test_the_error_is_that_of_a_mean_and_more_where_the_folds_say_another_drop(folds: list[float], off: float) -> None:
    mean, of_mean = float(np.mean(folds)), np.std(folds, ddof=1) / math.sqrt(len(folds))
    assert error_of(mean, folds) == pytest.approx(of_mean, abs=1e-12)
    assert error_of(mean + off, folds) == pytest.approx(math.hypot(of_mean, off / math.sqrt(len(folds) - 1)), abs=1e-9)


def test_the_error_is_by_how_much_the_drop_differs_from_one_half_to_another() -> None:
    """Of a score that is no mean over images, as mAP is none, on halves that are drawn again and again."""
    source = np.random.default_rng(0)
    before, after = (source.beta(8, other, (2000, 4, 25)) for other in (2, 3))  # [half, fold, image]
    drops = before.mean((1, 2)) ** 2 - after.mean((1, 2)) ** 2
    folds = before.mean(2) ** 2 - after.mean(2) ** 2
    errors = [error_of(drop, list(parts)) for drop, parts in zip(drops, folds, strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(drops), rel=0.05)


@pytest.mark.parametrize("training", [None, FineTune(epochs=2, after="last", batch=4, fraction=0.5)])
def test_the_spec_says_what_was_measured(training: FineTune | None, tmp_path: Path) -> None:
    plan = Plan([Step("model.1.conv", [0, 1, 2, 9]), Step("model.5.conv", range(64))], "group")
    made = Made("yolo-prune-check suggest …", BENCH, "max_map_drop", 0.02, training, seed=7)
    candidate = Candidate("global", 0.5, "holds", 0.12399, 0.2, MeanAveragePrecision(0.9, 0.8), 0.01, 0.002)
    path, file = tmp_path / "x.prune.yaml", tmp_path / "x.plan.yaml"
    path.write_text(spec_text(plan, candidate, made), encoding="utf-8")
    file.write_text(plan_text(plan, candidate, made), encoding="utf-8")
    (scenario,) = load_spec(path).scenarios
    assert (scenario.model, scenario.data, scenario.imgsz, scenario.seed) == (NAME, "digits", 64, 7)
    assert (scenario.val_part, scenario.measure, scenario.execution) == ("2/2", "last", "group")
    assert (scenario.expect.max_map_drop, scenario.expect.min_macs_cut) == (0.02, 0.123)
    assert scenario.fine_tune == training
    for steps in (scenario.steps, load_plan(file).steps):
        assert steps is not None
        assert Plan([Step(step.layer, step.keep) for step in steps], "group") == plan
    assert predict(graph_of(NAME), plan).verdict == "safe"
