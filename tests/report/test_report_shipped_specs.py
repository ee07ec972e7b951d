"""The shipped specs: they load, say why they exist, and together carry out every procedure of the field notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from yolo_prune_check.channels.plan import EXECUTIONS
from yolo_prune_check.report.site import FIELD_NOTES_TAG, page_of
from yolo_prune_check.spec import Scenario, load_spec

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.prune.yaml"))
NOTES = [path for path in SPECS if path.parent.name == "field_notes"]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def scenarios(paths: list[Path]) -> list[Scenario]:
    return [scenario for path in paths for scenario in load_spec(path).scenarios]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_loads_and_every_scenario_says_why(path: Path) -> None:
    found = load_spec(path).scenarios
    assert found
    assert all(len(scenario.why) > 40 for scenario in found)


def test_every_procedure_of_the_notes_is_a_suite() -> None:
    assert {path.name.removesuffix(".prune.yaml") for path in NOTES} == {
        "independent_layer_pruning",
        "multi_block_pruning",
        "sequential_pruning",
        "blocks_3_4_original",
        "skip_problematic_layers",
        "blocks_1_2_3",
        "block_5_cascade",
        "structural_pruning",
        "channel_adapter",
    }


def test_the_scenarios_of_the_notes_and_no_others_decide_the_claims() -> None:
    assert all(FIELD_NOTES_TAG in scenario.tags for scenario in scenarios(NOTES))
    others = [path for path in SPECS if path not in NOTES]
    assert others
    assert not any(FIELD_NOTES_TAG in scenario.tags for scenario in scenarios(others))


def test_a_newcomers_example_shows_both_what_works_and_what_does_not() -> None:
    found = load_spec(ROOT / "specs" / "quick_start.prune.yaml").scenarios
    assert 3 <= len(found) <= 4
    assert {scenario.expect.verdict for scenario in found} == {"safe", "unsafe"}
    assert {code for scenario in found for code in scenario.expect.hazards} == {
        "phantom-channel",
        "kept-alive-by-residual",
    }


def test_one_spec_holds_every_execution_against_the_others() -> None:
    found = load_spec(ROOT / "specs" / "every_execution.prune.yaml").scenarios
    plans: dict[tuple[object, ...], set[str]] = {}
    for scenario in found:
        key = (scenario.blocks, scenario.layers, scenario.select, scenario.fine_tune)
        plans.setdefault(key, set()).add(scenario.execution)
    assert len(plans) == 2
    assert all(executions == set(EXECUTIONS) for executions in plans.values())
    assert {scenario.execution for scenario in found if scenario.expect.verdict == "unsafe"} == {"local"}
    (random,) = load_spec(ROOT / "specs" / "random_plans.prune.yaml").scenarios
    assert random.fuzz is not None
    assert set(random.fuzz.executions or ()) == set(EXECUTIONS)


def test_the_demo_stays_within_its_time() -> None:
    """Fine-tuning is what costs: each round two evaluations, 4 s, and each epoch 20 s."""
    tuned = [each for each in scenarios(SPECS) if each.fine_tune is not None and each.execution != "local"]
    rounds = {scenario.spec + scenario.id: _layers(scenario) for scenario in tuned}
    epochs = sum(
        rounds[each.spec + each.id] * each.fine_tune.epochs * each.fine_tune.fraction
        for each in tuned
        if each.fine_tune is not None
    )
    assert sum(rounds.values()) <= 40
    assert epochs <= 6


def _layers(scenario: Scenario) -> int:
    # of block 1 one layer, whatever is asked for; of block 2 four; nothing else is fine-tuned
    assert scenario.layers == "first" or scenario.blocks in ((1,), (2,)), scenario.id
    return 4 if scenario.blocks == (2,) else len(scenario.blocks or ())


def test_two_suites_never_share_a_page() -> None:
    pages = [page_of(path.relative_to(ROOT).as_posix()) for path in SPECS]
    assert len(set(pages)) == len(pages)
