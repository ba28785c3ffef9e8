"""Benchmark items cut out of documents, through the whole graph: what ships, what is counted, what is recomputed."""

import dataclasses
import json
import re

import corpus
import polars as pl
import pytest
from click.testing import CliRunner
from conftest_graph import curate, outputs

from curation_dagster import table
from curation_dagster.cli import main
from curation_dagster.commands import explain
from curation_dagster.funnel import funnel
from curation_dagster.job import plan_job, reuse
from curation_dagster.lineage import Lineage, stages
from curation_dagster.orchestration import checks
from curation_dagster.recipe_file import load
from curation_dagster.store import Store
from curation_dagster.tokens import count, tokenizer

RIDDLES = [
    f"Which of the {n} ferrymen of river number {n} sings louder than the bell of tower {n} at dusk, and for whom?"
    for n in range(20, 32)
]
CUT = """action = "cut"

[[decontaminate.benchmarks]]
name = "riddles"
file = { path = "corpus/riddles.jsonl" }
action = "cut"
"""


def texts() -> list[str]:
    """Write documents around items: one in the middle, two, at either end, twelve, and nothing else."""
    short = " ".join(corpus.prose(910).split()[:45])
    return [
        f"{corpus.prose(900, 12)}\n\n{corpus.QUESTION}\n\n{corpus.prose(901, 12)}",
        f"{corpus.prose(902, 9)} {RIDDLES[0]} {corpus.prose(903, 9)} {RIDDLES[1]} {corpus.prose(904, 9)}",
        f"{RIDDLES[2]}\n{corpus.prose(905, 9)}",
        f"{corpus.prose(906, 9)}\n{RIDDLES[3]}",
        "\n".join(f"{corpus.prose(920 + n, 9)}\n{riddle}" for n, riddle in enumerate(RIDDLES)),
        f"{short} {RIDDLES[4]} and so it was.",
    ]


def write(path, action: str = CUT):
    """Write the documents as a file of alpha, the second benchmark, and the recipe that cuts."""
    folder = path.parent / "corpus"
    lines = [json.dumps({"text": t, "url": f"https://cut.test/{n}"}) for n, t in enumerate(texts())]
    (folder / "alpha-7.jsonl").write_text("\n".join(lines))
    riddles = [json.dumps({"id": str(n), "question": r}) for n, r in enumerate(RIDDLES)]
    (folder / "riddles.jsonl").write_text("\n".join(riddles))
    text = path.read_text().replace("alpha-*.jsonl.gz", "alpha-*.jsonl*")
    benchmark = 'file = { path = "corpus/benchmark.jsonl" }\n'
    text = text.replace(benchmark, benchmark + action)
    ratio = "max_top_2gram_char_ratio = 0.3"  # long template prose repeats itself
    repeats = "\n".join(f"max_dup_{n}gram_char_ratio = 1" for n in range(5, 11))
    text = text.replace(ratio, f"{ratio}\n{repeats}")
    path.write_text(text.replace("tokens = 30000", "tokens = 10_000_000"))  # all documents, twice
    return path


def rows_of(lineage: Lineage, stage: str) -> pl.DataFrame:
    frames = []
    for key in lineage.partitions(stage):
        with lineage.store.fetch(lineage.current(stage, key)) as (path,):
            frames.append(table.read(path))
    return pl.concat(frames)


@pytest.fixture(scope="module")
def cut(tmp_path_factory, instance):
    """(recipe path, what the run did, the state after it)."""
    path = write(corpus.project(tmp_path_factory.mktemp("hits"), name="hits"))
    done, lineage = curate(path, instance)
    assert not done.failures, done.failures
    return path, done, lineage


@pytest.fixture
def again(cut, tmp_path):
    import shutil

    shutil.copytree(cut[0].parent, tmp_path / "copy")
    return tmp_path / "copy" / cut[0].name


def by_url(lineage: Lineage, stage: str) -> dict[str, dict]:
    urls = rows_of(lineage, "raw").select("doc_id", "url")
    rows = (
        rows_of(lineage, stage)
        .join(urls, on="doc_id")
        .filter(pl.col("url").str.contains("cut.test"))
    )
    return {row["url"].rsplit("/", 1)[1]: row for row in rows.iter_rows(named=True)}


