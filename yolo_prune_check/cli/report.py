"""``yolo-prune-check report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yolo_prune_check.cli.output import say
from yolo_prune_check.plugin.places import check_report_dir
from yolo_prune_check.report import load_records, write_reports


def report(
    records: Annotated[
        Path, typer.Argument(metavar="RECORDS_DIR", help="Folder with record files, such as reports/records.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where to write the pages.")],
) -> None:
    """Write the Markdown reports anew from records, without running anything.

    Example:  yolo-prune-check report reports/records -o reports
    """
    check_report_dir(out)
    written = write_reports(load_records(records), out)
    say(f"reports: {written.pages[0]}")
    if written.removal is not None:
        say(written.removal)
