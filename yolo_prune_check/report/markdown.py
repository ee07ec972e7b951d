"""Pieces of GitHub-flavoured Markdown: text and code that cannot break a page, tables, folds, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

MARKER = "<!-- made by yolo-prune-check from its records; edits are overwritten -->"
"""First line of every page, by which a page of ours is known from one somebody wrote."""

YES, NO = "✓", "✗"
NONE = "\N{EN DASH}"


def text(words: str) -> str:
    r"""Prose that renders as it was written; parts in backticks stay code.

    >>> text("a <b> of `x_y` and _z_")
    'a &lt;b&gt; of `x_y` and \\_z\\_'
    """
    parts = re.split(r"(`[^`]+`)", " ".join(words.split()))
    return "".join(
        part if part.startswith("`") and part.endswith("`") and len(part) > 1 else _plain(part) for part in parts
    )


def _plain(words: str) -> str:
    words = words.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([*_`~]|(?<=\])\()", r"\\\1", words)


def code(words: str) -> str:
    """Inline code; a longer fence where the words hold backticks.

    >>> code("model.2"), code("a `b`")
    ('`model.2`', '`` a `b` ``')
    """
    words = " ".join(words.split())
    longest = max((len(run) for run in re.findall(r"`+", words)), default=0)
    if not longest:
        return f"`{words}`" if words else ""
    fence = "`" * (longest + 1)
    return f"{fence} {words} {fence}"


def block(words: str, language: str = "") -> str:
    """A code block whose fence is longer than any in the words."""
    longest = max((len(run) for run in re.findall(r"`+", words)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{words.rstrip()}\n{fence}"


def cell(words: str) -> str:
    r"""A table cell: one line, with pipes escaped (also within code, as GitHub's tables want it).

    >>> cell("a | b")
    'a \\| b'
    """
    return " ".join(words.split()).replace("|", r"\|")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()) -> str:
    """A table; the columns named in ``right`` are right-aligned, for numbers.

    Raises:
        ValueError: A row has another number of cells than there are headers.
    """
    body = [[cell(item) for item in row] for row in rows]
    if any(len(row) != len(headers) for row in body):
        raise ValueError(f"every row needs {len(headers)} cells")
    numeric = set(right)
    align = ["right" if name in numeric else "left" for name in headers]
    return tabulate(body, [cell(name) for name in headers], tablefmt="pipe", colalign=align, disable_numparse=True)


def columns(
    names: Sequence[str], rows: Sequence[Sequence[str]], always: Iterable[str] = ()
) -> tuple[list[str], list[list[str]]]:
    """Leave out the columns that say nothing in any row, except those named in ``always``."""
    kept = set(always)
    show = [i for i, name in enumerate(names) if name in kept or any(row[i] not in ("", NONE) for row in rows)]
    return [names[i] for i in show], [[row[i] for i in show] for row in rows]


def fold(summary: str, body: str) -> str:
    """A part that is closed until it is clicked. ``summary`` is plain words."""
    closed = summary.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<details>\n<summary>{closed}</summary>\n\n{body}\n\n</details>"


def link(label: str, target: str) -> str:
    """A link. The label is Markdown already; square brackets in it must pair up."""
    return f"[{label}]({target})"


def slug(heading: str) -> str:
    """The anchor a code host gives a heading: lower case, punctuation gone, spaces as hyphens.

    >>> slug("first-layer[mask,front-to-back]")
    'first-layermaskfront-to-back'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def slugs(headings: Sequence[str]) -> list[str]:
    """Anchors of all headings of one page in order; a repeated one gets ``-1``, ``-2`` and so on."""
    seen: dict[str, int] = {}
    anchors = []
    for heading in headings:
        base = slug(heading)
        anchor, count = base, seen.get(base, 0)
        while anchor in seen:
            count += 1
            anchor = f"{base}-{count}"
        seen[base] = count
        seen.setdefault(anchor, 0)
        anchors.append(anchor)
    return anchors


def page(*parts: str) -> str:
    """A whole page: the marker, then the parts that are not empty, one empty line between them."""
    return "\n\n".join([MARKER, *(part.strip("\n") for part in parts if part.strip())]) + "\n"
