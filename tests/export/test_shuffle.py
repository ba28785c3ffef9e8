"""The global shuffle: every copy once, where its hash sends it, in the order of the hash, however it is run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import polars as pl
import pyarrow.parquet as pq
import pytest

from curation_dagster import schema, table
from curation_dagster.chance import keyed_oracle
from curation_dagster.export import shuffle


def slow_key(doc_id: str, copy: int, phase: str, seed: int = 0) -> int:
    return keyed_oracle(f"{doc_id}#{copy}", keyed_oracle(f"export {seed} {phase}", 0))


def copies(done) -> Counter:
    """Every copy that must ship, from `mixed` and the verdicts of `decontaminated`."""
    kept = set(done.all_rows("decontaminated").filter(pl.col("rejected_by").is_null())["doc_id"])
    return Counter(
        (row["doc_id"], c["phase"], n)
        for row in done.all_rows("mixed").iter_rows(named=True)
        if row["doc_id"] in kept
        for c in row["copies"]
        for n in range(c["copies"])
    )


def test_the_corpus_is_worth_shuffling(done) -> None:
    assert len(done.lineage.shards) == 3
    assert done.outputs()["main"] >= 3
    wanted = copies(done)
    assert len(wanted) > 80
    assert {phase for _, phase, _ in wanted} == {"main", "late"}
    assert max(n for _, _, n in wanted) >= 1, "some document has two copies"


def test_exported_is_the_multiset_of_copies(done) -> None:
    rows = done.all_rows("exported")
    assert Counter(rows.select("doc_id", "phase", "copy").rows()) == copies(done)


def test_where_and_in_which_order(done) -> None:
    counts = done.outputs()
    for partition in done.lineage.partitions("exported"):
        rows = done.read("exported", partition)
        keys = [slow_key(d, c, p) for d, c, p in rows.select("doc_id", "copy", "phase").rows()]
        assert keys == sorted(keys)
        places = {f"{p}-{k % counts[p]:05d}" for p, k in zip(rows["phase"], keys, strict=True)}
        assert places <= {partition}


def test_rows_say_what_the_document_is(done) -> None:
    rows = done.all_rows("exported")
    raw = done.all_rows("raw")
    expected = {r["doc_id"]: r for r in raw.iter_rows(named=True)}
    scored = {r["doc_id"]: r for r in done.all_rows("scored").iter_rows(named=True)}
    edited = {
        r["doc_id"]: r["text"]
        for r in done.all_rows("annotated").select("doc_id", "text").drop_nulls().iter_rows(named=True)
    }  # fmt: skip
    assert edited, "the mask step edits a document"
    for row in rows.iter_rows(named=True):
        of = expected[row["doc_id"]]
        assert row["text"] == edited.get(row["doc_id"], of["text"])
        assert row["text_bytes"] == len(row["text"].encode())
        said = {c: row[c] for c in ("url", "license", "crawled_at")}
        assert said == {c: of[c] for c in said}
        measured = {c: row[c] for c in ("quality", "token_count")}
        assert measured == {c: scored[row["doc_id"]][c] for c in measured}
        assert row["source"] == of["partition"].rsplit("-", 1)[0]
        assert row["fragment"] == 0


def test_the_first_copy_is_marked_once(done) -> None:
    rows = done.all_rows("exported")
    marked = rows.filter("is_first")["doc_id"]
    assert marked.n_unique() == marked.len() == rows["doc_id"].n_unique()
    assert sum(f["first_copies"] for f in done.footers("exported")) == marked.len()


def published(done) -> dict[str, bytes]:
    found = {}
    for key in done.lineage.partitions("exported"):
        with done.store.fetch(done.lineage.current("exported", key)) as (path,):
            found[key] = path.read_bytes()
    return found


def test_same_bytes_for_any_split_into_runs(done, tmp_path) -> None:
    keys = done.lineage.partitions("exported")
    splits = {
        "one by one": [[k] for k in keys],
        "reversed": [keys[::-1]],
        "halves": [keys[::2], keys[1::2]],
    }
    for name, groups in splits.items():
        assert done.gather(tmp_path / name, groups) == published(done), name


@pytest.mark.parametrize("size", [2, 1000])
def test_same_bytes_for_any_batches(done, tmp_path, size) -> None:
    """The tables written again in row groups of another size, each of another."""

    def regrouped(key: str) -> dict:
        files = {}
        for n, (stage, path) in enumerate(done.tables(key).items()):
            frame = table.read(path)
            files[stage] = tmp_path / f"{key}-{stage}.parquet"
            with table.TableWriter(files[stage], dict(frame.schema)) as writer:
                for start in range(0, frame.height, size + n):
                    writer.write(frame.slice(start, size + n))
        return files

    keys = done.lineage.partitions("exported")
    assert pq.read_metadata(regrouped("wiki-00000")["raw"]).num_row_groups >= 32 // size
    assert done.gather(tmp_path / "out", [keys], regrouped) == published(done)


@pytest.mark.parametrize("tokens", [2500, 1249, 300])
def test_buckets_change_row_groups_and_nothing_else(done, tmp_path, monkeypatch, tokens) -> None:
    monkeypatch.setattr(shuffle, "BUCKET_TOKENS", tokens)
    assert shuffle.buckets(done.recipe.export) == -(-2500 // tokens)
    keys = done.lineage.partitions("exported")
    found = done.gather(tmp_path, [keys])
    groups = 0
    for key in keys:
        assert table.read(tmp_path / f"{key}.parquet").equals(done.read("exported", key))
        groups += pq.read_metadata(tmp_path / f"{key}.parquet").num_row_groups
    assert found.keys() == published(done).keys()
    assert (groups > len(keys)) == (tokens < 2500)


def test_the_seed_shuffles(done, tmp_path) -> None:
    seeded = done.recipe.export.model_copy(update={"seed": 1})
    other = replace(done, recipe=done.recipe.model_copy(update={"export": seeded}))
    other.gather(tmp_path, [keys := done.lineage.partitions("exported")])
    mine = done.all_rows("exported").drop("partition")
    theirs = pl.concat(table.read(tmp_path / f"{k}.parquet") for k in keys)
    key = ["doc_id", "phase", "copy"]
    assert sorted(mine.select(key).rows()) == sorted(theirs.select(key).rows())
    assert mine.select(key).rows() != theirs.select(key).rows()


def test_schema_and_a_run_that_wants_nothing(done, tmp_path) -> None:
    assert done.read("exported", "main-00000").schema == schema.EXPORTED
    assert done.spill(tmp_path, frozenset()) == 0
    assert done.spill(tmp_path, frozenset(["main-99999"])) == 0
    assert list(tmp_path.iterdir()) == []


def test_an_output_without_documents(loader, corpus) -> None:
    """Many outputs for few documents: some are empty, and neither funnel nor release minds."""
    small = {"tokens = 9000": "tokens = 1500", "shard_tokens = 2500": "shard_tokens = 75"}
    pipeline = loader(corpus, **small)
    pipeline.run_all()
    heights = [f["rows"] for f in pipeline.footers("exported")]
    assert min(heights) == 0
    assert Counter(
        pipeline.all_rows("exported").select("doc_id", "phase", "copy").rows()
    ) == copies(pipeline)
