"""`limits`, and a scenario that is to be stopped by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.texts import HEAD, SELECTION, one, write
from yolo_prune_check.errors import UserError
from yolo_prune_check.spec import load_spec
from yolo_prune_check.spec.schema import Limits


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_there_are_none_unless_given(tmp_path: Path) -> None:
    (scenario,) = load_spec(write(tmp_path, one())).scenarios
    assert scenario.limits is None


def test_defaults_hold_for_plans_and_random_plans(tmp_path: Path) -> None:
    text = (
        HEAD.replace("scenarios:", "defaults: {limits: {seconds: 600}}\nscenarios:")
        + f"  - {{id: a, {SELECTION}}}\n"
        + f"  - {{id: b, {SELECTION}, limits: {{memory_mb: 4000}}, expect: {{verdict: stopped}}}}\n"
        + "  - {id: c, fuzz: {}, expect: {verdict: stopped}}\n"
        + f"  - {{id: d, {SELECTION}, limits: null}}\n"
    )
    limits = [scenario.limits for scenario in load_spec(write(tmp_path, text)).scenarios]
    assert limits == [Limits(seconds=600), Limits(memory_mb=4000), Limits(seconds=600), None]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("limits: {}", "`limits` names none. Give seconds, memory_mb or both, or remove it."),
        ("limits: {seconds: null}", "`limits` names none. Give seconds, memory_mb or both, or remove it."),
        ("limits: {seconds: 0}", "`limits.seconds` must be greater than 0: got 0. Wall-clock time in seconds,"),
        ("limits: {second: 1}", "unknown key `second` in `limits`. Did you mean `seconds`?"),
        (
            "expect: {verdict: stopped}",
            "nothing stops a scenario without `limits`. Give limits, such as limits: {seconds: 60}.",
        ),
        (
            "limits: {seconds: 1}, expect: {verdict: stopped, min_params_cut: 0.1}",
            "`expect.min_params_cut` says nothing to a scenario that is stopped. Remove it,",
        ),
        ("matrix: {limits: [null]}", "`limits` cannot be an axis of a matrix."),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, fields: str, message: str) -> None:
    with pytest.raises(UserError) as info:
        load_spec(write(tmp_path, one(f"{SELECTION}, {fields}")))
    assert message in str(info.value)
