"""Group duplicates over the whole corpus and choose which member of each group is kept.

Documents are known by their rank in one total order (`ranking`); everything follows it, so the result depends on the
documents and not on the order of rows, bands, edges or runs.

1. Exact copies follow the first of their kind, then documents of one address the first of theirs (*leaders*).
2. The other leaders meet in the buckets of the LSH bands (Broder, 1997; Leskovec, Rajaraman, Ullman, chapter 3). The
   first in a bucket is compared with the rest, those it rejects get the first of them as the next centre, up to ROUNDS
   times: a star of edges a bucket, never all pairs. A comparison is signature agreement, or the Jaccard similarity of
   the shingles if the recipe verifies by it. More than SAMPLED members of
   one generation in one bucket are compared by a sample: if all of it agrees, they are taken as one without a look at
   each (their similarity is null).
3. Clusters form generation by generation: a newer document joins the cluster it matches (that of the smallest
   representative, if several) and never merges two older ones.

What this can miss: two members of a bucket that resemble each other but were taken by, or tried against, different
centres; and those left after ROUNDS. Another band or a common neighbour usually joins them. A cluster is transitive:
`similarity` says how far a member is from the kept one, and may lie below the recipe's minimum.

Memory: about 30 bytes a document and the signatures or shingles of candidates, both on disk where they exceed
the recipe's memory; keys are sorted band by band, in runs. The compiled loops are in `cluster_kernel`. Not
here: the verdict per shard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curation_dagster.dedup import compared, ranking
from curation_dagster.dedup.minhash import band_name, parameters
from curation_dagster.dedup.parts import compact
from curation_dagster.dedup.scratch import Runs
from curation_dagster.dedup.sieve import Sieve
from curation_dagster.words import term_hash_oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from curation_dagster.dedup.compared import Compared
    from curation_dagster.dedup.parts import Corpus, Part
    from curation_dagster.dedup.scratch import Scratch
    from curation_dagster.recipe import Dedup

ROUNDS = 8  # centres tried in one bucket
SAMPLED = 1_000_000  # members of a bucket; above, a sample is compared
SAMPLE = 1_000
KEY = np.dtype([("key", "<u8"), ("rank", "<u4")])
HASH = np.dtype([("key", "<u8"), ("second", "<u8"), ("rank", "<u4")])
EDGE = np.dtype([("key", "<u8")])
RULES = ("exact", "url", "near")

if TYPE_CHECKING:
    Ranks = NDArray[np.uint32]
    Keys = Callable[[pl.DataFrame], NDArray[np.uint64]]


class Buckets(NamedTuple):
    """Buckets of one band: ranks, ascending in each bucket, and where each begins."""

    members: Ranks
    starts: NDArray[np.int64]


@dataclass
class Order:
    """The documents in the total order, and what is known of each by rank."""

    order: Ranks  # rank -> index
    rank_of: Ranks  # index -> rank
    generations: NDArray[np.int64]  # the first rank of each
    exact: Ranks  # rank -> the first exact copy
    leaders: Ranks  # rank -> the first of the same text or address

    def generation(self, ranks: NDArray[np.integer]) -> NDArray[np.uint32]:
        """Number the generations of ranks."""
        return (np.searchsorted(self.generations, ranks, "right") - 1).astype(np.uint32)


@dataclass
class Clusters:
    """Every document's kept member, by rank, and what is told about the whole."""

    corpus: Corpus
    ranked: Order
    kept: Ranks
    similarity: NDArray[np.float32]  # NaN: not measured
    sizes: NDArray[np.uint32]  # by the kept member's rank
    sampled: list[dict[str, Any]] = field(default_factory=list)

    def histogram(self) -> dict[str, int]:
        """Count the clusters of each size from two on."""
        sizes, counts = np.unique(self.sizes[self.sizes > 1], return_counts=True)
        return {str(size): int(count) for size, count in zip(sizes, counts, strict=True)}

    def frames(self) -> Iterator[tuple[Part, pl.DataFrame]]:
        """Yield each part's documents that are in clusters of two or more, in its order."""
        indices = np.sort(self.ranked.order[np.flatnonzero(self.sizes > 1)])
        found = [compact(b["doc_id"]) for _, b in self.corpus.gather(indices, ["doc_id"])]
        names = pl.concat(found) if found else pl.Series([], dtype=pl.String)
        held: list[pl.DataFrame] = []
        current = None
        for part, first, batch in self.corpus.batches(["row", "doc_id"]):
            if current not in (None, part):
                yield current, pl.concat(held)
                held = []
            current = part
            held.append(self._members(part, first, batch, indices, names))
        if current is not None:
            yield current, pl.concat(held)

    def _members(
        self, part: Part, first: int, batch: pl.DataFrame, indices: Ranks, names: pl.Series
    ) -> pl.DataFrame:
        ranks = self.ranked.rank_of[first : first + batch.height]
        inside = np.flatnonzero(self.sizes[self.kept[ranks]] > 1)
        ranks = ranks[inside]
        kept = self.kept[ranks]
        exact, leader = self.ranked.exact[ranks], self.ranked.leaders[ranks]
        rule = np.select([kept == ranks, kept == exact, kept == leader], [3, 0, 1], 2)
        copy = np.select([exact != ranks, leader != ranks], [0, 1], 3)
        similarity = pl.Series(self.similarity[leader]).fill_nan(None)
        known = pl.Series(exact == leader)  # what its leader is like says nothing of another text
        head = self.ranked.order[kept]
        rows = batch[inside]
        return pl.DataFrame(
            {
                "shard": pl.repeat(part.shard, rows.height, eager=True, dtype=pl.String),
                "row": rows["row"],
                "doc_id": rows["doc_id"],
                "cluster": names.gather(np.searchsorted(indices, head)),
                "cluster_size": self.sizes[kept],
                "keep": kept == ranks,
                "kept_in": pl.Series(np.searchsorted(self.corpus.starts, head, "right") - 1),
                "similarity": similarity.zip_with(known, pl.Series([None], dtype=pl.Float32)),
                "rule": pl.Series([*RULES, None])[rule],
                "copy_rule": pl.Series([*RULES, None])[copy],
            },
            schema_overrides={
                "cluster": pl.String,
                "similarity": pl.Float32,
                "rule": pl.String,
                "copy_rule": pl.String,
            },
        ).with_columns(duplicate_of=pl.when(~pl.col("keep")).then("cluster"))


