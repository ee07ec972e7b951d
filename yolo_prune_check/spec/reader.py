"""Reads one YAML file into located values: YAML 1.2, so that `1e-5` is a number and `no` is text."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from yolo_prune_check.errors import clip
from yolo_prune_check.spec.extent import check_extent
from yolo_prune_check.spec.located import Entry, Mapping, Place, Sequence, SourceFloat
from yolo_prune_check.spec.problems import Problem, SpecProblems

TAG = "tag:yaml.org,2002:"
MOST_DIGITS = 100


def read(path: Path) -> tuple[Mapping, str]:
    """Read a spec file: its top-level mapping and its text.

    Raises:
        SpecProblems: The file cannot be read, is no valid YAML, is empty or no mapping, or has duplicate keys.
    """
    file = shown(path)
    text = _text(path, Place(file))
    if old := re.search(r"^%YAML\s+1\.[01]\b", text, re.MULTILINE):
        place = Place(file, text.count("\n", 0, old.start()) + 1, 1)
        what = "specs are YAML 1.2; in older YAML `no` means false and 1e-5 is text"
        raise SpecProblems(Problem(place, what, hint="Remove the %YAML line."))
    try:
        node = YAML(typ="rt", pure=True).compose(text)
        if node is not None:
            check_extent(node, file)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise SpecProblems(Problem(place, f"not valid YAML ({_one_line(said)})", hint=_yaml_hint(said))) from error
    except ReaderError as error:
        before = text[: error.position]
        place = Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        what = f"not valid YAML (the character U+{error.character:04X} is not allowed)"
        raise SpecProblems(Problem(place, what, hint="Remove it.")) from error
    except RecursionError as error:
        raise SpecProblems(Problem(Place(file, 1, 1), "not a spec: nested too deeply")) from error
    if node is None:
        raise SpecProblems(Problem(Place(file, 1, 1), "the spec is empty", hint="Give it `model` and `scenarios`."))
    converter = _Converter(file)
    value = converter.convert(node)
    if converter.problems:
        raise SpecProblems(*converter.problems)
    if not isinstance(value, Mapping):
        kind = "a list" if isinstance(value, Sequence) else "a single value"
        raise SpecProblems(
            Problem(converter.place(node), f"a spec must be a mapping of keys, not {kind}", hint="Start with `model:`.")
        )
    return value, text


def shown(path: Path) -> str:
    """A path as messages show it: relative to the working directory if it lies below it."""
    absolute, here = path.resolve(), Path.cwd().resolve()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()


def is_file(path: Path) -> bool:
    """Whether a file is there; a name that the file system refuses names none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there; a name that the file system refuses names none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _text(path: Path, file: Place) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SpecProblems(Problem(file, "no such file", hint="Check the path.")) from error
    except IsADirectoryError as error:
        raise SpecProblems(Problem(file, "a directory, not a spec file", hint="Name a file in it.")) from error
    except UnicodeDecodeError as error:
        raise SpecProblems(Problem(file, "not a text file in UTF-8", hint="Save it as UTF-8.")) from error
    except OSError as error:
        raise SpecProblems(Problem(file, f"cannot read the file ({error.strerror})", hint="Check it.")) from error


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _yaml_hint(said: str) -> str:
    if "\\t" in said or "tab" in said.split():
        return "Indent with spaces, not tabs."
    if "mapping values are not allowed" in said:
        return "Quote a text that contains `: `."
    return "Check indentation, brackets and quotes there."


