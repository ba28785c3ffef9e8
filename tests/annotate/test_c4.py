"""C4's line edits and page signals against the reference code's steps."""

from __future__ import annotations

import datatrove_oracle as oracle
import polars as pl
import pytest
import splitter_oracle
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.annotate.c4 import LINES, PAGE
from curation_dagster.annotate.family import measure, rewrite
from curation_dagster.recipe_edits import C4Lines
from curation_dagster.recipe_judges import C4

JUDGE, EDIT = C4(judge="c4"), C4Lines(edit="c4_lines")
PIECES = [
    "One two three four.", "and more words here", "[1]", "[", "]", "[edit]", "[citation needed]", "[٣]", "[12", " ",
    "\n", "\n", "\r\n", "\u2028", "...", '"', "'", "!", "Lorem Ipsum dolor sit.", "Enable JavaScript now please.", "{",
    "Our PRIVACY policy says.", "we use cookies, you know.", "x" * 1001, "日本語。", "K",
]  # fmt: skip
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), max_size=5)


def check(texts: list[str], *, terminal: bool = True, min_words: int = 3) -> None:
    edit = C4Lines(edit="c4_lines", terminal_punctuation=terminal, min_words=min_words)
    found = rewrite(pl.Series(texts, dtype=pl.String), LINES, edit)
    expected = [oracle.c4_lines(t, terminal=terminal, min_words=min_words) for t in texts]
    assert found["text"].to_list() == [text for text, _ in expected]
    assert found.drop("text").to_dicts() == [row for _, row in expected]
    pages = measure(found["text"], [(PAGE, JUDGE)]).to_dicts()
    assert pages == [oracle.c4_page(t, splitter_oracle.split(t)) for t, _ in expected]


@pytest.mark.parametrize("terminal", [True, False])
def test_real_text(installed: list[str], corpus: list[str], terminal: bool) -> None:
    check([*installed, *corpus], terminal=terminal)


@given(TEXTS, st.booleans(), st.integers(0, 5))
def test_agrees_with_oracle(texts: list[str], terminal: bool, min_words: int) -> None:
    check(texts, terminal=terminal, min_words=min_words)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("One two three.", "One two three."),
        ("  One two three.  ", "One two three."),
        ("One two.", ""),
        ("One two three", ""),
        ("One two three...", ""),
        ('He said "no way"', 'He said "no way"'),
        ("Fact one two[1][citation needed].", "Fact one two."),
        ("Fact one two.[12]", "Fact one two."),
        ("Fact one two. [12]", ""),
        ("Fact [x] one two.", "Fact [x] one two."),
        ("Please enable JavaScript to see this.", ""),
        ("This site uses cookies a lot.", ""),
        ("Read our Terms of Use here.", ""),
        ("w" * 1000 + " two three.", "w" * 1000 + " two three."),
        ("w" * 1001 + " two three.", ""),
    ],
)
def test_line(line: str, kept: str) -> None:
    found = rewrite(pl.Series([line]), LINES, EDIT)
    assert found["text"].item() == kept
    assert found["c4_dropped_line_count"].item() == (kept == "")


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("A { in a kept line.", 1),
        ("A { in a dropped line", 0),
        ("JavaScript has { and }.", 0),
        ("We use cookies { here.", 1),
    ],
)
def test_a_bracket_counts_unless_its_line_was_dropped_before(text: str, noted: int) -> None:
    assert rewrite(pl.Series([text]), LINES, EDIT)["c4_curly_bracket_line_count"].item() == noted


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0),
        ("One. Two! Three?", 3),
        ("One\nTwo", 2),
        ("Mr. A. said no.", 1),
        ("Wait... what?!", 1),
        ("「はい。」いいえ。", 2),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert measure(pl.Series([text]), [(PAGE, JUDGE)])["c4_sentence_count"].item() == sentences


def test_null_stays_null() -> None:
    found = rewrite(pl.Series([None, "One two three."], dtype=pl.String), LINES, EDIT)
    assert found.row(0) == (None,) * 5
    assert found["text"][1] == "One two three."
