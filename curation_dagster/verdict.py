"""Rules become one verdict: the first rule a document fails, or null if it is kept.

A rule is a Polars expression that is true for documents to keep. Null, which is what a signal is
when it could not be measured, passes no rule. A rule over a missing column is an error, never a
no-op.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

Rules = dict[str, pl.Expr]
KEPT = pl.col("rejected_by").is_null()


def verdict(verb: str, rules: Mapping[str, pl.Expr]) -> pl.Expr:
    """Name the first rule that does not hold, as `<verb>.<rule>`; null where all hold.

    >>> docs = pl.DataFrame({"n": [1, 9, None]})
    >>> docs.select(rejected_by=verdict("clean", {"min": pl.col("n") >= 5})).to_series().to_list()
    ['clean.min', None, 'clean.min']
    """
    if not rules:
        return pl.lit(None, dtype=pl.String)
    return pl.coalesce(
        pl.when(~keep.fill_null(value=False)).then(pl.lit(f"{verb}.{name}"))
        for name, keep in rules.items()
    )


def deciding_value(rules: Mapping[str, pl.Expr]) -> pl.Expr:
    """Give the value of the signal that decided a rejection, as Float64; null where kept or not a number."""
    value = pl.lit(None, dtype=pl.Float64)
    for keep in reversed(list(rules.values())):
        signal = pl.col(signal_of(keep)).cast(pl.Float64, strict=False)
        value = pl.when(~keep.fill_null(value=False)).then(signal).otherwise(value)
    return value


def signal_of(keep: pl.Expr) -> str:
    """Name the column that decides a rule: the last it reads."""
    return keep.meta.root_names()[-1]


def check_columns(verb: str, rules: Mapping[str, pl.Expr], columns: set[str]) -> None:
    """Refuse rules that read a column which is not there.

    Raises:
        SchemaError: naming the rules and the columns they miss.
    """
    missing = {
        name: sorted(set(keep.meta.root_names()) - columns)
        for name, keep in rules.items()
        if not set(keep.meta.root_names()) <= columns
    }
    if missing:
        raise SchemaError.missing(
            f"{verb}, rules {sorted(missing)}",
            {c for names in missing.values() for c in names},
            columns,
        )


def describe(keep: pl.Expr) -> str:
    """Print a rule as a person would write it.

    >>> describe(pl.col("gopher_word_count") >= 50)
    'gopher_word_count >= 50'
    """
    text = re.sub(r'col\("([^"]+)"\)', r"\1", str(keep))
    text = re.sub(r"\(?dyn (?:int|float): ([^)\]]+)\)?", r"\1", text)
    text = re.sub(r"[\[\]]", "", text)
    return re.sub(r"\((\w+)\)", r"\1", text)