class _Converter:
    """Nodes to located values. An alias gives the very object that its anchor gave, so that nothing is copied."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._done: dict[int, Any] = {}

    def place(self, node: Node) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def convert(self, node: Node) -> Any:
        if id(node) not in self._done:
            self._done[id(node)] = self._convert(node)
        return self._done[id(node)]

    def _convert(self, node: Node) -> Any:
        if isinstance(node, MappingNode) and node.tag == f"{TAG}map":
            return self._mapping(node)
        if isinstance(node, SequenceNode) and node.tag == f"{TAG}seq":
            items = tuple(self.convert(item) for item in node.value)
            return Sequence(self.place(node), items, tuple(self.place(item) for item in node.value))
        return self._scalar(node, node.value) if isinstance(node, ScalarNode) else self._unknown_tag(node)

    def _mapping(self, node: MappingNode) -> Mapping:
        inherited: dict[str, Entry] = {}
        own: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            value = self.convert(value_node)
            if key_node.tag == f"{TAG}merge":
                inherited = {**self._merged(value, value_node), **inherited}
                continue
            if (
                not isinstance(key_node, ScalarNode)
                or key_node.tag != f"{TAG}str"
                or _has_bad_character(key_node.value)
            ):
                shown_key = key_node.value if isinstance(key_node, ScalarNode) else "a collection"
                self.problems.append(
                    Problem(self.place(key_node), "a key must be text", shown_key, "Quote it if it is meant.")
                )
                continue
            key = key_node.value
            if key in own:
                first = own[key].key_place
                what = f"the key `{clip(key)}` stands twice in one mapping"
                hint = f"First at line {first.line}; keep one of them."
                self.problems.append(Problem(self.place(key_node), what, hint=hint))
                continue
            # What is left empty has no place of its own: its marks stand at whatever comes next.
            place = self.place(key_node if _is_empty(value_node) else value_node)
            own[key] = Entry(self.place(key_node), place, value)
        return Mapping(self.place(node), _last_line(node) + 1, {**inherited, **own})

    def _merged(self, value: Any, node: Node) -> dict[str, Entry]:
        sources = value.items if isinstance(value, Sequence) else (value,)
        merged: dict[str, Entry] = {}
        for source in sources:
            if not isinstance(source, Mapping):
                self.problems.append(Problem(self.place(node), "`<<` must name a mapping", hint="Such as `<<: *base`."))
                continue
            merged = {**source.entries, **merged}
        return merged

    def _scalar(self, node: Node, text: str) -> Any:
        read_scalar = SCALARS.get(str(node.tag).removeprefix(TAG))
        if read_scalar is None:
            return self._unknown_tag(node)
        try:
            return read_scalar(text)
        except ValueError as error:  # an explicit tag that does not fit, or text that no file could be named with
            self.problems.append(Problem(self.place(node), f"not a value that YAML allows here ({error})"))
            return None

    def _unknown_tag(self, node: Node) -> None:
        tag = str(node.tag).replace(TAG, "!!")
        self.problems.append(
            Problem(self.place(node), f"the tag {clip(tag)} has no meaning in a spec", hint="Remove it.")
        )


def _has_bad_character(text: str) -> bool:
    """Whether a text has half a surrogate pair or a NUL, which escapes can write and no file can be named with."""
    return re.search("[\ud800-\udfff\0]", text) is not None


def _text_of(text: str) -> str:
    text = text.replace("\a", "")  # ruamel's mark for where a folded text was broken
    if _has_bad_character(text):
        raise ValueError("an escape for no character")
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("neither true nor false")
    return text.lower() == "true"


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of more than {MOST_DIGITS} digits")
    if re.match(r"[-+]?0[xob]", digits):
        return int(digits, 0)
    return int(digits)


SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": _boolean,
    "int": _integer,
    "float": SourceFloat,
    **dict.fromkeys(("str", "timestamp", "merge", "value"), _text_of),
}


def _last_line(node: Node) -> int:
    """Last line of a node's own content, from 0; a block collection's end mark lies beyond blanks and comments."""
    if _is_empty(node):
        return 0
    if isinstance(node, MappingNode | SequenceNode) and node.value and not node.flow_style:
        parts = [part for pair in node.value for part in pair] if isinstance(node, MappingNode) else node.value
        # An aliased child lies where its anchor does, maybe before its parent, which does not end there.
        return max(int(node.start_mark.line), *(_last_line(part) for part in parts))
    end = node.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def _is_empty(node: Node) -> bool:
    return bool(node.start_mark.index == node.end_mark.index)
