"""`curate benchmarks report`: what of each benchmark the corpus held before and after, with examples, redacted.

The figures come from stored tables (`contamination`). For the examples the texts of those few documents are read; of
each place one word in four is shown, the others and all that has a digit are dots, and personal data is replaced
first, so that the report can be passed on without passing on the benchmark.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, get_args

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster import contamination
from curation_dagster.annotate.mask import mask
from curation_dagster.commands import look
from curation_dagster.counted import counted
from curation_dagster.recipe_edits import PiiKind

if TYPE_CHECKING:
    from curation_dagster.lineage import Lineage

_AROUND_CHARS: Final = 40
_SPAN_CHARS: Final = 160
_SHOWN_OF: Final = 4  # one word in so many is shown
_UNSPACED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def report(lineage: Lineage, examples: int) -> list[dict[str, Any]]:
    """Collect the figures and up to `examples` nearest and farthest places of each benchmark.

    Raises:
        IntegrityError: when `scanned` or `decontaminated` is not current.
    """
    found = contamination.figures(lineage)
    if not examples:
        return found
    held = contamination.places(lineage, examples)
    texts = _texts(lineage, [frame for pair in held.values() for frame in pair])
    for row in found:
        near, far = (_examples(frame, texts) for frame in held[row["benchmark"]])
        row["near"], row["far"] = near, [e for e in far if e not in near]
    return found


def show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print a report as tables or as JSON."""
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    shown = Table("benchmark", box=box.SIMPLE)
    for title in (
        "items",
        "undetectable",
        "seen before",
        "after",
        "dropped",
        "cut",
        "flagged",
        "not mixed",
    ):
        shown.add_column(title, justify="right", no_wrap=True)
    for row in found:
        before, after = (_share(row[f"seen_{when}"], row["items"]) for when in ("before", "after"))
        counts = [f"{n:,}" for n in row["documents"].values()]
        shown.add_row(
            row["benchmark"],
            f"{row['items']:,}",
            f"{row['undetectable']:,}",
            before,
            after,
            *counts,
        )
    Console().print(shown)
    for row in found:
        methods = ", ".join(f"{name} {counted(n, 'item')}" for name, n in row["by_method"].items())
        click.echo(f"{row['benchmark']}: {methods or 'nothing found'}")
        for reason in row["probes_failed"]:
            click.secho(f"  probe failed: {reason}", fg="red")
        for kind in ("near", "far"):
            for example in row.get(kind, []):
                score, method = f"{example['score']:.2f}", example["method"]
                click.secho(
                    f"  {kind} {score} {method} {example['item']}  {example['doc_id']}", fg="green"
                )
                click.echo(f"    {example['text']}")


def redacted(text: str, start: int, end: int) -> str:
    """Show what lies at bytes [start, end) of a text: one word in four, the others as dots, between what is around it.

    >>> redacted("See: the ship sails from port A at noon of 12 May, says Bob.", 5, 49)
    '…See: [the •••• ••••• •••• port • •• •••• of •• •••], says •••.…'
    """
    data = text.encode()
    place = data[start:end].decode(errors="ignore")
    before, after = data[:start].decode(errors="ignore"), data[end:].decode(errors="ignore")
    parts = (before[-_AROUND_CHARS:], place[:_SPAN_CHARS], after[:_AROUND_CHARS])
    plain = mask(pl.Series(parts, dtype=pl.String), get_args(PiiKind))["text"].to_list()
    ended = "…" if len(place) > _SPAN_CHARS else ""
    left, middle, right = (_hidden(re.sub(r"\s+", " ", part)) for part in plain)
    return f"…{left}[{middle}{ended}]{right}…"


def _hidden(text: str) -> str:
    words = iter(range(len(text) + 1))

    def shown(match: re.Match[str]) -> str:
        word = match.group()
        return word if next(words) % _SHOWN_OF == 0 and word.isalpha() else "•" * len(word)

    return _WORD.sub(shown, text)


def _examples(places: pl.DataFrame, texts: dict[tuple[str, int], str]) -> list[dict[str, Any]]:
    return [
        {k: row[k] for k in ("doc_id", "item", "part", "method", "score")}
        | {"text": redacted(texts[row["shard"], row["row"]], row["start"], row["end"])}
        for row in places.iter_rows(named=True)
        if (row["shard"], row["row"]) in texts
    ]


def _texts(lineage: Lineage, places: list[pl.DataFrame]) -> dict[tuple[str, int], str]:
    """Read the texts of places, as edits leave them, before cuts: what spans are offsets into."""
    wanted = pl.concat([frame.select("shard", "row") for frame in places]).unique()
    found: dict[tuple[str, int], str] = {}
    for (shard,), rows in wanted.sort("shard", "row").group_by("shard", maintain_order=True):
        texts = look.text_of(lineage, str(shard), rows["row"].to_list())
        found |= {(str(shard), row): text for row, text in texts.items()}
    return found


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / of:.1%})" if of else "-"
