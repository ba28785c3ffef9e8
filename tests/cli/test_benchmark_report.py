"""`curate benchmarks report`, the check of the probes and the release that is not published, on the curated corpus."""

import json

import corpus
import pytest
from conftest_graph import curate as run_graph

from curation_dagster.commands.benchmark_report import redacted
from curation_dagster.contamination import figures
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


def change(path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_report_says_what_was_there_and_what_is_left(curated, curate):
    found = json.loads(curate("benchmarks", "report", curated[0], "--json").stdout)
    [bees] = found
    assert (bees["items"], bees["seen_before"], bees["seen_after"]) == (1, 1, 0)
    assert (bees["share_before"], bees["share_after"]) == (1.0, 0.0)
    assert set(bees["by_method"].values()) == {1}
    kept = sum(corpus.QUESTION in d["text"] for d in corpus.documents())
    assert sum(bees["documents"].values()) == kept
    assert bees["documents"]["flagged"] == bees["documents"]["cut"] == 0
    assert bees["documents"]["dropped"] > 0
    for example in (*bees["near"], *bees["far"]):
        assert example["item"] == "bees"
        assert corpus.QUESTION[:40] not in example["text"]
        assert "•" in example["text"]
        words = set(corpus.QUESTION.replace(",", "").split()) & set(
            example["text"].replace("[", " ").split()
        )
        assert 0 < len(words) < 15
    said = curate("benchmarks", "report", curated[0]).stdout
    assert "1 (100.0%)" in said
    assert "0 (0.0%)" in said


def test_a_flagged_benchmark_is_seen_after_too(copied, curate, instance):
    change(copied, 'id_field = "id"', 'id_field = "id"\naction = "flag"')
    assert curate("benchmarks", "report", copied).exit_code == 1
    done, lineage = run_graph(copied, instance, last="decontaminated")
    assert not done.failures
    [bees] = figures(lineage)
    assert bees["seen_after"] == 1
    assert bees["documents"]["flagged"] > 0
    assert bees["documents"]["dropped"] == 0


def test_what_is_cut_is_not_seen_after(copied, instance):
    change(copied, 'id_field = "id"', 'id_field = "id"\naction = "cut"')
    done, lineage = run_graph(copied, instance, last="decontaminated")
    assert not done.failures
    [bees] = figures(lineage)
    assert (bees["seen_before"], bees["seen_after"]) == (1, 0)
    assert bees["documents"]["cut"] > 0
    assert bees["documents"]["flagged"] == 0


def test_the_release_says_it_too(curated):
    folder = curated[0].parent / "store" / "releases" / "tiny"
    assert json.loads((folder / "manifest.json").read_text())["contamination"] == figures(
        curated[2]
    )
    assert "| bees | 1 | 0 | 1 | 0 |" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("question", "says", "where"),
    [
        pytest.param(corpus.QUESTION, "", "failed_checks", id="fine"),
        pytest.param("What?", "probes failed", "failures", id="an item too short"),
        pytest.param("", "has no text in any field", "failures", id="emptied"),
    ],
)
def test_a_benchmark_of_nothing_fails_the_check_and_nothing_is_published(
    copied, instance, question, says, where
):
    item = json.dumps({"id": "bees", "question": question, "changed": True})
    (copied.parent / "corpus" / "benchmark.jsonl").write_text(item)
    release = copied.parent / "store" / "releases" / "tiny" / "manifest.json"
    before = release.stat().st_mtime_ns
    done, _ = run_graph(copied, instance)
    told = "".join(getattr(done, where))
    assert says in told
    assert bool(says) is bool(told)
    assert (release.stat().st_mtime_ns > before) is not bool(says)


def test_gates_alone_do_not_scan_again(copied):
    copied.write_text(copied.read_text() + "\n[decontaminate.probes]\nmax_clean_share = 0.5\n")
    lineage = Lineage(load(copied), Store.of(load(copied)))
    assert {lineage.state("scanned", key) for key in lineage.shards} == {"current"}


def test_redacted_hides_scripts_without_spaces():
    text = "前面的文字。一位养蜂人每隔一天移动三个蜂箱。后面的文字。"
    start = len("前面的文字。".encode())
    shown = redacted(text, start, len(text.encode()))
    inside = shown.split("[")[1]
    assert sum(c in "一位养蜂人每隔一天移动三个蜂箱" for c in inside) < 9
