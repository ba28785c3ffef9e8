"""Kept blocks as text: what paragraphs, lists, tables, quotes and code look like, plain and as Markdown."""

from __future__ import annotations

import random
import re
from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.ingest.blocks import render_kernel, scratch
from tests.ingest.blocks.test_scan import PAGES
from tests.ingest.blocks.test_scan_pages import ARCHIVES, pages

GUARD = 4096


def render(page: bytes, keep: np.ndarray | None = None, *, markdown: bool) -> str:
    """Render the kept blocks of a page; no byte may be written beyond `room`."""
    found = scratch.scan(page)
    chosen = np.ones(len(found.blocks), np.bool_) if keep is None else keep
    room = render_kernel.room(found.blocks, chosen, markdown)
    out = np.full(room + GUARD, 0xA5, np.uint8)
    size = render_kernel.render(
        found.text, found.blocks, found.tags, found.parents, chosen, markdown, out
    )
    assert size <= room
    assert (out[room:] == 0xA5).all()
    return out[:size].tobytes().decode()


CASES = [
    ("<p>a</p><p>b</p>", "a\n\nb", "a\n\nb", "paragraphs"),
    ("<div>a</div><div>b</div>", "a\nb", "a\nb", "lines"),
    ("<div>a</div><p>b</p><div>c</div>", "a\n\nb\n\nc", "a\n\nb\n\nc", "a paragraph among lines"),
    ("<p>a <br> b</p>", "a\nb", "a\nb", "br"),
    ("a<br><br>b", "a\nb", "a\nb", "two br"),
    ("<h1>a</h1><p>b</p><h3>c</h3>d", "a\n\nb\n\nc\n\nd", "# a\n\nb\n\n### c\n\nd", "headings"),
    ("<h2>a<br>b</h2>", "a\nb", "## a b", "a heading of two lines"),
    ("<ul><li>a<li>b</ul>", "- a\n- b", "- a\n- b", "list"),
    ("<ol><li>a<li>b</ol>", "1. a\n2. b", "1. a\n2. b", "ordered list"),
    ("<ol>" + "<li>a" * 10 + "</ol>", "\n".join(f"{i}. a" for i in range(1, 11)), None, "ten items"),
    ("<ol><li>a</ol>x<ol><li>b</ol>", "1. a\n\nx\n\n1. b", None, "two ordered lists"),
    ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c", None, "nested list"),
    ("<ul><li>a<ol><li>b<li>c</ol>d<li>e</ul>", "- a\n  1. b\n  2. c\n  d\n- e", None, "text behind it"),
    ("<ol><li>a<ul><li>b</ul><li>c</ol>", "1. a\n  - b\n2. c", None, "the outer one counts on"),
    ("<ul><li><p>a</p><p>b</p><li>c</ul>", "- a\n\n  b\n- c", None, "an item of two paragraphs"),
    ("<ul><li><div>a</div><div>b</div></ul>", "- a\n  b", None, "an item of two lines"),
    ("<ul><li>a</ul>b", "- a\n\nb", None, "text after a list"),
    ("b<ul><li>a</ul>", "b\n\n- a", None, "text before a list"),
    ("<ul><li><h3>a</h3>b</ul>", "- a\n\n  b", "- ### a\n\n  b", "a heading in an item"),
    ("<dl><dt>a<dd>b</dl>", "a\n\nb", None, "definitions"),
    (
        "<table><tr><th>a<th>b<tr><td>c<td>d</table>e",
        "a | b\nc | d\n\ne",
        "| a | b |\n| --- | --- |\n| c | d |\n\ne",
        "table",
    ),
    (
        "<table><tr><td>a<br>b<td>c</table>",
        "a b | c",
        "| a b | c |\n| --- | --- |",
        "a cell with br",
    ),
    (
        "<table><caption>x</caption><tr><td>a<td>b</table>",
        "x\n\na | b",
        "x\n\n| a | b |\n| --- | --- |",
        "caption",
    ),
    (
        "<table><tr><td>a<td>b<tr><td>x<tr><td>c<td>d</table>",
        "a | b\n\nx\n\nc | d",
        "| a | b |\n| --- | --- |\n\nx\n\n| c | d |\n| --- | --- |",
        "a row of one cell",
    ),
    ("<table><tr><td><p>a</p><p>b</p><td>c</table>", "a\n\nb\n\nc", None, "layout"),
    ("<table><tr><td><ul><li>a</ul><td>c</table>", "- a\n\nc", None, "a list makes it layout"),
    ("<table><tr><td>a</table>", "a", None, "one cell"),
    (
        "<table><tr><td>x<td><table><tr><td>a<td>b</table><td>y</table>",
        "x\n\na | b\n\ny",
        "x\n\n| a | b |\n| --- | --- |\n\ny",
        "a table in a table",
    ),
    (
        "<table><tr><th>a<th>b<th>c<tr><td>d<td>e<tr><td>f<td>g<td>h</table>",
        "a | b | c\nd | e\nf | g | h",
        "| a | b | c |\n| --- | --- | --- |\n| d | e |  |\n| f | g | h |",
        "a short row",
    ),
    (
        "<table><tr><td><th>a<th>b<tr><th>c<td>d<td>e<tr><th>f<td><td>g</table>",
        "a | b\nc | d | e\nf | g",
        "|  | a | b |\n| --- | --- | --- |\n| c | d | e |\n| f |  | g |",
        "empty cells keep their place",
    ),
    (
        "<table><tr><td>a<td><td>b<tr><td>c<td><td>d<td>e</table>",
        "a | b\nc | d | e",
        "| a | b |  |\n| --- | --- | --- |\n| c | d | e |",
        "a column of nothing is left out",
    ),
    (
        "<table><tr><td>a|b<td>c\\|d<tr><td>e&#124;f&vert;g<td>h&#10;i&amp;j\\k</table>",
        "a|b | c\\|d\ne&#124;f&vert;g | h&#10;i&amp;j\\k",
        "| a\\|b | c\\\\\\|d |\n| --- | --- |\n| e\\|f\\|g | h i&amp;j\\k |",
        "pipes and line ends in cells",
    ),
    (
        "<table><tr><form><td>a</form><td>b<tr><x-y><td>c</x-y><x-y><td>d</x-y></table>",
        "a | b\nc | d",
        "| a | b |\n| --- | --- |\n| c | d |",
        "cells that are not their row's children",
    ),
    (
        f"<table><tr>{'<td>a' * 64}<tr><td>b<td>c</table>",
        " | ".join("a" * 64) + "\nb | c",
        f"|{' a |' * 64}\n|{' --- |' * 64}\n| b | c |{'  |' * 62}",
        "64 columns",
    ),
    (
        f"<table><tr>{'<td>a' * 65}<tr><td>b|<td>c</table>",
        " | ".join("a" * 65) + "\nb| | c",
        None,
        "65 columns",
    ),
    (
        "<table><tr><td><table><td>a<td>b</table></table>",
        "a\nb",
        None,
        "cells without a row",
    ),
    ("<pre>\n  a\n    b\n</pre>", "  a\n    b", "```\n  a\n    b\n```", "code"),
    ("<p>x</p><pre>a</pre><p>y</p>", "x\n\na\n\ny", "x\n\n```\na\n```\n\ny", "code between"),
    ("<pre>a</pre><pre>b</pre>", "a\n\nb", "```\na\n```\n\n```\nb\n```", "two of code"),
    ("<pre><div>a</div><div>  b</div></pre>", "a\n  b", "```\na\n  b\n```", "code in lines"),
    ("<ul><li>a<pre>b</pre></ul>", "- a\n  b", "- a\n```\nb\n```", "code in an item"),
    ("<ul><li><pre>b\nc</pre></ul>", "- b\nc", "```\nb\nc\n```", "an item of code"),
    ("<h1><pre>a</pre></h1>", "a", "```\na\n```", "code in a heading"),
    ("<blockquote>a</blockquote>b", "a\n\nb", "> a\n\nb", "quote and line"),
    ("<blockquote><p>a<p>b</blockquote><p>c", "a\n\nb\n\nc", "> a\n>\n> b\n\nc", "quote"),
    (
        "<blockquote><p>a<blockquote><p>b</blockquote></blockquote>",
        "a\n\nb",
        "> a\n>\n>> b",
        "quote in a quote",
    ),
    ("<p>&lt;b&gt; &amp; c", "&lt;b&gt; &amp; c", None, "entities stay"),
    ("<p>港口<p>😀", "港口\n\n😀", None, "not ASCII"),
    ("", "", None, "empty"),
    ("<h2>a<a href=#a>¶</a></h2>b", "a\n\nb", "## a\n\nb", "a permalink"),
    ("<h2><a href=#a># </a> a</h2>", "a", "## a", "a permalink before"),
    ("<h1>a <a class=x href=#a title=link><b>&sect;</b></a> </h1>", "a", "# a", "a reference"),
    ("<dl><dt><code>f(x)</code> <a href=s>src</a><a href=#f>🔗\ufe0f</a><dd>b", "f(x) src\n\nb", None, "of two links"),
    ("<table><caption>t<a href=#t>&#XB6;</a></caption><tr><td>b", "t\n\nb", None, "of a caption"),
    ("<h2>a<a href=#a>¶x</a></h2>", "a¶x", "## a¶x", "a link with more than a sign"),
    ("<h2>a <a>b</a> ¶</h2>", "a b ¶", "## a b ¶", "a sign that is no link"),
    ("<h2>a <a href=#a>¶</a> b</h2>", "a ¶ b", "## a ¶ b", "a sign between"),
    ("<h2><a name=n>#</a></h2>b", "#\n\nb", "## #\n\nb", "a sign alone"),
    ("<p>a<a href=#a>¶</a></p>", "a¶", None, "a paragraph's"),
    ("<h2><a href=x>a<div>¶</a></div></h2>", "a\n\n¶", "## a\n\n## ¶", "a link of two blocks"),
]  # fmt: skip


@pytest.mark.parametrize(("page", "expected"), [pytest.param(c[0], c[1], id=c[3]) for c in CASES])
def test_plain(page: str, expected: str) -> None:
    assert render(page.encode(), markdown=False) == expected


@pytest.mark.parametrize(
    ("page", "expected"), [pytest.param(c[0], c[2] or c[1], id=c[3]) for c in CASES]
)
def test_markdown(page: str, expected: str) -> None:
    assert render(page.encode(), markdown=True) == expected


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        pytest.param([0, 0, 0, 0], "", id="none"),
        pytest.param([1, 0, 0, 1], "a\n\nd", id="ends"),
        pytest.param([0, 1, 0, 0], "b", id="one cell"),
        pytest.param([0, 0, 1, 1], "c\n\nd", id="a row that lost a cell"),
        pytest.param([0, 1, 1, 0], "b | c", id="a row"),
    ],
)
def test_what_is_not_kept_leaves_no_trace(keep: list[int], expected: str) -> None:
    page = b"<p>a</p><table><tr><td>b<td>c</table><p>d</p>"
    assert render(page, np.array(keep, np.bool_), markdown=False) == expected


def check_tables(text: str) -> None:
    """Every row below a rule, and the one above it, has as many cells as the rule."""
    lines = text.split("\n")
    for n, line in enumerate(lines):
        if re.fullmatch(r"\|( --- \|)+", line) and lines[n - 1].startswith("|"):
            rest = [*takewhile(lambda x: x.startswith("| ") and x.endswith("|"), lines[n:])]
            assert {cells(row) for row in (lines[n - 1], *rest)} == {line.count("|") - 1}


def cells(row: str) -> int:
    r"""Count cells as GFM does: a pipe ends one unless it is escaped, and `\\` is a backslash."""
    return len(re.findall(r"(?:\\.|[^|\\])*\|", row)) - 1


def check(page: bytes, chance: random.Random) -> None:
    n = len(scratch.scan(page).blocks)
    keep = np.array([chance.random() < 0.7 for _ in range(n)], np.bool_)
    for markdown in (False, True):
        text = render(page, keep, markdown=markdown)
        assert text == text.rstrip(" \n")
        assert not text.startswith("\n")
        if b"<pre" not in page.lower():
            assert "\n\n\n" not in text
            assert not re.search(r"[ \t]$", text, re.MULTILINE)
        if markdown:
            check_tables(text)
            assert text.count("```") % 2 == page.count(b"```") % 2


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.split(".")[0])
def test_real_pages_with_any_blocks(archive) -> None:
    chance = random.Random(11)
    for page in pages(archive):
        check(page, chance)


@given(PAGES, st.randoms(use_true_random=False))
def test_any_page_with_any_blocks(page: bytes, chance: random.Random) -> None:
    check(page, chance)
