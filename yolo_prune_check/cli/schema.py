"""``yolo-prune-check schema``."""

from __future__ import annotations

from yolo_prune_check.cli.output import say


def schema() -> None:
    """Print the JSON Schema of a spec, for editors.

    Example:  yolo-prune-check schema > prune.schema.json
    """
    from yolo_prune_check.spec.json_schema import json_schema_text

    say(json_schema_text().rstrip())