def clusters(corpus: Corpus, config: Dedup, scratch: Scratch) -> Clusters:
    """Cluster a corpus of fingerprints.

    Raises:
        IntegrityError: a part lacks a column, or its signatures have another length.
    """
    from curation_dagster.dedup import cluster_kernel

    ranked = _ranked(corpus, config, scratch)
    if config.exact:
        _follow(corpus, "exact_hash", ranked.leaders, ranked, config, scratch)
        ranked.exact[:] = ranked.leaders
    if config.url:
        _follow(corpus, "url_hash", ranked.leaders, ranked, config, scratch)
    kept = scratch.array(corpus.height, np.uint32)
    kept[:] = ranked.leaders
    similarity = scratch.array(corpus.height, np.float32)
    similarity[:] = 1
    found = Clusters(corpus, ranked, kept, similarity, scratch.array(corpus.height, np.uint32))
    if config.near:
        _near(found, config, scratch)
        kept[:] = kept[ranked.leaders]
    cluster_kernel.count(kept, found.sizes)
    return found


def _ranked(corpus: Corpus, config: Dedup, scratch: Scratch) -> Order:
    order = ranking.ranking(corpus, config, scratch)
    rank_of = scratch.array(corpus.height, np.uint32)
    own = np.arange(corpus.height, dtype=np.uint32)
    rank_of[order] = own
    heights: dict[int, int] = {}
    served = ranking.generations(corpus.parts, config)
    for part, generation in zip(corpus.parts, served, strict=True):
        heights[generation] = heights.get(generation, 0) + part.height
    starts = np.cumsum([0, *(heights[g] for g in sorted(heights))][: max(len(heights), 1)])
    exact, leaders = (
        scratch.array(corpus.height, np.uint32),
        scratch.array(corpus.height, np.uint32),
    )
    exact[:] = own
    leaders[:] = own
    return Order(order, rank_of, starts, exact, leaders)


