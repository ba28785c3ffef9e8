"""The step `rare_terms`: places that hold the rare stems of a benchmark item, in whatever order.

Three stages. The *scan* walks once over a document's stems (`stems`), with an inverted index of those that few items
have: an item's sum grows by the idf of each of its stems and decays, so that there are no window borders, and an item
whose sum reaches a share of its own weight is a candidate. The *look* takes the run of stems around the peak
that is most the item's, and says how alike both are (`likeness`). The *score* is that less half of the likeness of the
nearest other item of the benchmark: an item made from a template needs more than the template (the local scaling
of Conneau et al., 2018, on one side). Idf counts items of all benchmarks and texts of a
`background`, so that scores mean the same with few items loaded. Compiled loops:
`rare_terms_kernel`. Not here: comparing by meaning (`rerank`), choosing thresholds (`calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.decontaminate import background
from curation_dagster.decontaminate.found import FOUND, ORDER
from curation_dagster.decontaminate.likeness import (
    KINDS,
    SKELETON,
    VIEWS,
)
from curation_dagster.threads import mapped
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.recipe_decontaminate import Decontaminate, RareTerms

SEGMENT_BYTES = 1 << 18  # of a text, tokenized at a time
MAX_REGION_BYTES = 1 << 13  # around a candidate; an item has at most so many
MAX_DEFINITION_BYTES = 1 << 11  # to either side of a span in a program
MAX_PART_BYTES = {"question": 1 << 12, "answer": 1 << 11, "choices": 1 << 11}
RUN_BYTES = 1 << 20  # of texts a thread takes at a time
SHARED_BY = 4  # items, from which on a gram has a weight of its own; all rarer ones weigh the same
MISS = 0.25  # what a stem that is not the item's takes of its idf
CROWDED = 0.5  # of the likeness of the nearest other item, taken off
GLANCE, GLANCE_AT_CODE = (
    0.15,
    0.1,
)  # score of stems alone, below which nothing else is compared: half a threshold
DOUBT = 10.0  # nats: of evidence, at which likeness counts half
WIDER = 8  # times as many candidates, with so much less of an item, where another step judges
SAME_ITEM = 0.97  # likeness above which two items are one, and no template
MIN_MASS = 12.0  # nats: idf of the rare stems of an item that can be told apart; about two words
MAX_MASS = 120.0  # nats: of which the share is asked at most; an item may be long


@dataclass(frozen=True)
class Items:
    """The items as bytes: answer, question and choices of each lie next to each other, in that order.

    `names` has benchmark, item, part. `bounds[t]` has the begin of the three and the end. A part is cut at
    MAX_PART_BYTES, a long question or passage makes several rows.
    """

    names: pl.DataFrame
    data: NDArray[np.uint8]
    bounds: NDArray[np.int64]
    kinds: list[str]

    @property
    def is_code(self) -> NDArray[np.bool_]:
        """Tell programs."""
        return np.array([kind == "code" for kind in self.kinds], np.bool_)

    @property
    def questions(self) -> pl.Series:
        """The texts of the questions, or passages."""
        raw = self.data.tobytes()
        return pl.Series(
            [raw[row[1] : row[2]].decode() for row in self.bounds.tolist()], dtype=pl.String
        )


@dataclass(frozen=True)
class RareTermIndex:
    """What `find` looks for; arrays only, and the same in every thread.

    Stem `keys[s]` has number `terms[s]` (-1: a free slot), the weight `idf` and the items
    `posted_items[posted[n]:posted[n + 1]]`. `gram_keys` and `gram_idf` weigh the grams of more than one item,
    `fallbacks` all others, by kind. `valid[t]` has the views of an item that hold enough to tell it apart.
    """

    items: Items
    settings: RareTerms
    keys: NDArray[np.uint64]
    terms: NDArray[np.int32]
    idf: NDArray[np.float32]
    unknown: float
    posted: NDArray[np.int64]
    posted_items: NDArray[np.int32]
    need: NDArray[np.float32]
    mass: NDArray[np.float32]
    lengths: NDArray[np.int64]
    stem_bounds: NDArray[np.int64]
    item_terms: NDArray[np.int32]
    item_views: NDArray[np.uint8]
    norms: NDArray[np.float32]
    gram_keys: NDArray[np.uint64]
    gram_idf: NDArray[np.float32]
    fallbacks: NDArray[np.float64]
    valid: NDArray[np.int64]
    nearest: NDArray[np.float32]
    least: NDArray[np.float32]
    thresholds: NDArray[np.float32]

    @property
    def detectable(self) -> pl.DataFrame:
        """Return the parts that can be found: benchmark, item, part."""
        return self.items.names.filter(self.valid > 0).unique(maintain_order=True)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = [v for v in vars(self).values() if isinstance(v, np.ndarray)]
        return sum(a.nbytes for a in [*arrays, self.items.data, self.items.bounds])

    def likenesses(self, texts: pl.Series) -> pl.DataFrame:
        """Look at every candidate: doc, target (row of `items`), likeness, start, end; sorted by doc and target."""
        data, offsets, owner = buffers(texts)
        parts = mapped(
            offsets, lambda first, last: self._run(data, offsets, first, last), RUN_BYTES
        )
        del owner  # the views into it are done with
        return pl.concat(parts)

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND for texts like an item; none for a null text. Score: see the module."""
        seen = self.likenesses(texts)
        target = seen["target"].to_numpy()
        score = seen["likeness"].to_numpy() - np.float32(CROWDED) * self.nearest[target]
        hits = seen.with_columns(score=score).filter(score >= self.thresholds[target])
        names = self.items.names[hits["target"]]
        return (
            pl.concat([hits.drop("target", "likeness"), names], how="horizontal")
            .with_columns(method=pl.lit("rare_terms"))
            .select(pl.col(name).cast(kind) for name, kind in FOUND.items())
            .sort([*ORDER, "score"], descending=[False] * len(ORDER) + [True])
            .unique(ORDER, keep="first", maintain_order=True)
        )

    def _run(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], first: int, last: int
    ) -> pl.DataFrame:
        from curation_dagster.decontaminate import rare_terms_kernel as kernel

        settings, noisy, size = self.settings, self.settings.character_noise, 1 << 12
        while True:
            found, trust = np.empty((size, 4), np.int64), np.empty(size, np.float32)
            n = kernel.scan(
                data, offsets, first, last, noisy, *tables(), self.keys, self.terms, self.idf,
                self.unknown, self.posted, self.posted_items, self.need, self.mass, self.lengths,
                self.stem_bounds, self.item_terms, self.item_views, self.norms, self.valid,
                self.nearest, settings.window_terms * (4 if noisy else 1), settings.candidates,
                self.least, found, trust,
            )  # fmt: skip
            if n <= size:
                break
            size = n
        found, trust = found[:n], trust[:n]
        likeness, spans = np.empty(n, np.float32), np.empty((n, 2), np.int64)
        kernel.look(
            data, offsets, found, noisy, *tables(), self.items.data, self.items.bounds,
            self.items.is_code, self.valid, self.gram_keys, self.gram_idf, self.fallbacks,
            likeness, spans,
        )  # fmt: skip
        likeness *= trust
        columns = {"doc": found[:, 0], "target": found[:, 1], "likeness": likeness}
        columns |= {"start": spans[:, 0], "end": spans[:, 1]}
        return pl.DataFrame(columns).sort("doc", "target", "start")


def build(items: pl.DataFrame, config: Decontaminate) -> RareTermIndex:
    """Index ITEMS. Reads every item a few times; about ten CPU seconds for 20,000.

    Where a step after this one judges again, more is looked at and let through: see WIDER.
    """
    settings = config.rare_terms
    packed = pack(items, {b.name: b.kind for b in config.benchmarks})
    index = _with_terms(packed, settings)
    nearest = _nearest(index)
    by_kind = {"prose": settings.prose, "math": settings.math, "code": settings.code}
    asked = np.array([by_kind[kind] for kind in packed.kinds], np.float32)
    least = np.where(packed.is_code, GLANCE_AT_CODE, asked / np.float32(2)).astype(np.float32)
    index = replace(index, nearest=nearest, least=least, thresholds=asked)
    return wider(index) if config.runs("rerank") or config.runs("judge") else index


def wider(index: RareTermIndex) -> RareTermIndex:
    """Let through what is worth a second opinion."""
    settings = index.settings
    more = {"candidates": settings.candidates * WIDER, "min_mass": settings.min_mass / WIDER}
    lowered = np.float32(CROWDED) * index.nearest
    return replace(
        index,
        settings=settings.model_copy(update=more),
        need=index.need / np.float32(WIDER**0.5),
        least=np.full(len(index.need), -1, np.float32),
        thresholds=np.float32(settings.candidate) - lowered,
    )


def pack(items: pl.DataFrame, kinds: dict[str, str]) -> Items:
    """Lay the parts of each item of ITEMS next to each other; a passage is an item of its own."""
    rows: list[tuple[str, str, str]] = []
    texts: list[bytes] = []
    bounds: list[list[int]] = []
    place = 0
    grouped = items.group_by("benchmark", "item", maintain_order=True).agg("part", "text")
    for benchmark, item, parts, part_texts in grouped.iter_rows():
        text_of = dict(zip(parts, part_texts, strict=True))
        passage = text_of.pop("passage", None)
        named = next((p for p in ("question", "code", "choices", "answer") if p in text_of), None)
        asked = "\n".join(text_of.pop(p) for p in ("question", "code") if p in text_of)
        asked = asked or text_of.pop(named or "", "")
        answer = _first_bytes(text_of.get("answer", ""), MAX_PART_BYTES["answer"])
        choices = _first_bytes(text_of.get("choices", ""), MAX_PART_BYTES["choices"])
        pieces = [(named, answer, piece, choices) for piece in _pieces(asked)] if named else []
        pieces += [("passage", b"", piece, b"") for piece in _pieces(passage or "")]
        for part, *three in pieces:
            begin = [place]
            for text in three:
                texts.append(text)
                place += len(text)
                begin.append(place)
            bounds.append(begin)
            rows.append((benchmark, item, str(part)))
    names = pl.DataFrame(
        rows, {"benchmark": pl.String, "item": pl.String, "part": pl.String}, orient="row"
    )
    return Items(
        names,
        np.frombuffer(b"".join(texts), np.uint8).copy(),
        np.array(bounds, np.int64).reshape(-1, VIEWS + 1),
        [kinds[benchmark] for benchmark in names["benchmark"]],
    )


def _first_bytes(text: str, n: int) -> bytes:
    return text.encode()[:n].decode(errors="ignore").encode()


