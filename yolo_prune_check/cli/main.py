"""The entry point: parse, run a command, turn errors into exit codes."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer

from yolo_prune_check.cli.compact import compact
from yolo_prune_check.cli.exits import Exit
from yolo_prune_check.cli.fuzz import fuzz
from yolo_prune_check.cli.inspect import inspect
from yolo_prune_check.cli.output import complain
from yolo_prune_check.cli.predict import predict
from yolo_prune_check.cli.report import report
from yolo_prune_check.cli.run import run
from yolo_prune_check.cli.schema import schema
from yolo_prune_check.cli.sensitivity import sensitivity
from yolo_prune_check.cli.streams import abandon_streams, prepare_streams
from yolo_prune_check.cli.suggest import suggest
from yolo_prune_check.cli.usage import Command
from yolo_prune_check.cli.validate import validate
from yolo_prune_check.errors import UserError
from yolo_prune_check.fanout import LostError

NAME = "yolo-prune-check"
_FULL = (errno.ENOSPC, errno.EDQUOT)

app = typer.Typer(
    name=NAME,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # our own defects are shown by Python's plain traceback, see main
    rich_markup_mode="rich",
    help="Find out whether a pruning plan for a YOLO model is safe, before a GPU hour is spent on it.",
    epilog="Exit codes: 0 as expected, 1 a verdict or budget differs, 2 bad input, 3 a prediction was refuted "
    "(a defect of this tool), 70 this tool broke, 75 a process that measured was killed, 130 interrupted, "
    "141 nobody reads the output.",
)
for command in (run, validate, inspect, predict, sensitivity, suggest, compact, fuzz, report, schema):
    app.command(cls=Command)(command)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        argv: Arguments without the program's name; those of the process by default.
    """
    prepare_streams()
    try:
        code = _run(argv)
    except OSError as error:  # there is nowhere left to complain
        if error.errno not in (errno.EPIPE, *_FULL):
            raise
        code = Exit.UNREAD if error.errno == errno.EPIPE else Exit.BAD_INPUT
    abandon_streams()
    sys.exit(code)


def _run(argv: Sequence[str] | None) -> Exit:
    try:
        app(args=None if argv is None else list(argv), prog_name=NAME)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer makes exit code 1 of it, "differs"
            return Exit.UNREAD
        raise
    except UserError as error:
        complain(f"{NAME}: {error}")
        return Exit.LOST if isinstance(error, LostError) else Exit.BAD_INPUT
    except Exception as error:  # noqa: BLE001  # the outermost edge: a defect of ours must not look like exit code 1
        if isinstance(error, OSError) and error.errno in _FULL:
            complain(f"{NAME}: the output cannot be written ({error.strerror}).")
            return Exit.BAD_INPUT
        traceback.print_exc()
        complain(f"{NAME}: this is a defect of yolo-prune-check; please report it")
        return Exit.INTERNAL
    return Exit.EXPECTED