def test_every_check_passes(cut) -> None:
    assert cut[1].failed_checks == []
    assert cut[1].computed["trimmed"] == 5


def test_verdicts_and_fragments(cut) -> None:
    found = by_url(cut[2], "decontaminated")
    fates = {url: (row["rejected_by"], len(row["fragment_tokens"])) for url, row in found.items()}
    assert fates == {
        "0": (None, 2), "1": (None, 3), "2": (None, 1), "3": (None, 1),
        "4": ("decontaminate.too_many_cuts", 0), "5": ("decontaminate.nothing_left", 0),
    }  # fmt: skip
    assert {row["benchmark"] for row in found.values()} == {"bees", "riddles"}


def test_what_ships_is_the_text_without_the_items_and_what_stands_around_them(cut) -> None:
    shipped = rows_of(cut[2], "exported")
    for item in (corpus.QUESTION, *RIDDLES):
        assert shipped.filter(pl.col("text").str.contains(item, literal=True)).is_empty()
    assert shipped.filter(pl.col("text").str.contains("beekeeper|ferrymen")).is_empty()
    ids = {url: row["doc_id"] for url, row in by_url(cut[2], "decontaminated").items()}
    text = texts()[0]
    at = text.index(corpus.QUESTION)
    wanted = [text[: at - 200], text[at + len(corpus.QUESTION) + 200 :]]
    wanted[1] = text[at + len(corpus.QUESTION.rstrip("?")) + 200 :]  # a hit ends with its last term
    rows = shipped.filter((pl.col("doc_id") == ids["0"]) & (pl.col("copy") == 0))
    assert rows.sort("fragment")["text"].to_list() == wanted


def test_rows_and_tokens_are_accounted_for(cut) -> None:
    shipped = rows_of(cut[2], "exported")
    loaded = tokenizer("cl100k_base")
    assert shipped["token_count"].to_list() == count(shipped["text"], loaded).to_list()
    assert shipped["text_bytes"].to_list() == shipped["text"].str.len_bytes().to_list()
    decided = rows_of(cut[2], "decontaminated").filter(pl.col("rejected_by").is_null())
    mixed = rows_of(cut[2], "mixed")
    copies = {
        r["doc_id"]: sum(c["copies"] for c in r["copies"]) for r in mixed.iter_rows(named=True)
    }
    wanted = {
        r["doc_id"]: copies[r["doc_id"]] * max(1, len(r["fragment_tokens"]))
        for r in decided.iter_rows(named=True)
    }
    assert dict(shipped.group_by("doc_id").len().iter_rows()) == wanted
    assert max(shipped["fragment"]) == 2
    assert (
        shipped.filter("is_first")["doc_id"].n_unique() == len(wanted) == shipped["is_first"].sum()
    )
    per_copy = shipped.group_by("doc_id", "phase", "copy").agg(pl.col("token_count").sum())
    tokens = dict(decided.select("doc_id", "token_count").iter_rows())
    assert all(tokens[doc_id] == n for doc_id, _, _, n in per_copy.iter_rows())


def test_the_checks_would_notice(cut) -> None:
    lineage = cut[2]
    every = [
        reuse(lineage, plan_job(lineage, "exported", k)) for k in lineage.partitions("exported")
    ]
    assert checks.copies(lineage, "exported", every)[0]
    for what in ("rows", "tokens_kept"):
        more = {what: every[0].summary[what] + 1}
        wrong = dataclasses.replace(every[0], summary=every[0].summary | more)
        assert not checks.copies(lineage, "exported", [wrong, *every[1:]])[0]
    trims = [reuse(lineage, plan_job(lineage, "trimmed", k)) for k in lineage.shards]
    assert checks.text_left(lineage, "trimmed", trims)[0]
    gone = [dataclasses.replace(t, summary=t.summary | {"kept": 0}) for t in trims]
    assert not checks.text_left(lineage, "trimmed", gone)[0]


