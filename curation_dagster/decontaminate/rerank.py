"""The step `rerank`: candidates of `rare_terms` compared again by embeddings, which know other words for the same.

Score: the mean of the score `rare_terms` gave (once) and the models' (a static model once, a sentence model
twice). A model's is the cosine of the span and the better of the item's question alone and with its answer, less
half of the cosine of the item and the other item most like it. Of programs the documentation is embedded. No weight
was fitted. What `rare_terms` is sure of stays a hit: models do not tell items of one template apart, numbers do. Not
here: the models (`embed`), thresholds (`calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.decontaminate import dense, embed
from curation_dagster.decontaminate.found import FOUND, ORDER
from curation_dagster.decontaminate.rare_terms import CROWDED, RareTermIndex
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from curation_dagster.decontaminate.embed import Embedder
    from curation_dagster.decontaminate.rare_terms import Items
    from curation_dagster.recipe_decontaminate import Decontaminate, RareTerms, Rerank

STATIC_WEIGHT, SENTENCE_WEIGHT = 1.0, 2.0
MAX_SPAN_BYTES = 4000  # of a candidate that are embedded
NEIGHBOURS = 4  # other items that make an item crowded
SAME = 0.98  # cosine above which two items are one
BLOCK = 1024  # items compared with all others at a time
SENTENCE_BYTES = 300  # to either side of a span, where its sentence may begin and end


@dataclass(frozen=True)
class Reranker:
    """The models and the items; vectors of items by the slow model are kept once computed."""

    index: RareTermIndex
    settings: Rerank
    static: Embedder
    sentence: Embedder | None
    item_vectors: NDArray[np.float32]  # of the questions, by the static model
    neighbours: NDArray[
        np.int64
    ]  # of each item: others of its benchmark by the static model, nearest first, or -1
    least: float | None = None  # score of what a judge after this step is asked about
    vectors: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)
    texts: dict[int, list[str]] = field(default_factory=dict)

    def rescore(self, texts: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose score reaches the threshold of their kind, with it; and what is settled.

        Where a judge follows, those too that it is to be asked about.
        """
        found = self.candidates(texts, found)
        scores = self.scores(texts, found)
        again = scores >= self.asked(found, self.settings)
        if self.least is not None:
            again |= (scores >= np.float32(self.least)) & ~self.settled(found)
        method, score = pl.lit("rerank"), pl.lit(scores)
        return (
            found.with_columns(
                method=pl.when(again).then(method).otherwise("method"),
                score=pl.when(again).then(score).otherwise("score"),
            )
            .filter(again | self.settled(found))
            .select(pl.col(name).cast(kind) for name, kind in FOUND.items())
            .sort(ORDER)
        )

    def settled(self, found: pl.DataFrame) -> pl.Series:
        """Tell what reaches the threshold of `rare_terms`: a hit already, which this step does not take away."""
        asked = self.asked(found, self.index.settings)
        return (found["method"] == "rare_terms") & (found["score"] >= asked)

    def asked(self, found: pl.DataFrame, settings: Rerank | RareTerms) -> pl.Series:
        """Return the threshold of each row's kind, in 32 bits as the scores are."""
        kinds = dict(zip(self.index.items.names["benchmark"], self.index.items.kinds, strict=True))
        asked = [getattr(settings, kinds[benchmark]) for benchmark in found["benchmark"]]
        return pl.Series(asked, dtype=pl.Float32)

    def candidates(self, texts: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
        """Return what rare_terms found and, where the recipe says so, what lies near by meaning."""
        if not self.settings.dense:
            return found
        least = self.settings.static_least
        more = dense.candidates(texts, self.index, self.static, self.item_vectors, least)
        on = ["doc", "benchmark", "item", "part"]
        return pl.concat([found, more.join(found, on=on, how="anti")]).sort(ORDER)

    def scores(self, texts: pl.Series, found: pl.DataFrame) -> pl.Series:
        """Score candidates; -1 for one the static model does not let through to the other."""
        rows = self._targets(found)
        spans = self._spans(texts, found)
        total = found["score"].to_numpy().astype(np.float64)
        cosines, less = self._cosines("static", self.static, spans, rows)
        if self.sentence is None:
            return pl.Series(_mean(total, STATIC_WEIGHT, less))
        scores = np.full(len(total), -1, np.float32)
        asked = np.flatnonzero(cosines >= self.settings.static_least)
        _, less = self._cosines("sentence", self.sentence, [spans[i] for i in asked], rows[asked])
        scores[asked] = _mean(total[asked], SENTENCE_WEIGHT, less)
        return pl.Series(scores)

    def _targets(self, found: pl.DataFrame) -> NDArray[np.int64]:
        """Find the first row of each item's part: a long one has several."""
        names = self.index.items.names.with_row_index("target")
        firsts = names.unique(["benchmark", "item", "part"], keep="first", maintain_order=True)
        on = ["benchmark", "item", "part"]
        joined = found.select(on).join(firsts, on=on, how="left", maintain_order="left")
        return joined["target"].to_numpy().astype(np.int64)

    def _spans(self, texts: pl.Series, found: pl.DataFrame) -> list[str]:
        """Cut the spans out; of a program its documentation, if it has any."""
        codes = set(self.index.items.names.filter(self.index.items.is_code)["benchmark"])
        spans, doc, raw = [], -1, b""
        for at, start, end, benchmark in found.select(
            "doc", "start", "end", "benchmark"
        ).iter_rows():
            if at != doc:
                doc, raw = at, (texts[at] or "").encode()
            if benchmark in codes:
                spans.append(_said(raw[start : min(end, start + MAX_SPAN_BYTES)]))
            else:
                first, last = whole_sentences(raw, start, min(end, start + MAX_SPAN_BYTES))
                spans.append(raw[first:last].decode(errors="ignore"))
        return spans

    def _cosines(
        self, name: str, model: Embedder, spans: list[str], rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the cosine of each span and its item, and that less what the nearest other item takes."""
        cosines, less = np.zeros(len(spans)), np.zeros(len(spans))
        distinct = list(dict.fromkeys(spans))
        place = {span: i for i, span in enumerate(distinct)}
        vectors = model.embed(distinct)
        others = self.neighbours[rows]
        self._know(name, model, {int(r) for r in np.unique(np.append(rows, others)) if r >= 0})
        crowds: dict[int, float] = {}
        for i, (span, row) in enumerate(zip(spans, rows.tolist(), strict=True)):
            views = [self.vectors[name, text] for text in self._views(row)]
            if row not in crowds:
                near = [self.vectors[name, self._views(o)[0]] for o in others[i].tolist() if o >= 0]
                crowds[row] = max((_nearest(other, views) for other in near), default=0.0)
            cosines[i] = _nearest(vectors[place[span]], views)
            less[i] = cosines[i] - CROWDED * max(crowds[row], 0.0)
        return cosines, less

    def _know(self, name: str, model: Embedder, rows: Iterable[int]) -> None:
        texts = {text for row in rows for text in self._views(row)}
        new = sorted(text for text in texts if (name, text) not in self.vectors)
        for text, vector in zip(new, model.embed(new), strict=True):
            self.vectors[name, text] = vector

    def _views(self, row: int) -> list[str]:
        if row not in self.texts:
            self.texts[row] = views(self.index.items, row)
        return self.texts[row]


def views(items: Items, row: int) -> list[str]:
    """Return an item's question, and it with the answer; of a program its documentation."""
    answer, question, choices, _ = items.bounds[row].tolist()
    asked, answered = items.data[question:choices].tobytes(), items.data[answer:question].tobytes()
    if items.is_code[row]:
        return [_said(asked)]
    both = [asked, asked + b"\n" + answered] if answered else [asked]
    return [view.decode() for view in both]


def neighbours(items: Items, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the NEIGHBOURS other items of its benchmark nearest to each; one as near as SAME is the same item."""
    found = np.full((len(vectors), NEIGHBOURS), -1, np.int64)
    names = items.names.with_row_index("row")
    for (_,), members in names.group_by("benchmark", maintain_order=True):
        rows = members["row"].to_numpy()
        ids = members["item"].rank("dense").to_numpy()
        count = min(NEIGHBOURS, len(rows) - 1)
        for first in range(0, len(rows), BLOCK):
            part = rows[first : first + BLOCK]
            near = vectors[part] @ vectors[rows].T
            near[(near > SAME) | (ids[first : first + BLOCK, None] == ids[None])] = -1
            best = np.argsort(-near, axis=1, kind="stable")[:, :count]
            good = np.take_along_axis(near, best, 1) > -1
            found[part, :count] = np.where(good, rows[best], -1)
    return found


def build(_items: pl.DataFrame, config: Decontaminate, index: object) -> Reranker:
    """Load the models that the recipe names, and embed every item with the fast one.

    Raises:
        RecipeError: if a model cannot be read, or there is nothing to compare again.
    """
    settings = config.rerank
    if settings is None or not isinstance(index, RareTermIndex):
        msg = "the step 'rerank' needs [decontaminate.rerank] and the step 'rare_terms'"
        raise RecipeError(msg)
    static = embed.static_model(settings.static_model)
    sentence = embed.bert_model(settings.minilm) if settings.minilm else None
    items = index.items
    vectors = static.embed([views(items, row)[0] for row in range(len(items.bounds))])
    least = config.judge.min_score if config.judge and config.runs("judge") else None
    return Reranker(index, settings, static, sentence, vectors, neighbours(items, vectors), least)


def _nearest(vector: NDArray[np.float32], views: list[NDArray[np.float32]]) -> float:
    return float(embed.cosines(np.stack(views), vector[None]).max())


def _mean(
    first: NDArray[np.float64], weight: float, second: NDArray[np.float64]
) -> NDArray[np.float32]:
    return ((first + weight * second) / (1 + weight)).astype(np.float32)


def whole_sentences(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Widen a span to where its first sentence begins and its last ends, if that is near: models read sentences.

    >>> whole_sentences(b"Yes. What is the sum of 2 and 3? No.", 17, 29)
    (4, 32)
    """
    before = max(start - SENTENCE_BYTES, 0)
    first = max(raw.rfind(sign, before, start) for sign in (b".", b"!", b"?", b"\n")) + 1
    after = min(end + SENTENCE_BYTES, len(raw))
    ends = [raw.find(sign, max(end - 1, 0), after) for sign in (b".", b"!", b"?", b"\n")]
    last = min((place + 1 for place in ends if place >= 0), default=0)
    if not first and before:
        first = start
    return first, last or (after if after == len(raw) else end)


def _said(program: bytes) -> str:
    """Return the documentation of a program, or all of it if it has none."""
    from curation_dagster.decontaminate import code_kernel

    data = np.frombuffer(program, np.uint8)
    out = np.empty(2 * len(data) + 2, np.uint8)
    n = code_kernel.documentation(data, 0, len(data), out)
    return (out[:n].tobytes() if n else program).decode(errors="ignore")
