"""The stages without Dagster: a tiny corpus run from JSONL to release by the functions the assets name."""

from __future__ import annotations

import functools
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from curation_dagster import plan, recipe_file, table
from curation_dagster.annotate.stage import annotate_shard
from curation_dagster.clean.stage import clean_shard
from curation_dagster.decontaminate.stage import decide_shard, scan_shard
from curation_dagster.decontaminate.trim import trim_shard
from curation_dagster.dedup.repeats_stage import find_repeats
from curation_dagster.dedup.stage import dedup_shard, find_duplicates, fingerprint_shard
from curation_dagster.export.release import make_release
from curation_dagster.export.shuffle import TABLES, collect, spill_shard
from curation_dagster.ingest.read import ingest_shard
from curation_dagster.job import Files, Receipt, plan_job, run
from curation_dagster.lineage import BY_NAME, Lineage, stages
from curation_dagster.mix.stage import mix_shard, plan_mixture
from curation_dagster.score.stage import score_shard, train_classifier
from curation_dagster.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.recipe import Recipe

WORK = {
    "raw": ingest_shard,
    "annotated": annotate_shard,
    "cleaned": clean_shard,
    "fingerprinted": fingerprint_shard,
    "duplicates": find_duplicates,
    "repeats": find_repeats,
    "deduped": dedup_shard,
    "classifier": train_classifier,
    "scored": score_shard,
    "scanned": scan_shard,
    "trimmed": trim_shard,
    "mixture": plan_mixture,
    "mixed": mix_shard,
    "decontaminated": decide_shard,
    "release": make_release,
}
QUESTION = (
    "A gardener plants seven rows of nine tulips and then gives away every third flower on Monday"
)
RECIPE = """
root = "root"
description = "A tiny corpus for the tests."

[[sources]]
name = "web"
paths = ["web-*.jsonl"]
shard_bytes = 1
license = "CC-BY-4.0"

[[sources]]
name = "wiki"
paths = ["wiki.jsonl"]

[[steps]]
edit = "normalize"

[[steps]]
edit = "mask"

[[steps]]
judge = "gopher_quality"
min_words = 20
min_stop_words = 0

[dedup]
near = false

[score.classifier]
good = { shards = ["wiki-00000"] }
ordinary = { shards = ["web-00000"] }
dim = 4
buckets = 100
held_out_share = 0.3

[[decontaminate.benchmarks]]
name = "tulips"
file = { path = "benchmark.jsonl" }
id_field = "id"

[[mix.phases]]
name = "main"
tokens = 9000
weights = { web = 2, wiki = 1 }

[[mix.phases]]
name = "late"
tokens = 1200
weights = { wiki = 1 }
min_quality = 0.001

[export]
shard_tokens = 2500
jsonl = true
"""


