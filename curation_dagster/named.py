"""What a rights holder names, as hashes, and the documents that are or hold it: doc_ids, urls, texts, their copies.

A url is compared in the form dedup compares (`dedup.urls`). A text is found in a document that has at least
`min_share` of its distinct n-grams of 13 terms; a shorter one counts as one n-gram, and below 4 terms it
is found only where it is the whole document. A copy is a document with the same terms in the same order
(`exact_hash` of `dedup.minhash`). No text is kept here, so what is written of it (`erased`) can be stored, and says
the same of a document that is read years later. The compiled loops are in `named_kernel`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import polars as pl

from curation_dagster import threads
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

NGRAM_TERMS: Final = 13  # Brown et al., 2020
LEAST_TERMS: Final = 4
MIN_SHARE: Final = 0.5
MATCHES: Final = {
    "doc": pl.UInt32,
    "method": pl.String,  # id, url, text, copy
    "item": pl.UInt32,  # of a text: which, from 0
    "score": pl.Float32,  # of a text: the share of its n-grams
    "start": pl.UInt32,
    "end": pl.UInt32,
}
_RUN_BYTES: Final = 4 << 20
_BITS: Final = 32  # of the filter, for an n-gram


@dataclass(frozen=True)
class Named:
    """A list of what is named: nothing of it can be turned back into a text."""

    ids: tuple[str, ...] = ()
    urls: tuple[int, ...] = ()
    copies_of: tuple[str, ...] = ()  # exact hashes, hexadecimal
    texts: tuple[NDArray[np.uint64], ...] = ()  # the n-grams of each, distinct and sorted
    sizes: tuple[int, ...] = ()  # the terms of an n-gram of each
    min_share: float = MIN_SHARE

    @classmethod
    def of_texts(cls, texts: pl.Series, min_share: float = MIN_SHARE) -> Self:
        """Turn texts into hashes; those of fewer than 4 terms into that of the whole text alone."""
        from curation_dagster import named_kernel

        data, offsets, owner = buffers(texts)
        found = [
            named_kernel.text_ngrams(data, offsets[i], offsets[i + 1], *tables(), NGRAM_TERMS)
            for i in range(len(texts))
        ]
        del owner  # the views into it are done with
        grams = [np.unique(g) if size >= LEAST_TERMS else g[:0] for g, size in found]
        whole = exact_hashes(texts).drop_nulls().unique().sort().to_list()
        sizes = tuple(int(size) for _, size in found)
        return cls(copies_of=tuple(whole), texts=tuple(grams), sizes=sizes, min_share=min_share)

    @classmethod
    def of_urls(cls, urls: pl.Series) -> Self:
        """Turn urls into hashes; one without a host names nothing."""
        from curation_dagster.dedup.urls import url_hash

        return cls(urls=tuple(url_hash(urls).drop_nulls().unique().sort().to_list()))

    @property
    def undetectable(self) -> list[int]:
        """The texts too short to be found inside others."""
        return [i for i, grams in enumerate(self.texts) if not len(grams)]

    @property
    def said(self) -> dict[str, Any]:
        """The same as JSON says it."""
        return {
            "ids": list(self.ids),
            "urls": [f"{url:016x}" for url in self.urls],
            "copies_of": list(self.copies_of),
            "texts": [base64.b64encode(g.astype("<u8").tobytes()).decode() for g in self.texts],
            "sizes": list(self.sizes),
            "min_share": self.min_share,
        }

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """Read what `said` wrote."""
        texts = (np.frombuffer(base64.b64decode(text), "<u8") for text in said["texts"])
        return cls(
            ids=tuple(said["ids"]),
            urls=tuple(int(url, 16) for url in said["urls"]),
            copies_of=tuple(said["copies_of"]),
            texts=tuple(text.astype(np.uint64) for text in texts),
            sizes=tuple(said["sizes"]),
            min_share=said["min_share"],
        )

    @property
    def reads_text(self) -> bool:
        """Whether finding it takes the documents' text."""
        return bool(self.copies_of or self.texts)

    def find(self, docs: pl.DataFrame) -> pl.DataFrame:
        """Return MATCHES for documents (doc_id, text, and url if they have one), sorted by document."""
        parts = [pl.DataFrame(schema=MATCHES)]
        if self.ids:
            parts.append(_rows(docs["doc_id"].is_in(self.ids), "id"))
        if self.urls and "url" in docs.columns:
            from curation_dagster.dedup.urls import url_hash

            wanted = pl.Series(self.urls, dtype=pl.UInt64)
            parts.append(_rows(url_hash(docs["url"]).is_in(wanted.implode()), "url"))
        if self.copies_of:
            parts.append(_rows(exact_hashes(docs["text"]).is_in(self.copies_of), "copy"))
        parts += [self._holding(docs["text"], size) for size in self._tables]
        return pl.concat(parts).sort("doc", "method", "item", "start", nulls_last=True)

    def _holding(self, texts: pl.Series, size: int) -> pl.DataFrame:
        """Find the texts whose n-grams have so many terms."""
        data, offsets, owner = buffers(texts)
        table = self._tables[size]
        parts = threads.mapped(
            offsets, lambda first, last: table.rows(data, offsets, first, last, self.min_share), _RUN_BYTES
        )  # fmt: skip
        del owner  # the views into it are done with
        rows = np.concatenate(parts)
        item = rows[:, 1]
        return pl.DataFrame(
            {
                "doc": rows[:, 0],
                "method": pl.repeat("text", len(rows), dtype=pl.String, eager=True),
                "item": item,
                "score": rows[:, 2] / np.maximum(table.counts[item], 1),
                "start": rows[:, 3],
                "end": rows[:, 4],
            }
        ).cast(MATCHES)  # type: ignore[arg-type]

    @cached_property
    def _tables(self) -> dict[int, _Table]:
        with_grams = {
            size for size, grams in zip(self.sizes, self.texts, strict=True) if len(grams)
        }
        return {size: _Table.of(self.texts, self.sizes, size) for size in sorted(with_grams)}