def _pieces(text: str) -> list[bytes]:
    """Cut a long text where there is white space, into about equal pieces."""
    raw, most = text.encode(), MAX_PART_BYTES["question"]
    if len(raw) <= most:
        return [raw] if raw else []
    pieces, size = [], -(-len(raw) // -(-len(raw) // (most // 2)))
    while raw:
        cut = len(raw) if len(raw) <= most // 2 else size
        space = raw.rfind(b" ", cut // 2, cut) if cut < len(raw) else -1
        piece = raw[: space if space > 0 else cut].decode(errors="ignore").encode()
        pieces.append(piece)
        raw = raw[max(len(piece), 1) :]
    return pieces


def _with_terms(items: Items, settings: RareTerms) -> RareTermIndex:
    """Count grams and stems, and post the rare ones."""
    from curation_dagster.decontaminate import rare_terms_kernel as kernel

    n, noisy = len(items.bounds), settings.character_noise
    data, bounds, is_code = items.data, items.bounds, items.is_code
    slots, enough = _power_of_two(len(data) // 2 + 64), False
    while not enough:
        slots *= 2
        keys, seen = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        kinds = np.zeros(slots, np.int8)
        enough = kernel.document_frequencies(
            data, bounds, is_code, noisy, *tables(), keys, seen, kinds
        )
    outside = background.Counts.none() if noisy else background.counts()
    total = n + (0 if noisy else background.TEXTS)
    of_kind = np.full(KINDS, total)
    of_kind[SKELETON] = is_code.sum()
    used = np.flatnonzero(keys)
    keys, seen, kinds = keys[used], seen[used], kinds[used]
    seen += outside.of(keys)
    alone = ~np.isin(outside.keys, keys) & (outside.seen > 0)
    keys = np.concatenate([keys, outside.keys[alone]])
    seen = np.concatenate([seen, outside.seen[alone]])
    kinds = np.concatenate([kinds, outside.kinds[alone]])
    shared = np.flatnonzero(seen >= SHARED_BY)
    weights = np.log((of_kind[kinds[shared]] + 1) / (seen[shared] + 0.5)).astype(np.float32)
    gram_keys, gram_values = _table(keys[shared], weights, np.float32(0))
    room = max(len(data), 1)
    hashes, item_of = np.empty(room, np.uint64), np.empty(room, np.int32)
    counts = np.empty((room, VIEWS), np.uint8)
    used = kernel.item_stems(data, bounds, noisy, *tables(), hashes, item_of, counts)
    stems = pl.DataFrame(
        {"stem": hashes[:used], "item": item_of[:used], "views": _bits(counts[:used])}
    )
    stems = stems.with_columns(items=pl.len().over("stem"))
    seen_at_all = stems["items"] + pl.Series(outside.of(stems["stem"].to_numpy()))
    stems = stems.with_columns(idf=((total + 1) / (seen_at_all + 0.5)).log())
    distinct = stems.select("stem", "items", "idf").unique("stem").sort("stem")
    term = np.searchsorted(distinct["stem"].to_numpy(), stems["stem"].to_numpy())
    stems = stems.with_columns(term=pl.Series(term.astype(np.int32)))
    masses, norms = np.zeros((n, VIEWS)), np.full((n, VIEWS), 1e-9)
    rank = pl.struct(-pl.col("idf"), "term").rank("ordinal").over("item")
    rare = stems.filter(pl.col("items") <= settings.max_items).filter(rank <= settings.item_terms)
    for view in range(VIEWS):
        for out, rows, value in ((masses, rare, rare["idf"]), (norms, stems, stems["idf"] ** 2)):
            inside = (rows["views"].to_numpy() >> view) & 1
            np.add.at(out[:, view], rows["item"].to_numpy(), value.to_numpy() * inside)
    valid = (np.where(masses >= MIN_MASS, 1, 0) << np.arange(VIEWS)).sum(1)
    first = np.argmax(masses >= MIN_MASS, axis=1)
    mass = np.maximum(masses[np.arange(n), first], 1e-9)
    need = np.where(valid > 0, np.sqrt(settings.min_mass * np.minimum(mass, MAX_MASS)), np.inf)
    posted = rare.sort("term", "item")
    counted = np.bincount(posted["term"].to_numpy(), minlength=distinct.height)
    term_keys, terms = _table(
        distinct["stem"].to_numpy(), np.arange(distinct.height, dtype=np.int32), np.int32(-1)
    )
    return RareTermIndex(
        items=items,
        settings=settings,
        keys=term_keys,
        terms=terms,
        idf=distinct["idf"].to_numpy().astype(np.float32),
        unknown=float(np.log((total + 1) / 0.5)),
        posted=np.append(0, np.cumsum(counted)).astype(np.int64),
        posted_items=posted["item"].to_numpy().astype(np.int32),
        need=need.astype(np.float32),
        mass=mass.astype(np.float32),
        lengths=kernel.question_lengths(data, bounds, noisy, *tables()),
        stem_bounds=np.searchsorted(item_of[:used], np.arange(n + 1)),
        item_terms=term.astype(np.int32),
        item_views=stems["views"].to_numpy(),
        norms=np.sqrt(norms).astype(np.float32),
        gram_keys=gram_keys,
        gram_idf=gram_values,
        fallbacks=np.log((of_kind + 1) / (SHARED_BY / 2)),
        valid=np.asarray(valid, np.int64),
        nearest=np.zeros(n, np.float32),
        least=np.where(is_code, GLANCE_AT_CODE, GLANCE).astype(np.float32),
        thresholds=np.zeros(n, np.float32),
    )


def _bits(counts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Say of each stem of an item in which views it is."""
    bits: NDArray[np.uint8] = ((counts > 0) << np.arange(VIEWS)).sum(1).astype(np.uint8)
    return bits


def _power_of_two(n: int) -> int:
    return 1 << max(6, int(n - 1).bit_length())


def _table(
    keys: NDArray[np.uint64], values: NDArray[Any], free: np.generic
) -> tuple[NDArray[np.uint64], NDArray[Any]]:
    """Put values in an open-addressing table at most half full."""
    from curation_dagster.decontaminate import rare_terms_kernel as kernel

    slots = _power_of_two(2 * len(keys) + 1)
    table_keys, table_values = np.zeros(slots, np.uint64), np.full(slots, free)
    kernel.fill(keys, values, table_keys, table_values, np.zeros(slots, np.bool_))
    return table_keys, table_values


def _nearest(index: RareTermIndex) -> NDArray[np.float32]:
    """Return each item's likeness to the other item of its benchmark that is most like it."""
    names = index.items.names
    seen = index.likenesses(index.items.questions)
    doc, target = seen["doc"].to_numpy(), seen["target"].to_numpy()
    benchmark = names["benchmark"].rank("dense").to_numpy()
    item = names.select(pl.struct("benchmark", "item").rank("dense")).to_series().to_numpy()
    likeness = seen["likeness"].to_numpy()
    other = (benchmark[doc] == benchmark[target]) & (item[doc] != item[target])
    other &= (likeness > 0) & (likeness < SAME_ITEM)
    nearest = np.zeros(len(names), np.float32)
    np.maximum.at(nearest, target[other], likeness[other])
    return nearest
