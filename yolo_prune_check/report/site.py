"""Which page belongs to which spec, and where on it a scenario stands."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from yolo_prune_check.report.comparison.matrix import Comparison, comparisons_of
from yolo_prune_check.report.markdown import code, link, slugs
from yolo_prune_check.run.record import Record

INDEX = "index.md"
CLAIMS = "claims.md"
EXECUTIONS = "executions.md"
FIELD_NOTES_TAG = "field_notes"
"""The tag ``field-notes`` as the spec loader hands it on: a pytest mark, in which a hyphen is an underscore."""
WORDS_HEADING = "Words used here"

EXPERIMENT_TAG = "field_notes_experiment"
"""The tag of matrices that claims of the field notes on order, schedule and fine-tuning are held against."""
COMPARISONS = "comparisons"
"""Folder of the comparing pages."""

_SUFFIXES = (".prune.yaml", ".prune.yml", ".yaml", ".yml")


@dataclass(frozen=True)
class Suite:
    """All records of one spec, and the page they go to.

    Attributes:
        spec: Path of the spec as the records name it.
        name: The suite's name.
        page: The page, relative to the report directory, with forward slashes.
        records: Its records, sorted by id.
        anchors: For each record, the anchor of its heading.
    """

    spec: str
    name: str
    page: str
    records: tuple[Record, ...]
    anchors: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name as a heading."""
        return page_title(self.name)


@dataclass(frozen=True)
class Compared:
    """The scenarios of one matrix, and the page on which they stand side by side.

    Attributes:
        comparison: The scenarios.
        page: The page, relative to the report directory.
        title: Its heading.
    """

    comparison: Comparison
    page: str
    title: str


@dataclass(frozen=True)
class Site:
    """All suites of a report, sorted by page, and the matrices among them, by suite and id."""

    suites: tuple[Suite, ...]
    compared: tuple[Compared, ...] = ()

    @classmethod
    def of(cls, records: Sequence[Record]) -> Site:
        """Sort the records into suites; the order in which they are given makes no difference."""
        by_spec: dict[str, list[Record]] = {}
        for record in records:
            by_spec.setdefault(record.spec, []).append(record)
        suites = []
        taken = {INDEX, CLAIMS, EXECUTIONS}
        for spec in sorted(by_spec):
            page = page_of(spec)
            if page in taken:  # two specs of one name in different places
                page = f"{page.removesuffix('.md')}-{hashlib.sha256(spec.encode()).hexdigest()[:8]}.md"
            taken.add(page)
            members = tuple(sorted(by_spec[spec], key=lambda record: record.id))
            anchors = slugs([page_title(members[0].suite), *(record.id for record in members)])[1:]
            suites.append(Suite(spec, members[0].suite, page, members, tuple(anchors)))
        suites.sort(key=lambda suite: suite.page)
        return cls(tuple(suites), tuple(_compared(suites, taken)))

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, page by page."""
        return tuple(record for suite in self.suites for record in suite.records)

    @property
    def field_notes(self) -> tuple[Record, ...]:
        """The records of the field notes' own plans."""
        return tuple(record for record in self.records if FIELD_NOTES_TAG in tags_of(record))

    @property
    def evidence(self) -> tuple[Record, ...]:
        """The records that decide the claims: those of the field notes, and of experiments on them."""
        return tuple(record for record in self.records if tags_of(record) & {FIELD_NOTES_TAG, EXPERIMENT_TAG})

    def suite(self, spec: str) -> Suite:
        """The suite of a spec.

        Raises:
            KeyError: There is none.
        """
        for suite in self.suites:
            if suite.spec == spec:
                return suite
        raise KeyError(spec)

    def place(self, record: Record) -> str:
        """Page and anchor of a record, relative to the report directory."""
        for suite in self.suites:
            for member, anchor in zip(suite.records, suite.anchors, strict=True):
                if member.spec == record.spec and member.id == record.id:
                    return f"{suite.page}#{anchor}"
        raise KeyError(f"{record.spec}::{record.id}")

    def link(self, record: Record, from_page: str) -> str:
        """A link to a record's part of its page."""
        return link(code(record.id), relative(self.place(record), from_page))


def tags_of(record: Record) -> set[str]:
    """A record's tags, as pytest marks."""
    return {tag.replace("-", "_") for tag in record.tags}


def _compared(suites: Sequence[Suite], taken: set[str]) -> Iterator[Compared]:
    for suite in suites:
        for comparison in comparisons_of(suite.records):
            base = comparison.first.base_id
            stem = slug_of(f"{suite.name}-{base}")
            page = f"{COMPARISONS}/{stem}.md"
            if page in taken:  # two specs of one name in different places
                page = f"{COMPARISONS}/{stem}-{hashlib.sha256(suite.spec.encode()).hexdigest()[:8]}.md"
            taken.add(page)
            yield Compared(comparison, page, f"{suite.title}: {code(base)}")


def page_title(name: str) -> str:
    """A suite's name as a heading."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def page_of(spec: str) -> str:
    """Page of a spec: its path below the last folder named ``specs``, or its bare name, ending in ``.md``.

    >>> page_of("specs/field_notes/multi_block_pruning.prune.yaml")
    'field_notes/multi_block_pruning.md'
    >>> page_of("/somewhere/plans/x.prune.yaml")
    'x.md'
    """
    parts = PurePosixPath(spec.replace("\\", "/")).parts
    below = [i for i, part in enumerate(parts[:-1]) if part == "specs"]
    kept = parts[below[-1] + 1 :] if below else parts[-1:]
    name = "/".join(part for part in kept if part not in ("..", "."))
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            name = name.removesuffix(suffix)
            break
    return f"{name}.md"


def relative(target: str, from_page: str) -> str:
    """A target, given relative to the report directory, as seen from a page there."""
    path, _, anchor = target.partition("#")
    if path == from_page and anchor:
        return f"#{anchor}"
    shown = posixpath.relpath(path, posixpath.dirname(from_page) or ".")
    return f"{shown}#{anchor}" if anchor else shown


def slug_of(scenario: str) -> str:
    """A scenario's id as a file name: letters, digits, ``.``, ``_``, ``-``; different ids get different names.

    >>> slug_of("first-layer"), slug_of("first[mask]").startswith("first-mask-")
    ('first-layer', True)
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", scenario).strip("-.") or "scenario"
    if plain == scenario:
        return plain
    return f"{plain}-{hashlib.sha256(scenario.encode()).hexdigest()[:6]}"
