"""The judge through the whole graph: stages read answers and never ask; without answers nothing is clean."""

import json

import corpus
import polars as pl
import pytest
from chat_server import dead_url, said, serving
from click.testing import CliRunner
from conftest_graph import curate, outputs

from curation_dagster import table
from curation_dagster.cli import main
from curation_dagster.decontaminate import cascade, judge_answers, rare_terms
from curation_dagster.decontaminate.found import FOUND
from curation_dagster.lineage import Lineage, sections
from curation_dagster.recipe_file import load

CANARY = "sk-canary-77aa01"
JUDGE = """[decontaminate]
steps = ["ngrams", "rare_terms", "judge"]

[decontaminate.judge]
url = "{url}"
model = "tiny-judge"
cache = {{ path = "answers.jsonl" }}
key_variable = "JUDGE_KEY"
timeout_s = 2
max_tries = 1
"""
SAME = [f"On which weekday is the last of {n} hives moved?" for n in range(40, 43)]
OTHER = [f"Bees move to new hives every {n} weeks in spring." for n in range(3, 6)]


class Index:
    """A stand-in for rare_terms: finds every sentence of SAME and OTHER, whatever the items are."""

    detectable = pl.DataFrame({"benchmark": ["bees"], "item": ["bees"], "part": ["question"]})

    def find(self, texts: pl.Series) -> pl.DataFrame:
        rows = []
        for n, text in enumerate(texts):
            for sentence in (*SAME, *OTHER):
                at = text.find(sentence)
                if at >= 0:
                    start = len(text[:at].encode())
                    row = (
                        n,
                        "bees",
                        "bees",
                        "question",
                        "rare_terms",
                        0.6,
                        start,
                        start + len(sentence),
                    )
                    rows.append(row)
        return pl.DataFrame(rows, schema=FOUND, orient="row").sort("doc", "start")


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", CANARY)
    monkeypatch.setattr(rare_terms, "build", lambda *_: Index())
    monkeypatch.setattr(cascade, "_built", {})


def write(path, url: str):
    """Write documents that hold one sentence each, after a line that dedup cuts, and a recipe that judges."""
    line = "Subscribe to the harbour letter and read it at breakfast every day"
    lines = [
        json.dumps({"text": f"{corpus.prose(700 + n)}\n{line}\n{corpus.prose(800 + n, 6)} Café. {sentence}"})
        for n, sentence in enumerate((*SAME, *OTHER))
    ]  # fmt: skip
    (path.parent / "corpus" / "alpha-7.jsonl").write_text("\n".join(lines))
    text = corpus.project(path.parent).read_text().replace("alpha-*.jsonl.gz", "alpha-*.jsonl*")
    text = text.replace("[dedup]", "[dedup.lines]\nmin_terms = 4")
    text = text.replace('quality_key = "gopher_word_count"\n', "")
    ratio = "max_top_2gram_char_ratio = 0.3"  # long template prose repeats itself
    repeats = "\n".join(f"max_dup_{n}gram_char_ratio = 1" for n in range(5, 11))
    text = text.replace(ratio, f"{ratio}\n{repeats}")
    text = text.replace("tokens = 30000", "tokens = 10_000_000")  # every document ships
    head, tail = text.split("[decontaminate]\n", 1)
    steps = tail.split("\n", 1)[1] if tail.startswith("steps") else tail
    path.write_text(head + JUDGE.format(url=url) + "\n" + steps)
    return path


def hits(lineage: Lineage) -> list[tuple[str, str]]:
    """List (method, what the span holds) of the hits the judge was about."""
    rows = []
    for key in lineage.partitions("scanned"):
        refs = [lineage.current(stage, key) for stage in ("scanned", "raw")]
        with lineage.store.fetch(*refs) as (scan, raw):
            texts = dict(table.read(raw, ["row", "text"]).iter_rows())
            for row, of in table.read(scan, ["row", "hits"]).iter_rows():
                text = (texts[row] or "").encode()
                rows += [(h["method"], text[h["start"] : h["end"]].decode()) for h in of]
    return sorted(row for row in rows if row[0] != "ngrams")


def curate_accepted(path, instance):
    """Curate, accepting that the index of these tests finds no probe; return what was computed and what failed."""
    first, _ = curate(path, instance)
    assert "rare_terms finds none" in first.failures[0]
    why = ["--because", "its index knows no probes", "--by", "tests"]
    assert CliRunner().invoke(main, ["accept", str(path), "scanned", *why]).exit_code == 0
    done, lineage = curate(path, instance)
    assert not done.failures
    return first.computed | done.computed, done.failed_checks, lineage


def judge(path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["benchmarks", "judge", str(path)])
    return result.exit_code, result.output


def opinion(_, body) -> object:
    return said(str("last of" in body["messages"][1]["content"].split("passage")[-1]))


