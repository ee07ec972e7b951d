"""Pages and records on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yolo_prune_check.errors import UserError
from yolo_prune_check.report.claims_page import claims_page
from yolo_prune_check.report.comparison.page import comparison_files
from yolo_prune_check.report.executions_page import executions_page
from yolo_prune_check.report.figures import many, named
from yolo_prune_check.report.index_page import index_page
from yolo_prune_check.report.owned import refuse_foreign, remove_stale
from yolo_prune_check.report.same_plan import same_plans
from yolo_prune_check.report.site import CLAIMS, EXECUTIONS, INDEX, Site, page_of, slug_of
from yolo_prune_check.report.suite_page import suite_page
from yolo_prune_check.run.record import Record, read_record, write_atomically, write_record

RECORDS = "records"
"""Folder of the record files within a report directory."""


@dataclass(frozen=True)
class Written:
    """What became of the pages of a report directory.

    Attributes:
        pages: The pages written, index first.
        removed: The pages removed, relative to the report directory.
    """

    pages: list[Path]
    removed: tuple[str, ...]

    @property
    def removal(self) -> str | None:
        """One line that says which pages were removed, or None."""
        if not self.removed:
            return None
        return f"removed {many(len(self.removed), 'page')} that no record stands behind: {named(self.removed)}"


def write_reports(records: Sequence[Record], out: Path) -> Written:
    """Write the index, one page per suite, and two more pages if there is something to say on them.

    These are the claims, if any record belongs to the field notes, and the comparison of executions, if one plan was
    carried out in several. For each matrix whose scenarios were all measured there is a page with plots.

    Records that lie in ``out/records`` from earlier runs keep their place beside the given ones, which win where
    both know a scenario; so a run of one suite leaves the pages of the others and their lines on the index. Pages that
    were written here before and whose records are gone are deleted; all other files are left alone. The pages depend on
    nothing but the records: neither on their order nor on the machine or the hour.

    Args:
        records: What is known of each scenario.
        out: Report directory; made if it is missing.

    Returns:
        The pages written and removed.

    Raises:
        UserError: No record at all, two different records of one scenario, a stored one that cannot be read, or a file
            in the place of a page that is none.
    """
    found = {_key(record): record for record in load_records(out / RECORDS)} if (out / RECORDS).is_dir() else {}
    found.update(_distinct(records))
    if not found:
        raise UserError("there is nothing to report", where=str(out), hint="Run a scenario first.")
    site = Site.of(list(found.values()))
    pages = {INDEX: index_page(site)}
    pages.update({suite.page: suite_page(suite, site) for suite in site.suites})
    if site.field_notes:
        pages[CLAIMS] = claims_page(site)
    if same_plans(site.records):
        pages[EXECUTIONS] = executions_page(site)
    for compared in site.compared:
        pages.update(comparison_files(compared, site))
    refuse_foreign(out / name for name in pages)
    for name, content in pages.items():
        write_atomically(out / name, content)
    return Written([out / name for name in pages], remove_stale(out, set(pages)))


def record_path(record: Record, out: Path) -> Path:
    """Where a record belongs in a report directory: ``out/records/<suite>/<scenario>.json``."""
    page = page_of(record.spec)
    name = page.removesuffix(".md")
    if not record.spec.startswith(f"specs/{name}."):  # the page's name alone does not tell this spec from others
        name = f"{name}-{hashlib.sha256(record.spec.encode()).hexdigest()[:8]}"
    return out / RECORDS / name / f"{slug_of(record.id)}.json"


def save_records(records: Sequence[Record], out: Path) -> list[Path]:
    """Store records in a report directory, each written atomically, from where later reports take them.

    Beside the record of random plans of which one refuted a prediction lies that plan as a spec.
    """
    paths = []
    for record in records:
        path = record_path(record, out)
        refuted = record.fuzz.counterexample if record.fuzz is not None else None
        if refuted is None:
            counterexample_path(path).unlink(missing_ok=True)  # of an earlier run
        else:
            write_atomically(counterexample_path(path), refuted.spec)
        write_record(record, path)
        paths.append(path)
    return paths


def counterexample_path(record: Path) -> Path:
    """Where the refuted plan of a record lies: ``<scenario>.prune.yaml`` beside ``<scenario>.json``."""
    return record.with_name(f"{record.name.removesuffix('.json')}.prune.yaml")


def load_records(folder: Path) -> list[Record]:
    """All records below a folder, sorted by spec and id.

    Raises:
        UserError: The folder is missing, a file is no record, or two files differ about the same scenario.
    """
    if not folder.is_dir():
        raise UserError("no such folder of records", where=str(folder), hint="Run a scenario first.")
    records = [read_record(path) for path in sorted(folder.rglob("*.json"))]
    distinct = _distinct(records)
    return [distinct[key] for key in sorted(distinct)]


def _key(record: Record) -> tuple[str, str]:
    return record.spec, record.id


def _distinct(records: Sequence[Record]) -> dict[tuple[str, str], Record]:
    found: dict[tuple[str, str], Record] = {}
    for record in records:
        if found.get(_key(record), record) != record:
            raise UserError(
                "two different records of the same scenario",
                where=f"{record.spec}::{record.id}",
                hint="Delete the older one.",
            )
        found[_key(record)] = record
    return found
