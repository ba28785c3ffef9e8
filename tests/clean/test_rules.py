"""Every rule at, above and below its threshold, through the verdict."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import TypeAdapter

from curation_dagster.annotate.gopher import QUALITY, REPETITION
from curation_dagster.clean.rules import rules_of
from curation_dagster.recipe_edits import Normalize
from curation_dagster.recipe_file import presets
from curation_dagster.recipe_judges import GopherQuality, GopherRepetition, Language
from curation_dagster.recipe_steps import Step
from curation_dagster.verdict import check_columns, signal_of, verdict

LANGUAGE = Language(judge="language", languages=("en", "de"), min_prob=0.65)
QUALITY_STEP = GopherQuality(judge="gopher_quality")
REPETITION_STEP = GopherRepetition(judge="gopher_repetition")
STEPS = (Normalize(edit="normalize"), LANGUAGE, REPETITION_STEP, QUALITY_STEP)
GOOD = {
    "lid_language": "en",
    "lid_language_prob": 0.9,
    "gopher_word_count": 500,
    "gopher_stop_word_count": 5,
    "gopher_mean_word_chars": 5.0,
    "gopher_hash_word_ratio": 0.0,
    "gopher_ellipsis_word_ratio": 0.0,
    "gopher_bullet_line_ratio": 0.0,
    "gopher_ellipsis_line_ratio": 0.0,
    "gopher_alpha_word_ratio": 0.95,
    **dict.fromkeys(REPETITION.columns, 0.0),
}
TYPES = {
    "lid_language": pl.String,
    "lid_language_prob": pl.Float32,
    **QUALITY.columns,
    **REPETITION.columns,
}
THRESHOLDS = [
    ("language_min_prob", "lid_language_prob", 0.65, -0.01),
    ("gopher_min_words", "gopher_word_count", 50, -1),
    ("gopher_max_words", "gopher_word_count", 100_000, 1),
    ("gopher_min_mean_word_chars", "gopher_mean_word_chars", 3.0, -0.01),
    ("gopher_max_mean_word_chars", "gopher_mean_word_chars", 10.0, 0.01),
    ("gopher_max_hash_word_ratio", "gopher_hash_word_ratio", 0.1, 0.01),
    ("gopher_max_ellipsis_word_ratio", "gopher_ellipsis_word_ratio", 0.1, 0.01),
    ("gopher_max_bullet_line_ratio", "gopher_bullet_line_ratio", 0.9, 0.01),
    ("gopher_max_ellipsis_line_ratio", "gopher_ellipsis_line_ratio", 0.3, 0.01),
    ("gopher_min_alpha_word_ratio", "gopher_alpha_word_ratio", 0.8, -0.01),
    ("gopher_min_stop_words", "gopher_stop_word_count", 2, -1),
    ("gopher_max_dup_line_ratio", "gopher_dup_line_ratio", 0.30, 0.01),
    ("gopher_max_dup_paragraph_ratio", "gopher_dup_paragraph_ratio", 0.30, 0.01),
    ("gopher_max_dup_line_char_ratio", "gopher_dup_line_char_ratio", 0.20, 0.01),
    ("gopher_max_dup_paragraph_char_ratio", "gopher_dup_paragraph_char_ratio", 0.20, 0.01),
    ("gopher_max_top_2gram_char_ratio", "gopher_top_2gram_char_ratio", 0.20, 0.01),
    ("gopher_max_top_3gram_char_ratio", "gopher_top_3gram_char_ratio", 0.18, 0.01),
    ("gopher_max_top_4gram_char_ratio", "gopher_top_4gram_char_ratio", 0.16, 0.01),
    ("gopher_max_dup_5gram_char_ratio", "gopher_dup_5gram_char_ratio", 0.15, 0.01),
    ("gopher_max_dup_6gram_char_ratio", "gopher_dup_6gram_char_ratio", 0.14, 0.01),
    ("gopher_max_dup_7gram_char_ratio", "gopher_dup_7gram_char_ratio", 0.13, 0.01),
    ("gopher_max_dup_8gram_char_ratio", "gopher_dup_8gram_char_ratio", 0.12, 0.01),
    ("gopher_max_dup_9gram_char_ratio", "gopher_dup_9gram_char_ratio", 0.11, 0.01),
    ("gopher_max_dup_10gram_char_ratio", "gopher_dup_10gram_char_ratio", 0.10, 0.01),
]


def judged(**signals: object) -> str | None:
    document = pl.DataFrame([GOOD | signals], schema=TYPES)
    return document.select(verdict("clean", rules_of(STEPS))).item()


def test_a_good_document_is_kept() -> None:
    assert judged() is None


@pytest.mark.parametrize(("rule", "signal", "threshold", "beyond"), THRESHOLDS)
def test_threshold(rule: str, signal: str, threshold: float, beyond: float) -> None:
    assert judged(**{signal: threshold}) is None
    assert judged(**{signal: threshold - beyond}) is None
    assert judged(**{signal: threshold + beyond}) == f"clean.{rule}"


@pytest.mark.parametrize(
    ("label", "expected"), [("de", None), ("fr", "clean.language"), (None, "clean.language")]
)
def test_language(label: str | None, expected: str | None) -> None:
    assert judged(lid_language=label) == expected


@pytest.mark.parametrize("signal", GOOD)
def test_null_passes_no_rule(signal: str) -> None:
    first = next(name for name, keep in rules_of(STEPS).items() if signal_of(keep) == signal)
    assert judged(**{signal: None}) == f"clean.{first}"


def test_every_threshold_is_a_rule_on_one_signal_in_order() -> None:
    rules = rules_of(STEPS)
    check_columns("clean", rules, set(GOOD))
    assert sorted(rules) == sorted(["language", *(rule for rule, *_ in THRESHOLDS)])
    assert list(rules)[:3] == ["language", "language_min_prob", "gopher_max_dup_paragraph_ratio"]
    assert {len(keep.meta.root_names()) for keep in rules.values()} == {1}


def test_preset_is_the_paper_and_writes_everything_out() -> None:
    preset = presets()["gopher-2021"]
    steps = TypeAdapter(tuple[Step, ...]).validate_python(preset["steps"])
    assert steps == (QUALITY_STEP, REPETITION_STEP)
    assert [step.model_fields_set | {"stop_words"} for step in steps] == [
        set(type(step).model_fields) | {"stop_words"} for step in steps
    ]
    assert {"title", "source"} <= preset.keys()
