"""`curate takedown`: what it finds by text, url and id, and that nothing of what it erases can be found again."""

import gzip
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import corpus
import polars as pl
import pyarrow.parquet as pq
import pytest
import zstandard
from conftest_graph import curate as run_graph
from conftest_graph import outputs

from curation_dagster import erased, table
from curation_dagster.export.audit import audit
from curation_dagster.funnel import funnel
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

TEXTS = [d["text"] for d in corpus.documents()]
URLS = [d["url"] for d in corpus.documents()]


def shipped(lineage: Lineage) -> pl.DataFrame:
    """Return documents that ship: doc_id, url, text."""
    parts = []
    for key in lineage.partitions("exported"):
        with lineage.store.fetch(lineage.current("exported", key)) as (path,):
            parts.append(table.read(path, ["doc_id", "url", "text", "is_first"]))
    return pl.concat(parts).filter("is_first").sort("doc_id")


@pytest.fixture
def named(curated, tmp_path):
    """(what is named, by text, url and id) of a document that ships."""
    found = shipped(curated[2])
    row = found.row(3, named=True)
    files = {"texts": TEXTS[URLS.index(row["url"])], "urls": row["url"], "ids": row["doc_id"]}
    for kind, content in files.items():
        (tmp_path / f"{kind}.txt").write_text(content, "utf-8")
    return files | {kind: tmp_path / f"{kind}.txt" for kind in files} | {"row": row}


def everything(root: Path) -> dict[str, str]:
    """Return every string of every file of a store, unpacked: all columns of tables, JSON, renderings, footers."""
    found = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        data = path.read_bytes()
        parts = [data.decode("utf-8", "replace")]
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                parts += [str(file.read().to_pylist()), str(file.metadata.metadata)]
        elif path.suffix == ".zst":
            parts.append(zstandard.ZstdDecompressor().stream_reader(data).read().decode())
        found[path.relative_to(root).as_posix()] = "\n".join(parts)
    return found


def holding(root: Path, text: str) -> list[str]:
    """Name the files that hold any sentence of a text, as it is or as JSON and Python write it."""
    sentences = [s.strip() for s in text.replace("\n", " ").split(".") if len(s) > 60]
    assert sentences
    return [name for name, held in everything(root).items() if any(s in held for s in sentences)]


