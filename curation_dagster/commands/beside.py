"""Documents on both sides of a threshold, to look at: the nearest to it, and of equals a keyed choice.

A pick holds what it will show, no more. Texts are read once the choice is made, cut, and rid of personal data and of
characters that could steer a terminal: a report may be sent around.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.annotate.stage import annotate
from curation_dagster.chance import keyed
from curation_dagster.clean.ladder import passes
from curation_dagster.commands.look import text_of
from curation_dagster.recipe_edits import Mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.clean.ladder import Ladder
    from curation_dagster.clean.rules import Bound
    from curation_dagster.lineage import Lineage

_SNIPPET = 300  # characters of a sample
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Sample:
    """A document beside a threshold; its text is cut, and personal data in it masked."""

    doc_id: str
    value: str
    text: str


@dataclass(frozen=True)
class Samples:
    """Documents on one side of a threshold, the nearest first."""

    title: str
    kept: bool
    documents: list[Sample]


def said(bound: Bound, value: float) -> str:
    """Write a bound as a rule: gopher_word_count >= 50."""
    return f"{bound.signal} {'>=' if bound.field.startswith('min_') else '<='} {value:.10g}"


@dataclass(frozen=True)
class Side:
    """One side of a threshold: which documents, and how far from it they are."""

    title: str
    kept: bool
    holds: pl.Expr
    distance: pl.Expr


def around(ladders: Sequence[Ladder], at: float | None) -> list[Side]:
    """List both sides of the threshold that was asked for, else of every present one."""
    found = []
    for ladder in ladders if at is None else ladders[:1]:
        value = ladder.bound.value if at is None else at
        if value is not None:
            found += sides(
                ladder.bound.keep(value), said(ladder.bound, value), value, ladder.bound.signal
            )
    return found


def sides(keep: pl.Expr, rule: str, value: float | None, signal: str) -> list[Side]:
    """Make the two sides of a rule; documents without a value stand on neither."""
    away = pl.lit(0.0) if value is None else (pl.col(signal).cast(pl.Float64) - value).abs()
    measured = pl.col(signal).is_not_null()
    near = "" if value is None else "just "
    return [
        Side(f"{near}rejected by {rule}", False, measured & ~passes(keep), away),
        Side(f"{near}kept by {rule}", True, passes(keep), away),
    ]


class Pick:
    """The documents of a side that are nearest to the threshold; of equals, a keyed choice."""

    def __init__(self, side: Side, count: int) -> None:
        """Pick at most `count` documents."""
        self.side, self._count = side, count
        self.rows: pl.DataFrame | None = None

    def add(self, batch: pl.DataFrame, shard: str, signal: str) -> None:
        """Look at a batch."""
        here = batch.filter(self.side.holds).select(
            "row",
            "doc_id",
            shard=pl.lit(shard),
            value=pl.col(signal).cast(pl.String),
            distance=self.side.distance,
        )
        here = here.with_columns(order=keyed(here["doc_id"], "tune"))
        both = here if self.rows is None else pl.concat([self.rows, here])
        self.rows = both.sort("distance", "order", "doc_id").head(self._count)


def read(lineage: Lineage, picks: Sequence[Pick]) -> list[Samples]:
    """Read the texts of the picked documents: a shard once, cut, and with personal data masked."""
    parts = [pick.rows.select("shard", "row") for pick in picks if pick.rows is not None]
    wanted = (
        pl.concat(parts) if parts else pl.DataFrame(schema={"shard": pl.String, "row": pl.UInt32})
    )
    texts = {
        (shard, row): text
        for shard in wanted["shard"].unique(maintain_order=True)
        for row, text in text_of(
            lineage, shard, wanted.filter(shard=shard)["row"].unique().to_list()
        ).items()
    }
    shown = dict(zip(texts, _redacted(list(texts.values())), strict=True))
    return [
        Samples(
            pick.side.title,
            pick.side.kept,
            [
                Sample(r["doc_id"], _plain(r["value"]), shown.get((r["shard"], r["row"]), ""))
                for r in (pick.rows.to_dicts() if pick.rows is not None else ())
            ],
        )
        for pick in picks
    ]


def _redacted(texts: Sequence[str | None]) -> list[str]:
    """Cut texts, mask personal data and take out characters that could steer a terminal or hide text."""
    cut = [(text or "")[: 2 * _SNIPPET] for text in texts]  # so that no address is masked in half
    masked = annotate(pl.Series(cut, dtype=pl.String), (Mask(edit="mask"),))["text"].to_list()
    return [
        _CONTROLS.sub("\ufffd", text[:_SNIPPET]) + "…" * (len(whole or "") > _SNIPPET)
        for text, whole in zip(masked, texts, strict=True)
    ]


def _plain(value: str | None) -> str:
    """Shorten a number's digits."""
    try:
        return f"{float(value or 'nan'):,.6g}"
    except ValueError:
        return str(value)
