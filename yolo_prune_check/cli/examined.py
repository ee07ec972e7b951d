"""All that is wrong with a spec: its mistakes, and the models and data sets that are not there. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from yolo_prune_check.data import SHIPPED_DATA
from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.there import require_there
from yolo_prune_check.run.data_there import missing_data
from yolo_prune_check.run.where import told_at, where_of
from yolo_prune_check.spec.loader import Examined, Named, examine_spec
from yolo_prune_check.spec.located import Place
from yolo_prune_check.spec.problems import MOST_PROBLEMS
from yolo_prune_check.spec.schema import Scenario


def examined(path: Path) -> tuple[tuple[Scenario, ...], list[str]]:
    """The scenarios of a spec, and what is wrong, each told once and in order of place."""
    found = examine_spec(path)
    told = {problem.place for problem in found.problems}
    wrong = [(problem.place, str(problem)) for problem in found.problems]
    # What the spec itself finds to be missing is not looked for again.
    wrong += [missing for missing in _missing(found) if missing[0] not in told]
    messages = list(dict.fromkeys(message for _, message in sorted(wrong, key=lambda each: each[0])))
    more = len(messages) - MOST_PROBLEMS
    if more > 0:
        messages[MOST_PROBLEMS:] = [f"{path}: {more} more mistakes."]
    return found.suite.scenarios, messages


def _missing(found: Examined) -> Iterator[tuple[Place, str]]:
    scenarios = found.suite.scenarios
    for scenario, error in missing_data(scenarios):
        yield Place.read(where_of(scenario, "data")), str(error)
    models = (
        Named("model", scenario.model, Place.read(where_of(scenario, "model")))
        for scenario in scenarios
        if scenario.expect.error is None
    )
    for named in dict.fromkeys([*models, *found.named]):
        try:
            with told_at(str(named.place)):
                _require(named)
        except UserError as error:
            yield named.place, str(error)


def _require(named: Named) -> None:
    """Refuse what is not there; what is shipped is."""
    if named.key == "model":
        require_there(named.name)
    elif named.name not in SHIPPED_DATA:
        read_data(named.name).images("val")
