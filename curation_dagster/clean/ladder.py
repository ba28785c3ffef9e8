"""What a ladder of thresholds on one signal would reject: alone, and in addition to a recipe's other rules.

Reads signals, never text. Every rung is the recipe's own comparison with another number, so a rung at the present
threshold counts what `cleaned` counts. Not here: what the recipe says now, where the tables are, how it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from curation_dagster.clean.rules import Bound
    from curation_dagster.clean.spread import Spread
    from curation_dagster.verdict import Rules

_SHARES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)  # that a rung should reject, about
_DIGITS = 3
BYTES = pl.col("text_bytes").cast(pl.UInt64).fill_null(0)


@dataclass
class Rung:
    """One threshold, who uses it, and what it rejects: alone, and of what all other rules keep."""

    threshold: float
    marks: tuple[str, ...] = ()
    docs: int = 0
    bytes: int = 0
    added_docs: int = 0
    added_bytes: int = 0


@dataclass
class Ladder:
    """The rungs for one bound, and what the recipe's other rules reject without it."""

    bound: Bound
    rungs: list[Rung]
    others: pl.Expr
    docs: int = 0
    bytes: int = 0
    other_docs: int = 0
    other_bytes: int = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Count a batch: the signal, `text_bytes`, and what the other rules read."""
        kept = ~passes(self.others)
        judged = [
            pl.len(),
            BYTES.sum().alias("b"),
            kept.sum().alias("o"),
            BYTES.filter(kept).sum().alias("ob"),
        ]
        for i, rung in enumerate(self.rungs):
            fails = ~passes(self.bound.keep(rung.threshold))
            added = fails & passes(self.others)
            judged += [
                fails.sum().alias(f"d{i}"),
                BYTES.filter(fails).sum().alias(f"b{i}"),
                added.sum().alias(f"ad{i}"),
                BYTES.filter(added).sum().alias(f"ab{i}"),
            ]
        found = frame.select(judged).row(0, named=True)
        self.docs += found["len"]
        self.bytes += found["b"]
        self.other_docs += found["o"]
        self.other_bytes += found["ob"]
        for i, rung in enumerate(self.rungs):
            rung.docs += found[f"d{i}"]
            rung.bytes += found[f"b{i}"]
            rung.added_docs += found[f"ad{i}"]
            rung.added_bytes += found[f"ab{i}"]


def passes(keep: pl.Expr) -> pl.Expr:
    """Make a rule say no where it cannot say: null passes nothing."""
    return keep.fill_null(value=False)


def all_of(rules: Rules, without: str = "") -> pl.Expr:
    """Join rules, all but one; without any, everything passes."""
    kept = [passes(keep) for name, keep in rules.items() if name != without]
    return pl.all_horizontal(kept) if kept else pl.lit(value=True)


def rungs(
    bound: Bound, spread: Spread, marks: Mapping[float, Sequence[str]], *, whole: bool
) -> list[Rung]:
    """Choose thresholds: round numbers that would reject from 0.1 to 50 percent, and those that are marked.

    Ascending. Fewer where the signal has few different values.
    """
    low = bound.field.startswith("min_")
    shares = _SHARES if spread.count else ()
    found = {_round(spread.quantile(s if low else 1 - s), whole=whole) for s in shares}
    return [Rung(value, tuple(marks.get(value, ()))) for value in sorted(found | set(marks))]


class Value(NamedTuple):
    """A value (None: not measured), its documents and bytes, and what the present rule and all others keep of it."""

    value: str | None
    docs: int
    bytes: int
    kept: int
    left: int


class Values:
    """Documents and bytes by the value of a signal that is text or truth; the rarest of too many are left out."""

    MOST = 10_000

    def __init__(self, signal: str, rule: pl.Expr | None, others: pl.Expr) -> None:
        """Count values of `signal`; `rule` is the present rule on it."""
        self._signal, self._others = signal, others
        self._rule = rule if rule is not None else pl.lit(value=True)
        self._found = pl.DataFrame(
            schema={
                "value": pl.String,
                **dict.fromkeys(("docs", "bytes", "kept", "left"), pl.Int64),
            }
        )
        self.docs = self.bytes = 0
        self.left_out = False

    def add(self, frame: pl.DataFrame) -> None:
        """Count a batch."""
        counted = (
            frame.select(
                value=pl.col(self._signal).cast(pl.String),
                docs=1,
                bytes=BYTES,
                kept=passes(self._rule),
                left=passes(self._others),
            )
            .group_by("value")
            .agg(pl.exclude("value").cast(pl.Int64).sum())
        )
        self.docs += frame.height
        self.bytes += int(counted["bytes"].sum())
        self._found = self._merged([self._found, counted])
        if self._found.height > self.MOST:
            self.left_out = True
            self._found = self._found.head(self.MOST // 2)

    def rows(self) -> list[Value]:
        """Return the values, the most frequent first."""
        return [Value(*row) for row in self._found.iter_rows()]

    @staticmethod
    def _merged(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        summed = pl.concat(list(frames)).group_by("value").agg(pl.exclude("value").sum())
        return summed.sort("docs", "value", descending=[True, False], nulls_last=True)


def _round(value: float, *, whole: bool) -> float:
    rounded = float(f"{value:.{_DIGITS}g}")
    return float(round(rounded)) if whole else rounded
