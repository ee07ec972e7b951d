"""Specs and scenarios as pytest's files and items."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from yolo_prune_check.errors import UserError
from yolo_prune_check.plugin.names import BROKEN, CACHED, RECORD, VERDICT
from yolo_prune_check.plugin.options import STATE
from yolo_prune_check.plugin.store import mark_broken, run_scenario
from yolo_prune_check.plugin.terminal import hear_ultralytics, progress_of
from yolo_prune_check.plugin.text import failure_text, refusal_text
from yolo_prune_check.report import save_records
from yolo_prune_check.run.events import Event, ScenarioFinished
from yolo_prune_check.spec import Scenario, load_spec


class SpecFile(pytest.File):
    """One ``*.prune.yaml``; its scenarios are its items."""

    def collect(self) -> Iterator[pytest.Item]:
        """The scenarios; for a spec that cannot be read one item that fails and says why.

        Raising here would abort the whole run, and once for each worker of pytest-xdist.
        """
        try:
            suite = load_spec(self.path)
        except Exception as error:  # noqa: BLE001  # BrokenSpec raises it again, where only that one item fails
            for name in self._names_asked_for() or [BROKEN]:
                yield BrokenSpec.from_parent(self, name=name, nodeid=self._node_id(name), error=error)
            return
        for scenario in suite.scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.id, nodeid=self._node_id(scenario.id), scenario=scenario)

    def _node_id(self, name: str) -> str:
        """Made from text, as the ids in pytest's cache are: `--lf` compares the two, and takes `[…]` for parameters."""
        return f"{self.nodeid}::{name}"

    def _names_asked_for(self) -> list[str]:
        """Scenarios of this file named on the command line: they must be found, to fail with the spec's error."""
        names = []
        for argument in self.config.args:
            path, separator, name = argument.partition("::")
            if separator and Path(path).resolve() == self.path.resolve() and name not in names:
                names.append(name)
        return names


class BrokenSpec(pytest.Item):
    """Stands for a spec that cannot be read."""

    def __init__(self, *, error: Exception, **known: object) -> None:
        super().__init__(**known)  # type: ignore[arg-type]  # from_parent passes what pytest itself gave
        self._error = error

    def runtest(self) -> None:
        """Fail with the spec's error; a defect of ours keeps its traceback."""
        if not isinstance(self._error, UserError):
            raise self._error
        report_dir = self.config.stash[STATE].report_dir
        if report_dir is not None:
            with contextlib.suppress(UserError):  # of a record that cannot be read, which the end of the session names
                marked = mark_broken(self.path, self._error, report_dir)
                self.user_properties += [(RECORD, str(path)) for path in marked]
        pytest.fail(str(self._error), pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the item comes from."""
        return self.path, 0, self.name


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, scenario: Scenario, **known: object) -> None:
        super().__init__(**known)  # type: ignore[arg-type]  # from_parent passes what pytest itself gave
        self.scenario = scenario
        for tag in scenario.tags:
            self._mark(tag.replace("-", "_"))

    def _mark(self, name: str) -> None:
        known = {line.partition(":")[0].partition("(")[0].strip() for line in self.config.getini("markers")}
        if name not in known:  # --strict-markers refuses what is not declared
            self.config.addinivalue_line("markers", f"{name}: tag in a pruning spec")
        self.add_marker(name)

    def runtest(self) -> None:
        """Run the scenario, keep its record, and fail or pass."""
        state = self.config.stash[STATE]
        hear_ultralytics(self.config)
        record = run_scenario(
            self.scenario,
            work_dir=state.work_dir,
            progress=progress_of(self.config),
            model=state.model,
            trust_checkpoint=state.trust_checkpoint,
            device=state.device,
            predict_only=state.predict_only,
            rerun=state.rerun,
            on_event=self._note_cached,
        )
        (path,) = save_records([record], state.records_root)
        self.user_properties += [(VERDICT, record.verdict), (RECORD, str(path))]
        if record.verdict == "not-started":
            pytest.fail(refusal_text(record, self.scenario), pytrace=False)
        if not record.passed:
            pytest.fail(failure_text(record, self.scenario), pytrace=False)

    def _note_cached(self, event: Event) -> None:
        if isinstance(event, ScenarioFinished) and event.cached:
            self.user_properties.append((CACHED, "true"))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the item comes from; the line counts from 0."""
        return self.path, self.scenario.source.first_line - 1, self.name
