"""The stages `mixture` and `mixed` over tables on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from curation_dagster import schema, table
from curation_dagster.errors import IntegrityError
from curation_dagster.job import Files, Job
from curation_dagster.mix.stage import mix_shard, plan_mixture
from curation_dagster.plan import Shard
from curation_dagster.recipe import Export, Mix, Phase, Recipe, Source
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate
from curation_dagster.recipe_edits import Normalize
from curation_dagster.section import File
from curation_dagster.store import Store

SHARDS = (Shard("web", 0, 0, ()), Shard("web", 1, 0, ()), Shard("wiki", 0, 0, ()))


def recipe(*phases: Phase, seed: int = 0) -> Recipe:
    benchmarks = tuple(
        Benchmark(name=name, file=File(path=Path("unused")), action=action)
        for name, action in (("gsm", "drop"), ("mmlu", "flag"))
    )
    # model_construct: quality floors without a classifier, since the tables here have quality
    return Recipe.model_construct(
        name="r", root="unused", sources=tuple(Source(name=n, paths=("x",)) for n in ("web", "wiki")),
        steps=(Normalize(edit="normalize"),), decontaminate=Decontaminate(benchmarks=benchmarks),
        mix=Mix(phases=phases, seed=seed), export=Export(shard_tokens=100),
    )  # fmt: skip


def write(path: Path, columns: dict, rows: dict[str, list], group: int) -> Path:
    frame = pl.DataFrame(rows, schema=columns)
    with table.TableWriter(path, columns) as writer:
        for start in range(0, frame.height, group):
            writer.write(frame.slice(start, group))
        writer.finish({})
    return path


def scored(folder: Path, shard: Shard, group: int = 3) -> Path:
    n = 10
    quality = [None if i == 9 else i / 10 for i in range(n)]
    rows = {
        "row": [3 * i for i in range(n)], "doc_id": [f"{shard.key}/{i}" for i in range(n)],
        "rejected_by": [None] * n, "text_bytes": [40] * n, "token_count": [10] * n,
        "quality": quality,
    }  # fmt: skip
    return write(folder / f"scored-{shard.key}-{group}.parquet", schema.SCORED, rows, group)


def scanned(folder: Path, shard: Shard) -> Path:
    """Document 1 has a hit that drops, twice; document 2 one that is flagged."""
    hits = [[] for _ in range(10)]
    hit = {
        "benchmark": "gsm",
        "item": "1",
        "part": "question",
        "method": "ngrams",
        "score": 1.0,
        "start": 0,
        "end": 1,
    }
    hits[1] = [hit, hit | {"item": "2"}]
    hits[2] = [hit | {"benchmark": "mmlu"}]
    rows = {
        "row": [3 * i for i in range(10)], "doc_id": [f"{shard.key}/{i}" for i in range(10)],
        "rejected_by": [None] * 10, "text_bytes": [40] * 10, "hits": hits,
    }  # fmt: skip
    return write(folder / f"scanned-{shard.key}.parquet", schema.SCANNED, rows, 4)


def job(of: Recipe, stage: str, partition: str, shards: tuple[Shard, ...] = SHARDS) -> Job:
    return Job(of, Store("unused"), stage, partition, {}, {}, shards, None, "missing")


def with_score(path: Path) -> Path:
    """Add a model signal: document i has i - 5, document 8 none."""
    frame = table.read(path)
    values = pl.Series("books", [None if i == 8 else i - 5.0 for i in range(frame.height)])
    frame = frame.with_columns(values)
    return write(path.with_name(f"books-{path.name}"), dict(frame.schema), frame.to_dict(), 3)


def run_mixture(folder: Path, of: Recipe, shards: tuple[Shard, ...] = SHARDS) -> tuple[Path, dict]:
    parents = {
        "scored": [scored(folder, s) for s in shards],
        "scanned": [scanned(folder, s) for s in shards],
    }
    draft = folder / f"mixture-{len(list(folder.glob('mixture*')))}.parquet"
    return draft, plan_mixture(job(of, "mixture", "all", shards), Files(parents, draft))


def run_mixed(
    folder: Path, of: Recipe, shard: Shard, mixture: Path, group: int = 3
) -> tuple[pl.DataFrame, dict]:
    draft = folder / f"mixed-{shard.key}-{group}.parquet"
    files = Files({"scored": [scored(folder, shard, group)], "mixture": [mixture]}, draft)
    found = mix_shard(replace(job(of, "mixed", shard.key), expected_rows=10), files)
    return table.read(draft), found


def phase(name: str, tokens: int, weights: dict[str, float], **more: object) -> Phase:
    return Phase(**({"name": name, "tokens": tokens, "weights": weights} | more))


def test_supply_leaves_out_what_decontamination_drops(tmp_path) -> None:
    path, footer = run_mixture(tmp_path, recipe(phase("main", 1000, {"web": 3, "wiki": 1})))
    rows = (
        table.read(path).select("domain", "supply_docs", "supply_tokens", "planned_tokens").rows()
    )
    assert rows == [("web", 18, 180, 720), ("wiki", 9, 90, 250)]
    assert footer["output_shards"] == {"main": 10}
    assert set(footer["slices"]) == {"web", "wiki"}


def test_a_slice_says_what_its_domain_gets(tmp_path) -> None:
    slices = [
        run_mixture(tmp_path, recipe(phase("main", tokens, {"web": web, "wiki": 1})))[1]["slices"]
        for tokens, web in ((1000, 1), (1000, 1), (4000, 7))
    ]
    assert slices[0] == slices[1]
    assert slices[0]["web"] != slices[2]["web"]


def test_shard_order_selects_nothing(tmp_path) -> None:
    of = recipe(phase("main", 300, {"web": 1}))
    first, _ = run_mixture(tmp_path, of)
    other, _ = run_mixture(tmp_path, of, SHARDS[::-1])
    assert table.read(first).equals(table.read(other))


@pytest.mark.parametrize("group", [1, 4, 100])
def test_mixed_rows_and_reasons(tmp_path, group) -> None:
    of = recipe(
        phase("main", 75, {"web": 1}, min_quality=0.4),
        phase("late", 30, {"web": 1}, min_quality=0.6),
    )
    mixture, footer = run_mixture(tmp_path, of)
    frames = [run_mixed(tmp_path, of, s, mixture, group) for s in SHARDS[:2]]
    docs = pl.concat(f for f, _ in frames)
    assert docs.schema == schema.MIXED
    assert docs["row"].to_list() == [3 * i for i in range(10)] * 2, (
        "every scored document has its row"
    )
    low = docs.filter(pl.col("rejected_by") == "mix.quality")["doc_id"].to_list()
    assert low == [f"{s.key}/{i}" for s in SHARDS[:2] for i in (0, 1, 2, 3, 9)]
    given = docs.explode("copies").drop_nulls("copies").unnest("copies")
    assert dict(given.group_by("phase").agg(pl.col("copies").sum()).iter_rows()) == {
        "main": 7, "late": 3,
    }  # fmt: skip
    assert given.filter(pl.col("rejected_by").is_not_null()).is_empty()
    rest = docs.filter(pl.col("copies").list.len() == 0, ~pl.col("doc_id").is_in(low))
    assert set(rest["rejected_by"]) == {"mix.not_sampled"}
    assert footer["output_shards"] == {"main": 1, "late": 1}
    tallies = [f for _, f in frames]
    assert sum(f["kept"] for f in tallies) == docs["rejected_by"].null_count()
    assert all(f["rows"] == 10 == f["kept"] + sum(f["rejected"].values()) for f in tallies)


def test_a_source_in_no_phase(tmp_path) -> None:
    of = recipe(phase("main", 100, {"web": 1}))
    mixture, _ = run_mixture(tmp_path, of)
    found, _ = run_mixed(tmp_path, of, SHARDS[2], mixture)
    assert set(found["rejected_by"]) == {"mix.not_sampled"}
    assert found["copies"].list.len().sum() == 0


def test_a_phase_without_a_floor_knows_no_low_quality(tmp_path) -> None:
    of = recipe(phase("main", 1, {"web": 1}), phase("late", 1, {"web": 1}, min_quality=0.6))
    mixture, _ = run_mixture(tmp_path, of)
    found, _ = run_mixed(tmp_path, of, SHARDS[0], mixture)
    # document 1 is not in the supply: whether it has a copy does not matter, it is dropped later
    assert set(found.filter(pl.col("row") != 3)["rejected_by"]) == {"mix.not_sampled"}


def test_lost_rows_are_refused(tmp_path) -> None:
    of = recipe(phase("main", 100, {"web": 1}))
    mixture, _ = run_mixture(tmp_path, of)
    files = Files({"scored": [scored(tmp_path, SHARDS[0])], "mixture": [mixture]}, tmp_path / "x")
    with pytest.raises(IntegrityError, match="11 documents came in, 10 "):
        mix_shard(replace(job(of, "mixed", SHARDS[0].key), expected_rows=11), files)


def deduped(folder: Path, shard: Shard, sizes: list[int]) -> Path:
    """Say of the ten documents how large their clusters are; between them are rows that dedup rejected."""
    n = 20
    rows = {
        "row": [r for i in range(10) for r in (3 * i, 3 * i + 1)],
        "doc_id": [f"{shard.key}/{i}{'x' * odd}" for i in range(10) for odd in (0, 1)],
        "rejected_by": [None, "dedup.near"] * 10, "text_bytes": [40] * n, "duplicate_of": [None] * n,
        "cluster_size": [size for s in sizes for size in (s, 77)], "similarity": [1.0] * n,
        "cuts": [[]] * n,
    }  # fmt: skip
    return write(folder / f"deduped-{shard.key}.parquet", schema.DEDUPED, rows, 7)


def weighed(folder: Path, sizes: list[int], weights: object, tokens: int, group: int = 3):
    """Plan and mix one shard whose documents have 10 tokens each; return plan row, copies by document, reasons."""
    of = recipe(phase("main", tokens, {"web": 1}))
    of = of.model_copy(update={"mix": Mix(phases=of.mix.phases, cluster_weights=weights)})
    shard, draft, mixed = SHARDS[0], folder / "mixture.parquet", folder / "mixed.parquet"
    sizes_of = [deduped(folder, shard, sizes)]
    parents = {
        "scored": [scored(folder, shard, group)], "scanned": [scanned(folder, shard)],
        "deduped": sizes_of,
    }  # fmt: skip
    plan_mixture(job(of, "mixture", "all", (shard,)), Files(parents, draft))
    files = Files(parents | {"mixture": [draft]}, mixed)
    mix_shard(replace(job(of, "mixed", shard.key), expected_rows=10), files)
    docs = table.read(mixed)
    copies = [sum(c["copies"] for c in given) for given in docs["copies"]]
    return table.read(draft).row(0, named=True), copies, docs["rejected_by"].to_list()


@pytest.mark.parametrize("group", [1, 4, 100])
def test_an_epoch_reads_documents_by_their_cluster(tmp_path, group) -> None:
    sizes = [1, 1, 2, 3, 4, 5, 100, 1000, 1, 1]
    row, copies, reasons = weighed(tmp_path, sizes, "fineweb2", 10 * 2 * 25, group)
    assert (row["supply_docs"], row["supply_tokens"]) == (9, 250)
    assert (row["planned_tokens"], row["full_copies"], row["shortfall_tokens"]) == (500, 2, 0)
    dropped = copies.pop(1)  # by decontamination: not in the supply, whatever copies it has
    assert dropped
    assert copies == [2, 4, 6, 6, 10, 16, 2, 2, 2]
    assert reasons == [None] * 10


@pytest.mark.parametrize("tokens", [30, 90, 170, 333, 1000])
def test_the_planned_tokens_are_those_of_the_copies(tmp_path, tokens) -> None:
    sizes = [3, 1, 2, 5, 1, 5, 100, 1, 2, 1]
    row, copies, reasons = weighed(tmp_path, sizes, "fineweb2", tokens)
    given = sum(10 * n for i, n in enumerate(copies) if i != 1)
    assert row["planned_tokens"] == given <= tokens
    assert tokens - given < 10 * 8 or row["reason"].startswith("supply allows")
    assert row["epochs"] == pytest.approx(given / row["supply_tokens"])
    assert [r is None for r in reasons] == [n > 0 for n in copies]


def test_what_no_epoch_reads_is_said(tmp_path) -> None:
    sizes = [1, 1, 1, 1000, 1, 1, 1, 1, 2000, 1]
    row, copies, reasons = weighed(tmp_path, sizes, {"1000": 0}, 10_000)
    assert (row["supply_docs"], row["supply_tokens"]) == (7, 70)
    assert [i for i, n in enumerate(copies) if not n] == [3, 8]
    assert [reasons[i] for i in (3, 8)] == ["mix.cluster_weight"] * 2


def test_a_document_without_a_cluster_size_is_refused(tmp_path) -> None:
    of = recipe(phase("main", 100, {"web": 1}))
    of = of.model_copy(update={"mix": Mix(phases=of.mix.phases, cluster_weights="fineweb2")})
    short = table.read(deduped(tmp_path, SHARDS[0], [1] * 10)).head(5)
    path = write(tmp_path / "short.parquet", schema.DEDUPED, short.to_dict(as_series=False), 5)
    parents = {
        "scored": [scored(tmp_path, SHARDS[0])], "scanned": [scanned(tmp_path, SHARDS[0])],
        "deduped": [path],
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="no row 9"):
        plan_mixture(job(of, "mixture", "all", SHARDS[:1]), Files(parents, tmp_path / "x"))


def test_floors_on_model_signals(tmp_path) -> None:
    """Below a floor of every phase is `mix.quality`; what is null is below."""
    of = recipe(
        phase("main", 1000, {"web": 1}, min_scores={"books": -1.5}),
        phase("last", 1000, {"web": 1}, min_scores={"books": 2.0}, min_quality=0.65),
    )
    shard, draft = SHARDS[0], tmp_path / "mixture.parquet"
    table_of = with_score(scored(tmp_path, shard))
    parents = {"scored": [table_of], "scanned": [scanned(tmp_path, shard)]}
    plan_mixture(job(of, "mixture", "all", (shard,)), Files(parents, draft))
    supply = dict(table.read(draft).select("phase", "supply_docs").iter_rows())
    assert supply == {"main": 5, "last": 1}, "4, 5, 6, 7 and 9; 7: 9 has no quality"
    mixed = tmp_path / "mixed.parquet"
    files = Files({"scored": [table_of], "mixture": [draft]}, mixed)
    mix_shard(replace(job(of, "mixed", shard.key), expected_rows=10), files)
    found = table.read(mixed)
    low = found["rejected_by"] == "mix.quality"
    assert low.fill_null(value=False).to_list() == [i in {0, 1, 2, 3, 8} for i in range(10)]
    phases = [[c["phase"] for c in copies] for copies in found["copies"]]
    assert [i for i, names in enumerate(phases) if "last" in names] == [7]
    assert [i for i, names in enumerate(phases) if "main" in names] == [4, 5, 6, 7, 9]
