"""The stage `cleaned`: the recipe's rules over the signals; a filter over numbers that reads no text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import schema, table
from curation_dagster.clean.rules import rules_of
from curation_dagster.job import write_table
from curation_dagster.verdict import check_columns, deciding_value, signal_of, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.job import Files, Job
    from curation_dagster.verdict import Rules


def clean(signals: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Judge every document: `rejected_by`, and the signal and value that decided.

    Raises:
        SchemaError: when a rule reads a signal that was not measured.
    """
    check_columns("clean", rules, set(signals.columns))
    deciding = {f"clean.{name}": signal_of(keep) for name, keep in rules.items()}
    judged = signals.with_columns(rejected_by=verdict("clean", rules), value=deciding_value(rules))
    return judged.with_columns(
        signal=pl.col("rejected_by").replace_strict(
            list(deciding), list(deciding.values()), default=None, return_dtype=pl.String
        )
    )


def failures(signals: pl.DataFrame, rules: Rules) -> dict[str, int]:
    """Count the documents that fail each rule. A verdict names the first rule only, which may hide the others."""
    if not rules:
        return {}
    fails = {name: (~keep.fill_null(value=False)).sum() for name, keep in rules.items()}
    return signals.select(**fails).row(0, named=True)


def clean_shard(job: Job, files: Files) -> dict[str, Any]:
    """Write `cleaned` for one shard."""
    rules = rules_of(job.recipe.steps)
    nulls: dict[str, int] = {}
    failed = dict.fromkeys(rules, 0)  # documents that fail a rule, whatever they fail before it

    def frames() -> Iterator[pl.DataFrame]:
        columns = [
            "row",
            "doc_id",
            "text_bytes",
            *{c for k in rules.values() for c in k.meta.root_names()},
        ]
        for signals in table.batches(files.one("annotated"), columns):
            for name, count in signals.null_count().row(0, named=True).items():
                nulls[name] = nulls.get(name, 0) + count
            judged = clean(signals, rules)
            for name, count in failures(signals, rules).items():
                failed[name] += count
            yield judged.select(list(schema.CLEANED))

    return write_table(
        job, files, schema.CLEANED, frames(), rules=sorted(rules), unmeasured=nulls, failed=failed
    )
