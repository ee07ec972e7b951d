"""A spec with all that it includes, as one document.

The rule of inclusion: the included files stand first, in their order; keys written later replace those written before,
field by field in `defaults`; scenarios add up. A file that was already included is not included again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from yolo_prune_check.errors import MOST_TEXT, clip
from yolo_prune_check.spec.located import Mapping, Place, Sequence, plain
from yolo_prune_check.spec.messages import problems_of
from yolo_prune_check.spec.problems import Problem, SpecProblems
from yolo_prune_check.spec.reader import is_file, read, shown
from yolo_prune_check.spec.schema import ScenarioFields, SpecFile


@dataclass
class Document:
    """Top-level settings, defaults and scenarios of a spec, not yet expanded, and what is wrong with them."""

    top: Mapping
    defaults: Mapping
    scenarios: list[Mapping] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_document(path: Path) -> Document:
    """Read a spec and what it includes. Problems are collected, so that all can be reported at once."""
    start = Mapping(Place(shown(path), 1, 1), 1)
    document = Document(start, start)
    try:
        _add(document, path, ())
    except SpecProblems as error:
        document.problems += error.problems
    return document


def _add(document: Document, path: Path, chain: tuple[Path, ...]) -> None:
    root, text = read(path)
    document.texts[root.place.file] = text
    document.problems += _wrong_keys(root)
    for other, place in _includes(document, root):
        _include(document, (path.parent / other), place, (*chain, path))
    settings = root.without("include", "defaults", "scenarios")
    # Keys that mean nothing are reported above, once, and go no further.
    document.top = document.top.merged(settings.only(SpecFile.model_fields))
    defaults = root.get("defaults")
    if isinstance(defaults, Mapping):
        document.defaults = document.defaults.merged(defaults.only(ScenarioFields.model_fields))
    elif "defaults" in root:
        place = root.entries["defaults"].place
        document.problems.append(Problem(place, "`defaults` must be a mapping", plain(defaults)))
    document.scenarios += _scenarios(document, root, is_included=bool(chain))


def _include(document: Document, path: Path, place: Place, chain: tuple[Path, ...]) -> None:
    before = [each.resolve() for each in chain]
    if path.resolve() in before:
        loop = [*chain[before.index(path.resolve()) :], path]
        names = " → ".join(shown(each) for each in loop)
        document.problems.append(Problem(place, f"include cycle: {names}", hint="Remove one of the includes."))
    elif not is_file(path):
        hint = "The path is relative to the file that includes it."
        document.problems.append(Problem(place, f"no such file to include: {clip(shown(path), MOST_TEXT)}", hint=hint))
    elif shown(path) not in document.texts:
        try:
            _add(document, path, chain)
        except SpecProblems as error:
            document.problems += error.problems


def _includes(document: Document, root: Mapping) -> Iterator[tuple[str, Place]]:
    if "include" not in root:
        return
    entry = root.entries["include"]
    if isinstance(entry.value, Sequence):
        named = list(zip(entry.value.items, entry.value.places, strict=True))
    else:
        named = [(entry.value, entry.place)]
    for name, place in named:
        if isinstance(name, str) and name:
            yield name, place
        else:
            what = "`include` must be a path or a list of paths"
            document.problems.append(Problem(place, what, plain(name), "Such as include: base.yaml."))


def _scenarios(document: Document, root: Mapping, *, is_included: bool) -> Iterator[Mapping]:
    hint = "A scenario begins with `- id: NAME`."
    entry = root.entries.get("scenarios")
    if entry is None:
        if not is_included and not document.scenarios:
            document.problems.append(Problem(root.place, "no scenarios: a spec needs at least one", hint=hint))
        return
    if not isinstance(entry.value, Sequence):
        document.problems.append(Problem(entry.place, "`scenarios` must be a list", plain(entry.value), hint))
        return
    if not entry.value.items and not is_included and not document.scenarios:
        what = "`scenarios` is empty: a spec needs at least one"
        document.problems.append(Problem(entry.place, what, hint=hint))
    for item, place in zip(entry.value.items, entry.value.places, strict=True):
        if isinstance(item, Mapping):
            yield item
        else:
            document.problems.append(Problem(place, "a scenario must be a mapping", plain(item), hint))


def _wrong_keys(root: Mapping) -> list[Problem]:
    """What is wrong with the settings and defaults of one file, used or not."""
    problems: list[Problem] = []
    settings = root.without("include", "defaults", "scenarios")
    try:
        SpecFile.model_validate(plain(settings))
    except ValidationError as error:
        problems += problems_of(error, SpecFile, settings)
    defaults = root.get("defaults")
    if isinstance(defaults, Mapping):
        try:
            ScenarioFields.model_validate(plain(defaults))
        except ValidationError as error:
            problems += problems_of(error, ScenarioFields, defaults)
    return problems
