"""Fingerprints of a corpus, read part by part (a part is a shard), never all at once.

A document's *index* is its place in the concatenation of all parts, in plan order; 32 bits. Not here: what is done with
the columns; see `ranking` and `cluster`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from curation_dagster import table
from curation_dagster.errors import CurationError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MAX_DOCS = (1 << 32) - 2


def compact(strings: pl.Series) -> pl.Series:
    """Copy strings out of the row group they came with, which is then let go."""
    return pl.Series(strings.name, strings.to_arrow().cast(pa.large_string()), dtype=pl.String)


@dataclass(frozen=True)
class Part:
    """The fingerprints of one shard, and what is the same for all of them."""

    shard: str
    source: str
    generation: int
    height: int
    read: Callable[[Sequence[str]], Iterator[pl.DataFrame]]

    @classmethod
    def of_file(cls, path: Path, shard: str, source: str, generation: int) -> Part:
        """Read a `fingerprinted` partition, row group by row group."""
        height = table.height(path)
        return cls(shard, source, generation, height, lambda names: table.batches(path, names))

    @classmethod
    def of_frame(cls, frame: pl.DataFrame, shard: str, source: str, generation: int) -> Part:
        """Read a frame in memory."""

        def read(names: Sequence[str]) -> Iterator[pl.DataFrame]:
            yield frame.select(name for name in names if name in frame.columns)

        return cls(shard, source, generation, frame.height, read)


class Corpus:
    """All parts, in plan order, and where in the corpus each begins."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Count the documents.

        Raises:
            CurationError: more than 2**32 - 2 documents.
        """
        self.parts = tuple(parts)
        self.starts = np.cumsum([0, *(part.height for part in parts)], dtype=np.int64)
        self.height = int(self.starts[-1])
        if self.height > MAX_DOCS:
            msg = (
                f"duplicates: {self.height:,} documents; {MAX_DOCS:,} are the most one run can hold"
            )
            raise CurationError(msg)

    def batches(
        self, columns: Sequence[str], numbers: Sequence[int] | None = None
    ) -> Iterator[tuple[Part, int, pl.DataFrame]]:
        """Yield every batch of the corpus, or of some parts, with its part and the index of its first document.

        Raises:
            IntegrityError: a part lacks a column, or has not the rows it was said to have.
        """
        for number in range(len(self.parts)) if numbers is None else numbers:
            yield from self._batches(number, columns)

    def _batches(
        self, number: int, columns: Sequence[str]
    ) -> Iterator[tuple[Part, int, pl.DataFrame]]:
        part, first = self.parts[number], int(self.starts[number])
        at = first
        for batch in part.read(columns):
            if missing := sorted(set(columns) - set(batch.columns)):
                msg = f"duplicates: {part.shard} has no column {missing}; rerun fingerprinted"
                raise IntegrityError(msg)
            yield part, at, batch
            at += batch.height
        if at - first != part.height:
            msg = f"duplicates: {part.shard} has {at - first} rows, {part.height} expected; rerun fingerprinted"
            raise IntegrityError(msg)

    def gather(
        self, indices: NDArray[np.integer], columns: Sequence[str]
    ) -> Iterator[tuple[slice, pl.DataFrame]]:
        """Yield the rows at ascending indices, in order, with their places in `indices`; other parts are not read."""
        for number in range(len(self.parts)):
            low, high = np.searchsorted(indices, self.starts[number : number + 2])
            if low == high:
                continue
            for _, first, batch in self._batches(number, columns):
                begin, end = np.searchsorted(indices, [first, first + batch.height])
                if begin < end:
                    yield slice(int(begin), int(end)), batch[indices[begin:end] - first]
