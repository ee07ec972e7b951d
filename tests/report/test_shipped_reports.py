"""The pages and records that lie in ``reports/`` belong to the specs and to the code as they are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from yolo_prune_check.report import RECORDS, load_records, write_reports
from yolo_prune_check.report.comparison.effects import effects_of
from yolo_prune_check.report.comparison.matrix import comparisons_of
from yolo_prune_check.report.comparison.words import effect_rows
from yolo_prune_check.report.samples import difference
from yolo_prune_check.run.expectations import describe_expectation
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import load_spec

ROOT = Path(__file__).parents[2]
AGAIN = "run `make demo`, which runs the shipped specs again and writes their reports"


@pytest.fixture(scope="module")
def shipped() -> tuple[Record, ...]:
    return tuple(load_records(ROOT / "reports" / RECORDS))


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def pages(folder: Path) -> dict[str, bytes]:
    """Pages and plots."""
    paths = [path for kind in ("*.md", "*.svg") for path in folder.rglob(kind)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_shipped_reports_are_current(tmp_path: Path, shipped: tuple[Record, ...]) -> None:
    write_reports(shipped, tmp_path)
    made, found = pages(tmp_path), pages(ROOT / "reports")
    stale = sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))
    assert not stale, f"these pages are not what the records give, {AGAIN}: {', '.join(stale)}"


def test_shipped_records_are_those_of_the_shipped_specs(shipped: tuple[Record, ...]) -> None:
    specs = sorted((ROOT / "specs").rglob("*.prune.yaml"))
    scenarios = {
        (path.relative_to(ROOT).as_posix(), scenario.id): scenario
        for path in specs
        for scenario in load_spec(path.relative_to(ROOT)).scenarios
    }
    records = {(record.spec, record.id): record for record in shipped}
    experiments = {
        (path.relative_to(ROOT).as_posix(), scenario.id): scenario
        for path in sorted((ROOT / "experiments").rglob("*.prune.yaml"))
        for scenario in load_spec(path.relative_to(ROOT)).scenarios
    }
    tried = {spec for spec, _ in records.keys() - scenarios.keys()}  # of an experiment all scenarios, or none yet
    scenarios |= {key: scenario for key, scenario in experiments.items() if key[0] in tried}
    assert records.keys() == scenarios.keys(), AGAIN
    for key, record in records.items():
        scenario = scenarios[key]
        layers = scenario.layers if isinstance(scenario.layers, str) else ", ".join(map(str, scenario.layers))
        told = (record.execution, record.blocks, record.layers, record.expected)
        execution = scenario.execution if scenario.fuzz is None else "random"
        asked = (execution, scenario.blocks, layers, describe_expectation(scenario.expect))
        assert told == asked, f"{'::'.join(key)}: the spec has changed since it was run; {AGAIN}"


def test_of_shipped_records_a_mask_and_an_adapter_end_alike(shipped: tuple[Record, ...]) -> None:
    records = [record for record in shipped if record.suite == "every_execution"]
    apart = {}
    for comparison in comparisons_of(records):
        effects = effects_of(comparison, "execution")
        assert [effect.difference.equal for effect in effects if "group" not in (effect.first, effect.second)] == [1]
        apart[comparison.first.base_id] = [effect.second for effect in effects if effect.difference.sample is not None]
    assert apart == {"first-layers": ["group", "mask"], "one-layer": []}  # of one layer `group` computes the same too


def test_what_the_docs_say_of_the_experiment_is_what_its_records_give(shipped: tuple[Record, ...]) -> None:
    (comparison,) = comparisons_of(record for record in shipped if record.suite == "order_and_schedule")
    effects = {(each.first, each.second): each for axis in comparison.axes for each in effects_of(comparison, axis)}
    each, last, none = comparison.values("fine_tune")
    rows = [
        ("`front-to-back` instead of `back-to-front`", ("back-to-front", "front-to-back"), True),
        ("`sequential` instead of `independent`", ("independent", "sequential"), True),
        ("`sessions` instead of `sequential`", ("sequential", "sessions"), True),
        ("training after the last step instead of after each", (each, last), False),
        ("no training instead of after each step", (each, none), False),
        ("no training instead of after the last step", (last, none), False),
    ]
    text = (ROOT / "docs/experiments.md").read_text("utf-8")
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    for name, values, by_training in rows:
        effect = effects[values]
        *_, taken_as = effect_rows([effect])[0]
        sample = effect.difference.sample
        cells = [taken_as if sample is None else f"{difference(sample)}, {taken_as}"]
        assert effect.dependence is not None
        if by_training:
            assert [part.value for part in effect.dependence.parts] == [each, last, none]
            parts = [part.difference.sample for part in effect.dependence.parts]
            cells += ["ended alike" if part is None else difference(part) for part in parts]
        else:
            cells += [""] * 3
        assert [name, *cells] in told
    trained_each = effects["back-to-front", "front-to-back"].dependence
    untrained = effects["independent", "sequential"].dependence
    assert trained_each is not None
    assert untrained is not None
    for part in (trained_each.parts[0], untrained.parts[2]):  # the text tells each in the direction that is higher
        assert part.difference.interval is not None
        low, high = part.difference.interval
        low, high = (low, high) if low + high > 0 else (-high, -low)
        assert f"95 % interval {low:.3f} to {high:.3f}" in " ".join(text.split())
