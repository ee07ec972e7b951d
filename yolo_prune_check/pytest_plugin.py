"""pytest hooks: ``*.prune.yaml`` files become tests. State and text are in ``yolo_prune_check.plugin``.

pytest loads this module in every run of an environment where the package is installed, so what only specs need is
imported when there is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from yolo_prune_check.plugin.names import SCRATCH, SUFFIX
from yolo_prune_check.plugin.options import STATE, State, add_options
from yolo_prune_check.plugin.summary import finish, note_record, show
from yolo_prune_check.plugin.terminal import close_terminal, open_terminal

if TYPE_CHECKING:
    from yolo_prune_check.plugin.items import SpecFile


def pytest_addoption(parser: pytest.Parser) -> None:
    """[Declare the options](https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_addoption)."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """[Set the session up](https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_configure)."""
    config.stash[STATE] = State.of(config)
    config.pluginmanager.register(Listener(config), "yolo-prune-check-listener")
    open_terminal(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """[Tidy up](https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_unconfigure)."""
    close_terminal(config)
    if STATE in config.stash:
        config.stash[STATE].close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    """[Collect specs](https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_collect_file)."""
    if not file_path.name.endswith(SUFFIX):
        return None
    from yolo_prune_check.plugin.items import SpecFile

    return SpecFile.from_parent(parent, path=file_path)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """[Tell a worker the scratch folder](https://pytest-xdist.readthedocs.io/en/stable/how-to.html#session-wide-fixtures)."""
    node.workerinput[SCRATCH] = str(node.config.stash[STATE].scratch)


class Listener:
    """The hooks that need the config but are not given it."""

    def __init__(self, config: pytest.Config) -> None:
        self._state = config.stash[STATE]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """[Note the record of a finished item](https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_runtest_logreport)."""
        note_record(self._state, report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """[Write the reports](https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_sessionfinish)."""
    finish(session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """[Show the verdicts](https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_terminal_summary)."""
    show(terminalreporter, config.stash[STATE])
