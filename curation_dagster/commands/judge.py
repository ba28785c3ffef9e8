"""`curate benchmarks judge`: ask the endpoint what `scanned` found no answer to, and write the answers down.

Stages never ask: they read the file of answers, which is an input. So a run is the same with the same file, whatever
the endpoint says today; and asking again, after an interruption or with a larger budget, asks only what is new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl

from curation_dagster import table
from curation_dagster.decontaminate import cascade, judge, judge_answers
from curation_dagster.decontaminate.judge_answers import Answer
from curation_dagster.decontaminate.judge_client import Client
from curation_dagster.decontaminate.judge_questions import VERSION, Question
from curation_dagster.decontaminate.offsets import recut_span
from curation_dagster.decontaminate.registry import read_items
from curation_dagster.documents import documents
from curation_dagster.errors import RecipeError, SchemaError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from curation_dagster.decontaminate.judge import Judging
    from curation_dagster.lineage import Lineage
    from curation_dagster.recipe_decontaminate import Decontaminate, Judge
    from curation_dagster.store import Ref

    Asked = tuple[Question, str, str]  # with benchmark and item
    Say = Callable[[str], None]

_TEXT = ("raw", "annotated", "deduped")
_SAID_EVERY = 100  # answers


@dataclass
class Outcome:
    """What came of asking."""

    held: int = 0
    denied: int = 0
    unanswered: dict[str, int] = field(default_factory=dict)  # by reason
    over_budget: bool = False

    @property
    def complete(self) -> bool:
        """Whether every question has an answer now."""
        return not self.unanswered and not self.over_budget

    def told(self) -> str:
        """Say it in a line."""
        reasons = "; ".join(f"{why}: {n:,}" for why, n in sorted(self.unanswered.items()))
        missing = sum(self.unanswered.values())
        said = f"{self.held:,} held, {self.denied:,} denied, {missing:,} unanswered"
        said += f" ({reasons})" if reasons else ""
        return said + ("; more are waiting: run it again" if self.over_budget else "")


def judge_shards(lineage: Lineage, say: Say) -> Outcome:
    """Ask what the recipe's current `scanned` left unanswered.

    Raises:
        RecipeError: when the recipe does not run the step, or the key is not set.
        StorageError: when a shard is not scanned.
    """
    section, judging = _prepared(lineage.recipe.decontaminate)
    return _asked(_of_shards(lineage, judging), section, say)


def judge_file(texts: Iterator[pl.Series], config: Decontaminate, say: Say) -> Outcome:
    """Ask what `curate apply decontaminate` would leave unanswered in these texts.

    Raises:
        RecipeError: when the recipe does not run the step, or the key is not set.
    """
    section, judging = _prepared(config)
    searched = cascade.build(config)

    def questions() -> Iterator[Asked]:
        for each in texts:
            found = searched.find(each).filter(pl.col("method") == judge.UNANSWERED)
            for row in found.iter_rows(named=True):
                yield from _question(judging, each[row["doc"]].encode(), row)

    return _asked(questions(), section, say)


def _prepared(config: Decontaminate) -> tuple[Judge, Judging]:
    if config.judge is None or not config.runs("judge"):
        msg = 'the recipe runs no judge; add "judge" to [decontaminate] steps, and [decontaminate.judge]'
        raise RecipeError(msg)
    if config.judge.cache.sha256:
        msg = "decontaminate.judge.cache: pinned by its sha256, so nothing can be added; remove the pin first"
        raise RecipeError(msg)
    return config.judge, judge.build(read_items(config.benchmarks), config)


def _asked(questions: Iterator[Asked], section: Judge, say: Say) -> Outcome:
    """Ask each question once that has no answer yet, and write every answer as it comes."""
    client, outcome = Client(section), Outcome()
    with judge_answers.Writer(section.cache.path) as writer:
        known = judge_answers.read(section.cache.path)
        waiting: dict[str, Asked] = {}
        new = (asked for asked in questions if asked[0].key not in known)
        for asked in islice(_distinct(new), section.max_questions + 1):
            if len(waiting) == section.max_questions:
                outcome.over_budget = True
            else:
                waiting[asked[0].key] = asked
        say(f"{len(waiting):,} questions to ask; {len(known):,} answers are known")
        for number, reply in enumerate(client.ask_all([q for q, _, _ in waiting.values()]), 1):
            question, benchmark, item = waiting[reply.question.key]
            if reply.same is None:
                why = reply.why or "no answer"
                outcome.unanswered[why] = outcome.unanswered.get(why, 0) + 1
            else:
                outcome.held += reply.same
                outcome.denied += not reply.same
                writer.add(
                    Answer(
                        question.key, reply.same, section.model, VERSION, question.kind, benchmark, item
                    )
                )  # fmt: skip
            if number % _SAID_EVERY == 0:
                say(f"{number:,} of {len(waiting):,}: {outcome.told()}")
    return outcome


def _distinct(questions: Iterator[Asked]) -> Iterator[Asked]:
    seen: set[str] = set()
    for asked in questions:
        if asked[0].key not in seen:
            seen.add(asked[0].key)
            yield asked


def _of_shards(lineage: Lineage, judging: Judging) -> Iterator[Asked]:
    scans = {shard: _scan(lineage, shard) for shard in lineage.shards}
    for shard, scanned in scans.items():
        with lineage.store.fetch(scanned) as (path,):
            hits = table.read(path, ["row", "hits"]).explode("hits").drop_nulls("hits")
        open_ = hits.unnest("hits").filter(pl.col("method") == judge.UNANSWERED)
        if open_.height:
            yield from _of_shard(lineage, shard, open_, judging)


def _of_shard(
    lineage: Lineage, shard: str, hits: pl.DataFrame, judging: Judging
) -> Iterator[Asked]:
    """Put the hits of one shard as the scan did: to the text as dedup left it."""
    refs = {stage: lineage.current(stage, shard) for stage in _TEXT}
    current = {stage: ref for stage, ref in refs.items() if ref}
    by_row: dict[int, list[dict[str, Any]]] = {}
    for hit in hits.iter_rows(named=True):
        by_row.setdefault(hit["row"], []).append(hit)
    with lineage.store.fetch(*current.values()) as paths:
        files = dict(zip(current, paths, strict=True))
        removed = table.RowReader(files["deduped"], ["row", "cuts"])
        for docs in documents(files, "deduped"):
            cuts = removed.up_to(int(docs["row"][-1]))
            known = dict(cuts.iter_rows()) if cuts is not None else {}
            wanted = docs.filter(pl.col("row").is_in(list(by_row)))
            for row, text in wanted.select("row", "text").iter_rows():
                data = text.encode()
                spans = [(cut["start"], cut["end"]) for cut in known.get(row) or ()]
                for hit in by_row[row]:
                    start, end = recut_span((hit["start"], hit["end"]), spans)
                    yield from _question(judging, data, hit | {"start": start, "end": end})


def _question(judging: Judging, data: bytes, hit: dict[str, Any]) -> Iterator[Asked]:
    question = judging.question(data, hit)
    if question is not None:
        yield question, hit["benchmark"], hit["item"]


def _scan(lineage: Lineage, shard: str) -> Ref:
    """Find the scan of a shard: the current one, or one that differs in nothing but which answers there were."""
    now = lineage.made_from("scanned", shard)
    if ref := lineage.current("scanned", shard):
        return ref
    for ref in lineage.files("scanned", shard) if now else ():
        if _without_answers(lineage.record(ref)) == _without_answers(now or {}):
            return ref
    msg = f"scanned is not current for {shard}; run `curate run {lineage.recipe.name} --to scanned` first"
    raise StorageError(msg)


def _without_answers(made_from: dict[str, Any]) -> dict[str, Any]:
    section = dict(made_from.get("recipe", {}).get("decontaminate", {}))
    section["judge"] = (section.get("judge") or {}) | {"cache": None}
    return made_from | {"recipe": {"decontaminate": section}}


def texts_of(path: Path) -> Iterator[pl.Series]:
    """Read the texts of a Parquet file, row group by row group."""
    for docs in table.batches(path, ["text"]):
        if "text" not in docs.columns:
            raise SchemaError.missing(str(path), {"text"}, docs.columns)
        yield docs["text"].cast(pl.String).fill_null("")
