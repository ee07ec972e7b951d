"""Reports: Markdown pages and terminal tables, made from records alone. Imports no torch."""

from yolo_prune_check.report.summary import scenario_failure_text, stood_in, terminal_summary
from yolo_prune_check.report.write import (
    RECORDS,
    Written,
    counterexample_path,
    load_records,
    record_path,
    save_records,
    write_reports,
)

__all__ = [
    "RECORDS",
    "Written",
    "counterexample_path",
    "load_records",
    "record_path",
    "save_records",
    "scenario_failure_text",
    "stood_in",
    "terminal_summary",
    "write_reports",
]
