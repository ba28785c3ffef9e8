"""What a ladder counts: against filtering the whole table, threshold by threshold."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.clean.ladder import Ladder, Rung, Values, all_of, rungs
from curation_dagster.clean.rules import Bound, bounds_of, rules_of
from curation_dagster.clean.spread import Spread
from curation_dagster.recipe_judges import GopherQuality, Language
from curation_dagster.verdict import verdict

if TYPE_CHECKING:
    import pytest

STEPS = (
    Language(judge="language", languages=("en",), min_prob=0.65),
    GopherQuality(judge="gopher_quality", max_words=900),
)
COLUMNS = {
    "lid_language": pl.String,
    "lid_language_prob": pl.Float32,
    "gopher_word_count": pl.UInt32,
    "gopher_stop_word_count": pl.UInt32,
    "gopher_mean_word_chars": pl.Float64,
    "gopher_hash_word_ratio": pl.Float64,
    "gopher_ellipsis_word_ratio": pl.Float64,
    "gopher_bullet_line_ratio": pl.Float64,
    "gopher_ellipsis_line_ratio": pl.Float64,
    "gopher_alpha_word_ratio": pl.Float64,
    "text_bytes": pl.UInt32,
}
DOCUMENT = st.fixed_dictionaries(
    {
        "lid_language": st.sampled_from(["en", "de", None]),
        # 0.65 as the nearest 32-bit float lies below 0.65: a rung must compare as the rule does
        "lid_language_prob": st.sampled_from([0.1, 0.65, 0.66, 1.0, None]),
        "gopher_word_count": st.sampled_from([0, 49, 50, 51, 900, 901, None]),
        "gopher_stop_word_count": st.just(5),
        "gopher_mean_word_chars": st.sampled_from([2.9, 3.0, 10.0, 10.1]),
        "gopher_hash_word_ratio": st.just(0.0),
        "gopher_ellipsis_word_ratio": st.just(0.0),
        "gopher_bullet_line_ratio": st.just(0.0),
        "gopher_ellipsis_line_ratio": st.just(0.0),
        "gopher_alpha_word_ratio": st.sampled_from([0.79, 0.8]),
        "text_bytes": st.sampled_from([0, 7, 4_000_000_000, None]),
    }
)
DOCUMENTS = st.lists(DOCUMENT, max_size=40)
BOUNDS = {b.rule: b for step in STEPS for b in bounds_of(step)}
ON = sorted(rule for rule, bound in BOUNDS.items() if bound.value is not None)


def frame_of(documents: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(documents, schema=COLUMNS)


def counted(documents: list[dict], bound: Bound, thresholds: list[float]) -> Ladder:
    ladder = Ladder(bound, [Rung(t) for t in thresholds], all_of(rules_of(STEPS), bound.rule))
    frame = frame_of(documents)
    for part in (frame[:13], frame[13:]):
        ladder.add(part)
    return ladder


@given(DOCUMENTS, st.sampled_from(ON), st.sampled_from([0.0, 0.65, 3.0, 50.0, 50.5, 901.0]))
def test_a_rung_counts_what_filtering_gives(documents: list, rule: str, threshold: float) -> None:
    bound = BOUNDS[rule]
    ladder = counted(documents, bound, [threshold])
    frame, rung = frame_of(documents), ladder.rungs[0]
    rest = {n: keep for n, keep in rules_of(STEPS).items() if n != rule}
    kept = frame.filter(*rest.values())
    failing = frame.join(
        frame.filter(bound.keep(threshold)), on=list(COLUMNS), how="anti", nulls_equal=True
    )
    added = kept.height - kept.filter(bound.keep(threshold)).height
    assert (rung.docs, rung.added_docs) == (failing.height, added)
    assert rung.bytes == sum(b or 0 for b in failing["text_bytes"].to_list())
    assert (ladder.docs, ladder.other_docs) == (frame.height, frame.height - kept.height)
    assert ladder.bytes - ladder.other_bytes == sum(b or 0 for b in kept["text_bytes"].to_list())


@given(DOCUMENTS, st.sampled_from(ON))
def test_the_present_threshold_counts_what_is_rejected_today(documents: list, rule: str) -> None:
    value = BOUNDS[rule].value
    assert value is not None
    ladder = counted(documents, BOUNDS[rule], [value])
    today = frame_of(documents).select(verdict("clean", rules_of(STEPS))).to_series()
    assert ladder.other_docs + ladder.rungs[0].added_docs == today.is_not_null().sum()


@given(DOCUMENTS, st.sampled_from(ON))
def test_stricter_rungs_reject_more(documents: list, rule: str) -> None:
    ladder = counted(documents, BOUNDS[rule], [0.0, 0.65, 3.0, 10.0, 50.0, 900.0])
    steps = ladder.rungs if BOUNDS[rule].field.startswith("min_") else ladder.rungs[::-1]
    for lenient, strict in pairwise(steps):
        assert lenient.docs <= strict.docs
        assert lenient.added_bytes <= strict.added_bytes
        assert strict.added_docs <= strict.docs


def test_rungs_are_round_numbers_and_those_marked() -> None:
    spread = Spread()
    spread.add(pl.Series(range(1, 12_346)))
    bound = BOUNDS["gopher_min_words"]
    found = rungs(bound, spread, {50: ("now", "gopher-2021")}, whole=True)
    assert [r.threshold for r in found] == [13, 50, 62, 124, 247, 618, 1240, 2470, 3700, 6170]
    assert [r.marks for r in found if r.marks] == [("now", "gopher-2021")]
    high = rungs(BOUNDS["gopher_max_words"], spread, {}, whole=True)
    assert [r.threshold for r in high] == [6170, 8640, 9870, 11100, 11700, 12100, 12200, 12300]


def test_rungs_without_a_value_are_those_marked() -> None:
    assert [
        r.threshold for r in rungs(BOUNDS["gopher_min_words"], Spread(), {50: ("now",)}, whole=True)
    ] == [50]


@given(DOCUMENTS)
def test_values_are_counted_with_what_rules_say(documents: list) -> None:
    rules = rules_of(STEPS)
    others = all_of(rules, "language")
    values = Values("lid_language", rules["language"], others)
    frame = frame_of(documents)
    for part in (frame[:5], frame[5:]):
        values.add(part)
    assert (values.docs, values.left_out) == (frame.height, False)
    found = {row.value: row for row in values.rows()}
    assert sum(row.bytes for row in found.values()) == values.bytes
    for value in ("en", "de", None):
        here = frame.filter(pl.col("lid_language").eq_missing(pl.lit(value, dtype=pl.String)))
        if not here.height:
            assert value not in found
            continue
        row = found[value]
        assert (row.docs, row.left) == (here.height, here.filter(others).height)
        assert row.kept == (here.height if value == "en" else 0)


def test_too_many_values_keep_the_frequent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Values, "MOST", 10)
    values = Values("v", None, pl.lit(value=True))
    for n in range(20):
        names = ["often"] * 5 + [f"rare-{n}-{i}" for i in range(4)]
        values.add(
            pl.DataFrame({"v": names, "text_bytes": 1}, schema_overrides={"text_bytes": pl.UInt32})
        )
    first = values.rows()[0]
    assert (first.value, first.docs, first.bytes) == ("often", 100, 100)
    assert (values.docs, values.left_out, len(values.rows()) <= 14) == (180, True, True)
