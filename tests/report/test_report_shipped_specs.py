"""The shipped specs: they load, say why they exist, and together carry out every procedure of the field notes."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_the_demo_stays_within_its_time() -> None:
    """Fine-tuning is what costs: 15 rounds of one epoch on a quarter of the images are about a minute and a half."""
    tuned = [scenario for scenario in scenarios(SPECS) if scenario.fine_tune is not None]
    rounds = sum(len(scenario.blocks or ()) * _layers_per_block(scenario) for scenario in tuned)
    assert rounds <= 15
    assert all(s.fine_tune is not None and s.fine_tune.epochs * s.fine_tune.fraction <= 0.25 for s in tuned)


def _layers_per_block(scenario: Scenario) -> int:
    # `first`, and `widest:N` of block 1, which holds one layer: nothing else is fine-tuned
    assert scenario.layers == "first" or scenario.blocks == (1,), scenario.id
    return 1


def test_two_suites_never_share_a_page() -> None:
    pages = [page_of(path.relative_to(ROOT).as_posix()) for path in SPECS]
    assert len(set(pages)) == len(pages)
