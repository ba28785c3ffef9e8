"""Lines, paragraphs and substrings that occur earlier in the corpus, as byte spans to cut.

*Earlier* is a smaller rank (`ranking`), or the same document and further to its front. Documents that `duplicates`
removed hold no first occurrence and are not cut. All rules look at the text before any cut and not at each other, so
what is cut is their union.
A document with fewer than `min_left_terms` left is not kept, so it holds no first occurrence either: with it, no piece
goes that is cut elsewhere because of it.

- line, paragraph: a piece whose key (`pieces`) occurs earlier is cut (Wenzek et al., 2020, for lines).
- paragraph with `ngram`: it is cut when more than `max_seen_ratio` of its n-grams of terms occur in an earlier
  paragraph; a shorter paragraph is one n-gram. After DCLM's BFF (Li et al., 2024), whose Bloom filter holds what its
  run has kept so far; here the total order decides.
- substring: every window of `window_terms` terms that occurs earlier, and does not overlap that occurrence, is cut;
  overlapping windows merge (Lee et al., 2021).

Three passes over the keys, never all in memory: a sieve of those that may occur twice, runs of them on disk (16 bytes
a record), and the repeats grouped by document (12 bytes). The compiled loops are in `repeats_kernel`. Not here: what
is left of a document; see `verdicts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from curation_dagster import schema
from curation_dagster.dedup import ranking
from curation_dagster.dedup.parts import compact
from curation_dagster.dedup.pieces import flat
from curation_dagster.dedup.scratch import Runs
from curation_dagster.dedup.sieve import Sieve
from curation_dagster.words import term_hash_oracle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from curation_dagster.dedup.parts import Corpus, Part
    from curation_dagster.dedup.scratch import Scratch
    from curation_dagster.recipe import Dedup

DOCS = 1_000  # documents whose keys are made at a time
PASSES = 6  # even: the last one passes over too many documents, not too few
MOST = 20  # counts told of the most repeated pieces
RECORD = np.dtype([("key", "<u8"), ("place", "<u8")])
HIT = np.dtype([("key", "<u8"), ("first", "<u4")])
SPAN = np.dtype(
    [(name, "<u4") for name in ("doc", "start", "end", "first", "begin_term", "end_term")]
)
_SPAN_BYTES = 256  # a span as a row, with two doc_ids, while a part is put together
_HALF = np.uint64(32)


class Keys(NamedTuple):
    """Keys of pieces, one after another, those of run i from firsts[i] on. 0 is none.

    A run is of one document: all its pieces, which count from `numbers[i]`; or the n-grams of a paragraph, which all
    have its number.
    """

    firsts: NDArray[np.int64]
    values: NDArray[np.uint64]
    docs: NDArray[np.int64]
    numbers: NDArray[np.int64]
    step: int


class Cuts(NamedTuple):
    """The spans of one rule in the order of the corpus, in a file, and where each part's begin."""

    path: Path
    starts: NDArray[np.int64]

    def count(self, number: int) -> int:
        """Count a part's spans."""
        return int(self.starts[number + 1] - self.starts[number])

    def of(self, number: int) -> NDArray[Any]:
        """Read a part's spans; `doc` is a place in the part."""
        offset = int(self.starts[number]) * SPAN.itemsize
        return np.fromfile(self.path, SPAN, self.count(number), offset=offset)


@dataclass
class Repeats:
    """All spans to cut, and how often the most repeated pieces of each rule occur."""

    corpus: Corpus
    cuts: dict[str, Cuts]
    most_repeated: dict[str, list[int]]
    work_bytes: int

    def thin(self, min_left_terms: int) -> list[int]:
        """List the documents with a span of which fewer terms are left, by index."""
        found: list[int] = []
        for number, start in enumerate(self.corpus.starts[:-1]):
            if not any(c.count(number) for c in self.cuts.values()):
                continue
            spans = pl.concat([pl.DataFrame(_columns(c.of(number))) for c in self.cuts.values()])
            batches = self.corpus.batches(["term_count"], [number])
            term_count = pl.concat(batch["term_count"] for _, _, batch in batches)
            left = _left(term_count, spans.sort("doc", "start", "end"))
            cut = spans["doc"].unique().sort()
            found += (
                cut.filter(left.gather(cut) < min_left_terms).cast(pl.Int64) + int(start)
            ).to_list()
        return found

    def frames(self) -> Iterator[tuple[Part, pl.DataFrame]]:
        """Yield each part's spans, by row and start; parts without one are left out."""
        together: list[int] = []
        held = 0
        for number in range(len(self.corpus.parts)):
            count = sum(c.count(number) for c in self.cuts.values()) * _SPAN_BYTES
            if together and held + count > self.work_bytes:
                yield from self._named(together)
                together, held = [], 0
            if count:
                together.append(number)
                held += count
        if together:
            yield from self._named(together)

    def _named(self, numbers: list[int]) -> Iterator[tuple[Part, pl.DataFrame]]:
        """Put some parts together; one pass over the doc_ids of those that hold the first occurrences."""
        firsts = np.unique(
            np.concatenate([c.of(n)["first"] for n in numbers for c in self.cuts.values()])
        )
        found = self.corpus.gather(firsts, ["doc_id"])
        names = pl.concat(compact(batch["doc_id"]) for _, batch in found)
        for number in numbers:
            part = self.corpus.parts[number]
            spans = [pl.DataFrame(_columns(c.of(number))) for c in self.cuts.values()]
            rules = [pl.lit(name).alias("rule") for name in self.cuts]
            rows = pl.concat(s.with_columns(r) for s, r in zip(spans, rules, strict=True))
            rows = rows.sort("doc", "start", "end", "rule")
            columns = ["row", "doc_id", "term_count"]
            docs = pl.concat(b for _, _, b in self.corpus.batches(columns, [number]))
            left = _left(docs["term_count"], rows)
            yield (
                part,
                docs[rows["doc"]]
                .hstack(rows)
                .with_columns(
                    shard=pl.lit(part.shard),
                    left_terms=left.gather(rows["doc"]),
                    first_doc_id=names.gather(np.searchsorted(firsts, rows["first"].to_numpy())),
                )
                .select(list(schema.REPEATS)),
            )


