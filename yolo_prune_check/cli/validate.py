"""``yolo-prune-check validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.output import complain, say, say_json
from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.store import spec_files


def validate(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC|DIR...", help="Specs, or folders to search for them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check specs, and that the data sets they name are there, without loading a model.

    Every mistake is reported with file, line and column. Layers, channels, and whether a model was trained for the
    classes of its data set are checked when a spec is run.

    Example:  yolo-prune-check validate specs/
    """
    from yolo_prune_check.run.data_there import missing_data
    from yolo_prune_check.spec import load_spec

    valid: list[dict[str, object]] = []
    errors: list[dict[str, str]] = []
    for path in spec_files(specs):
        try:
            suite = load_spec(path)
            wrong = dict.fromkeys(str(error) for _, error in missing_data(suite.scenarios))
        except UserError as error:
            wrong = {str(error): None}
        if wrong:
            errors += [{"spec": str(path), "message": message} for message in wrong]
            if not as_json:
                complain("\n".join(f"yolo-prune-check: {message}" for message in wrong))
            continue
        valid.append({"spec": str(path), "scenarios": [scenario.id for scenario in suite.scenarios]})
        if not as_json:
            count = len(suite.scenarios)
            say(f"{path}: valid, {count} scenario{'' if count == 1 else 's'}")
    if as_json:
        say_json({"valid": valid, "errors": errors})
    if errors:
        raise typer.Exit(Exit.BAD_INPUT)
