"""The JSON Schema of specs, for editors: `python -m yolo_prune_check.spec.json_schema` writes it (or `--check`s it)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from yolo_prune_check.spec.schema import AXES, SpecFile

FILE = Path(__file__).with_name("prune.schema.json")


def json_schema() -> dict[str, Any]:
    """The schema of a `*.prune.yaml` file as JSON Schema, draft 2020-12.

    It knows every field by itself. What does not go together (such as `blocks` beside `steps`) only `load_spec` finds.
    """
    schema = SpecFile.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "yolo-prune-check spec"
    matrix = schema["$defs"]["ScenarioInput"]["properties"]["matrix"]
    matrix.pop("additionalProperties")
    matrix |= {
        "minProperties": 1,
        "properties": {axis: {"type": "array", "minItems": 1} for axis in AXES},
        "additionalProperties": False,
    }
    _drop_nested_defaults(schema)
    return schema


def _drop_nested_defaults(schema: Any) -> None:
    """Editors offer a default as text to insert; those of whole mappings only repeat those of their keys."""
    if isinstance(schema, dict):
        if isinstance(schema.get("default"), dict):
            del schema["default"]
        for part in schema.values():
            _drop_nested_defaults(part)
    elif isinstance(schema, list):
        for part in schema:
            _drop_nested_defaults(part)


def json_schema_text() -> str:
    """The text of the shipped file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the shipped schema, or with `--check` say whether it is current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if the file is not current")
    options = parser.parse_args(arguments)
    if options.check:
        current = FILE.is_file() and FILE.read_text(encoding="utf-8") == json_schema_text()
        if not current:
            print("prune.schema.json is not current: run python -m yolo_prune_check.spec.json_schema", file=sys.stderr)
        return 0 if current else 1
    FILE.write_text(json_schema_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
