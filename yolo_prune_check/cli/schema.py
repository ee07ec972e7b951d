"""``yolo-prune-check schema``."""

from __future__ import annotations

from yolo_prune_check.cli.output import say_json


def schema() -> None:
    """Print the JSON Schema of a spec, for editors.

    Example:  yolo-prune-check schema > prune.schema.json
    """
    from yolo_prune_check.spec import json_schema

    say_json(json_schema())
