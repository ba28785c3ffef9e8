"""DCLM's signals and first edit against its definitions, on real and made-up text; its rules at their thresholds."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings

from curation_dagster.annotate.dclm import DOMAINS
from curation_dagster.annotate.families import EDITS, FAMILIES
from curation_dagster.annotate.family import measure, rewrite
from curation_dagster.annotate.stage import annotate
from curation_dagster.clean.rules import rules_of
from curation_dagster.recipe_edits import DclmText
from curation_dagster.recipe_rule_sets import Dclm
from curation_dagster.verdict import verdict
from tests.annotate.uax29 import words
from tests.annotate.web_oracles import ODD, TEXTS, counted, dclm, real_texts, without_urls

JUDGE = Dclm(judge="dclm")
EVERYWHERE = DclmText(edit="dclm_text")
AS_DCLM = DclmText(edit="dclm_text", pages="dclm")


def same_as_oracle(texts: list[str]) -> None:
    found = measure(pl.Series(texts, dtype=pl.String), [(FAMILIES["dclm"], JUDGE)])
    for text, row in zip(texts, found.iter_rows(named=True), strict=True):
        expected = dclm(text, [word for word in words(text) if word[0].isalnum()])
        assert list(row) == list(expected)
        assert row == {k: v if v is None else pytest.approx(v) for k, v in expected.items()}, text


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_signals_are_dclms(texts: list[str]) -> None:
    same_as_oracle(texts)


@pytest.mark.parametrize("text", ODD, ids=[text[:9] for text in ODD])
def test_odd_documents(text: str) -> None:
    same_as_oracle([text, "and", text])


def test_real_documents() -> None:
    if not (texts := real_texts(100)):
        pytest.skip("no shared data")
    same_as_oracle(texts)


def test_words_are_those_of_fasttext() -> None:
    from fasttext import FastText

    texts = [*ODD, *real_texts(50)]
    for text in texts:
        tokens = [token for token in FastText.tokenize(text) if token[0].isalnum()]
        assert tokens == counted(text)


def same_text(texts: list[str]) -> None:
    for step in (EVERYWHERE, AS_DCLM):
        found = rewrite(pl.Series(texts, dtype=pl.String), EDITS["dclm_text"], step)
        expected = [without_urls(text, DOMAINS, everywhere=step is EVERYWHERE) for text in texts]
        assert found["text"].to_list() == expected


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_urls_and_newlines_go_as_by_dclms_patterns(texts: list[str]) -> None:
    same_text(texts)


@pytest.mark.parametrize("text", [text for text in ODD if len(text) < 100_000], ids=repr)
def test_odd_texts_lose_urls(text: str) -> None:
    same_text([text])


def test_real_texts_lose_urls() -> None:
    if not (texts := real_texts(20)):
        pytest.skip("no shared data")
    same_text(texts)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("see  https://www.example.com/a?b=c#d now", "see now"),
        ("see example.com.", "see"),
        ("see example.comé", "see example.comé"),
        ("see example.COM", "see example.COM"),
        ("end.The next", "end.The next"),
        ("run 1.2.3.4:80/x it", "run it"),
        ("a\n\n\n\nb\n\nc", "a\n\nb\n\nc"),
        ("x" * 300 + ".com", "x" * 44),
    ],
)
def test_urls(text: str, left: str) -> None:
    found = rewrite(pl.Series([text]), EDITS["dclm_text"], EVERYWHERE)
    assert found["text"].item() == left


def test_urls_stay_where_dclm_does_not_look() -> None:
    texts = pl.Series(
        ["The site is x.com", "\u201cThe site is x.com", "Xyz is x.com", "ABC is x.com"]
    )
    found = rewrite(texts, EDITS["dclm_text"], AS_DCLM)
    assert found["text"].to_list() == ["The site is", *texts[1:2], "Xyz is", *texts[3:]]


def text_of(words_: int = 60, **replaced: str) -> str:
    """Make a text that every rule keeps: all words differ, and one line."""
    made = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in range(words_)]
    made[0], made[1] = "The", "the"
    for place, word in replaced.items():
        made[int(place[1:])] = word
    return " ".join(made)


CASES = [
    pytest.param(text_of(50), text_of(49), "min_words", id="words"),
    pytest.param(text_of(51, _2="(x"), text_of(50, _2="(wxyz"), "min_words", id="a bracket first"),
    pytest.param(text_of(), text_of(_0="The,"), "min_stop_words", id="stop words in any case"),
    pytest.param(
        text_of() + " #" * 2 + "... ... . . . x\u2026 x",
        text_of() + " #" * 4 + "... ... . . . x\u2026 x",
        "max_symbol_word_ratio",
        id="symbols",
    ),
    pytest.param(
        text_of(80) + "\n" + " ".join(f"{i}" * 4 for i in range(10, 30)),
        text_of(80) + "\n" + " ".join(f"{i}" * 4 for i in range(10, 31)),
        "max_no_alpha_word_ratio",
        id="letters",
    ),
    pytest.param(
        "\n".join([text_of(), *(f" \u25cf{i}b" for i in range(9))]),
        "\n".join([*(f" \u2022{i}b" for i in range(10)), "-x " + text_of()]),
        "max_bullet_line_ratio",
        id="bullets",
    ),
    pytest.param(
        "\n".join([text_of(), *"abcdef", "g\u2026", "h...", "i. . ."]),
        "\n".join([text_of(), *"abcde", "f...", "g\u2026", "h\u2026", "i\u2026"]),
        "max_ellipsis_line_ratio",
        id="ellipses",
    ),
    pytest.param(
        "\n".join([text_of(), *"abcdef", "z", " z", "z "]),
        "\n\n".join([text_of(), *"abcde", "z", "z", "z", "z"]),
        "max_dup_line_ratio",
        id="every copy of a line counts",
    ),
]


@pytest.mark.parametrize(("kept", "rejected", "rule"), CASES)
def test_rules_at_their_thresholds(kept: str, rejected: str, rule: str) -> None:
    found = annotate(pl.Series([kept, rejected]), [JUDGE])
    assert found.select(verdict("clean", rules_of([JUDGE]))).to_series().to_list() == [
        None,
        f"clean.dclm_{rule}",
    ]