@pytest.mark.parametrize("kind", ["texts", "urls", "ids"])
def test_a_listing_names_documents_shards_files_and_releases(curated, curate, named, kind):
    done = curate("takedown", curated[0], f"--{kind}", named[kind], "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    ids = [d["doc_id"] for d in found["documents"]]
    assert named["row"]["doc_id"] in ids
    mine = next(d for d in found["documents"] if d["doc_id"] == named["row"]["doc_id"])
    assert mine["url"] == named["row"]["url"]
    stages = {name.split("/")[0] for name in mine["files"]}
    assert {"raw", "exported", "releases"} <= stages
    assert mine["shard"] in found["shards"]
    assert [r["name"] for r in found["releases"]] == ["tiny"]
    held = holding(curated[0].parent / "store", named["row"]["text"])
    assert held
    assert set(held) <= {f["name"] for f in found["files"]}
    for span in mine["spans"]:
        assert (span["start"], span["score"]) == (0, 1.0)
    said = curate("takedown", curated[0], f"--{kind}", named[kind]).stdout
    assert f"release tiny: {len(found['releases'][0]['files'])} files with some" in said
    assert mine["doc_id"] in said


def test_copies_are_found_with_what_is_named(curated, curate, tmp_path):
    (tmp_path / "urls").write_text(
        f"# the third document\n{URLS[3].replace('https://', 'http://www.')}#top\n"
    )
    both = [
        curate("takedown", curated[0], "--urls", tmp_path / "urls", "--json", *more)
        for more in ([], ["--named-only"])
    ]
    found, only = (json.loads(done.stdout) for done in both)
    assert {d["url"] for d in found["documents"]} == {URLS[3], URLS[120]}, (
        "120 is an exact copy of 3"
    )
    assert sorted(d["by"] for d in found["documents"]) == [["copy"], ["url"]]
    assert [d["url"] for d in only["documents"]] == [URLS[3]]


def test_near_copies_are_listed_and_left_alone(curated, curate, tmp_path):
    (tmp_path / "urls").write_text(URLS[58])
    found = json.loads(curate("takedown", curated[0], "--urls", tmp_path / "urls", "--json").stdout)
    assert [d["url"] for d in found["documents"]] == [URLS[58]]
    [near] = found["near_copies"]
    twin = next(
        n for n, text in enumerate(TEXTS) if text == f"{TEXTS[58]} A last remark, number 58."
    )
    story = curate("explain", near, "--recipe", curated[0]).stdout
    assert URLS[twin] in story
    assert near in curate("takedown", curated[0], "--urls", tmp_path / "urls").stdout


def test_a_text_is_found_inside_documents_and_in_other_writing(curated, curate, tmp_path):
    lines = [
        {"text": corpus.QUESTION.upper().replace(",", " ,\n")},
        {
            "text": "Nobody wrote this sentence about a "
            "purple submarine and its seventeen unhappy accountants anywhere in here."
        },
        {"text": "too short"},
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    found = json.loads(curate("takedown", curated[0], "--texts", path, "--json").stdout)
    assert found["texts_found"] == 1
    assert len(found["unusable"]) == 1
    assert "texts.jsonl" in found["unusable"][0]
    with_it = {d["url"] for d in corpus.documents() if corpus.QUESTION in d["text"]}
    assert {d["url"] for d in found["documents"]} == with_it
    lineage = curated[2]
    for document in found["documents"]:
        for span in document["spans"]:
            assert span["item"] == 0
            with lineage.store.fetch(
                next(
                    r
                    for r in lineage.store.refs(span["file"].split("/")[0])
                    if r.name == span["file"]
                )
            ) as (path,):
                text = table.read(path).filter(pl.col("doc_id") == document["doc_id"])["text"][0]
            cut = text.encode()[span["start"] : span["end"]].decode()
            assert cut == corpus.QUESTION.rstrip("?")


def erase_by(curate, recipe, kind, path):
    return curate("takedown", recipe, f"--{kind}", path, "--erase", "--yes", "--json")


@pytest.mark.parametrize("kind", ["texts", "urls", "ids"])
def test_after_erasing_no_file_of_the_store_holds_the_text(copied, curate, named, instance, kind):
    store = copied.parent / "store"
    before = {p.relative_to(store).as_posix() for p in store.rglob("*") if p.is_file()}
    assert holding(store, named["row"]["text"])
    done = erase_by(curate, copied, kind, named[kind])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)["erased"]
    assert holding(store, named["row"]["text"]) == []
    assert told["withdrawn"] == ["tiny"]
    after = {p.relative_to(store).as_posix() for p in store.rglob("*") if p.is_file()}
    for name in before - after:
        assert f"erased/gone/{name}.json" in after, "what is gone has a tombstone"
    gone = json.loads((store / "releases/tiny/withdrawn.json").read_text())["files_gone"]
    assert gone
    assert json.loads(curate("status", copied, "--json").stdout)["withdrawn_files"] == gone
    assert "release: withdrawn" in curate("status", copied).stdout
    run, lineage = run_graph(copied, instance)
    assert not run.failures
    assert not run.failed_checks
    assert holding(store, named["row"]["text"]) == [], "running again does not bring it back"
    assert not (store / "releases/tiny/withdrawn.json").exists()
    assert named["row"]["doc_id"] not in shipped(lineage)["doc_id"].to_list()
    assert curate("takedown", copied, "--verify").exit_code == 0


def test_only_the_shards_it_touches_are_recomputed_and_the_funnel_tells(
    copied, curated, curate, named, instance
):
    told = json.loads(erase_by(curate, copied, "ids", named["ids"]).stdout)
    shard = told["documents"][0]["shard"]
    assert told["shards"] == [shard]
    was, lineage = outputs(curated[2], "raw"), Lineage(curated[2].recipe, Store.of(load(copied)))
    lineage = Lineage(load(copied), Store.of(load(copied)))
    now = outputs(lineage, "raw")
    assert {key for key in was if was[key] != now[key]} == {f"raw/{shard}"}, (
        "raw is current without a run"
    )
    run, lineage = run_graph(copied, instance)
    assert "raw" not in run.computed or run.computed["raw"] == 0
    assert run.computed["annotated"] == run.computed["cleaned"] == 1
    raw = funnel(lineage)["stages"][0]
    assert raw["rejected"]["ingest.erased"] == len(told["documents"])
    assert raw["rows_in"] == raw["kept"] + sum(raw["rejected"].values())
    with lineage.store.fetch(lineage.current("raw", shard)) as (path,):
        row = table.read(path).filter(pl.col("rejected_by") == erased.RULE).row(0, named=True)
    assert (row["text"], row["title"], row["text_bytes"], row["reason"]) == (
        None,
        None,
        0,
        "taken down",
    )
    assert row["url"] == named["row"]["url"]
    assert row["record_bytes"] > 0
    story = curate("explain", row["doc_id"], "--recipe", copied)
    assert "raw: rejected by ingest.erased" in story.stdout


def test_reading_the_source_again_gives_the_same_bytes(copied, curate, named, instance):
    assert erase_by(curate, copied, "texts", named["texts"]).exit_code == 0
    lineage = Lineage(load(copied), Store.of(load(copied)))
    replaced = outputs(lineage, "raw")
    done, lineage = run_graph(copied, instance, last="raw", force=True)
    assert not done.failures
    assert outputs(lineage, "raw") == replaced
    for path in (copied.parent / "store" / "raw").iterdir():
        path.unlink()
    done, lineage = run_graph(copied, instance, last="raw")
    assert done.computed["raw"] == 4
    assert outputs(lineage, "raw") == replaced


def test_a_later_crawl_and_another_recipe_do_not_bring_it_back(copied, curate, named, instance):
    assert erase_by(curate, copied, "texts", named["texts"]).exit_code == 0
    text = named["texts"].read_text()
    lines = [
        {"text": t, "url": f"https://later.test/{n}"}
        for n, t in enumerate([text, f"{corpus.prose(900)} {text}", corpus.prose(901)])
    ]
    (copied.parent / "corpus" / "alpha-2.jsonl.gz").write_bytes(
        gzip.compress("\n".join(map(json.dumps, lines)).encode(), mtime=0)
    )
    other = corpus.project(copied.parent, name="other")
    other.write_text(
        other.read_text().replace("[[sources]]", "[ingest]\ncomments = true\n\n[[sources]]", 1)
    )
    for recipe in (copied, other):
        done, lineage = run_graph(recipe, instance, last="raw")
        assert not done.failures
        with lineage.store.fetch(lineage.current("raw", "alpha-00002")) as (path,):
            assert table.read(path)["rejected_by"].to_list() == [erased.RULE, erased.RULE, None]
    assert holding(copied.parent / "store", text) == []


def test_a_takedown_that_finds_nothing_is_remembered(copied, curate, instance, tmp_path):
    text = corpus.prose(2000)
    (tmp_path / "t.txt").write_text(text)
    before = outputs(Lineage(load(copied), Store.of(load(copied))))
    done = erase_by(curate, copied, "texts", tmp_path / "t.txt")
    assert json.loads(done.stdout)["documents"] == []
    assert outputs(Lineage(load(copied), Store.of(load(copied)))) == before, (
        "nothing is recomputed for it"
    )
    (copied.parent / "corpus" / "alpha-2.jsonl.gz").write_bytes(
        gzip.compress(json.dumps({"text": text}).encode())
    )
    _, lineage = run_graph(copied, instance, last="raw")
    assert lineage.footer(lineage.current("raw", "alpha-00002"))["rejected"] == {erased.RULE: 1}


def test_asking_and_wrong_calls(copied, curate, named, tmp_path):
    store = copied.parent / "store"
    before = everything(store)
    refused = curate("takedown", copied, "--ids", named["ids"], "--erase")
    assert refused.exit_code == 1
    assert "for good?" in refused.stderr
    (tmp_path / "empty").write_text("# nobody\n")
    calls = [
        [],
        ["--verify", "--ids", named["ids"]],
        ["--verify", "--erase"],
        ["--ids", tmp_path / "empty"],
    ]
    assert [curate("takedown", copied, *call).exit_code for call in calls] == [2, 2, 2, 2]
    assert everything(store) == before


def test_while_something_writes_to_the_root_nothing_is_erased(copied, curate, named):
    busy = copied.parent / "store" / ".scratch" / "elsewhere-1-abc"
    busy.mkdir(parents=True)
    done = erase_by(curate, copied, "ids", named["ids"])
    assert done.exit_code == 1
    assert "elsewhere-1-abc" in done.stderr
    assert not (copied.parent / "store" / "erased").exists()


def test_a_release_that_is_put_back_is_noticed(copied, curate, named):
    store = copied.parent / "store"
    kept = copied.parent / "kept"
    shutil.copytree(store, kept)
    assert erase_by(curate, copied, "ids", named["ids"]).exit_code == 0
    assert curate("takedown", copied, "--verify").exit_code == 0
    shutil.copytree(kept / "releases", store / "releases", dirs_exist_ok=True)
    found = curate("takedown", copied, "--verify", "--json")
    assert found.exit_code == 3
    assert [r["name"] for r in json.loads(found.stdout)["releases"]] == ["tiny"]
    files = sorted((kept / "exported").iterdir())
    recipe = load(copied)
    documents = Lineage(recipe, Store.of(recipe)).erasures.documents
    assert not audit(files, recipe.decontaminate, erased=documents).passed
    assert audit(files, recipe.decontaminate, erased=documents).erased == 1
    assert audit(files, recipe.decontaminate).passed
    again = erase_by(curate, copied, "ids", named["ids"])
    assert again.exit_code == 0
    assert curate("takedown", copied, "--verify").exit_code == 0
    assert holding(store, named["row"]["text"]) == []


def names_of(store: Path) -> dict[str, str]:
    return {
        name: held for name, held in everything(store).items() if not name.startswith(".scratch")
    }


KILLED = """
import os, signal, sys
from curation_dagster import store
from curation_dagster.cli import main
left = int(sys.argv.pop(1))
def counted(name):
    real = getattr(store.Store, name)
    def step(self, *arguments, **more):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, *arguments, **more)
    setattr(store.Store, name, step)
for name in ("create", "publish", "remove", "replace"):
    counted(name)
main()
"""


def test_killed_anywhere_and_run_again_the_end_is_the_same(copied, curate, named, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(copied.parent, whole)
    assert erase_by(curate, whole / copied.name, "texts", named["texts"]).exit_code == 0
    wanted = names_of(whole / "store")
    step = 0
    while True:
        trial = tmp_path / f"trial-{step}"
        shutil.copytree(copied.parent, trial)
        call = [
            "takedown",
            str(trial / copied.name),
            "--texts",
            str(named["texts"]),
            "--erase",
            "--yes",
        ]
        died = subprocess.run(
            [sys.executable, "-c", KILLED, str(step), *call], check=False, capture_output=True
        )
        if died.returncode == 0:
            break
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert curate(*call).exit_code == 0
        assert names_of(trial / "store") == wanted, f"killed before step {step}"
        shutil.rmtree(trial)
        step += 3
    assert step > 6