def test_supply_counts_what_is_left(cut) -> None:
    lineage = cut[2]
    scored = rows_of(lineage, "scored")
    trimmed = rows_of(lineage, "trimmed")
    left = dict(trimmed.select("doc_id", "token_count").iter_rows())
    gone = set(trimmed.filter(pl.col("rejected_by").is_not_null())["doc_id"])
    assert len(gone) == 2
    supply = sum(
        left.get(doc_id, tokens)
        for doc_id, tokens in scored.select("doc_id", "token_count").iter_rows()
        if doc_id not in gone
    )
    assert (
        rows_of(lineage, "mixture")["supply_tokens"].sum() == supply < scored["token_count"].sum()
    )


def test_the_funnel_and_the_release_say_so(cut) -> None:
    stage = next(s for s in funnel(cut[2])["stages"] if s["stage"] == "decontaminated")
    assert set(stage["rejected"]) <= {"decontaminate.too_many_cuts", "decontaminate.nothing_left"}
    assert stage["cut_documents"] >= 5
    assert stage["fragments"] >= stage["cut_documents"]
    card = (cut[0].parent / "store" / "releases" / "hits" / "README.md").read_text()
    assert f"(documents cut) {stage['cut_documents']}" in card


def test_explain_names_the_items_and_what_stays(cut) -> None:
    ids = {url: row["doc_id"] for url, row in by_url(cut[2], "decontaminated").items()}
    told = explain.tell(explain.story(cut[2], ids["1"]))
    assert re.search(r"cut +bytes \d+ to \d+: riddles/0 \(question, \w+ 1\.000\)", told)
    assert re.search(r"cut +bytes \d+ to \d+: riddles/1 \(question, ", told)
    assert "2 spans cut out for benchmark items, 3 fragments of" in told
    outputs_ = explain.story(cut[2], ids["1"])["stages"]["exported"]["outputs"]
    rows = rows_of(cut[2], "exported").filter(pl.col("doc_id") == ids["1"])
    assert sum(int(o.split(" x")[1]) if " x" in o else 1 for o in outputs_) == rows.height
    assert "too_many_cuts" in explain.story(cut[2], ids["4"])["fate"]


def test_apply_decides_as_the_graph_does(cut, tmp_path) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    ids = [str(n) for n in range(len(texts()))]
    pl.DataFrame({"doc_id": ids, "text": texts()}).write_parquet(source)
    arguments = ["apply", "decontaminate", str(source), str(out), "--recipe", str(cut[0])]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    columns = ["rejected_by", "benchmark", "item", "score", "cuts", "fragment_tokens"]
    found = pl.read_parquet(out)
    assert found["text"].to_list() == texts(), "the text stays whole"
    graph = by_url(cut[2], "decontaminated")
    assert found.select(columns).rows() == [tuple(graph[n][c] for c in columns) for n in ids]


@pytest.mark.parametrize(
    ("old", "new", "trimmed"),
    [
        pytest.param('action = "cut"', 'action = "drop"', None, id="drop"),
        pytest.param('action = "cut"', 'action = "flag"', None, id="flag"),
        pytest.param(
            "[decontaminate]", "[decontaminate]\ncut = { around_chars = 100 }", 5, id="less around"
        ),
    ],
)
def test_a_decision_is_taken_again_without_a_scan(again, instance, old, new, trimmed) -> None:
    before = Lineage(load(again), Store(load(again).root))
    scans, verdicts = outputs(before, "scanned"), outputs(before, "decontaminated")
    again.write_text(again.read_text().replace(old, new))
    done, lineage = curate(again, instance, last="exported")
    assert not done.failures
    assert not {"raw", "annotated", "deduped", "scored", "scanned"} & set(done.computed)
    assert done.computed.get("trimmed") == trimmed
    assert outputs(lineage, "scanned") == scans
    assert outputs(lineage, "decontaminated") != verdicts


def test_numbers_of_cuts_are_read_only_where_something_is_cut(again, instance) -> None:
    again.write_text(again.read_text().replace('action = "cut"', 'action = "drop"'))
    curate(again, instance)
    again.write_text(
        again.read_text().replace("[decontaminate]", "[decontaminate]\ncut = { max_cuts = 3 }")
    )
    done, lineage = curate(again, instance)
    assert set(done.computed) == {"release"}  # it states the recipe
    assert "trimmed" not in {s.name for s in stages(lineage.recipe)}
