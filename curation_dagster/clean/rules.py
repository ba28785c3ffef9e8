"""The thresholds of a recipe as rules: one comparison on one signal each, in the recipe's order.

A rule is named after its signal's family and its field: `gopher_quality.min_words` is `gopher_min_words`. Not here: how
signals come about (`annotate`), and how rules become a verdict (`verdict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.recipe_steps import Language, UrlList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.recipe_steps import Step
    from curation_dagster.section import Section
    from curation_dagster.verdict import Rules


def rules_language(config: Language) -> Rules:
    """Keep the named languages, where the model is sure enough."""
    return {
        "language": pl.col("lid_language").is_in(list(config.languages)),
        "language_min_prob": pl.col("lid_language_prob") >= config.min_prob,
    }


def rules_url_list(config: UrlList) -> Rules:
    """Keep what is not listed; a document without a url is in no list, and is kept unless told otherwise."""
    category = pl.col("url_list_category")
    kept = ~category.is_in(list(config.categories)) if config.categories else category == ""
    return {"url_list": kept.fill_null(value=config.keep_unknown)}


def rules_of_bounds(config: Section) -> Rules:
    """Compare each signal with its bound: at least `min_`, at most `max_`; a bound that is off is no rule.

    >>> list(rules_of_bounds(GopherQuality(judge="gopher_quality")))[:2]
    ['gopher_min_words', 'gopher_max_words']
    """
    rules: Rules = {}
    for field, info in type(config).model_fields.items():
        extra, value = info.json_schema_extra, getattr(config, field)
        if not isinstance(extra, dict) or value is None:
            continue
        name = str(extra["signal"])
        signal = pl.col(name)
        keep = signal >= value if field.startswith("min_") else signal <= value
        rules[f"{name.split('_', maxsplit=1)[0]}_{field}"] = keep
    return rules


def rules_of(steps: Sequence[Step]) -> Rules:
    """Collect the rules of all judges, in order; edits have none."""
    rules: Rules = {}
    for step in steps:
        match step:
            case Language():
                rules |= rules_language(step)
            case UrlList():
                rules |= rules_url_list(step)
            case _:
                rules |= rules_of_bounds(step)
    return rules
