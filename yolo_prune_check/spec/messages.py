"""Turns what pydantic finds wrong into problems in our words, each at its place in the YAML."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from yolo_prune_check.errors import MOST_SHOWN, UNSET, clip, shown
from yolo_prune_check.spec.located import Mapping, place_of
from yolo_prune_check.spec.problems import Problem, suggestion
from yolo_prune_check.spec.schema import NESTED, ScenarioFields, StepSpec, Strict

KINDS = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}
ITEMS = {"hazards": "hazard", "executions": "execution"}
"""What one item of a list is called."""
BOUNDS = {
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "multiple_of": "a multiple of {multiple_of:g}",
    "finite_number": "finite",
}


def problems_of(error: ValidationError, model: type[Strict], root: Mapping) -> list[Problem]:
    """Every mistake that pydantic found in a mapping.

    Args:
        error: What validating the mapping raised.
        model: The model it was validated against.
        root: The mapping.
    """
    return [_problem(details, model, root) for details in error.errors(include_url=False)]


def dotted(path: tuple[int | str, ...]) -> str:
    """A path as it is read aloud.

    >>> dotted(("steps", 0, "layer"))
    'steps[0].layer'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return clip(text.removeprefix("."))


def _problem(details: ErrorDetails, model: type[Strict], root: Mapping) -> Problem:
    path, kind, value = details["loc"], details["type"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    place = place_of(root, path)
    name, parent = str(path[-1]), _enclosing(model, path)
    inside = f" in `{dotted(path[:-1])}`" if len(path) > 1 else ""
    if kind == "spec":
        return Problem(place, context["what"], UNSET if context["told"] else value, context["hint"] or None)
    if kind == "extra_forbidden":
        known = suggestion(name, parent.model_fields, title="Valid keys")
        return Problem(place_of(root, path, key=True), f"unknown key `{clip(name)}`{inside}", hint=known)
    about = _description(parent, path)
    if kind == "missing":
        return Problem(place, f"missing key `{name}`{inside}", hint=about)
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        subject = next((one for many, one in ITEMS.items() if many in path), name)
        return Problem(place, f"unknown {subject}", value, suggestion(value, words, title="Known"))
    if kind in KINDS:
        return Problem(place, f"`{dotted(path)}` must be {KINDS[kind]}", value, _retype(kind, value) or about)
    if kind in BOUNDS:
        return Problem(place, f"`{dotted(path)}` must be {BOUNDS[kind].format(**context)}", value, about)
    if kind in {"string_too_short", "too_short"}:
        return Problem(place, f"`{dotted(path)}` must not be empty", hint=about)
    return Problem(place, f"`{dotted(path)}`: {details['msg']}", value)


def _enclosing(model: type[Strict], path: tuple[int | str, ...]) -> type[Strict]:
    """The model whose field the last key of a path is."""
    for part in path[:-1]:
        if part == "defaults":
            model = ScenarioFields
        elif part == "steps":
            model = StepSpec
        elif isinstance(part, str) and part in NESTED:
            model = NESTED[part]
    return model


def _description(model: type[Strict], path: tuple[int | str, ...]) -> str | None:
    names = [part for part in path if isinstance(part, str)]
    field = model.model_fields.get(names[-1]) if names else None
    return " ".join(field.description.split()) if field is not None and field.description else None


def _retype(kind: str, value: object) -> str | None:
    """How to write the value so that it has the right type, where that can be said."""
    if len(shown(value)) > MOST_SHOWN:
        return None
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'Quote it: "{str(value).lower() if isinstance(value, bool) else value}".'
    if kind in {"tuple_type", "list_type"} and isinstance(value, str | int | float):
        return f"Write it as a list: [{value}]."
    if kind in {"int_type", "float_type"} and isinstance(value, str) and re.fullmatch(r"[\d.eE+-]+", value):
        return "Remove the quotes."
    if kind == "bool_type" and isinstance(value, str) and value.lower() in {"yes", "no", "on", "off"}:
        return "YAML 1.2 knows only true and false."
    return None
