"""``yolo-prune-check validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.output import WIDTH, complain, say, say_json, wrapped
from yolo_prune_check.plugin.store import spec_files
from yolo_prune_check.report.figures import many

NOT_LOOKED_AT: Final = (
    "whether the models load and have these blocks, layers and channels; yolo-prune-check run SPEC --predict-only tells"
)


def validate(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC|DIR...", help="Specs, or folders to search for them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check specs, and that the models and data sets they name are there, without loading a model.

    Every mistake is reported with file, line and column. Whether a model has the blocks, layers and channels that are
    named, run --predict-only tells; whether it was trained for the classes of its data set, run.

    Example:  yolo-prune-check validate specs/
    """
    from yolo_prune_check.cli.examined import examined

    valid: list[dict[str, object]] = []
    errors: list[dict[str, str]] = []
    for path in spec_files(specs):
        scenarios, wrong = examined(path)
        if wrong:
            errors += [{"spec": str(path), "message": message} for message in wrong]
            if not as_json:
                complain("\n".join(f"yolo-prune-check: {message}" for message in wrong))
            continue
        valid.append({"spec": str(path), "scenarios": [scenario.id for scenario in scenarios]})
        if not as_json:
            say(f"{path}: valid, {many(len(scenarios), 'scenario')}")
    if valid and not as_json:
        say(wrapped(f"not looked at: {NOT_LOOKED_AT}", WIDTH))
    if as_json:
        say_json({"valid": valid, "errors": errors, "not_looked_at": NOT_LOOKED_AT})
    if errors:
        raise typer.Exit(Exit.BAD_INPUT)
