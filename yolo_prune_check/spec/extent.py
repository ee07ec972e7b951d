"""How large a YAML document is once its aliases are written out: known before anything walks over it."""

from __future__ import annotations

from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from yolo_prune_check.spec.located import Place
from yolo_prune_check.spec.problems import Problem, SpecProblems

MOST_NODES = 100_000
DEEPEST = 100


class _Extent(NamedTuple):
    nodes: int
    depth: int


def check_extent(root: Node, file: str) -> None:
    """Refuse what no spec needs and what would end in a crash: a document that is endless, huge or very deep.

    Raises:
        SpecProblems: An alias contains itself, or there are too many values or levels, each alias counted anew.
    """
    known: dict[int, _Extent] = {}
    open_: set[int] = set()

    def place(node: Node) -> Place:
        return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)

    def extent(node: Node) -> _Extent:
        if id(node) in open_:
            raise SpecProblems(Problem(place(node), "an alias must not contain itself"))
        if id(node) not in known:
            open_.add(id(node))
            parts = [extent(part) for part in _parts(node)]
            known[id(node)] = _Extent(
                1 + sum(part.nodes for part in parts), 1 + max((part.depth for part in parts), default=0)
            )
            open_.discard(id(node))
        if known[id(node)].depth > DEEPEST:
            raise SpecProblems(Problem(place(node), "not a spec: nested too deeply"))
        return known[id(node)]

    if extent(root).nodes > MOST_NODES:
        what = f"not a spec: more than {MOST_NODES:,} values, each alias counted anew"
        raise SpecProblems(Problem(Place(file, 1, 1), what, hint="Split it, or use fewer aliases."))


def _parts(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []
