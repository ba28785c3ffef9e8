"""The step `judge`: a language model's opinion on what the steps before it are unsure of. It fails closed.

A hit whose score lies in the band the recipe names is put as a question: is the item in this passage? The answers are
read from a file (`judge_answers`), never from the network, so that a stage depends on files alone; `curate benchmarks
judge` asks what the file does not know. An answer True keeps the hit, with the method `judge`; False removes it; no
answer keeps it with the method `judge_unanswered`, and the check `judge_answered` fails. Hits outside the band, and
those too long to ask about, stand as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from curation_dagster.decontaminate import judge_answers
from curation_dagster.decontaminate.judge_questions import Question
from curation_dagster.errors import RecipeError
from curation_dagster.recipe_decontaminate import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from curation_dagster.recipe_decontaminate import Decontaminate, Judge

HELD: Final = "judge"
UNANSWERED: Final = "judge_unanswered"
_CONTINUES, _MARK = 0x80, 0xC0


@dataclass(frozen=True)
class Judging:
    """The items, the kind of question of each benchmark, and the answers there are."""

    config: Judge
    texts: Mapping[tuple[str, str, bool], str]  # benchmark, item, whether it is the passage -> text
    kinds: Mapping[str, str]
    answers: Mapping[str, bool]

    def rescore(self, texts: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
        """Keep what the judge affirms or has not answered; drop what it denies."""
        methods: list[Any] = []
        for row, question in self._questions(texts, found):
            method = row["method"]
            if question is not None:
                same = self.answers.get(question.key)
                method = UNANSWERED if same is None else HELD if same else None
            methods.append(method)
        judged = found.with_columns(method=pl.Series(methods, dtype=pl.String))
        return judged.filter(pl.col("method").is_not_null())

    def _questions(
        self, texts: pl.Series, found: pl.DataFrame
    ) -> Iterator[tuple[dict[str, Any], Question | None]]:
        """Yield every row of `found` with the question about it; None where none is asked."""
        doc, data = None, b""
        for row in found.iter_rows(named=True):
            if row["doc"] != doc:  # rows come document by document
                doc, data = row["doc"], texts[row["doc"]].encode()
            inside = self.config.min_score <= row["score"] <= self.config.max_score
            yield row, self.question(data, row) if inside else None

    def question(self, data: bytes, row: Mapping[str, Any]) -> Question | None:
        """Put a hit in a text's bytes as a question; None for one longer than the recipe allows to send."""
        passage = passage_of(data, row["start"], row["end"], self.config)
        if passage is None:
            return None
        benchmark, item = row["benchmark"], row["item"]
        asked = self.texts[benchmark, item, row["part"] == "passage"]
        return Question(self.config.model, self.kinds[benchmark], asked, passage)


def build(items: pl.DataFrame, config: Decontaminate) -> Judging:
    """Read the answers and put the items' texts together.

    Raises:
        RecipeError: without [decontaminate.judge], or for a line of the answers that is none.
    """
    if config.judge is None:
        msg = "the step 'judge' needs [decontaminate.judge]"
        raise RecipeError(msg)
    kinds = {"prose": config.judge.prose, "math": config.judge.math, "code": config.judge.code}
    answers = judge_answers.read(config.judge.cache.path)
    return Judging(
        config=config.judge,
        texts=_texts(items),
        kinds={benchmark.name: kinds[benchmark.kind] for benchmark in config.benchmarks},
        answers={key: answer.same for key, answer in answers.items()},
    )


def passage_of(data: bytes, start: int, end: int, config: Judge) -> str | None:
    """Cut out a hit with so many bytes of context on either side, at characters; None if the hit itself is too long."""
    if end - start > config.max_passage_bytes:
        return None
    around = min(config.context_bytes, (config.max_passage_bytes - (end - start)) // 2)
    begin, stop = max(0, start - around), min(len(data), end + around)
    while begin < start and data[begin] & _MARK == _CONTINUES:
        begin += 1
    while stop > end and stop < len(data) and data[stop] & _MARK == _CONTINUES:
        stop -= 1
    return data[begin:stop].decode(errors="replace")


def _texts(items: pl.DataFrame) -> dict[tuple[str, str, bool], str]:
    """Join the parts of every item; its passage, which is public text, stays apart."""
    order = {part: number for number, part in enumerate(PARTS)}
    parts: dict[tuple[str, str, bool], list[tuple[int, str]]] = {}
    for benchmark, item, part, text in items.select(
        "benchmark", "item", "part", "text"
    ).iter_rows():
        key = (benchmark, item, part == "passage")
        parts.setdefault(key, []).append((order[part], text))
    return {key: "\n".join(text for _, text in sorted(of)) for key, of in parts.items()}
