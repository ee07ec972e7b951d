"""The entry point: parse, run a command, turn errors into exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer

from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.fuzz import fuzz
from yolo_prune_check.cli.inspect import inspect
from yolo_prune_check.cli.predict import predict
from yolo_prune_check.cli.report import report
from yolo_prune_check.cli.run import run
from yolo_prune_check.cli.schema import schema
from yolo_prune_check.cli.validate import validate
from yolo_prune_check.errors import UserError

NAME = "yolo-prune-check"

app = typer.Typer(
    name=NAME,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # our own defects are shown by Python's plain traceback, see main
    rich_markup_mode="rich",
    help="Find out whether a pruning plan for a YOLO model is safe, before a GPU hour is spent on it.",
    epilog="Exit codes: 0 as expected, 1 a verdict or budget differs, 2 bad input, 3 a prediction was refuted "
    "(a defect of this tool), 70 this tool broke, 130 interrupted.",
)
for command in (run, validate, inspect, predict, fuzz, report, schema):
    app.command()(command)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        argv: Arguments without the program's name; those of the process by default.
    """
    try:
        app(args=None if argv is None else list(argv), prog_name=NAME)
    except UserError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        sys.exit(Exit.BAD_INPUT)
    except Exception:  # noqa: BLE001  # the outermost edge: a defect of ours must not look like exit code 1, "differs"
        traceback.print_exc()
        print(f"{NAME}: this is a defect of yolo-prune-check; please report it", file=sys.stderr)
        sys.exit(Exit.INTERNAL)
    sys.exit(Exit.EXPECTED)
