"""The end of a session: records gathered, pages written, verdicts shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import CACHED, RECORD
from yolo_prune_check.plugin.options import STATE, State


def note_record(state: State, report: pytest.TestReport) -> None:
    """Remember where an item's record lies; with pytest-xdist a worker wrote it."""
    if report.when == "call":
        state.record_files += [Path(str(value)) for name, value in report.user_properties if name == RECORD]
        state.cached += any(name == CACHED for name, _ in report.user_properties)
    if state.report_dir is None and not state.worker:  # the file will be gone: JUnit XML must not name it
        report.user_properties = [each for each in report.user_properties if each[0] != RECORD]


def finish(session: pytest.Session) -> None:
    """Read the session's records and bring the report directory up to date; workers leave that to their controller."""
    state = session.config.stash[STATE]
    if state.worker or not state.record_files:
        return
    from yolo_prune_check.plugin.store import update_report
    from yolo_prune_check.run.record import read_record

    try:
        state.records = [read_record(path) for path in dict.fromkeys(state.record_files)]
        if state.report_dir is not None:
            updated = update_report(state.records, state.report_dir, searched=_searched(session.config))
            state.pages, state.removals = updated.written.pages, updated.removals
    except UserError as error:
        state.problem = str(error)
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _searched(config: pytest.Config) -> list[Path]:
    """The folders that pytest was pointed at."""
    here = config.invocation_params.dir
    return [here / argument for argument in config.args if (here / argument).is_dir()]


def show(reporter: pytest.TerminalReporter, state: State) -> None:
    """Print the table of verdicts and where the reports are."""
    if not state.records and state.problem is None:
        return
    reporter.section("pruning verdicts")
    if state.records:
        from yolo_prune_check.report import terminal_summary

        reporter.write_line(terminal_summary(state.records))
    if state.cached:
        from yolo_prune_check.plugin.text import cached_text

        reporter.write_line(cached_text(state.cached, "--prune-rerun"))
    if state.problem is not None:
        reporter.write_line(f"no report was written: {state.problem}", red=True)
    elif state.pages:
        reporter.write_line(f"reports: {state.pages[0]}")
    for line in state.removals:
        reporter.write_line(line)