@dataclass(frozen=True)
class Pipeline:
    """A recipe and its root, and what the assets do with them."""

    recipe: Recipe

    @property
    def store(self) -> Store:
        return Store.of(self.recipe)

    @property
    def lineage(self) -> Lineage:
        """A fresh look at the store, as every stage takes one."""
        return Lineage(self.recipe, self.store)

    def run_stage(self, stage: str) -> list[Receipt]:
        """Run every partition of a stage that is not current, as its asset does."""
        lineage = self.lineage
        keys = [k for k in lineage.partitions(stage) if not lineage.current(stage, k)]
        jobs = [plan_job(lineage, stage, key) for key in keys]
        if stage != "exported":
            return [run(job, WORK[stage]) for job in jobs]
        with self.store.scratch() as folder:
            self.spill(folder, frozenset(keys))
            gather = functools.partial(collect, folder=folder, wanted=frozenset(keys))
            return [run(job, gather) for job in jobs]

    def run_all(self, last: str = "release") -> None:
        """Plan, and run every stage in order, up to and with `last`."""
        plan.plan(self.recipe, self.store)
        for stage in stages(self.recipe):
            self.run_stage(stage.name)
            if stage.name == last:
                break

    def tables(self, shard: str) -> dict[str, Path]:
        """The files of a shard that export reads."""
        refs = [self.lineage.current(stage, shard) for stage in TABLES]
        with self.store.fetch(*refs) as paths:
            return dict(zip(TABLES, paths, strict=True))

    def outputs(self) -> dict[str, int]:
        return self.lineage.footer(self.lineage.current("mixture", "all"))["output_shards"]

    def spill(self, folder: Path, wanted: frozenset[str], tables: Any = None) -> int:
        """Spill every shard for the wanted outputs; `tables` may give other files of a shard."""
        return sum(
            spill_shard((tables or self.tables)(key), shard, self.outputs(), wanted, self.recipe.export, folder)
            for key, shard in self.lineage.shards.items()
        )  # fmt: skip

    def gather(self, folder: Path, groups: list[list[str]], tables: Any = None) -> dict[str, bytes]:
        """Export in runs of some outputs each, without publishing; return each file's bytes."""
        found = {}
        for number, group in enumerate(groups):
            spilled = folder / f"run-{number}"
            spilled.mkdir(parents=True)
            self.spill(spilled, frozenset(group), tables)
            for partition in group:
                job = plan_job(self.lineage, "exported", partition)
                draft = folder / f"{partition}.parquet"
                collect(job, Files({}, draft), spilled, frozenset(group))
                found[partition] = draft.read_bytes()
        return found

    def read(self, stage: str, partition: str) -> pl.DataFrame:
        with self.store.fetch(self.lineage.current(stage, partition)) as (path,):
            return table.read(path)

    def all_rows(self, stage: str) -> pl.DataFrame:
        """A stage's rows, all partitions, with the partition."""
        keys = self.lineage.partitions(stage)
        return pl.concat([self.read(stage, k).with_columns(partition=pl.lit(k)) for k in keys])

    def footers(self, stage: str) -> list[dict[str, Any]]:
        keys = self.lineage.partitions(stage)
        return [self.lineage.footer(self.lineage.current(stage, key)) for key in keys]


def prose(draw: random.Random, words: str, count: int = 45) -> str:
    vocabulary = words.split()
    return " ".join(draw.choices(vocabulary, k=count)).capitalize() + "."


WEB = "river market lantern the of and winter ferry keeper crowd seldom bread copper window story a"
WIKI = "theorem measure compact the of lemma integral and finite space proof field series group a"


def write_corpus(folder: Path) -> None:
    """Write two web files and one of wiki: with duplicates, short documents, a benchmark question, broken lines."""
    draw = random.Random(7)
    web = [prose(draw, WEB) for _ in range(44)]
    wiki = [prose(draw, WIKI) for _ in range(30)]
    web[5] = web[3]
    web[30] = web[3].upper()
    web[8] = "Too short."
    web[12] += f" {QUESTION.lower()}. " + prose(draw, WEB)
    web[15] += " Write to someone.else@mail.example.org or call from 8.8.8.8 today."
    for name, texts in (("web-a", web[:24]), ("web-b", web[24:]), ("wiki", wiki)):
        lines = [
            json.dumps({"text": t, "url": f"http://{name}.example/{i}", "crawled_at": "2026-01-02"})
            for i, t in enumerate(texts)
        ]
        lines[2:2] = ["{broken", "", '{"url": "http://no.text"}']
        (folder / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
    (folder / "benchmark.jsonl").write_text(
        json.dumps({"id": "1", "question": QUESTION + "?"}) + "\n", "utf-8"
    )


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Give a folder with the corpus and the recipe, planned and run by nobody yet."""
    write_corpus(tmp_path)
    (tmp_path / "tiny.toml").write_text(RECIPE, "utf-8")
    return tmp_path


def load(folder: Path, **replaced: str) -> Pipeline:
    """Load the recipe, with some of its text replaced, as a user would."""
    text = RECIPE
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "tiny.toml").write_text(text, "utf-8")
    return Pipeline(recipe_file.load(folder / "tiny.toml"))


@pytest.fixture(scope="session")
def done(tmp_path_factory) -> Pipeline:
    """Give the pipeline run from raw to release; tests only read it."""
    folder = tmp_path_factory.mktemp("done")
    write_corpus(folder)
    pipeline = load(folder)
    pipeline.run_all()
    return pipeline


@pytest.fixture(scope="session")
def loader() -> Any:
    """Give `load`."""
    return load


assert set(WORK) | {"exported"} == set(BY_NAME)