def repeats(corpus: Corpus, removed: NDArray[np.bool_], config: Dedup, scratch: Scratch) -> Repeats:
    """Find what occurs earlier in the documents that are not `removed` (by index), by every rule of the recipe.

    With `min_left_terms`, which documents are kept and what is cut depend on each other. Each pass passes over the
    documents that the last one left too little of: a first pass finds too many of them, a second too few, and so on,
    until two agree. The last pass used is one that passed over too many, if any: nothing kept is cut because of a
    document that is not; at worst, after `PASSES`, some repeats stay.

    Memory: 9 bytes a document and the scratch's; a key whose occurrences alone exceed it is sorted in memory all the
    same.

    Raises:
        IntegrityError: a part lacks a column.
    """
    order = ranking.ranking(corpus, config, scratch)
    rank_of = scratch.array(corpus.height, np.uint32)
    rank_of[order] = np.arange(corpus.height, dtype=np.uint32)
    passed = scratch.array(corpus.height, np.bool_)  # by rank
    few: list[int] = []
    for _ in range(PASSES):
        passed[:] = False
        passed[rank_of[few]] = True
        found = Repeats(corpus, {}, {}, scratch.work_bytes)
        for rule in _rules(config):
            search = _Search(rule, corpus, removed, rank_of, passed, config.scope == "source")
            hits, found.most_repeated[rule.name] = search.hits(order, scratch)
            found.cuts[rule.name] = search.cuts(hits, order, scratch.path())
        last, few = few, found.thin(config.min_left_terms) if config.min_left_terms > 1 else []
        if few == last:
            break
    return found


class _Rule(NamedTuple):
    """What is compared: whole blocks, or (with `size`) windows of so many terms."""

    name: str
    columns: list[str]
    size: int = 0
    max_seen_ratio: float = 0

    @property
    def apart(self) -> int:
        """How far pieces of one document are apart at least that do not overlap."""
        return self.size if self.columns == ["terms"] else 1


def _rules(config: Dedup) -> list[_Rule]:
    found = []
    if config.lines:
        found.append(_Rule("line", ["lines"]))
    if config.paragraphs and config.paragraphs.ngram:
        by = config.paragraphs
        found.append(_Rule("paragraph", ["paragraphs", "terms"], by.ngram or 0, by.max_seen_ratio))
    elif config.paragraphs:
        found.append(_Rule("paragraph", ["paragraphs"]))
    if config.substrings:
        found.append(_Rule("substring", ["terms"], config.substrings.window_terms))
    return found


@dataclass
class _Search:
    """One rule over the corpus."""

    rule: _Rule
    corpus: Corpus
    removed: NDArray[np.bool_]
    rank_of: NDArray[np.uint32]
    passed: NDArray[np.bool_]  # by rank: over documents that hold no first occurrence
    apart: bool  # sources are

    def keys(self, docs: pl.DataFrame) -> Keys:
        """Return the keys of documents by this rule."""
        if self.rule.columns == ["terms"]:
            firsts, terms = flat(docs["terms"])
            firsts, values = _windows(firsts, terms["hash"], self.rule.size)
        elif self.rule.size:
            return _ngrams(docs, self.rule.size)
        else:
            firsts, blocks = flat(docs[self.rule.columns[0]])
            values = blocks["hash"]
        return Keys(firsts, values, np.arange(docs.height), np.zeros(docs.height, np.int64), 1)

    def records(self) -> Iterator[NDArray[Any]]:
        """Yield the keys of all documents that are not removed, and their places."""
        from curation_dagster.dedup import repeats_kernel

        for part, first, batch in self.corpus.batches(self.rule.columns):
            salt = term_hash_oracle(part.source) if self.apart else 0
            for begin in range(0, batch.height, DOCS):
                docs = batch.slice(begin, DOCS)
                at = slice(first + begin, first + begin + docs.height)
                stays = ~self.removed[at]
                keys = self.keys(docs.filter(pl.Series(stays)))
                found = np.empty(len(keys.values), RECORD)
                ranks = self.rank_of[at][stays][keys.docs]
                n = repeats_kernel.records(
                    keys.firsts, keys.values, ranks, keys.numbers, keys.step, np.uint64(salt),
                    found["key"], found["place"],
                )  # fmt: skip
                yield found[:n]

    def hits(self, order: NDArray[np.uint32], scratch: Scratch) -> tuple[Runs, list[int]]:
        """Find all places of keys but the earliest, with its rank, in runs by document; and the largest numbers."""
        from curation_dagster.dedup import repeats_kernel

        sieve = Sieve(self._count(), scratch.work_bytes // 2)
        for records in self.records():
            sieve.add(np.ascontiguousarray(records["key"]))
        runs = Runs(scratch, RECORD, 2 * sieve.repeats)
        for records in self.records() if sieve.repeats else ():
            runs.add(records[sieve.passes(np.ascontiguousarray(records["key"]))])
        hits = Runs(scratch, HIT, sieve.repeats, key_end=max(self.corpus.height, 1) << 32)
        del sieve
        most = np.empty(0, np.int64)
        for run in runs:
            sorted_ = pl.DataFrame({"key": run["key"], "place": run["place"]})
            sorted_ = sorted_.sort("key", "place") if self.passed.any() else sorted_.sort("key")
            found = np.empty(len(run), HIT)
            sizes = np.empty(len(run) // 2, np.int64)
            n, groups = repeats_kernel.repeats(
                sorted_["key"].to_numpy(), sorted_["place"].to_numpy(), self.rule.apart, order,
                self.passed, found["key"], found["first"], sizes,
            )  # fmt: skip
            hits.add(found[:n])
            most = np.sort(np.concatenate([most, sizes[:groups]]))[: -MOST - 1 : -1]
        return hits, [int(size) for size in most]

    def cuts(self, hits: Runs, order: NDArray[np.uint32], path: Path) -> Cuts:
        """Make the repeats the spans to cut, and write them in the order of the corpus."""
        counts = np.zeros(len(self.corpus.parts), np.int64)
        with path.open("wb") as stream:
            for number, first, docs, here in self._by_batch(hits):
                spans = self._spans(docs, here)
                spans["doc"] += first
                spans["first"] = order[spans["first"]]
                stream.write(spans.tobytes())
                counts[number] += len(spans)
        return Cuts(path, np.concatenate([[0], counts.cumsum()]))

    def _by_batch(self, hits: Runs) -> Iterator[tuple[int, int, pl.DataFrame, NDArray[Any]]]:
        """Yield documents with their repeats, in order: part, first document's place in it, documents, repeats.

        The key of a repeat is then place in the frame << 32 | number of the piece.
        """
        runs = (run[np.argsort(run["key"])] for run in hits)
        held = np.empty(0, HIT)
        keys = np.empty(0, np.uint64)  # of held: a field of records is copied to be searched
        for _, first, batch in self.corpus.batches(self.rule.columns):
            number = int(np.searchsorted(self.corpus.starts, first, "right")) - 1
            end = np.uint64(first + batch.height) << _HALF
            while not len(keys) or keys[-1] < end:
                run = next(runs, None)
                if run is None:
                    break
                held = np.concatenate([held, run])
                keys = np.ascontiguousarray(held["key"])
            n = int(np.searchsorted(keys, end))
            here, held, keys = held[:n].copy(), held[n:], keys[n:]
            here["key"] -= np.uint64(first) << _HALF
            for begin in range(0, batch.height, DOCS) if n else ():
                low, high = np.searchsorted(
                    here["key"], np.array([begin, begin + DOCS], np.uint64) << _HALF
                )
                if low < high:
                    some = here[low:high].copy()
                    some["key"] -= np.uint64(begin) << _HALF
                    at = first + begin - int(self.corpus.starts[number])
                    yield number, at, batch.slice(begin, DOCS), some

    def _count(self) -> int:
        """Count the keys there may be, about."""
        name = self.rule.columns[-1]
        sizes = (batch[name].list.len().sum() for _, _, batch in self.corpus.batches([name]))
        return sum(map(int, sizes))

    def _spans(self, docs: pl.DataFrame, hits: NDArray[Any]) -> NDArray[Any]:
        doc = (hits["key"] >> _HALF).astype(np.int64)
        piece = (hits["key"] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        first = hits["first"]
        if self.rule.columns == ["terms"]:
            return _merged(docs, doc, piece, first, self.rule.size)
        firsts, blocks = flat(docs[self.rule.columns[0]])
        if self.rule.size:
            doc, piece, first = _mostly_seen(docs, self.rule, hits)
        at = firsts[doc] + piece
        ends = _ends(firsts, blocks["gap"], blocks["bytes"])[at]
        last = _ends(firsts, blocks["terms"])[at]
        return _made(doc, ends - blocks["bytes"][at], ends, first, last - blocks["terms"][at], last)


def _windows(
    firsts: NDArray[np.int64], hashes: NDArray[np.uint32], size: int, *, shorter: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    from curation_dagster.dedup import repeats_kernel

    key_firsts, keys = np.empty(len(firsts), np.int64), np.empty(len(hashes), np.uint64)
    n = repeats_kernel.windows(firsts, hashes, size, shorter, key_firsts, keys)
    return key_firsts, keys[:n]


def _ngrams(docs: pl.DataFrame, size: int) -> Keys:
    """Return the keys of documents' n-grams, paragraph by paragraph; one left alone has none."""
    firsts, blocks = flat(docs["paragraphs"])
    _, terms = flat(docs["terms"])
    term_firsts = np.concatenate([[0], np.cumsum(blocks["terms"], dtype=np.int64)])
    starts, keys = _windows(term_firsts, terms["hash"], size, shorter=True)
    keys[np.repeat(blocks["hash"] == 0, np.diff(starts))] = 0
    doc = np.repeat(np.arange(docs.height), np.diff(firsts))
    return Keys(starts, keys, doc, np.arange(len(doc)) - firsts[doc], 0)


def _mostly_seen(
    docs: pl.DataFrame, rule: _Rule, hits: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32]]:
    """Return the paragraphs to cut: document, number, and the smallest rank that holds one of its n-grams."""
    paragraphs, begins, seen = np.unique(hits["key"], return_index=True, return_counts=True)
    doc = (paragraphs >> _HALF).astype(np.int64)
    piece = (paragraphs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    firsts, blocks = flat(docs["paragraphs"])
    grams = np.maximum(blocks["terms"][firsts[doc] + piece].astype(np.int64) - rule.size + 1, 1)
    cut = seen > rule.max_seen_ratio * grams
    return doc[cut], piece[cut], np.minimum.reduceat(hits["first"], begins)[cut]


def _merged(
    docs: pl.DataFrame,
    doc: NDArray[np.int64],
    window: NDArray[np.int64],
    first: NDArray[np.uint32],
    size: int,
) -> NDArray[Any]:
    """Merge overlapping windows of a document; the first of them says where the earlier occurrence is."""
    firsts, terms = flat(docs["terms"])
    apart = np.ones(len(doc) + 1, np.bool_)
    apart[1:-1] = (np.diff(doc) != 0) | (np.diff(window) >= size)
    begins, lasts = np.flatnonzero(apart[:-1]), np.flatnonzero(apart[1:])
    ends = _ends(firsts, terms["gap"], terms["bytes"])
    doc, begin_terms, end_terms = doc[begins], window[begins], window[lasts] + size
    starts = (ends - terms["bytes"])[firsts[doc] + begin_terms]
    return _made(
        doc, starts, ends[firsts[doc] + end_terms - 1], first[begins], begin_terms, end_terms
    )


def _ends(firsts: NDArray[np.int64], *sizes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Sum sizes up from the beginning of each document."""
    total = np.zeros(len(sizes[0]) + 1, np.int64)
    np.cumsum(sum(size.astype(np.int64) for size in sizes), out=total[1:])
    return total[1:] - np.repeat(total[firsts[:-1]], np.diff(firsts))


def _made(*columns: NDArray[Any]) -> NDArray[Any]:
    spans = np.empty(len(columns[0]), SPAN)
    for name, values in zip(SPAN.names or (), columns, strict=True):
        spans[name] = values
    return spans


def _columns(records: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {name: np.ascontiguousarray(records[name]) for name in records.dtype.names or ()}


def _left(term_count: pl.Series, spans: pl.DataFrame) -> pl.Series:
    """Count the terms of each document that no span covers."""
    from curation_dagster.dedup import repeats_kernel

    cut = np.zeros(len(term_count), np.int64)
    docs, begins, ends = (
        spans[c].to_numpy().astype(np.int64) for c in ("doc", "begin_term", "end_term")
    )
    repeats_kernel.covered(docs, begins, ends, cut)
    return (term_count.cast(pl.Int64) - pl.Series(cut)).cast(pl.UInt32)
