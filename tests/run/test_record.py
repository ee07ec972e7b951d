"""Records on disk: whole, readable, or refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from yolo_prune_check.errors import UserError
from yolo_prune_check.run.finish import blank_record
from yolo_prune_check.run.record import FORMAT, read_record, write_atomically, write_record
from yolo_prune_check.spec import load_spec

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A record on disk."""
    scenario = load_spec(ROOT / "specs/quick_start.prune.yaml").scenarios[0]
    record = blank_record(scenario, verdict="stopped", reasons=("why",), failures=(), agrees=None)
    write_record(record, tmp_path / "record.json")
    assert read_record(tmp_path / "record.json") == record
    assert dataclasses.asdict(record)["passed"] is True
    return tmp_path / "record.json"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "cannot read the record"),
        (lambda text: "[]", "record of another format: got 'list'. Run the scenario again."),
        (lambda text: text.replace(f'"format": {FORMAT}', '"format": 99'), "record of another format: got 99."),
        (lambda text: text.replace('"steps": []', '"steps": [7]'), "damaged record"),
        (lambda text: text.replace('"steps": []', '"steps": [{"layers": 7}]'), "damaged record"),
        (lambda text: json.dumps({"format": FORMAT}), "damaged record"),
    ],
)
def test_damaged_records_are_refused(stored: Path, damage: object, message: str) -> None:
    stored.write_text(damage(stored.read_text(encoding="utf-8")), encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(UserError) as info:
        read_record(stored)
    assert str(info.value).startswith(f"{stored}: {message}")


def test_a_write_that_fails_leaves_the_old_file(stored: Path) -> None:
    before = stored.read_text(encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(stored, "half \ud800")
    assert stored.read_text(encoding="utf-8") == before
    assert [path.name for path in stored.parent.iterdir()] == ["record.json"]
