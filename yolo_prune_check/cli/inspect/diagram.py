"""The blocks as a Mermaid flowchart, which GitHub and others render in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from yolo_prune_check.cli.inspect.parts import Part, Parts
from yolo_prune_check.model.blocks import IMAGE

_CONCAT = "Concat"
_ESCAPED = {"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;", "#": "&num;", "`": "&#96;"}


def diagram(parts: Parts) -> str:
    """A flowchart: one node for each block with its type and channels, one arrow for each input with its channels.

    A concat is a hexagon; the output of a concat has as many channels as its inputs together. The text is the same
    for the same model.
    """
    lines = ["flowchart TD"]
    if any(IMAGE in part.from_ for part in parts.all):
        lines.append('    image(["image"])')
    lines += [f"    {_node(part)}" for part in parts.all]
    lines.append('    output(["output"])')
    lines += [f"    {arrow}" for part in parts.all for arrow in _arrows(part)]
    lines += [f"    b{part.index} --> output" for part in parts.all if not part.feeds]
    concats = [f"b{part.index}" for part in parts.all if part.type == _CONCAT]
    if concats:
        lines += ["    classDef concat stroke-width:3px", f"    class {','.join(concats)} concat"]
    return "\n".join(lines)


def _node(part: Part) -> str:
    title = f"{part.index} {part.type}" if part.name == f"model.{part.index}" else f"{part.name} {part.type}"
    made = "" if part.out_channels is None else f"<br/>{part.out_channels} channels"
    opening, closing = ("{{", "}}") if part.type == _CONCAT else ("[", "]")
    return f'b{part.index}{opening}"{escaped(title)}{made}"{closing}'


def _arrows(part: Part) -> Iterator[str]:
    for source, width in zip(part.from_, part.in_channels, strict=True):
        start = "image" if source == IMAGE else f"b{source}"
        yield f"{start} -->{f'|{width}|' if width is not None else ''} b{part.index}"


def escaped(text: str) -> str:
    """Text as Mermaid takes it inside quotes.

    >>> escaped('a "b" <c>')
    'a &quot;b&quot; &lt;c&gt;'
    """
    return "".join(_ESCAPED.get(letter, letter) for letter in text)