def _records(
    corpus: Corpus, column: str, wanted: NDArray[np.bool_], ranked: Order, config: Dedup
) -> Iterator[NDArray[Any]]:
    """Yield the keys of wanted documents (by index) of one column, batch by batch; nulls have none."""
    for part, first, batch in corpus.batches([column]):
        here = pl.Series(wanted[first : first + batch.height]) & batch[column].is_not_null()
        values = batch[column].filter(here)
        records = np.empty(len(values), HASH if values.dtype == pl.Binary else KEY)
        if values.dtype == pl.Binary:
            words = _words(values)
            records["key"], records["second"] = words[:, 0], words[:, 1]
        else:
            records["key"] = values.to_numpy()
        if config.scope == "source":
            records["key"] ^= np.uint64(term_hash_oracle(part.source))
        records["rank"] = ranked.rank_of[first : first + batch.height][here.to_numpy()]
        yield records


def _words(hashes: pl.Series) -> NDArray[np.uint64]:
    """View hashes of 16 bytes as n x 2 integers."""
    array = hashes.to_arrow().cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset :]
    data = np.frombuffer(array.buffers()[2] or b"", np.uint8)
    return data[offsets[0] : offsets[0] + 16 * len(array)].view("<u8").reshape(-1, 2)


def _groups(
    corpus: Corpus,
    column: str,
    wanted: NDArray[np.bool_],
    ranked: Order,
    config: Dedup,
    scratch: Scratch,
) -> Iterator[Buckets]:
    """Group wanted documents by key: yield the groups of two or more, run by run."""
    from curation_dagster.dedup import cluster_kernel

    sieve = Sieve(corpus.height, scratch.work_bytes // 2)
    for records in _records(corpus, column, wanted, ranked, config):
        sieve.add(np.ascontiguousarray(records["key"]))
    runs = Runs(scratch, HASH if column == "exact_hash" else KEY, 2 * sieve.repeats)
    for records in _records(corpus, column, wanted, ranked, config) if sieve.repeats else ():
        runs.add(records[sieve.passes(np.ascontiguousarray(records["key"]))])
    del sieve
    for run in runs:
        frame = pl.DataFrame({name: run[name] for name in run.dtype.names or ()})
        del run  # the largest thing in memory
        frame = frame.sort(frame.columns)
        members = np.empty(frame.height, np.uint32)
        starts = np.empty(frame.height // 2 + 1, np.int64)
        *keys, ranks = (column.to_numpy() for column in frame)
        # where there is no second key, the first one does for it
        n_groups = cluster_kernel.groups(keys[0], keys[-1], ranks, members, starts)
        yield Buckets(members[: starts[n_groups]], starts[: n_groups + 1])


def _follow(
    corpus: Corpus, column: str, leaders: Ranks, ranked: Order, config: Dedup, scratch: Scratch
) -> None:
    """Let documents of an equal key follow the first of them, and their own followers with them."""
    from curation_dagster.dedup import cluster_kernel

    first = np.empty(corpus.height, np.bool_)
    cluster_kernel.leading(leaders, ranked.order, first)
    changed = False
    for members, starts in _groups(corpus, column, first, ranked, config, scratch):
        leaders[members] = np.repeat(members[starts[:-1]], np.diff(starts))
        changed = True
    if changed:
        leaders[:] = leaders[leaders]


def _near(found: Clusters, config: Dedup, scratch: Scratch) -> None:
    """Match the leaders by LSH: fill `kept` and `similarity` of those that meet another one."""
    from curation_dagster.dedup import cluster_kernel

    corpus, ranked = found.corpus, found.ranked
    n = corpus.height
    lone = np.empty(n, np.bool_)
    cluster_kernel.leading(ranked.leaders, ranked.order, lone)
    buckets = [
        _kept_aside(_groups(corpus, band_name(band), lone, ranked, config, scratch), scratch)
        for band in range(parameters(config).bands)
    ]
    buckets, sure = _sampled(buckets, found, config)
    wanted = np.zeros(n, np.bool_)
    for members, _ in buckets:
        wanted[members] = True
    candidate = wanted.copy()
    for pairs in sure:
        candidate[pairs] = True
    ranks = np.flatnonzero(candidate).astype(np.uint32)
    if not len(ranks):
        return
    slots = scratch.array(n, np.uint32)
    slots[:] = np.cumsum(candidate, dtype=np.uint32) - np.uint32(1)
    known = compared.load(corpus, wanted, ranked.rank_of, slots, len(ranks), config, scratch)
    edges = _edges(buckets, sure, slots, known, config, scratch)
    parent, anchor = scratch.array(len(ranks), np.uint32), scratch.array(len(ranks), np.uint32)
    cluster_kernel.settle(ranked.generation(ranks), edges, parent, anchor)
    found.kept[ranks] = ranks[parent]
    found.similarity[ranks] = cluster_kernel.similarities(*known, parent)


def _kept_aside(groups: Iterator[Buckets], scratch: Scratch) -> Buckets:
    """Put the groups of a band together, in two arrays: a mapped file each, at most."""
    held = list(groups)
    members = scratch.array(sum(len(group.members) for group in held), np.uint32)
    starts = scratch.array(sum(len(group.starts) - 1 for group in held) + 1, np.int64)
    filled = n_groups = 0
    for group in held:
        members[filled : filled + len(group.members)] = group.members
        starts[n_groups : n_groups + len(group.starts)] = group.starts + filled
        filled, n_groups = filled + len(group.members), n_groups + len(group.starts) - 1
    return Buckets(members, starts)


def _sampled(
    buckets: list[Buckets], found: Clusters, config: Dedup
) -> tuple[list[Buckets], list[NDArray[np.uint32]]]:
    """Take oversized parts of buckets whose sample agrees out of them: (what is left, pairs taken as sure).

    A part is the members of one generation, so that what happens to a document does not depend on later ones. Pairs are
    2 x n: members and their centre, as ranks.
    """
    sure: list[NDArray[np.uint32]] = []
    left = []
    for members, starts in buckets:
        keep = np.ones(len(members), np.bool_)
        for begin, end in pairwise(starts):
            if end - begin <= SAMPLED:
                continue
            bounds = np.searchsorted(members[begin:end], found.ranked.generations) + begin
            for first, last in pairwise([*bounds, end]):
                rest = max(first, begin + 1)
                if last - rest <= SAMPLED:
                    continue
                places = np.linspace(rest, last - 1, SAMPLE).astype(np.int64)
                agreed = _agreeing(found, members[begin], members[places], config)
                said = {"members": int(last - rest), "sample": SAMPLE, "agreed": agreed}
                found.sampled.append(said)
                if agreed == SAMPLE:
                    pairs = np.empty((2, last - rest), np.uint32)
                    pairs[0], pairs[1] = members[rest:last], members[begin]
                    sure.append(pairs)
                    keep[rest:last] = False
        if keep.all():
            left.append(Buckets(members, starts))
        else:
            left.append(Buckets(members[keep], np.concatenate([[0], np.cumsum(keep)])[starts]))
    return left, sure


def _agreeing(found: Clusters, centre: np.uint32, sample: Ranks, config: Dedup) -> int:
    """Count the documents of a sample that resemble a centre."""
    from curation_dagster.dedup import cluster_kernel

    indices = found.ranked.order[np.concatenate([[centre], sample])]
    several = compared.gather(found.corpus, indices, config)
    return int(cluster_kernel.resembling(*several, parameters(config).min_similarity))


def _edges(
    buckets: list[Buckets],
    sure: list[NDArray[np.uint32]],
    slots: Ranks,
    known: Compared,
    config: Dedup,
    scratch: Scratch,
) -> NDArray[np.uint64]:
    """Compare the members of every bucket with its centres; return the distinct edges, sorted."""
    from curation_dagster.dedup import cluster_kernel

    least = parameters(config).min_similarity
    expected = sum(len(members) for members, _ in buckets) + sum(p.shape[1] for p in sure)
    runs = Runs(scratch, EDGE, expected, key_end=(len(known.places) + 1) << 32)
    for members, starts in buckets:
        edges = np.empty(len(members), EDGE)
        n = cluster_kernel.star_edges(slots[members], starts, *known, least, ROUNDS, edges["key"])
        runs.add(edges[:n])
    for pairs in sure:
        edges = np.empty(pairs.shape[1], EDGE)
        edges["key"] = slots[pairs[0]].astype(np.uint64) << np.uint64(32) | slots[pairs[1]]
        runs.add(edges)
    found, n_found = scratch.array(expected, np.uint64), 0
    for run in runs:
        ascending = run["key"]
        ascending.sort()
        n_found += cluster_kernel.distinct(ascending, found[n_found:])
    return found[:n_found]
