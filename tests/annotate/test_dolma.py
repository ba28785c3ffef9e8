"""Dolma's signals against its definitions, on real and made-up text; its rules at their thresholds."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings

from curation_dagster.annotate.families import FAMILIES
from curation_dagster.annotate.family import measure
from curation_dagster.annotate.stage import annotate
from curation_dagster.clean.rules import rules_of
from curation_dagster.recipe_rule_sets import Dolma
from curation_dagster.verdict import verdict
from tests.annotate.web_oracles import ODD, TEXTS, dolma, real_texts

JUDGE = Dolma(judge="dolma")


def same_as_oracle(texts: list[str]) -> None:
    found = measure(pl.Series(texts, dtype=pl.String), [(FAMILIES["dolma"], JUDGE)])
    for text, row in zip(texts, found.iter_rows(named=True), strict=True):
        expected = dolma(text)
        assert list(row) == list(expected)
        assert row == {k: v if v is None else pytest.approx(v) for k, v in expected.items()}, text


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_signals_are_dolmas(texts: list[str]) -> None:
    same_as_oracle(texts)


@pytest.mark.parametrize("text", ODD, ids=[text[:9] for text in ODD])
def test_odd_documents(text: str) -> None:
    same_as_oracle([text, "and", text])


def test_real_documents() -> None:
    if not (texts := real_texts(150)):
        pytest.skip("no shared data")
    same_as_oracle(texts)


def text_of(words: int = 60, **replaced: str) -> str:
    """Make a text that every rule keeps: all words differ, and one line."""
    made = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in range(words)]
    made[0], made[1] = "the", "of"
    for place, word in replaced.items():
        made[int(place[1:])] = word
    return " ".join(made)


CASES = [
    pytest.param(text_of(50), text_of(49), "min_words", id="words"),
    pytest.param(
        text_of(), text_of(_0="The"), "min_stop_words", id="stop words stand in lower case"
    ),
    pytest.param(
        text_of(_0="the", _1="the"),
        text_of(_0="the,", _1="the"),
        "min_stop_words",
        id="not distinct",
    ),
    pytest.param(
        text_of(**{f"_{i}": f"#{i}x" for i in range(2, 8)}),
        text_of(**{f"_{i}": f"#{i}x" for i in range(2, 9)}),
        "max_symbol_word_ratio",
        id="symbols",
    ),
    pytest.param(
        text_of(**{f"_{i}": f"{i}" * 2 for i in range(2, 14)}),
        text_of(**{f"_{i}": f"{i}" * 2 for i in range(2, 15)}),
        "min_alpha_word_ratio",
        id="letters",
    ),
    pytest.param(
        text_of() + "\n" + "\n".join(f"-{i}b" for i in range(9)),
        "\n".join(f"*{i}b" for i in range(10)) + "\n-c " + text_of(),
        "max_bullet_line_ratio",
        id="bullets",
    ),
    pytest.param(
        "\n".join([text_of(), *"abcdef", "g\u2026", "h\u2026", "i\u2026"]),
        "\n".join([text_of(), *"abcde", "f...", "g\u2026", "h\u2026", "i\u2026", "j\u2026"]),
        "max_ellipsis_line_ratio",
        id="ellipses",
    ),
    pytest.param(
        "\n".join([text_of(), *"abcdef", "z", "z", "z"]),
        "\n".join([text_of(), *"abcde", "z", "z", "z", "z"]),
        "max_dup_line_ratio",
        id="every copy of a line counts",
    ),
]


@pytest.mark.parametrize(("kept", "rejected", "rule"), CASES)
def test_rules_at_their_thresholds(kept: str, rejected: str, rule: str) -> None:
    found = annotate(pl.Series([kept, rejected]), [JUDGE])
    assert found.select(verdict("clean", rules_of([JUDGE]))).to_series().to_list() == [
        None,
        f"clean.dolma_{rule}",
    ]


@pytest.mark.parametrize(("times", "rejected"), [(99, False), (100, True)])
@pytest.mark.parametrize("period", [1, 2, 13])
def test_a_sequence_repeated_a_hundred_times_is_rejected(
    period: int, times: int, rejected: bool
) -> None:
    only = Dolma(
        judge="dolma",
        **{f: None for f in Dolma.model_fields if f not in {"judge", "max_repetitions"}},
    )
    text = "start " + (" ".join(f"r{i}" for i in range(period)) + " ") * times + "end"
    found = annotate(pl.Series([text]), [only])
    verdicts = found.select(verdict("clean", rules_of([only]))).to_series().to_list()
    assert verdicts == ["clean.dolma_max_repetitions" if rejected else None]
