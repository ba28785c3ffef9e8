"""Group duplicates over the whole corpus and choose which member of each group is kept.

Documents are ranked by one total order: generation, the recipe's criteria, doc_id. Everything
follows it, so the result depends on the documents and not on the order of rows, bands or edges.
Exact copies follow the first of their kind. The others meet in the buckets of the LSH bands
(Broder, 1997): the first in a bucket is compared with the rest, those it rejects get the first of
them as the next centre, up to ROUNDS times. A comparison is signature agreement. Clusters form
generation by generation: a newer document joins the cluster it matches (that of the smallest
representative, if several) and never merges two older ones.

What this can miss: two members of a bucket that resemble each other but were taken by, or tried
against, different centres; and those left after ROUNDS. Another band or a common neighbour usually
joins them. A cluster is transitive: `similarity` says how far a member is from the kept one, and
may lie below the recipe's minimum. The compiled loops are in `cluster_kernel`. Not here: reading
fingerprints, and the verdict per shard.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from curation_dagster.dedup.minhash import parameters
from curation_dagster.errors import IntegrityError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curation_dagster.recipe import Dedup

    Bands = Callable[[int], pl.Series]
    Signatures = Callable[[pl.Series], NDArray[np.uint32]]

ROUNDS = 8  # centres tried in one bucket
COLUMNS = ("shard", "row", "doc_id", "generation", "source", "exact_hash", "quality", "date")


class _Ranked(NamedTuple):
    """The documents in the total order: row numbers, exact leaders (as ranks) and generations."""

    order: pl.Series
    leaders: NDArray[np.uint32]
    generations: pl.Series


class _Buckets(NamedTuple):
    """The buckets of one band: ranks, ascending in each bucket, and where each begins."""

    members: NDArray[np.uint32]
    starts: NDArray[np.int64]


class _Matches(NamedTuple):
    """For each rank, the rank of the kept member and the similarity to it."""

    kept: NDArray[np.uint32]
    similarity: NDArray[np.float32]


def clusters(
    docs: pl.DataFrame, band: Bands, signatures: Signatures, config: Dedup
) -> pl.DataFrame:
    """Return one row per document in a cluster of two or more, in the order of `docs` (plan order).

    `band(i)` gives the keys of one band, aligned with `docs`; each is asked for once and let go.
    `signatures(rows)` gives the signatures (n x width) of the rows of `docs` that share a bucket,
    asked for once. Memory: 8 bytes a document for one band, and 4 * width bytes a candidate.

    Raises:
        SchemaError: if `docs` lacks a column.
        IntegrityError: if bands or signatures are not aligned with `docs`.
    """
    if missing := set(COLUMNS) - set(docs.columns):
        raise SchemaError.missing("duplicates", missing, docs.columns)
    order = _ranking(docs, config)
    leaders = _leaders(docs["exact_hash"].gather(order), config)
    ranked = _Ranked(order, leaders, docs["generation"].gather(order))
    matches = _Matches(leaders, np.ones(docs.height, np.float32))
    if config.near:
        matches = _near(ranked, band, signatures, config)
    return _table(docs, ranked, matches)


def _ranking(docs: pl.DataFrame, config: Dedup) -> pl.Series:
    """Sort row numbers by the total order that says which of two documents is kept."""
    priority = {name: place for place, name in enumerate(config.source_priority)}
    criteria = {
        "source": pl.col("source").cast(pl.String).replace_strict(
            list(priority), list(priority.values()), default=len(priority), return_dtype=pl.UInt32
        )
        if priority
        else pl.lit(0, pl.UInt32),
        "quality": -pl.col("quality").cast(pl.Float64).fill_nan(None),
        "date": pl.col("date"),
    }  # fmt: skip
    keys = docs.select(
        "generation", *(criteria[name].alias(name) for name in config.keep), "doc_id"
    ).with_row_index("position")
    return keys.sort(keys.columns[1:], nulls_last=True, maintain_order=True)["position"]


def _leaders(exact_hash: pl.Series, config: Dedup) -> NDArray[np.uint32]:
    """Give each rank the smallest rank of equal exact hash: its own, if the first or hashless."""
    own = np.arange(len(exact_hash), dtype=np.uint32)
    if not config.exact or not len(own):
        return own
    frame = pl.DataFrame({"hash": exact_hash, "rank": own})
    first = pl.col("rank").min().over("hash")
    leader = pl.when(pl.col("hash").is_null()).then("rank").otherwise(first)
    return frame.select(leader).to_series().to_numpy()


def _near(ranked: _Ranked, band: Bands, signatures: Signatures, config: Dedup) -> _Matches:
    """Match the exact leaders by LSH, then let every copy follow its leader."""
    from curation_dagster.dedup import cluster_kernel

    order, leaders, generations = ranked
    n = len(leaders)
    lone = pl.Series(np.flatnonzero(leaders == np.arange(n)).astype(np.uint32))
    rows = order.gather(lone)
    buckets = [_buckets(band(i), rows, lone, n) for i in range(parameters(config).bands)]
    candidate = np.zeros(n, np.bool_)
    for members, _ in buckets:
        candidate[members] = True
    ranks = np.flatnonzero(candidate).astype(np.uint32)
    kept, similarity = leaders, np.ones(n, np.float32)
    if len(ranks):
        values, places = _load(signatures, order.gather(pl.Series(ranks)).to_numpy(), config)
        slots = np.cumsum(candidate).astype(np.uint32) - np.uint32(1)
        edges = _edges(buckets, slots, values, places, config)
        born = generations.gather(pl.Series(ranks)).cast(pl.UInt32).to_numpy()
        roots = cluster_kernel.settle(born, edges)
        kept = leaders.copy()
        kept[ranks] = ranks[roots]
        similarity[ranks] = cluster_kernel.similarities(values, places, roots)
    return _Matches(kept[leaders], similarity[leaders])


def _buckets(keys: pl.Series, rows: pl.Series, ranks: pl.Series, n: int) -> _Buckets:
    """Group the leaders of one band by key and keep the groups of two or more."""
    if len(keys) != n:
        msg = f"duplicates: a band has {len(keys)} keys for {n} documents; rerun fingerprinted"
        raise IntegrityError(msg)
    frame = pl.DataFrame({"key": keys.gather(rows), "rank": ranks}).drop_nulls()
    frame = frame.sort("key", maintain_order=True)
    same = (pl.col("key") == pl.col("key").shift()).fill_null(value=False)
    shared = frame.select(
        "rank", new=~same, shared=same | same.shift(-1).fill_null(value=False)
    ).filter("shared")
    starts = np.append(np.flatnonzero(shared["new"].to_numpy()), shared.height)
    return _Buckets(shared["rank"].to_numpy(), starts.astype(np.int64))


def _load(
    signatures: Signatures, rows: NDArray[np.uint32], config: Dedup
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Load the candidates' signatures in row order; give also the place of each, by rank."""
    by_row = np.argsort(rows)
    values = np.ascontiguousarray(signatures(pl.Series(rows[by_row])), np.uint32)
    bands, height = parameters(config)
    if values.shape != (len(rows), bands * height):
        wanted = (len(rows), bands * height)
        msg = (
            f"duplicates: signatures have shape {values.shape}, {wanted} expected; "
            "rerun fingerprinted"
        )
        raise IntegrityError(msg)
    places = np.empty(len(rows), np.int64)
    places[by_row] = np.arange(len(rows))
    return values, places


def _edges(
    buckets: list[_Buckets],
    slots: NDArray[np.uint32],
    values: NDArray[np.uint32],
    places: NDArray[np.int64],
    config: Dedup,
) -> NDArray[np.uint64]:
    """Compare the members of every bucket with its centres; return the distinct edges, sorted."""
    from curation_dagster.dedup import cluster_kernel

    need = math.ceil(config.min_similarity * values.shape[1] - 1e-9)
    found = []
    for members, starts in buckets:
        edges = np.empty(len(members), np.uint64)
        n = cluster_kernel.star_edges(slots[members], starts, values, places, need, ROUNDS, edges)
        found.append(edges[:n])
    return np.unique(np.concatenate(found))


def _table(docs: pl.DataFrame, ranked: _Ranked, matches: _Matches) -> pl.DataFrame:
    """Lay out the members of clusters of two or more."""
    kept, similarity = matches
    sizes = np.bincount(kept, minlength=docs.height).astype(np.uint32)
    ranks = np.flatnonzero(sizes[kept] > 1)
    rows = ranked.order.to_numpy()
    ranks = ranks[np.argsort(rows[ranks])]
    is_kept = kept[ranks] == ranks
    return pl.DataFrame(
        {
            "shard": docs["shard"].gather(rows[ranks]),
            "row": docs["row"].gather(rows[ranks]),
            "doc_id": docs["doc_id"].gather(rows[ranks]),
            "cluster": docs["doc_id"].gather(rows[kept[ranks]]),
            "cluster_size": sizes[kept[ranks]],
            "keep": is_kept,
            "similarity": similarity[ranks],
            "is_exact": ranked.leaders[ranks] == kept[ranks],
        }
    ).select(
        "shard", "row", "doc_id", "cluster", "cluster_size", "keep",
        pl.when(~pl.col("keep")).then("cluster").alias("duplicate_of"),
        "similarity",
        pl.when(~pl.col("keep"))
        .then(pl.when("is_exact").then(pl.lit("exact")).otherwise(pl.lit("near")))
        .alias("rule"),
    )  # fmt: skip
