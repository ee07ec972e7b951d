"""The page of the speed benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from benchmarks.plans import PREDICTED, named
from benchmarks.setting import sentence
from benchmarks.speed import (
    BEFORE,
    COLD,
    DETAILS,
    IMGSZ,
    IN_A_ROW,
    INSPECT,
    PEER_BUILD,
    PEER_STEP,
    PLAN,
    READ,
    REASONS,
    REPAIR,
    TRACE,
    TRIAL,
    WARM,
    Speed,
)
from benchmarks.timing import ratio, spoken

_SAID = {
    TRIAL: "trial and error: deep copy, cut, forward pass",
    TRACE: "trace the model: once for all plans",
    COLD: "one verdict, the first on its graph",
    PLAN: "make the plan of its steps",
    **{f"{WARM}: {named(how)}": f"one verdict, by {named(how)}" for how in PREDICTED},
    REASONS: "verdict, failure and hazards",
    DETAILS: "all details: layers, junctions, shapes, parameters, MACs",
    REPAIR: "repair",
}

ONE, EACH, BUILDS = 1000, 10_000, 2
"""How many times as long trial and error should take as one verdict, and as each of many; how many times as long as
Torch-Pruning's build tracing may take.
"""

_LEFT = """
Trial and error is the same for all executions: a deep copy, a cut of the named layers alone and a forward pass that
ends where it breaks, which for `group` is less than its trial would be. What is left: the other executions are judged
by how many channels a step keeps, and `group` by which, so that every channel that a plan names has to be read, looked
up and levelled with the other pieces of its chunk. For one plan that is some fifty calls of numpy on short arrays, for
many it is the channels themselves. On a graph that was just traced, the first verdict works out what later ones look
up.
"""


def page(speed: Speed) -> str:
    """The page in Markdown."""
    return "\n".join(
        [
            "# What a prediction costs",
            "",
            f"Medians of several rounds at {IMGSZ} px, in which everything that is compared takes turns. "
            f"{sentence()} A plan has 2 to 6 steps on random layers, and none is predicted twice.",
            "",
            *_targets(speed),
            f"## One plan on {speed.model}",
            "",
            f"By local unless another execution is named. *One verdict*: the mean of {IN_A_ROW} new plans, each "
            f"predicted by itself, on a graph that was asked about {BEFORE:,} others of each execution before. Where "
            f"more than the verdict is read, the mean of {READ}.",
            "",
            _one_plan(speed.one_plan),
            "",
            f"## Many plans on {speed.model}",
            "",
            "`graph.predict_many(plans)` with every verdict read, per plan: on a graph that was just traced, and again "
            "with other plans. In brackets, how many times trial and error takes as long.",
            "",
            _many(speed),
            "",
            "## Building the graph",
            "",
            "Torch-Pruning gets each model with every C2f replaced by two convolutions in place of the chunk, which is "
            "how it can prune it; the trace is of that same model. *step*: pruning half of every group, once its "
            "pruner is prepared; a prediction says what comes of a plan without carrying it out.",
            "",
            _building(speed.building),
            "",
            "## Growth with the model",
            "",
            "*inspect*: all that `yolo-prune-check inspect` prints, once the model is traced.",
            "",
            _growing(speed.growing),
        ]
    )


def _targets(speed: Speed) -> list[str]:
    """How the measurements stand to what was aimed at; nothing where the largest number of plans was left out."""
    trial = speed.one_plan[TRIAL]
    rows = [
        _target(f"one verdict: 1/{ONE:,} of trial and error", ONE, name, trial / speed.one_plan[f"{WARM}: {name}"])
        for name in map(named, PREDICTED)
    ]
    for execution, row in speed.many.items():
        number, taken = max(row.items())
        if taken is not None:
            aim = f"each of {number:,} verdicts: 1/{EACH:,}"
            rows.append(_target(aim, EACH, execution, trial / taken[1]))
    for name, building in speed.building.items():
        if PEER_BUILD in building:
            aim = f"tracing: at most {BUILDS} times Torch-Pruning's build"
            times = building[TRACE] / building[PEER_BUILD]
            rows.append((aim, name, f"{times:.2f}", "yes" if times <= BUILDS else "no"))
    return ["## What was aimed at", "", _table(rows, ("aim", "of", "measured", "met")), _LEFT]


def _target(aim: str, least: float, execution: str, found: float) -> tuple[str, str, str, str]:
    return aim, execution, f"1/{found:,.0f}", "yes" if found >= least else "no"


def _one_plan(taken: Mapping[str, float]) -> str:
    trial = taken[TRIAL]
    rows = [(said, spoken(taken[key]), ratio(trial, taken[key])) for key, said in _SAID.items()]
    return _table(rows, ("", "time", "trial and error takes … times as long"))


def _many(speed: Speed) -> str:
    trial = speed.one_plan[TRIAL]
    rows = []
    for execution, row in speed.many.items():
        for number, taken in row.items():
            cells = [f"{spoken(each)} ({ratio(trial, each)})" for each in taken] if taken else ["–", "–"]
            rows.append((execution, f"{number:,}", *cells))
    return _table(rows, ("execution", "plans", "fresh graph", "again"))


def _building(building: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (
            name,
            spoken(taken.get(PEER_BUILD)),
            spoken(taken[TRACE]),
            ratio(taken[TRACE], taken.get(PEER_BUILD)),
            spoken(taken[f"{TRACE}, stock"]),
            spoken(taken.get(PEER_STEP)),
        )
        for name, taken in building.items()
    ]
    headers = ("model", PEER_BUILD, "our trace", "trace / build", "our trace of the stock model", PEER_STEP)
    return _table(rows, headers)


def _growing(growing: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (
            name,
            f"{taken['parameters']:,}",
            f"{taken['layers']:,}",
            f"{taken['operators']:,}",
            spoken(taken[TRACE]),
            spoken(taken[COLD]),
            spoken(taken[WARM]),
            spoken(taken.get("many")),
            spoken(taken[INSPECT]),
            spoken(taken[TRIAL]),
            ratio(taken[TRIAL], taken[WARM]),
            ratio(taken[TRIAL], taken.get("many")),
        )
        for name, taken in growing.items()
    ]
    headers = ("model", "parameters", "layers", "operators", "trace", "first verdict", "one verdict")
    return _table(rows, (*headers, "each of 1,000", "inspect", "trial and error", "÷ one verdict", "÷ each of 1,000"))


def _table(rows: Sequence[tuple[str, ...]], headers: tuple[str, ...]) -> str:
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)