@dataclass(frozen=True)
class _Table:
    """The n-grams of one size, sorted, with the texts that have each and a filter in front."""

    size: int
    grams: NDArray[np.uint64]
    bits: NDArray[np.uint64]
    item_offsets: NDArray[np.int64]
    item_of: NDArray[np.int64]
    counts: NDArray[np.int64]  # of every text; 0 for those of another size

    @classmethod
    def of(cls, texts: Iterable[NDArray[np.uint64]], sizes: Iterable[int], size: int) -> _Table:
        from curation_dagster import named_kernel

        mine = [g if of == size else g[:0] for g, of in zip(texts, sizes, strict=True)]
        counts = np.array([len(g) for g in mine], np.int64)
        every, item = np.concatenate(mine), np.repeat(np.arange(len(mine)), counts)
        order = np.lexsort((item, every))
        grams, first = np.unique(every[order], return_index=True)
        bits = np.zeros(1 << max(6, (_BITS * len(grams) // 64).bit_length()), np.uint64)
        named_kernel.bits_of(grams, bits)
        offsets = np.append(first, len(every)).astype(np.int64)
        return cls(size, grams, bits, offsets, item[order].astype(np.int64), counts)

    def rows(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], first: int, last: int, min_share: float
    ) -> NDArray[np.int64]:  # fmt: skip
        """Return (document, text, distinct n-grams, start, end) of the documents from `first` to before `last`."""
        from curation_dagster import named_kernel

        sizes = np.where(self.counts > 0, self.counts, np.iinfo(np.int64).max)
        room = 1024
        while True:
            hits = np.empty((room, 5), np.int64)
            n = named_kernel.shared(
                data, offsets[first : last + 1], *tables(), self.size, self.grams, self.bits, self.item_offsets,
                self.item_of, sizes, min_share, hits,
            )  # fmt: skip
            if n <= room:
                hits[:n, 0] += first
                return hits[:n]
            room = n


def exact_hashes(texts: pl.Series) -> pl.Series:
    """Hash the terms of texts to 128 bits, in hexadecimal; null for a null text and one without terms."""
    from curation_dagster.dedup.minhash import fingerprint
    from curation_dagster.recipe import Dedup

    prints = fingerprint(texts, Dedup(near=False))
    hashed = pl.col("exact_hash").bin.encode("hex")
    return prints.select(pl.when(pl.col("term_count") > 0).then(hashed)).to_series()


def _rows(found: pl.Series, method: str) -> pl.DataFrame:
    docs = found.fill_null(value=False).arg_true()
    frame = pl.DataFrame({"doc": docs}).with_columns(method=pl.lit(method))
    missing = [
        pl.lit(None, dtype=kind).alias(c) for c, kind in MATCHES.items() if c not in frame.columns
    ]
    return frame.with_columns(missing).select(list(MATCHES)).cast(MATCHES)  # type: ignore[arg-type]
