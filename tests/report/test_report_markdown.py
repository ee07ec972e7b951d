"""Pieces of Markdown cannot break the page they are put into."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from yolo_prune_check.report import figures, markdown
from yolo_prune_check.scores import MeanAveragePrecision

SIGNS = "`|\\*_[]()<>&;#-+!~:\"'. ab1"
# what records hold: printable text; no line separators, which the reader of a record would have refused
words = st.text(
    st.one_of(st.sampled_from(SIGNS), st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs"))), max_size=20
)
parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown_text: str) -> list[str]:
    """What a reader sees of each paragraph or table cell; nothing but words and code may be in it."""
    found = []
    for token in parser.parse(markdown_text):
        if token.type == "inline":
            assert {child.type for child in token.children or ()} <= {"text", "text_special", "code_inline"}
            found.append("".join(child.content for child in token.children or ()))
    return found


def one_line(text: str) -> str:
    return " ".join(text.split())


@given(rows=st.lists(st.tuples(words, words), min_size=1, max_size=4))
def test_a_table_shows_every_cell_as_it_was_written(rows: list[tuple[str, str]]) -> None:
    made = markdown.table(["a", "b|c"], [(markdown.code(one), markdown.text(two)) for one, two in rows], right=["b|c"])

    assert made.count("\n") == len(rows) + 1
    seen = shown(made)
    assert seen[:2] == ["a", "b|c"]
    for (one, two), first, second in zip(rows, seen[2::2], seen[3::2], strict=True):
        assert first == one_line(one)
        if "`" not in two:
            assert second == one_line(two)


@given(words)
def test_prose_loses_and_gains_nothing_but_the_backticks_of_its_code(text: str) -> None:
    seen = "".join(shown(f"x {markdown.text(text)}"))

    assert "".join(seen.split()).replace("`", "") == "".join(f"x{text}".split()).replace("`", "")


def test_a_row_with_a_cell_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells"):
        markdown.table(["a", "b"], [["1"]])


def test_html_and_emphasis_in_prose_are_shown_as_written() -> None:
    assert markdown.text("a <b> *c* view_as & `x_y|z`") == r"a &lt;b&gt; \*c\* view\_as &amp; `x_y|z`"


def test_a_link_cannot_be_smuggled_into_prose() -> None:
    assert "](" not in markdown.text("see [here](http://example.org)")


def test_anchors_are_those_of_a_code_host() -> None:
    headings = ["First-layer[mask,front-to-back]", "Words used here", "words used here", "words used here-1"]
    assert markdown.slugs(headings) == [
        "first-layermaskfront-to-back",
        "words-used-here",
        "words-used-here-1",
        "words-used-here-1-1",
    ]


@given(st.lists(words, max_size=8))
def test_anchors_of_a_page_differ(headings: list[str]) -> None:
    found = markdown.slugs(headings)
    assert len(set(found)) == len(found) == len(headings)


def test_columns_without_content_are_left_out_unless_they_are_wanted() -> None:
    names, rows = markdown.columns(["a", "b", "c"], [["1", markdown.NONE, ""], ["2", "", ""]], always=["c"])
    assert names == ["a", "c"]
    assert rows == [["1", ""], ["2", ""]]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (figures.score(0.95149999), "0.951"),
        (figures.score(-0.0001), "0.000"),
        (figures.score(None), markdown.NONE),
        (figures.change(3_012_798, 2_712_798), "-10.0 %"),
        (figures.change(100, 100), "0.0 %"),
        (figures.change(0, 5), markdown.NONE),
        (figures.difference(0.951, 0.94), "-0.011"),
        (figures.difference(0.94, 0.951), "+0.011"),
        (figures.difference(0.94, 0.9400001), "0.000"),
        (figures.count(3_012_798), "3,012,798"),
        (figures.pair(MeanAveragePrecision(0.951, 0.8)), "0.951 / 0.800"),
        (figures.many(1, "plan"), "1 plan"),
        (figures.many(0, "plan"), "no plans"),
        (figures.tick(None), markdown.NONE),
    ],
)
def test_numbers_carry_no_noise(made: str, expected: str) -> None:
    assert made == expected
