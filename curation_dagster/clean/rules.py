"""The thresholds of a recipe as rules: one comparison on one signal each, in the recipe's order.

A rule is named after its field: `gopher_quality.min_words` is `gopher_min_words`. Not here: how
signals come about (`annotate`), and how rules become a verdict (`verdict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.recipe import (
    BadWords,
    GopherQuality,
    GopherRepetition,
    Language,
    Pii,
    UrlList,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.recipe import Step
    from curation_dagster.verdict import Rules

# Signals whose name is not that of the field.
_COUNTS = {"words": "word_count", "stop_words": "stop_word_count"}


def rules_language(config: Language) -> Rules:
    """Keep the named languages, where the model is sure enough."""
    return {
        "language": pl.col("lid_language").is_in(list(config.languages)),
        "language_min_prob": pl.col("lid_language_prob") >= config.min_prob,
    }


def rules_gopher(config: GopherQuality | GopherRepetition) -> Rules:
    """Compare each signal with its field: at least `min_`, at most `max_`.

    >>> list(rules_gopher(GopherQuality(judge="gopher_quality")))[:2]
    ['gopher_min_words', 'gopher_max_words']
    """
    rules: Rules = {}
    for field in type(config).model_fields:
        side, _, what = field.partition("_")
        signal = pl.col(f"gopher_{_COUNTS.get(what, what)}")
        bound = getattr(config, field)
        if side == "min":
            rules[f"gopher_{field}"] = signal >= bound
        elif side == "max":
            rules[f"gopher_{field}"] = signal <= bound
    return rules


def rules_pii(config: Pii) -> Rules:
    """Compare each count that has a limit with it.

    >>> list(rules_pii(Pii(judge="pii", max_count=5)))
    ['pii_max_count']
    """
    limits = {f: getattr(config, f) for f in type(config).model_fields if f.startswith("max_")}
    return {
        f"pii_{field}": pl.col(f"pii_{field.removeprefix('max_')}") <= limit
        for field, limit in limits.items()
        if limit is not None
    }


def rules_url_list(config: UrlList) -> Rules:
    """Keep what is not listed; a document without a url is in no list, and is kept unless told otherwise."""
    category = pl.col("url_list_category")
    kept = ~category.is_in(list(config.categories)) if config.categories else category == ""
    return {"url_list": kept.fill_null(value=config.keep_unknown)}


def rules_bad_words(config: BadWords) -> Rules:
    """Keep documents with few enough bad words."""
    return {"bad_words_max_count": pl.col("bad_words_count") <= config.max_count}


def rules_of(steps: Sequence[Step]) -> Rules:
    """Collect the rules of all judges, in order; edits have none."""
    rules: Rules = {}
    for step in steps:
        if isinstance(step, Language):
            rules |= rules_language(step)
        elif isinstance(step, GopherQuality | GopherRepetition):
            rules |= rules_gopher(step)
        elif isinstance(step, Pii):
            rules |= rules_pii(step)
        elif isinstance(step, UrlList):
            rules |= rules_url_list(step)
        elif isinstance(step, BadWords):
            rules |= rules_bad_words(step)
    return rules
