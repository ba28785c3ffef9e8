"""Candidates by meaning: sentences, and two in a row, whose static embedding is near an item's.

A short question rephrased may keep none of its rare words ("drug use in Britain", "substance abuse in the UK"); no
index of terms finds it. Every sentence is compared with every item: about ten CPU seconds for a megabyte and 20,000
items, so this is for small corpora, such as instruction data, and off unless the recipe says `dense`. Not
here: what becomes of a candidate (`rerank`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.decontaminate import embed
from curation_dagster.decontaminate.found import FOUND
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from curation_dagster.decontaminate.embed import Embedder
    from curation_dagster.decontaminate.rare_terms import RareTermIndex

SENTENCE = re.compile(r"[^.!?。！？\n]*[.!?。！？\n]*")
MIN_WORDS = 5  # of what is compared
MAX_CHARS = 600
NEAREST = 8  # items of a sentence, or two
BATCH = 512  # of them compared at a time
SLACK = np.float32(
    1e-3
)  # of a product of matrices, whose last digits depend on the batch; far more than it errs
UNKNOWN_TRUST = 0.5  # in the likeness of a candidate whose evidence was not weighed


def candidates(
    texts: pl.Series,
    index: RareTermIndex,
    model: Embedder,
    vectors: NDArray[np.float32],
    least: float,
) -> pl.DataFrame:
    """Return FOUND for what lies at least so near an item, by the cosine; score: that of `rare_terms`."""
    places, targets = _nearest(texts, model, vectors, least)
    if not len(places):
        return pl.DataFrame(schema=FOUND)
    likeness, spans = _likeness(texts, index, places, targets)
    score = likeness * np.float32(UNKNOWN_TRUST) - index.nearest[targets] * np.float32(0.5)
    names = index.items.names[pl.Series(targets)]
    frame = names.with_columns(
        doc=pl.Series(places[:, 0]), method=pl.lit("dense"), score=pl.Series(score),
        start=pl.Series(spans[:, 0]), end=pl.Series(spans[:, 1]),
    )  # fmt: skip
    frame = frame.select(pl.col(name).cast(kind) for name, kind in FOUND.items())
    best = ["doc", "benchmark", "item", "part"]
    ranked = frame.sort([*best, "score", "start"], descending=[False] * 4 + [True, False])
    return ranked.unique(best, keep="first", maintain_order=True)


def sentences(text: str) -> Iterator[tuple[int, int, str]]:
    """Cut a text into sentences, and two in a row: first byte, last + 1, text.

    >>> [piece for *_, piece in sentences("How many ducks are in the pond? He sold all of them yesterday.")]
    ['How many ducks are in the pond?', 'How many ducks are in the pond? He sold all of them yesterday.', \
' He sold all of them yesterday.']
    """
    found = [m[0] for m in SENTENCE.finditer(text) if m[0]]
    place = 0
    for i, one in enumerate(found):
        for piece in (one, one + found[i + 1]) if i + 1 < len(found) else (one,):
            if len(piece.split()) >= MIN_WORDS and len(piece) <= MAX_CHARS:
                yield place, place + len(piece.encode()), piece
        place += len(one.encode())


def _nearest(
    texts: pl.Series, model: Embedder, vectors: NDArray[np.float32], least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (document, start, end) and the row of the item, for what lies near."""
    places: list[tuple[int, int, int]] = []
    targets: list[int] = []

    def compare(batch: list[tuple[int, int, int, str]]) -> None:
        embedded = model.embed([piece for *_, piece in batch])
        for (doc, start, end, _), vector, row in zip(
            batch, embedded, embedded @ vectors.T, strict=True
        ):
            for item in _best(vector, vectors, row, least):
                places.append((doc, start, end))
                targets.append(item)

    batch: list[tuple[int, int, int, str]] = []
    for doc, text in enumerate(texts):
        for start, end, piece in sentences(text or ""):
            batch.append((doc, start, end, piece))
            if len(batch) == BATCH:
                compare(batch)
                batch = []
    if batch:
        compare(batch)
    return np.array(places, np.int64).reshape(-1, 3), np.array(targets, np.int64)


def _best(
    vector: NDArray[np.float32],
    vectors: NDArray[np.float32],
    near: NDArray[np.float32],
    least: float,
) -> list[int]:
    """Return the rows of the NEAREST items from `least` on, in order; `near` are cosines to within SLACK."""
    count = min(NEAREST, len(near))
    worst = np.partition(near, len(near) - count)[len(near) - count]
    rows = np.flatnonzero(near >= max(worst, np.float32(least)) - SLACK)
    exact = embed.cosines(vectors[rows], vector[None])
    rows, exact = rows[exact >= least], exact[exact >= least]
    best: list[int] = np.sort(rows[np.argsort(-exact, kind="stable")[:count]]).tolist()
    return best


def _likeness(
    texts: pl.Series, index: RareTermIndex, places: NDArray[np.int64], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from curation_dagster.decontaminate import rare_terms_kernel as kernel

    data, offsets, owner = buffers(texts)
    begins = offsets[places[:, 0]]
    found = np.stack([places[:, 0], targets, begins + places[:, 1], begins + places[:, 2]], axis=1)
    likeness, spans = np.empty(len(found), np.float32), np.empty((len(found), 2), np.int64)
    kernel.look(
        data, offsets, found, index.settings.character_noise, *tables(), index.items.data,
        index.items.bounds, index.items.is_code, index.valid, index.gram_keys, index.gram_idf,
        index.fallbacks, likeness, spans,
    )  # fmt: skip
    del owner  # the views into it are done with
    return likeness, spans
