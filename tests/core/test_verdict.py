"""Verdicts: the first rule that does not hold; null passes none."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.errors import SchemaError
from curation_dagster.verdict import (
    KEPT,
    check_columns,
    deciding_value,
    describe,
    signal_of,
    verdict,
)

RULES = {
    "min_words": pl.col("words") >= 50,
    "max_words": pl.col("words") <= 100,
    "language": pl.col("language").is_in(["en", "de"]),
    "prob": pl.col("prob") >= 0.65,
}
COLUMNS = {"words": pl.UInt32, "language": pl.String, "prob": pl.Float32}


@pytest.mark.parametrize(
    ("words", "language", "prob", "rule", "value"),
    [
        pytest.param(50, "en", 0.65, None, None, id="at every threshold"),
        pytest.param(49, "en", 0.65, "min_words", 49.0, id="below the first"),
        pytest.param(101, "de", 0.9, "max_words", 101.0, id="above the second"),
        pytest.param(99, "fr", 0.9, "language", None, id="not a number"),
        pytest.param(99, "en", 0.5, "prob", 0.5, id="below the last"),
        pytest.param(1, "fr", 0.0, "min_words", 1.0, id="first of several"),
        pytest.param(101, "fr", 0.0, "max_words", 101.0, id="second of several"),
        pytest.param(None, "en", 0.9, "min_words", None, id="null fails the first rule on it"),
        pytest.param(60, None, 0.9, "language", None, id="null is in no list"),
        pytest.param(60, "en", None, "prob", None, id="null is not above"),
        pytest.param(60, "en", float("inf"), None, None, id="infinite"),
        pytest.param(None, None, None, "min_words", None, id="all null"),
    ],
)
def test_first_failing_rule_wins(
    words: int | None,
    language: str | None,
    prob: float | None,
    rule: str | None,
    value: float | None,
) -> None:
    rows = [{"words": words, "language": language, "prob": prob}]
    judged = pl.DataFrame(rows, schema=COLUMNS).select(
        rejected_by=verdict("clean", RULES), value=deciding_value(RULES)
    )
    assert judged.row(0) == (f"clean.{rule}" if rule else None, value)
    assert judged.filter(KEPT).height == (rule is None)


def test_without_rules_everything_is_kept() -> None:
    judged = pl.DataFrame({"n": [1, None]}).select(
        "n", rejected_by=verdict("clean", {}), value=deciding_value({})
    )
    assert judged["rejected_by"].to_list() == judged["value"].to_list() == [None, None]
    assert judged.schema == {"n": pl.Int64, "rejected_by": pl.String, "value": pl.Float64}


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([True, False, None]), min_size=3, max_size=3), max_size=9))
def test_verdict_is_the_first_rule_that_is_not_true(rows: list[list[bool | None]]) -> None:
    names = ["a", "b", "c"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Boolean), orient="row")
    found = frame.select(verdict("v", {n: pl.col(n) for n in names})).to_series().to_list()
    wanted = [
        next((f"v.{n}" for n, holds in zip(names, row, strict=True) if holds is not True), None)
        for row in rows
    ]
    assert found == wanted


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"words", "language"}, r"clean, rules \['prob'\]: missing columns \['prob'\]"),
        ({"prob", "language"}, r"rules \['max_words', 'min_words'\]: missing columns \['words'"),
        (set(), r"missing columns \['language', 'prob', 'words'"),
    ],
)
def test_a_rule_over_a_missing_column_is_an_error(columns: set[str], says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        check_columns("clean", RULES, columns)
    check_columns("clean", RULES, {"words", "language", "prob", "other"})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (pl.col("n") >= 50, "n >= 50"),
        (pl.col("n") <= 0.25, "n <= 0.25"),
        (pl.col("n") > 1e-05, "n > 0.00001"),
        (pl.col("n") == 100_000, "n == 100000"),
        (pl.col("n").is_null(), "n.is_null()"),
        (pl.col("label").is_in(["en", "de"]), 'label.is_in("en", "de")'),
        ((pl.col("n") >= 1) & (pl.col("n") <= 2), "(n >= 1) & (n <= 2)"),
    ],
)
def test_describe(rule: pl.Expr, said: str) -> None:
    assert describe(rule) == said


def test_signal_of_is_the_last_column_a_rule_reads() -> None:
    assert signal_of(RULES["language"]) == "language"
    assert signal_of(pl.col("a") / pl.col("b") >= 2) == "b"
