"""The n-grams of texts, as arrays to probe: a hash table with a bloom filter in front.

An n-gram is `size` consecutive terms, hashed to 64 bits: at 10^12 corpus terms and 10^6 n-grams,
one false match is expected once in 18 corpora. A *unit* is what owns n-grams, such as a part of an
item; it is known by its place in the series that was indexed. The compiled loops are in
`ngram_kernel`. Not here: what a hit is; see `ngrams`, `simple` and `exact`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from curation_dagster.threads import mapped
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RUN_BYTES: Final = 4 << 20  # of text, a task of a thread
BLOOM_BITS_PER_SLOT: Final = 8
PLACES: Final = 1024  # of one n-gram in one document
MATCHES: Final = {
    "doc": pl.Int64,
    "gram": pl.Int64,
    "place": pl.Int64,  # of its first term in the document
    "start": pl.Int64,
    "end": pl.Int64,
}
OWNERS: Final = {"gram": pl.Int64, "unit": pl.Int64}


@dataclass(frozen=True)
class Grams:
    """An open-addressing table of n-gram hashes, a bloom filter, and the units of each n-gram.

    The n-gram in slot s has number `grams[s]` (-1: empty). `owners` has a row for each n-gram and
    unit. A negative size means: whole lines of at least so many terms.
    """

    size: int
    keys: NDArray[np.uint64]
    grams: NDArray[np.int32]
    bloom: NDArray[np.uint64]
    owners: pl.DataFrame

    def matches(self, texts: pl.Series) -> pl.DataFrame:
        """List where the texts have an n-gram of the table; MATCHES, by document and place.

        Of one n-gram in one document, the first PLACES: a page that repeats a common phrase ten
        thousand times must not cost so many rows for every item that has it.
        """
        from curation_dagster.decontaminate import ngram_kernel

        if self.owners.is_empty():
            return pl.DataFrame(schema=MATCHES)
        data, offsets, owner = buffers(texts)

        def work(first: int, last: int) -> NDArray[np.int64]:
            found: NDArray[np.int64] = ngram_kernel.matches(
                data, offsets, first, last, *tables(), self.size, self.keys, self.grams, self.bloom
            )
            return found

        rows = np.concatenate(mapped(offsets, work, RUN_BYTES))
        del owner  # the views into it are done with
        found = pl.DataFrame(rows, schema=MATCHES)
        if found.height <= PLACES:
            return found
        return found.filter(pl.int_range(pl.len()).over("doc", "gram") < PLACES)


def hashes(
    texts: pl.Series, sizes: Sequence[int], *, enumerations: bool = True
) -> tuple[pl.DataFrame, pl.Series]:
    """Hash the distinct n-grams of each text (unit, hash), of its own size; and count its terms."""
    rows, counts = every_hash(texts, sizes, enumerations=enumerations)
    return rows.unique().sort("hash", "unit"), counts


def every_hash(
    texts: pl.Series, sizes: Sequence[int], *, enumerations: bool = True
) -> tuple[pl.DataFrame, pl.Series]:
    """Hash all n-grams of each text in order, also those that come again; and count its terms.

    Without `enumerations`, those are left out that have no term longer than two ASCII characters:
    alphabets, counting, strings of bits.
    """
    from curation_dagster.decontaminate import ngram_kernel

    data, offsets, owner = buffers(texts)
    room = max(int(offsets[-1] - offsets[0]), 1)  # a text has at most one n-gram per byte
    found, unit = np.empty(room, np.uint64), np.empty(room, np.int32)
    counts = np.empty(len(texts), np.uint32)
    n = ngram_kernel.item_ngrams(
        data, offsets, *tables(), np.asarray(sizes, np.int64), enumerations, counts, found, unit
    )
    del owner  # the views into it are done with
    rows = pl.DataFrame({"hash": found[:n], "unit": unit[:n].astype(np.int64)})
    return rows, pl.Series("term_count", counts)


def build_grams(pairs: pl.DataFrame, size: int) -> Grams:
    """Make the table of pairs (hash, unit)."""
    from curation_dagster.decontaminate import ngram_kernel

    distinct: NDArray[Any]
    distinct, inverse = np.unique(pairs["hash"].to_numpy(), return_inverse=True)
    slots = 1 << max(6, (2 * len(distinct)).bit_length())
    keys, grams = np.zeros(slots, np.uint64), np.full(slots, -1, np.int32)
    bloom = np.zeros(slots * BLOOM_BITS_PER_SLOT // 64, np.uint64)
    ngram_kernel.fill_table(distinct, keys, grams, bloom)
    owners = pl.DataFrame({"gram": inverse.astype(np.int64), "unit": pairs["unit"]}, schema=OWNERS)
    return Grams(size, keys, grams, bloom, owners.sort("gram", "unit"))
