"""From a spec file to its scenarios, or to one error that names every mistake with its place."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from yolo_prune_check.spec.document import Document, read_document
from yolo_prune_check.spec.expand import Expanded, expand
from yolo_prune_check.spec.located import Mapping, Place, place_of, places_in, plain
from yolo_prune_check.spec.messages import problems_of
from yolo_prune_check.spec.problems import Problem, as_error
from yolo_prune_check.spec.reader import is_file, is_folder, shown
from yolo_prune_check.spec.rules import broken_rules
from yolo_prune_check.spec.schema import Scenario, ScenarioInput, Source
from yolo_prune_check.spec.suite import Suite, suite_name

Key = Literal["model", "data"]
FILES = (".pt", ".yaml", ".yml")


def load_spec(path: str | Path) -> Suite:
    """Read, check and expand a spec.

    Model and data files are looked for beside the file that names them, then in the working directory; shipped names
    and names of stock YAML files stay as they are.

    Args:
        path: A `*.prune.yaml` file.

    Raises:
        UserError: The spec has mistakes. The message names all of them, one per line, with file, line and column.
    """
    examined = examine_spec(path)
    if examined.problems:
        raise as_error(examined.problems)
    return examined.suite


@dataclass(frozen=True)
class Named:
    """A model or data set that a scenario names which cannot be read, and where."""

    key: Key
    name: str
    place: Place


@dataclass(frozen=True)
class Examined:
    """A spec with all its mistakes.

    Attributes:
        suite: The scenarios that can be read, also such as break a rule or whose files are not there.
        named: What the others name. Those that expect to be refused name nothing.
        problems: All that is wrong, in no order, and some of it more than once.
    """

    suite: Suite
    named: tuple[Named, ...]
    problems: tuple[Problem, ...]


def examine_spec(path: str | Path) -> Examined:
    """What ``load_spec`` gives, beside what it refuses."""
    path = Path(path)
    document = read_document(path)
    problems = document.problems
    problems += _repeated_ids(document)
    scenarios, named = list[Scenario](), list[Named]()
    for written in document.scenarios:
        for expanded in expand(written, document.defaults, document.top, problems):
            scenario = _build(written, expanded, document, path)
            if scenario is not None:
                scenarios.append(scenario)
            else:
                named += _named(expanded.fields, document)
    return Examined(Suite(path, suite_name(path), tuple(scenarios)), tuple(named), tuple(problems))


def _build(written: Mapping, expanded: Expanded, document: Document, path: Path) -> Scenario | None:
    """The scenario, with its problems noted; None if these leave none."""
    fields = expanded.fields
    try:
        given = ScenarioInput.model_validate(plain(fields))
    except ValidationError as error:
        document.problems += problems_of(error, ScenarioInput, fields)
        return None
    document.problems += broken_rules(given, fields)
    if given.model is None or (given.layers is None and given.steps is None and given.fuzz is None):
        return None
    values = {name: getattr(given, name) for name in type(given).model_fields if name != "matrix"}
    for name in ("model", "data"):
        if values[name] is not None:
            values[name] = _file(name, values[name], fields, document, must_exist=given.expect.error is None)
    if given.steps is not None:
        values |= {"blocks": None, "layers": tuple(step.layer for step in given.steps), "order": "listed"}
    if given.fuzz is not None:
        seed = given.fuzz.seed if "seed" in given.fuzz.model_fields_set else given.seed
        fuzz = given.fuzz.model_copy(update={"seed": seed})
        values |= {"fuzz": fuzz, "blocks": given.fuzz.blocks, "layers": "all"}
    if "seed" not in given.select.model_fields_set:
        values["select"] = given.select.model_copy(update={"seed": given.seed})
    return Scenario(
        **values | {"id": given.id + expanded.suffix},
        base_id=given.id,
        suite=suite_name(path),
        spec=shown(path),
        source=_source(written, document.texts[written.place.file], fields),
        axes=expanded.axes,
    )


def _named(fields: Mapping, document: Document) -> Iterator[Named]:
    """What fields of which no scenario can be made say as text; random plans look at no data."""
    expect = fields.get("expect")
    if isinstance(expect, Mapping) and expect.get("error") is not None:
        return
    keys: tuple[Key, ...] = ("model",) if fields.get("fuzz") is not None else ("model", "data")
    for key in keys:
        text = fields.get(key)
        if isinstance(text, str) and text:
            yield Named(key, _file(key, text, fields, document, must_exist=True), place_of(fields, (key,)))


def _file(name: str, text: str, fields: Mapping, document: Document, *, must_exist: bool) -> str:
    place = place_of(fields, (name,))
    beside = Path(place.file).parent / text
    if name == "data" and is_folder(beside / "train"):  # of classes; a shipped name has no such folder beside it
        return shown(beside)
    if not text.endswith(FILES):
        return text
    if is_file(beside):
        return shown(beside)
    # A bare YAML name may be a stock one, which the model and data rooms know; a checkpoint is never downloaded.
    is_certainly_a_file = text.endswith(".pt") or Path(text).name != text
    if must_exist and is_certainly_a_file and not is_file(Path(text)):
        hint = "Paths are relative to the spec or to the working directory; nothing is downloaded."
        document.problems.append(Problem(place, f"no such {name} file", text, hint))
    return text


def _source(written: Mapping, text: str, fields: Mapping) -> Source:
    lines = text.splitlines()
    first, last = written.place.line, min(written.last_line, len(lines))
    while last > first and not lines[last - 1].strip():
        last -= 1
    shown_text = textwrap.dedent("\n".join(lines[first - 1 : last]))
    places = {key: str(place) for key, place in places_in(fields)}
    return Source(file=written.place.file, first_line=first, last_line=last, text=shown_text, places=places)


def _repeated_ids(document: Document) -> list[Problem]:
    first: dict[str, Place] = {}
    problems: list[Problem] = []
    for scenario in document.scenarios:
        name = scenario.get("id")
        if not isinstance(name, str):
            continue
        place = scenario.entries["id"].place
        if name in first:
            problems.append(
                Problem(place, f"the id `{name}` is used twice", hint=f"First at {first[name]}; rename one.")
            )
        else:
            first[name] = place
    return problems
