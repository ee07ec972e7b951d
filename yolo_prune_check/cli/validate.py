"""``yolo-prune-check validate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.output import complain, say, say_json
from yolo_prune_check.plugin.store import spec_files
from yolo_prune_check.report.figures import many

if TYPE_CHECKING:
    from yolo_prune_check.spec import Scenario

NOT_LOOKED_AT: Final = (
    "not looked at: whether the models load and have these blocks, layers and channels; "
    "yolo-prune-check run SPEC --predict-only tells"
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
    valid: list[dict[str, object]] = []
    errors: list[dict[str, str]] = []
    for path in spec_files(specs):
        scenarios, wrong = _examined(path)
        if wrong:
            errors += [{"spec": str(path), "message": message} for message in wrong]
            if not as_json:
                complain("\n".join(f"yolo-prune-check: {message}" for message in wrong))
            continue
        valid.append({"spec": str(path), "scenarios": [scenario.id for scenario in scenarios]})
        if not as_json:
            say(f"{path}: valid, {many(len(scenarios), 'scenario')}")
    if valid and not as_json:
        say(NOT_LOOKED_AT)
    if as_json:
        say_json({"valid": valid, "errors": errors})
    if errors:
        raise typer.Exit(Exit.BAD_INPUT)


def _examined(path: Path) -> tuple[tuple[Scenario, ...], list[str]]:
    """The scenarios of a spec, and all that is wrong with it or not there, each told once."""
    from yolo_prune_check.run.data_there import missing_data
    from yolo_prune_check.run.where import where_of
    from yolo_prune_check.spec.loader import examine_spec
    from yolo_prune_check.spec.problems import as_error

    suite, problems = examine_spec(path)
    told = {str(problem.place) for problem in problems}
    absent = missing_data(each for each in suite.scenarios if where_of(each, "data") not in told)
    wrong = [as_error(problems)] if problems else []
    return suite.scenarios, list(dict.fromkeys(str(error) for error in [*wrong, *(error for _, error in absent)]))
