"""Cuts through the whole graph: the text ships without repeats; a new crawl costs what it says something about."""

import gzip
import json
from pathlib import Path

import corpus
import polars as pl
import pytest
from conftest_graph import curate

from curation_dagster import table
from curation_dagster.commands import duplicates, explain
from curation_dagster.export.audit import normalised
from curation_dagster.lineage import ALL, Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

LETTER = "Subscribe to the harbour letter, number 123, and read it at breakfast"
SECTIONS = """quality_key = "gopher_word_count"

[dedup.lines]
min_terms = 4

[dedup.paragraphs]
ngram = 13

[dedup.substrings]
"""
HALVES = corpus.QUESTION.split()
SPLIT = (
    " ".join(HALVES[: len(HALVES) // 2]) + f"\n{LETTER}\n" + " ".join(HALVES[len(HALVES) // 2 :])
)


def write(folder: Path, name: str, texts: list[str]) -> None:
    lines = [
        json.dumps({"text": t, "url": f"https://{name}.test/{n}"}) for n, t in enumerate(texts)
    ]
    (folder / "corpus" / f"{name}.jsonl.gz").write_bytes(
        gzip.compress("\n".join(lines).encode(), mtime=0)
    )


def rows_of(lineage: Lineage, stage: str) -> pl.DataFrame:
    refs = [lineage.current(stage, key) for key in lineage.partitions(stage)]
    frames = []
    for ref in refs:
        with lineage.store.fetch(ref) as (path,):
            frames.append(table.read(path))
    return pl.concat(frames)


@pytest.fixture(scope="module")
def cut(tmp_path_factory, instance):
    """Run with all three sections: the corpus, a file with a line in common, a document that hides a question."""
    path = corpus.project(tmp_path_factory.mktemp("cut"), name="cut")
    path.write_text(path.read_text().replace('quality_key = "gopher_word_count"\n', SECTIONS))
    texts = [
        f"{corpus.prose(n)}\n{LETTER.replace('123', str(n))}\n{corpus.prose(n + 1000)}"
        for n in range(400, 420)
    ]
    split = f"{corpus.prose(430, 6)}\n{SPLIT}\n{corpus.prose(431, 6)}"  # short: another one keeps the letter
    texts += [split, corpus.prose(431, 6)]
    write(path.parent, "alpha-2", texts)
    done, lineage = curate(path, instance)
    assert not done.failures, done.failures
    return path, done, lineage


def test_every_check_passes(cut) -> None:
    assert cut[1].failed_checks == []
    assert cut[1].computed["repeats"] == 1


def test_what_ships_holds_a_repeated_line_once(cut) -> None:
    shipped = rows_of(cut[2], "exported").unique("doc_id")
    assert shipped["text"].str.contains("harbour letter").sum() <= 1
    deduped = rows_of(cut[2], "deduped")
    kept = deduped.filter(pl.col("rejected_by").is_null())
    assert kept["cuts"].list.len().sum() >= 10
    sizes = shipped.join(kept, on="doc_id").filter(pl.col("cuts").list.len() > 0)
    assert (sizes["text"].str.len_bytes() == sizes["text_bytes_right"]).all()
    assert sizes.height >= 3
    scored = rows_of(cut[2], "scored").join(kept, on="doc_id", validate="1:1")
    assert (scored["text_bytes"] == scored["text_bytes_right"]).all()


def test_a_question_that_a_cut_joins_is_found(cut) -> None:
    """The stage scans what will ship; the span it notes is one of the text before cuts."""
    lineage = cut[2]
    scanned = rows_of(lineage, "scanned").filter(pl.col("hits").list.len() > 0)
    raw = rows_of(lineage, "raw").filter(pl.col("url") == "https://alpha-2.test/20")
    both = scanned.join(raw.select("doc_id", "text"), on="doc_id")
    assert both.height == 1
    hit = next(hit for hit in both["hits"][0] if hit["method"] == "exact")
    found = both["text"][0].encode()[hit["start"] : hit["end"]].decode()
    assert (
        normalised(pl.Series([found.replace(LETTER, "")]))[0].strip()
        in normalised(pl.Series([corpus.QUESTION]))[0]
    )
    assert LETTER in found


def test_explain_names_where_the_kept_occurrence_is(cut) -> None:
    lineage = cut[2]
    repeats = rows_of(lineage, "repeats").filter(rule="line")
    row = repeats.row(0, named=True)
    told = explain.story(lineage, row["doc_id"])
    [mine] = [c for c in told["stages"]["deduped"]["cuts"] if c["rule"] == "line"]
    assert (mine["start"], mine["first_doc_id"]) == (row["start"], row["first_doc_id"])
    assert f"kept in {row['first_doc_id']} (https://" in explain.tell(told)


def test_explain_says_how_little_is_left(cut) -> None:
    lineage = cut[2]
    gone = rows_of(lineage, "deduped").filter(rejected_by="dedup.nothing_left")
    told = explain.story(lineage, gone["doc_id"][0])
    assert told["fate"].endswith("cuts leave 0 terms of it, min_left_terms is 1")


def test_the_command_totals_what_is_cut(cut, capsys) -> None:
    lineage = cut[2]
    repeats = rows_of(lineage, "repeats")
    found = duplicates.duplicates(lineage, 0)
    assert sum(row["spans"] for row in found["cuts"]) == repeats.height
    assert {row["rule"] for row in found["cuts"]} == set(repeats["rule"])
    duplicates.show(found, as_json=False)
    assert "cuts: text that occurs earlier" in capsys.readouterr().out


def test_a_new_crawl_recomputes_the_new_shard_alone(cut, instance) -> None:
    """Its documents repeat lines of older ones, whose slices stay; a line only it has goes once more."""
    path = cut[0]
    own = "A line that the new crawl has brought along twice"
    texts = [f"{corpus.prose(n)}\n{LETTER}\n{own}\n" for n in (500, 501)]
    write(path.parent, "alpha-3", texts)
    before = {key: cut[2].current("deduped", key) for key in cut[2].partitions("deduped")}
    done, lineage = curate(path, instance, last="scored")
    assert not done.failures
    assert (
        done.computed["fingerprinted"] == done.computed["deduped"] == done.computed["scored"] == 1
    )
    assert done.computed["repeats"] == done.computed["duplicates"] == 1
    assert {key: lineage.current("deduped", key) for key in before} == before
    ref = lineage.current("deduped", "alpha-00003")
    with lineage.store.fetch(ref) as (file,):
        assert table.read(file)["cuts"].list.len().to_list() == [
            1,
            1,
        ]  # adjacent lines are one span


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        pytest.param("ngram = 13", "ngram = 12", {"repeats"}, id="another n-gram"),
        pytest.param("[dedup.substrings]", "[dedup.substrings]\nwindow_terms = 40", {"repeats"}, id="another window"),
        pytest.param("min_terms = 4", "min_terms = 5", {"fingerprinted"}, id="short lines"),
        pytest.param("quality_key", "min_left_terms = 9\nquality_key", {"repeats"}, id="what must be left"),
        pytest.param("quality_key", "min_similarity = 0.9\nquality_key", {"duplicates"}, id="near duplicates"),
        pytest.param("quality_key", "memory_gb = 1.0\nquality_key", set(), id="memory"),
    ],
)  # fmt: skip
def test_what_a_change_reaches(cut, old: str, new: str, stale: set[str]) -> None:
    path = cut[0].with_name("changed.toml")
    path.write_text(cut[0].read_text().replace(old, new, 1))
    recipe = load(path)
    lineage = Lineage(recipe, Store(recipe.root))
    found = {
        stage
        for stage in ("fingerprinted", "duplicates", "repeats", "deduped")
        for key in [ALL if stage in {"duplicates", "repeats"} else "beta-00000"]
        if lineage.state(stage, key) == "stale"
    }
    assert found == stale