@pytest.mark.usefixtures("found")
def test_from_a_dead_endpoint_to_a_release(tmp_path, instance) -> None:
    path = write(corpus.project(tmp_path), dead_url())
    _, failed, lineage = curate_accepted(path, instance)
    assert [c for c in failed if "judge_answered" in c]
    assert "'unanswered': 6" in " ".join(failed)
    assert hits(lineage) == sorted(("judge_unanswered", s) for s in (*SAME, *OTHER))
    refused = Lineage(lineage.recipe, lineage.store)
    reasons = [
        refused.footer(refused.current("decontaminated", k))["rejected"] for k in refused.shards
    ]
    assert {"decontaminate.judge_unanswered": 6} in reasons

    code, said_ = judge(path)
    assert code == 3
    assert "0 held, 0 denied, 6 unanswered" in said_
    assert not (tmp_path / "answers.jsonl").exists()
    assert curate(path, instance)[0].computed == {}

    with serving(opinion) as seen:
        write(path, seen.url)
        code, said_ = judge(path)
        assert (code, "3 held, 3 denied, 0 unanswered" in said_) == (0, True)
        assert len(seen.bodies) == 6
        assert {h["Authorization"] for h in seen.headers} == {f"Bearer {CANARY}"}
        computed, failed, lineage = curate_accepted(path, instance)
        assert failed == []
        assert computed["scanned"] == 5
        assert hits(lineage) == sorted(("judge", s) for s in SAME)
        assert len(seen.bodies) == 6, "no stage asks"
        code, said_ = judge(path)
        assert (code, len(seen.bodies)) == (0, 6)
    shipped = "".join(p.read_text(errors="replace") for p in tmp_path.rglob("*.json"))
    everything = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert CANARY.encode() not in everything
    assert CANARY not in shipped + said_ + repr(lineage.recipe)

    before, answers = outputs(lineage, "scanned"), (tmp_path / "answers.jsonl").read_bytes()
    again, lineage = curate(path, instance, first="scanned", last="scanned", force=True)
    assert again.computed["scanned"] == 5
    assert outputs(lineage, "scanned") == before
    assert (tmp_path / "answers.jsonl").read_bytes() == answers


@pytest.mark.usefixtures("found")
def test_interrupted_and_limited_it_goes_on_where_it_was(tmp_path, instance) -> None:
    path = write(corpus.project(tmp_path), "http://127.0.0.1:9/v1")
    curate(path, instance, last="scanned")
    with serving(opinion) as seen:
        write(path, seen.url)
        text = path.read_text()
        path.write_text(text.replace("max_tries = 1", "max_tries = 1\nmax_questions = 4"))
        code, said_ = judge(path)
        assert (code, len(seen.bodies)) == (3, 4)
        assert "more are waiting" in said_
        code, said_ = judge(
            path
        )  # `scanned` is stale by its answers alone, and good enough to ask by
        assert (code, len(seen.bodies)) == (0, 6)
        assert "4 answers are known" in said_
    assert len(judge_answers.read(tmp_path / "answers.jsonl")) == 6


def test_what_only_says_how_to_ask_recomputes_nothing(tmp_path) -> None:
    path = write(corpus.project(tmp_path), "http://127.0.0.1:9/v1")
    before = sections(load(path), "scanned", "alpha-00000")
    text = path.read_text()
    for old, new, same in (
        ("127.0.0.1:9", "127.0.0.1:10", True),
        ("timeout_s = 2", "timeout_s = 3\nconcurrency = 2\nmax_answer_tokens = 9", True),
        ('"JUDGE_KEY"', '"OTHER_KEY"', True),
        ("tiny-judge", "large-judge", False),
        ("max_tries = 1", "max_tries = 1\nmin_score = 0.5", False),
        ("max_tries = 1", "max_tries = 1\ncontext_bytes = 5", False),
    ):
        path.write_text(text.replace(old, new))
        assert (sections(load(path), "scanned", "alpha-00000") == before) is same, new
    path.write_text(text)
    judge_answers.write(
        tmp_path / "answers.jsonl", {"a": judge_answers.Answer("a", True, *"mpqbi")}
    )
    assert sections(load(path), "scanned", "alpha-00000") != before


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param('"judge"]', "]", "runs no judge", id="no such step"),
        pytest.param('"answers.jsonl"', '"answers.jsonl", sha256 = "SUM"', "pinned", id="pinned"),
        pytest.param("", "", "scanned is not current", id="not scanned"),
    ],
)
def test_the_command_says_what_it_needs(tmp_path, old, new, says, monkeypatch) -> None:
    from curation_dagster import plan
    from curation_dagster.recipe_file import sha256
    from curation_dagster.store import Store

    monkeypatch.setenv("JUDGE_KEY", CANARY)
    path = write(corpus.project(tmp_path), "http://127.0.0.1:9/v1")
    plan.plan(load(path), Store(load(path).root))
    (tmp_path / "answers.jsonl").write_text("")
    text = path.read_text().replace(old, new).replace("SUM", sha256(tmp_path / "answers.jsonl"))
    path.write_text(text.replace(", ]", "]"))
    code, said_ = judge(path)
    assert (code, says in said_) == (1 if "scanned" in says else 2, True), said_


def test_a_file_that_is_applied_can_be_asked_about(tmp_path, found) -> None:  # noqa: ARG001
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    texts = [f"{corpus.prose(n)} {s}" for n, s in enumerate((SAME[0], OTHER[0]))]
    pl.DataFrame({"doc_id": ["a", "b"], "text": texts}).write_parquet(source)

    def applied() -> list[str | None]:
        arguments = ["apply", "decontaminate", str(source), str(out), "--recipe", str(path)]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        return pl.read_parquet(out)["rejected_by"].to_list()

    with serving(opinion) as seen:
        path = write(corpus.project(tmp_path), seen.url)
        assert applied() == ["decontaminate.judge_unanswered"] * 2
        result = CliRunner().invoke(main, ["benchmarks", "judge", str(path), "--file", str(source)])
        assert (result.exit_code, len(seen.bodies)) == (0, 2)
    assert applied() == ["decontaminate.judge", None]
