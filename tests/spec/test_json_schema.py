"""The shipped JSON Schema is the one of the models, and judges specs as the loader does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.spec.texts import SELECTION, one
from yolo_prune_check.channels.prediction import HAZARDS
from yolo_prune_check.spec import json_schema
from yolo_prune_check.spec.fields import HAZARD_CODES

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(json_schema.FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_shipped_file_is_current() -> None:
    assert json_schema.FILE.read_text(encoding="utf-8") == json_schema.json_schema_text()
    assert json_schema.main(["--check"]) == 0


def test_check_notices_an_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(json_schema, "FILE", tmp_path / "prune.schema.json")
    assert json_schema.main(["--check"]) == 1
    assert "not current" in capsys.readouterr().err
    assert json_schema.main([]) == 0
    assert json_schema.main(["--check"]) == 0


def test_it_accepts_every_shipped_spec(validator: jsonschema.Draft202012Validator) -> None:
    specs = [*SPECS.rglob("*.prune.yaml"), *SPECS.rglob("_*.yaml")]
    assert len(specs) > 5
    for path in specs:
        errors = [f"{path.name}: {error.message}" for error in validator.iter_errors(yaml(path.read_text("utf-8")))]
        assert errors == []


@pytest.mark.parametrize(
    "fields",
    [
        SELECTION,
        "layers: [2.10, '2.1', model.2.cv1.conv]",
        "steps: [{layer: 2.0, keep: 0-7}, {layer: model.1.conv, keep: [0, 1]}]",
        f"{SELECTION}, matrix: {{select.ratio: [0.5], fine_tune: [null, {{epochs: 1}}]}}",
        f"{SELECTION}, order: 'shuffled:3', fine_tune: null, data: null",
        f"{SELECTION}, matrix: {{device: [cpu]}}, device: 0",
        *(f"{SELECTION}, device: {device}" for device in ("cpu", "1", "cuda", "cuda:0", "'0,1'", "[0, 1]")),
    ],
)
def test_it_accepts(validator: jsonschema.Draft202012Validator, fields: str) -> None:
    validator.validate(yaml(one(fields)))


@pytest.mark.parametrize(
    "fields",
    [
        f"{SELECTION}, oder: listed",
        f"{SELECTION}, order: random",
        f"{SELECTION}, order: shuffled",
        "blocks: [], layers: first",
        "blocks: [1, 1], layers: first",
        "blocks: [-1], layers: first",
        "blocks: [1], layers: al",
        "blocks: [1], layers: []",
        f"{SELECTION}, select: {{criterion: l3}}",
        f"{SELECTION}, select: {{ratio: 0}}",
        f"{SELECTION}, select: {{ratio: 1}}",
        f"{SELECTION}, imgsz: 100",
        *(f"{SELECTION}, device: {device}" for device in ("gpu", "mps", "-1", "[]", "[0, 0]", "true", "null", "''")),
        f"{SELECTION}, seed: '1'",
        f"{SELECTION}, expect: {{hazards: [phantom]}}",
        f"{SELECTION}, fine_tune: {{}}",
        f"{SELECTION}, matrix: {{}}",
        f"{SELECTION}, matrix: {{expect: [1]}}",
        f"{SELECTION}, matrix: {{order: []}}",
        "steps: []",
        "steps: [{layer: 2.0}]",
        "steps: [{layer: 2.0, keep: half}]",
    ],
)
def test_it_rejects(validator: jsonschema.Draft202012Validator, fields: str) -> None:
    assert not validator.is_valid(yaml(one(fields)))


def test_the_hazard_codes_are_those_of_the_channel_graph() -> None:
    assert set(HAZARD_CODES) == set(HAZARDS)


def test_every_key_is_described(validator: jsonschema.Draft202012Validator) -> None:
    schema = validator.schema
    assert isinstance(schema, dict)
    for model in (schema, *schema["$defs"].values()):
        for name, field in model["properties"].items():
            # A mapping's keys are described where it is defined.
            assert field.get("description") or "$ref" in field, f"{model['title']}.{name}"
    assert all(model["description"] for model in schema["$defs"].values())
